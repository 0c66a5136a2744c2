#include "api/http_message.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace reeve::api {

std::string_view word_of(Method method) noexcept {
    switch (method) {
        case Method::kGet:    return "GET";
        case Method::kHead:   return "HEAD";
        case Method::kPost:   return "POST";
        case Method::kPut:    return "PUT";
        case Method::kPatch:  return "PATCH";
        case Method::kDelete: return "DELETE";
        case Method::kOther:  return "OTHER";
    }
    return "OTHER";  // Only if the method was cast from a number.
}

std::string_view word_of(CallerSource source) noexcept {
    switch (source) {
        case CallerSource::kAnonymous: return "anonymous";
        case CallerSource::kUnix:      return "unix";
        case CallerSource::kToken:     return "token";
    }
    return "anonymous";  // Only if the source was cast from a number.
}

const std::string& HttpRequest::capture(std::string_view name) const {
    const auto found = std::ranges::find(captures, name, &Parameter::first);
    REEVE_ASSERT(found != captures.end(), "a handler asks only for captures of its own pattern");
    return found->second;
}

std::optional<std::string_view> HttpRequest::parameter(std::string_view name) const {
    const auto found = std::ranges::find(query, name, &Parameter::first);
    return found == query.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

HttpResponse refuse(Error error) {
    return {.status = row_of(error.code).http, .problem = std::move(error)};
}

HttpResponse refuse(ErrorCode code, std::string message) {
    return refuse(Error{code, std::move(message), {}});
}

}  // namespace reeve::api
