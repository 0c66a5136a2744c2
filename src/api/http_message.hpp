#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/permission.hpp"
#include "base/result.hpp"

namespace reeve::api {

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOther };

[[nodiscard]] std::string_view word_of(Method method) noexcept;  // "GET".

/// The other end of a connection, as the kernel tells it.
struct Peer {
    bool is_unix = false;  // Then uid and gid are SO_PEERCRED's; else they say nothing.
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
};

/// Where a caller's identity comes from.
enum class CallerSource : std::uint8_t { kAnonymous, kUnix, kToken };

[[nodiscard]] std::string_view word_of(CallerSource source) noexcept;  // "unix".

/// On whose behalf a request is made.
struct Caller {
    std::string user = {};  // "" for an anonymous one.
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    Role role = Role::kNone;
    CallerSource source = CallerSource::kAnonymous;
    std::string acted_by = {};  // The administrator who acts as the user; "": the user.
};

/// The header fields that matter to anybody here. "" is absent, but for those where a field that is
/// there and empty is wrong.
struct HeaderFields {
    std::string_view host = {};
    std::string_view origin = {};
    std::string_view authorization = {};
    std::string_view content_type = {};
    std::string_view accept_encoding = {};
    std::optional<std::string_view> idempotency_key = {};
    std::optional<std::string_view> if_match = {};
    std::optional<std::string_view> last_event_id = {};
    std::optional<std::string_view> acts_as = {};
    std::string_view request_id = {};
};

/// A name and its decoded value: of the query, or of a capture in the path.
using Parameter = std::pair<std::string, std::string>;

struct Route;

/// One request. Views and the object itself live as long as the call that gets it; `body` may be
/// moved out.
struct HttpRequest {
    Method method = Method::kOther;
    std::string_view target = {};  // As sent: path and query.
    HeaderFields fields = {};
    Peer peer = {};
    std::string request_id = {};  // The client's, if it sent a good one; else ours.
    std::string body = {};

    // Set by the service when it admits the request.
    const Route* route = nullptr;
    Caller caller = {};
    std::vector<Parameter> captures = {};
    std::vector<Parameter> query = {};

    /// The value of a capture of the route's pattern. The route must have it.
    [[nodiscard]] const std::string& capture(std::string_view name) const;

    /// The first value of a query parameter; nothing if it is absent.
    [[nodiscard]] std::optional<std::string_view> parameter(std::string_view name) const;
};

/// An answer as a whole. A `problem` takes the place of the body and the content type; the
/// connection renders it, because it knows the request's id.
struct HttpResponse {
    int status = 200;
    std::string body = {};
    std::string_view content_type = "application/json";  // Of static storage.
    std::vector<std::pair<std::string_view, std::string>> headers = {};
    std::optional<Error> problem = {};
    std::string reasons_json = {};  // With a problem: its `reasons`, a JSON array; "" if none.
    bool closes = false;            // The connection ends with this answer.
};

/// An answer that refuses: row_of(error.code) says its status. The operator's context stays here.
[[nodiscard]] HttpResponse refuse(Error error);
[[nodiscard]] HttpResponse refuse(ErrorCode code, std::string message);

}  // namespace reeve::api
