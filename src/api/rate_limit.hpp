#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/http_message.hpp"

// What the server takes at once, told to clients by the fields of draft-ietf-httpapi-ratelimit-
// headers. Nothing is counted by time: a client may ask as fast as it is answered.
namespace reeve::api {

/// So much at once, of all clients together.
struct Capacity {
    std::string_view name = {};  // "events".
    std::uint64_t most = 0;
    std::string_view unit = "concurrent-requests";  // A quota unit of the draft.
};

/// Tells of a capacity, and how much of it is left: RateLimit-Policy and RateLimit.
void tell_capacity(HttpResponse& response, const Capacity& capacity, std::uint64_t left);

/// LIMIT, as nothing of the capacity is left; worth another try in a second.
[[nodiscard]] HttpResponse refuse_beyond(const Capacity& capacity, std::string message);

/// Adds Retry-After to a refusal that time alone may end, unless it says so already.
void tell_when_to_retry(HttpResponse& response);

}  // namespace reeve::api
