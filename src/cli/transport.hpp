#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace reeve::cli {

struct HttpRequest {
    std::string method = "GET";
    std::string target = {};  // "/api/v1/jobs?limit=1", already escaped.
    std::string body = {};
    std::vector<std::string> headers = {};  // "Name: value".
};

struct HttpAnswer {
    int status = 0;
    std::string body = {};
    std::string next_offset = {};  // Of X-Reeve-Next-Offset.
    std::string log_dropped = {};  // Of X-Reeve-Log-Dropped.
    std::string next_cursor = {};  // Of X-Reeve-Next-Cursor.
};

/// What becomes of a stream.
enum class Go : std::uint8_t { kOn, kStop };

/// Told about an answer as it comes. Nothing of an answer that is no 200 is told.
struct StreamListener {
    std::function<Go()> on_open = {};  // The head has come.
    std::function<Go(std::string_view bytes)> on_bytes = {};
    std::function<Go()> on_tick = {};  // Nothing came for a while; also before the head.
};

/// Sends requests to the server. Errors: kUnavailable, saying where it was looked for.
class Transport {
  public:
    virtual ~Transport() = default;
    [[nodiscard]] virtual Result<HttpAnswer> send(const HttpRequest& request) = 0;

    /// The body of a 200 goes to the listener as it comes; of anything else it is in the answer.
    [[nodiscard]] virtual Result<HttpAnswer> stream(
        const HttpRequest& request, const StreamListener& listener) = 0;
};

}  // namespace reeve::cli
