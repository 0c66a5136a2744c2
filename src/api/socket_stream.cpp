#include "api/socket_stream.hpp"

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

namespace reeve::api {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

IoResult result_of(const error_code& error, std::size_t bytes) {
    if (!error) {
        return {.kind = IoResult::Kind::kSome, .bytes = bytes};
    }
    const bool is_empty = error == asio::error::would_block || error == asio::error::try_again;
    return {.kind = is_empty ? IoResult::Kind::kWouldBlock : IoResult::Kind::kClosed};
}

class SocketStream final : public Stream {
  public:
    explicit SocketStream(Socket socket) : socket_(std::move(socket)) {
        error_code error;
        // If it fails the socket is broken, and the next call says so.
        error = socket_.non_blocking(true, error);
    }

    IoResult read_now(std::span<char> into) override {
        error_code error;
        const std::size_t bytes = socket_.read_some(asio::buffer(into.data(), into.size()), error);
        return result_of(error, bytes);
    }

    IoResult write_now(std::string_view bytes) override {
        error_code error;
        const std::size_t wrote =
            socket_.write_some(asio::buffer(bytes.data(), bytes.size()), error);
        return result_of(error, wrote);
    }

    void wait_readable(std::shared_ptr<StreamUser> user) override {
        socket_.async_wait(Socket::wait_read, [user = std::move(user)](const error_code&) {
            user->on_readable();
        });
    }

    void wait_writable(std::shared_ptr<StreamUser> user) override {
        socket_.async_wait(Socket::wait_write, [user = std::move(user)](const error_code&) {
            user->on_writable();
        });
    }

    void shut_down_writing() override {
        error_code error;  // The other end may be gone already; the next read says so.
        error = socket_.shutdown(Socket::shutdown_send, error);
    }

    void close() override {
        error_code error;  // Nothing can be done about a close that fails.
        error = socket_.close(error);
    }

  private:
    Socket socket_;
};

}  // namespace

std::unique_ptr<Stream> make_socket_stream(Socket socket) {
    return std::make_unique<SocketStream>(std::move(socket));
}

}  // namespace reeve::api
