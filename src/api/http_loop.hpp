#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "api/http_connection.hpp"
#include "api/socket_stream.hpp"
#include "base/instant.hpp"

namespace reeve::api {

/// One thread's event loop and its connections. Everything runs on its own thread, but for what
/// says otherwise. Time is counted in ticks of a timer that runs only while there are connections,
/// so an idle server sleeps.
class HttpLoop final : public ConnectionHost {
  public:
    /// All of them outlive the loop. `number` tells its request ids from those of other loops.
    HttpLoop(
        HttpService& service, const HttpServerOptions& options, HttpCounters& counters, int number);

    /// The body of its thread: returns after stop().
    void run();

    /// From any thread.
    void stop(std::chrono::milliseconds grace);

    [[nodiscard]] boost::asio::io_context& context() noexcept { return context_; }

    /// From any thread: the new connection is served on the loop's.
    void adopt(Socket socket);

    /// From any thread: lets the connection go that was idle for longest.
    void make_room();

    HttpService& service() override { return service_; }

    [[nodiscard]] const HttpServerOptions& options() const override { return options_; }

    HttpCounters& counters() override { return counters_; }

    [[nodiscard]] const std::shared_ptr<Mailbox>& mailbox() const override { return mailbox_; }

    std::span<char> scratch() override { return scratch_; }

    std::string next_request_id() override;
    const std::string& date() override;
    [[nodiscard]] std::uint64_t deadline_in(std::chrono::milliseconds wait) const override;
    bool take_body_bytes(std::uint64_t bytes) override;

    void give_back_body_bytes(std::uint64_t bytes) override { body_bytes_ -= bytes; }

    void became_idle(HttpConnection& connection) override;
    void became_busy(HttpConnection& connection) override;
    void closed(HttpConnection& connection) override;

  private:
    void begin(Socket socket);
    bool close_longest_idle(const HttpConnection* except);
    void read_mail();
    void arm_timer();
    void on_tick();
    void begin_stop(std::uint64_t grace_ticks);
    void end_if_empty();
    void close_all();

    HttpService& service_;
    const HttpServerOptions& options_;
    HttpCounters& counters_;
    std::string id_prefix_;
    std::uint64_t last_id_ = 0;
    std::string date_;
    std::uint64_t date_tick_ = 0;  // When date_ was made.

    boost::asio::io_context context_ = boost::asio::io_context(1);
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    boost::asio::steady_timer timer_;
    std::shared_ptr<Mailbox> mailbox_;
    std::array<char, 64 << 10> scratch_ = {};

    ConnectionList idle_;  // Longest idle first.
    ConnectionList busy_;
    std::uint64_t tick_ = 1;
    std::uint64_t body_bytes_ = 0;
    std::uint64_t stop_tick_ = 0;  // 0: not stopping.
    bool is_timer_armed_ = false;
};

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).
[[nodiscard]] std::string http_date(Instant at);

/// The uid and gid at the other end, of a Unix socket.
[[nodiscard]] Peer peer_of(Socket& socket);

}  // namespace reeve::api
