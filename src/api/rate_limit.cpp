#include "api/rate_limit.hpp"

#include <algorithm>
#include <utility>

namespace reeve::api {
namespace {

constexpr std::string_view kRetryAfter = "Retry-After";

/// A guess, but for what was refused by refuse_beyond(): nobody knows when a job ends, or when a
/// disk has room. "" for what time does not change.
std::string seconds_until_retry(ErrorCode code) {
    switch (code) {
        case ErrorCode::kUnavailable:     return "1";
        case ErrorCode::kLimit:
        case ErrorCode::kStorageFull:     return "5";
        case ErrorCode::kInvalid:
        case ErrorCode::kUnauthenticated:
        case ErrorCode::kForbidden:
        case ErrorCode::kNotFound:
        case ErrorCode::kConflict:
        case ErrorCode::kPrecondition:
        case ErrorCode::kTooLarge:
        case ErrorCode::kUnsatisfiable:
        case ErrorCode::kQuota:
        case ErrorCode::kPolicy:
        case ErrorCode::kInternal:        return "";
    }
    return "";  // Only if the code was cast from a number.
}

}  // namespace

void tell_capacity(HttpResponse& response, const Capacity& capacity, std::uint64_t left) {
    const std::string name = "\"" + std::string(capacity.name) + "\"";
    response.headers.emplace_back(
        "RateLimit-Policy", name + ";q=" + std::to_string(capacity.most) + ";qu=\"" +
                                std::string(capacity.unit) + "\"");
    response.headers.emplace_back("RateLimit", name + ";r=" + std::to_string(left));
}

HttpResponse refuse_beyond(const Capacity& capacity, std::string message) {
    HttpResponse response = refuse(ErrorCode::kLimit, std::move(message));
    tell_capacity(response, capacity, 0);
    response.headers.emplace_back(kRetryAfter, "1");
    return response;
}

void tell_when_to_retry(HttpResponse& response) {
    const bool has_it = std::ranges::any_of(
        response.headers, [](const auto& header) { return header.first == kRetryAfter; });
    if (!response.problem || has_it) {
        return;
    }
    if (std::string seconds = seconds_until_retry(response.problem->code); !seconds.empty()) {
        response.headers.emplace_back(kRetryAfter, std::move(seconds));
    }
}

}  // namespace reeve::api
