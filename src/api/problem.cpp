#include "api/problem.hpp"

#include <algorithm>

#include "api/json_text.hpp"
#include "api/rate_limit.hpp"

namespace reeve::api {
namespace {

std::string_view title_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::kInvalid:         return "The request is wrong";
        case ErrorCode::kUnauthenticated: return "Nobody we know";
        case ErrorCode::kForbidden:       return "Not allowed";
        case ErrorCode::kNotFound:        return "Not found";
        case ErrorCode::kConflict:        return "Not in this state";
        case ErrorCode::kPrecondition:    return "It changed in the meantime";
        case ErrorCode::kTooLarge:        return "Too large";
        case ErrorCode::kUnsatisfiable:   return "No node can ever run this";
        case ErrorCode::kQuota:           return "Over a quota";
        case ErrorCode::kPolicy:          return "Against a rule of this cluster";
        case ErrorCode::kLimit:           return "Too much at once";
        case ErrorCode::kInternal:        return "Our fault";
        case ErrorCode::kUnavailable:     return "Not now";
        case ErrorCode::kStorageFull:     return "Nothing can be made durable";
    }
    return "Our fault";  // Only if the code was cast from a number.
}

/// INVALID -> urn:reeve:problem:invalid
std::string type_of(std::string_view name) {
    std::string type = "urn:reeve:problem:";
    for (const char c : name) {
        type += c == '_' ? '-' : static_cast<char>(c + ('a' - 'A'));
    }
    return type;
}

}  // namespace

void render_problem(
    HttpResponse& response, std::string_view instance, std::string_view request_id) {
    if (!response.problem) {
        return;
    }
    tell_when_to_retry(response);
    const Error& error = *response.problem;
    const ErrorCodeRow row = row_of(error.code);
    JsonText json;
    json.begin_object();
    json.field("type", type_of(row.name));
    json.field("title", title_of(error.code));
    json.field("status", response.status);
    json.field("detail", error.message);
    json.field("instance", instance);
    json.field("code", row.name);
    json.field("request_id", request_id);
    if (!response.reasons_json.empty()) {
        json.key("reasons");
        json.raw(response.reasons_json);
    }
    json.end_object();
    response.body = json.take();
    response.content_type = "application/problem+json";
    if (error.code == ErrorCode::kUnauthenticated) {
        response.headers.emplace_back("WWW-Authenticate", "Bearer");
    }
    response.problem.reset();
}

}  // namespace reeve::api
