#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "cli/transport.hpp"

namespace reeve::cli {

/// Where the server is: "unix:/path", or "http://host:port".
struct ServerAddress {
    std::string socket = {};  // Of the Unix socket; "" for TCP.
    std::string url = {};     // "http://host:port", no slash at the end.

    /// As -s takes it.
    [[nodiscard]] std::string text() const { return socket.empty() ? url : "unix:" + socket; }
};

/// Errors: kInvalid, saying what it accepts. Plain HTTP to another machine is refused: a token
/// would be readable on the way.
[[nodiscard]] Result<ServerAddress> parse_server_address(std::string_view text);

struct TransportOptions {
    ServerAddress server = {};
    std::string token = {};  // Sent as a bearer token; "": none.
    std::chrono::milliseconds timeout = std::chrono::seconds(30);  // Of one answer, not a stream.
};

/// By libcurl. Connections are kept.
[[nodiscard]] Result<std::unique_ptr<Transport>> open_transport(const TransportOptions& options);

}  // namespace reeve::cli
