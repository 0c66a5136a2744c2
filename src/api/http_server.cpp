#include "api/http_server.hpp"

#include <array>
#include <cstring>
#include <list>
#include <thread>
#include <vector>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/http_loop.hpp"
#include "base/assert.hpp"
#include "platform/os_random.hpp"
#include "platform/system_error.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::api {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr int kBacklog = 4096;
constexpr auto kAcceptRetry = std::chrono::milliseconds(50);  // After running out of descriptors.

/// Errors: kConflict if somebody listens on `path`. A socket that nobody listens on is removed.
Result<void> remove_stale_socket(const std::string& path, const sockaddr_un& address) {
    struct stat status = {};
    if (lstat(path.c_str(), &status) != 0) {
        return {};
    }
    if (!S_ISSOCK(status.st_mode)) {
        return fail(ErrorCode::kConflict, path + " exists and is no socket");
    }
    const platform::UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
        return fail(ErrorCode::kConflict, "another server listens on " + path);
    }
    if (unlink(path.c_str()) != 0) {
        return platform::fail_errno("remove the stale socket " + path);
    }
    return {};
}

Error error_of(const error_code& error, const std::string& what) {
    if (error == asio::error::address_in_use) {
        return {ErrorCode::kConflict, what + ": in use", {}};
    }
    return platform::fail_errno(what, error.value()).value();
}

}  // namespace

/// A listening socket. Lives on the first loop, hands its connections to all in turn.
struct Listener {
    explicit Listener(asio::io_context& context) : acceptor(context), retry(context) {}

    Acceptor acceptor;
    asio::steady_timer retry;
    bool is_tcp = false;
    std::string path = {};  // Of a Unix socket, to be removed at the end.
};

struct HttpServer::State {
    State(HttpService& its_service, HttpServerOptions its_options)
        : service(its_service), options(std::move(its_options)) {
        if (options.id_prefix.empty()) {
            options.id_prefix = platform::random_hex(4);
        }
        for (int i = 0; i < std::max(1, options.threads); ++i) {
            loops.push_back(std::make_unique<HttpLoop>(service, options, counters, i));
        }
    }

    void accept(Listener& listener) {
        HttpLoop& loop = *loops[next_loop++ % loops.size()];
        listener.acceptor.async_accept(
            loop.context(), [this, &listener, &loop](const error_code& error, Socket socket) {
                on_accept(listener, loop, error, std::move(socket));
            });
    }

    void on_accept(Listener& listener, HttpLoop& loop, const error_code& error, Socket socket) {
        if (error == asio::error::operation_aborted) {
            return;
        }
        if (error == asio::error::no_descriptors || error == asio::error::no_buffer_space ||
            error == asio::error::no_memory || error.value() == ENFILE) {
            for (const auto& each : loops) {
                each->make_room();
            }
            listener.retry.expires_after(kAcceptRetry);
            listener.retry.async_wait([this, &listener](const error_code& stopped) {
                if (!stopped) {
                    accept(listener);
                }
            });
            return;
        }
        if (!error) {  // Else that client has gone again.
            if (listener.is_tcp) {
                error_code failed;  // Without it answers are late, not wrong.
                failed = socket.set_option(asio::ip::tcp::no_delay(true), failed);
            }
            loop.adopt(std::move(socket));
        }
        accept(listener);
    }

    Result<Listener*> listen(
        const asio::generic::stream_protocol::endpoint& endpoint, const std::string& what) {
        Listener& listener = listeners.emplace_back(loops.front()->context());
        error_code error;
        const auto step = [&error](auto&& call) {
            if (!error) {
                call();
            }
        };
        step([&] { error = listener.acceptor.open(endpoint.protocol(), error); });
        step([&] {
            error = listener.acceptor.set_option(asio::socket_base::reuse_address(true), error);
        });
        step([&] { error = listener.acceptor.bind(endpoint, error); });
        step([&] { error = listener.acceptor.listen(kBacklog, error); });
        if (error) {
            listeners.pop_back();
            return tl::unexpected<Error>(error_of(error, what));
        }
        return &listener;
    }

    HttpService& service;
    HttpServerOptions options;
    HttpCounters counters;
    std::vector<std::unique_ptr<HttpLoop>> loops;
    std::list<Listener> listeners;
    std::vector<std::thread> threads;
    std::size_t next_loop = 0;
};

HttpServer::HttpServer(HttpService& service, HttpServerOptions options)
    : state_(std::make_unique<State>(service, std::move(options))) {}

// NOLINTNEXTLINE(bugprone-exception-escape): only without memory, and then the process may end.
HttpServer::~HttpServer() {
    stop(std::chrono::milliseconds(0));
}

Result<std::uint16_t> HttpServer::listen_tcp(const std::string& address, std::uint16_t port) {
    error_code error;
    const asio::ip::address ip = asio::ip::make_address(address, error);
    if (error) {
        return fail(ErrorCode::kInvalid, address + " is no IP address");
    }
    if (!ip.is_loopback()) {
        return fail(
            ErrorCode::kPolicy,
            "plain HTTP is served on loopback addresses only, not on " + address);
    }
    const asio::ip::tcp::endpoint endpoint(ip, port);
    auto listener = state_->listen(endpoint, "port " + std::to_string(port) + " of " + address);
    if (!listener) {
        return tl::unexpected<Error>(std::move(listener.error()));
    }
    (*listener)->is_tcp = true;
    sockaddr_storage bound = {};
    socklen_t size = sizeof(bound);
    if (getsockname(
            (*listener)->acceptor.native_handle(), reinterpret_cast<sockaddr*>(&bound), &size) !=
        0) {
        return platform::fail_errno("find the port");
    }
    // The port is at the same place for both kinds of address.
    static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
    return ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
}

Result<void> HttpServer::listen_unix(const std::string& path, mode_t mode) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) {
        return fail(
            ErrorCode::kInvalid, "the path of a Unix socket is at most 107 bytes long: " + path);
    }
    std::memcpy(&address.sun_path[0], path.c_str(), path.size() + 1);
    if (auto removed = remove_stale_socket(path, address); !removed) {
        return removed;
    }
    auto listener = state_->listen(
        asio::generic::stream_protocol::endpoint(&address, sizeof(address)), "socket " + path);
    if (!listener) {
        return tl::unexpected<Error>(std::move(listener.error()));
    }
    (*listener)->path = path;
    if (chmod(path.c_str(), mode) != 0) {
        return platform::fail_errno("set the mode of " + path);
    }
    return {};
}

void HttpServer::start() {
    REEVE_ASSERT(state_->threads.empty(), "a server is started once");
    for (Listener& listener : state_->listeners) {
        state_->accept(listener);
    }
    for (const auto& loop : state_->loops) {
        state_->threads.emplace_back([&loop] { loop->run(); });
    }
}

void HttpServer::stop(std::chrono::milliseconds grace) {
    boost::asio::post(state_->loops.front()->context(), [state = state_.get()] {
        for (Listener& listener : state->listeners) {
            error_code failed;  // Nothing can be done about a close that fails.
            failed = listener.acceptor.close(failed);
            listener.retry.cancel();
        }
    });
    for (const auto& loop : state_->loops) {
        loop->stop(grace);
    }
    for (std::thread& thread : state_->threads) {
        thread.join();
    }
    state_->threads.clear();
    for (Listener& listener : state_->listeners) {
        if (!listener.path.empty()) {
            unlink(listener.path.c_str());
        }
    }
    state_->listeners.clear();
}

const HttpCounters& HttpServer::counters() const noexcept {
    return state_->counters;
}

}  // namespace reeve::api
