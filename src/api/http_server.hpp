#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <sys/types.h>

#include "api/http_service.hpp"
#include "base/result.hpp"

namespace reeve::api {

/// What a client may take of us. Times are measured in ticks, so a limit may come one tick late.
struct HttpLimits {
    std::size_t connections_max = 12'000;    // Of all threads; then the longest idle one has to go.
    std::size_t body_bytes_max = 256 << 20;  // Of all bodies being read on one thread.
    std::chrono::milliseconds tick = std::chrono::milliseconds(500);
    std::chrono::milliseconds idle = std::chrono::minutes(10);
    std::chrono::milliseconds head = std::chrono::seconds(10);   // From its first byte to its last.
    std::chrono::milliseconds body = std::chrono::seconds(60);   // Likewise.
    std::chrono::milliseconds write = std::chrono::seconds(30);  // Without any progress.
    std::chrono::milliseconds linger = std::chrono::seconds(2);  // For a refused body to drain.
    std::chrono::milliseconds heartbeat = std::chrono::seconds(15);  // Of a silent stream.
};

struct HttpServerOptions {
    int threads = 1;
    HttpLimits limits = {};

    /// Begins the request ids that this server makes, so that those of two runs differ. "" is a
    /// random one.
    std::string id_prefix = {};

    /// Told of every answer whose error has an operator's context. From any thread; "" is fine.
    std::function<void(const std::string& request_id, const Error& error)> report = {};
};

/// For metrics.
struct HttpCounters {
    std::atomic<std::uint64_t> requests = 0;
    std::atomic<std::uint64_t> refused_4xx = 0;
    std::atomic<std::uint64_t> failed_5xx = 0;
    std::atomic<std::uint64_t> connections = 0;  // Now.
    std::atomic<std::uint64_t> streams = 0;      // Of these, server-sent events.
};

/// An HTTP/1.1 server on loopback TCP ports and Unix sockets. Each thread has its own event loop; a
/// connection stays with one. stop() before the service goes.
class HttpServer {
  public:
    /// `service` outlives the server.
    HttpServer(HttpService& service, HttpServerOptions options);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
    HttpServer(HttpServer&&) = delete;
    HttpServer& operator=(HttpServer&&) = delete;

    /// Listens before start(). Port 0 takes a free one; returns the port.
    /// Errors: kPolicy (no loopback address: plain HTTP does not leave the machine), kConflict (in
    /// use), kForbidden, kInvalid.
    [[nodiscard]] Result<std::uint16_t> listen_tcp(const std::string& address, std::uint16_t port);

    /// Likewise; replaces a socket file that nobody listens on. `mode` of the socket file: whoever
    /// may write to it may connect.
    /// Errors: kConflict (another server listens there), kInvalid (path too long), kForbidden.
    [[nodiscard]] Result<void> listen_unix(const std::string& path, mode_t mode);

    void start();

    /// Takes no more connections, ends idle ones and streams, and gives requests that wait for
    /// their answer until `grace`. Returns when all threads have ended. Later calls do nothing.
    void stop(std::chrono::milliseconds grace);

    [[nodiscard]] const HttpCounters& counters() const noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace reeve::api
