#include "api/router.hpp"

#include <algorithm>

#include "api/target.hpp"
#include "base/assert.hpp"

namespace reeve::api {
namespace {

constexpr std::uint32_t kUserUidMin = 1000;  // Of people: UID_MIN of login.defs(5).

constexpr std::string_view kBearer = "Bearer ";

bool has_body(Method method) {
    return method == Method::kPost || method == Method::kPut || method == Method::kPatch;
}

/// HEAD is answered as GET is; the connection leaves the body out.
Method routed(Method method) {
    return method == Method::kHead ? Method::kGet : method;
}

/// "localhost:8081" -> "localhost", "[::1]:80" -> "[::1]".
std::string_view without_port(std::string_view host) {
    const std::size_t from = host.starts_with('[') ? host.find(']') : 0;
    const std::size_t colon = from == host.npos ? host.npos : host.find(':', from);
    return host.substr(0, colon);
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) {
        const auto lower = [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        };
        return lower(x) == lower(y);
    });
}

/// A request's caller is who the token says; a broken or unknown token is never anonymous.
Result<Caller> caller_of(const HttpRequest& request, const Identities& identities) {
    const std::string_view authorization = request.fields.authorization;
    if (!authorization.empty()) {
        const bool is_bearer =
            authorization.size() > kBearer.size() &&
            equals_ignoring_case(authorization.substr(0, kBearer.size()), kBearer);
        if (is_bearer) {
            if (auto caller = identities.of_token(authorization.substr(kBearer.size()))) {
                return *std::move(caller);
            }
        }
        return fail(
            ErrorCode::kUnauthenticated, "the token is not one of this server's, or no longer");
    }
    if (request.peer.is_unix) {
        return identities.of_process(request.peer.uid, request.peer.gid);
    }
    return Caller{};
}

/// Who is acted as, if the request says so; else `caller`. What is done counts as done by that
/// user, with no more than that user's rights, and says who really did it.
/// Errors: kUnauthenticated, kForbidden, kInvalid, kNotFound.
Result<Caller> acted_as(
    Caller caller, const std::optional<std::string_view>& header, const Identities& identities) {
    if (!header) {
        return caller;
    }
    if (caller.role == Role::kNone) {
        return fail(
            ErrorCode::kUnauthenticated,
            "X-Reeve-As: only an administrator acts as others, and nobody is known here: send a "
            "bearer token, or use the Unix socket");
    }
    const std::string name(*header);
    if (name == caller.user) {
        return caller;
    }
    if (caller.role != Role::kAdmin) {
        return fail(
            ErrorCode::kForbidden,
            "you are " + caller.user + ", and only an administrator acts as another user");
    }
    auto user = identities.of_user(name);
    if (!user) {
        return fail(
            name.empty() ? ErrorCode::kInvalid : ErrorCode::kNotFound,
            "X-Reeve-As: expects a user of the server's machine, or of one of its tokens; there is "
            "none named '" +
                name + "'");
    }
    if (user->uid < kUserUidMin && user->uid != caller.uid && caller.uid != 0) {
        return fail(
            ErrorCode::kForbidden,
            "nobody but root acts as root or as another account of the "
            "system (uid below 1000)");
    }
    user->source = caller.source;
    user->acted_by = std::move(caller.user);
    return *std::move(user);
}

}  // namespace

Router::Router(std::vector<Route> routes, const Identities& identities, RouterOptions options)
    : routes_(std::move(routes)), identities_(identities), options_(std::move(options)) {
    for (const Route& route : routes_) {
        REEVE_ASSERT(route.handler != nullptr, "a route has a handler");
        REEVE_ASSERT(
            !options_.is_anonymous_only || route.permission == Permission::kAnonymous,
            "a port without callers serves only what anybody may see");
        patterns_.push_back(compile(route.pattern));
    }
}

std::optional<HttpResponse> Router::admit(HttpRequest& request, std::uint64_t& body_limit) {
    std::optional<HttpResponse> refusal = refusal_of(request, body_limit);
    if (refusal && options_.audit != nullptr && is_denial(*refusal)) {
        AuditEntry entry = entry_of(request);
        entry.status = refusal->status;
        entry.detail = refusal->problem->message;
        options_.audit->record(std::move(entry));
    }
    return refusal;
}

std::optional<HttpResponse> Router::refusal_of(
    HttpRequest& request, std::uint64_t& body_limit) const {
    if (auto browser = check_browser(request); !browser) {
        return refuse(std::move(browser.error()));
    }
    if (auto refusal = find_route(request)) {
        return refusal;
    }
    if (auto caller = check_caller(request); !caller) {
        return refuse(std::move(caller.error()));
    }
    if (auto query = check_query(request); !query) {
        return refuse(std::move(query.error()));
    }
    if (has_body(request.method) && request.fields.if_match && !request.route->takes_if_match) {
        return refuse(
            ErrorCode::kInvalid, "If-Match: is taken where one job is changed, and not here");
    }
    body_limit = has_body(request.method) ? request.route->body_max : 0;
    return std::nullopt;
}

void Router::handle(HttpRequest& request, Responder responder) {
    if (!request.body.empty()) {
        // Also keeps a page of another site from sending a form here: a form cannot be JSON.
        const std::string_view type = request.fields.content_type;
        const std::string_view media = type.substr(0, type.find_first_of("; "));
        if (!equals_ignoring_case(media, "application/json")) {
            responder.fail(
                {ErrorCode::kInvalid,
                 "the body has to be JSON: Content-Type: application/json",
                 {}});
            return;
        }
    }
    if (request.route->permission != Permission::kAnonymous) {
        responder = audited(request, std::move(responder), options_.audit);
    }
    request.route->handler(request, std::move(responder));
}

Result<void> Router::check_browser(const HttpRequest& request) const {
    const HeaderFields& fields = request.fields;
    if (!request.peer.is_unix && !is_our_host(fields.host)) {
        return fail(
            ErrorCode::kForbidden,
            "this server is not known as the Host that was asked for; use localhost, or add the "
            "name "
            "to its configuration");
    }
    if (fields.origin.empty()) {
        return {};
    }
    const std::size_t scheme = fields.origin.find("://");
    const bool is_same = scheme != fields.origin.npos &&
                         equals_ignoring_case(fields.origin.substr(scheme + 3), fields.host);
    if (!is_same) {
        return fail(ErrorCode::kForbidden, "a page of another site may not call this server");
    }
    return {};
}

bool Router::is_our_host(std::string_view host) const {
    const std::string_view name = without_port(host);
    const auto is_it = [&](std::string_view ours) { return equals_ignoring_case(name, ours); };
    return is_it("localhost") || is_it("127.0.0.1") || is_it("[::1]") ||
           std::ranges::any_of(options_.hosts, is_it);
}

std::optional<HttpResponse> Router::find_route(HttpRequest& request) const {
    const Result<Target> target = parse_target(request.target);
    if (!target) {
        return refuse(target.error());
    }
    std::string allowed;
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        if (!matches(patterns_[i], target->segments)) {
            continue;
        }
        if (routes_[i].method == routed(request.method)) {
            request.route = &routes_[i];
            Result<void> taken = take_parameters(request, patterns_[i], *target);
            return taken ? std::nullopt : std::optional(refuse(std::move(taken.error())));
        }
        allowed += allowed.empty() ? "" : ", ";
        allowed += word_of(routes_[i].method);
        allowed += routes_[i].method == Method::kGet ? ", HEAD" : "";
    }
    if (allowed.empty()) {
        return refuse(ErrorCode::kNotFound, "there is nothing at this path");
    }
    HttpResponse response = refuse(ErrorCode::kInvalid, "this path takes " + allowed + " only");
    response.status = 405;
    response.headers.emplace_back("Allow", std::move(allowed));
    return response;
}

Result<void> Router::take_parameters(
    HttpRequest& request, const Pattern& pattern, const Target& target) {
    for (std::size_t i = 0; i < target.segments.size(); ++i) {
        const Segment& segment = pattern.segments[i];
        if (segment.capture.empty()) {
            continue;
        }
        std::string_view text = target.segments[i];
        text.remove_suffix(segment.literal.size());
        Result<std::string> value = percent_decoded(text, PlusIs::kPlus);
        if (!value) {
            return tl::unexpected<Error>(std::move(value.error()));
        }
        request.captures.emplace_back(segment.capture, std::move(*value));
    }
    Result<std::vector<Parameter>> query = parse_query(target.query);
    if (!query) {
        return tl::unexpected<Error>(std::move(query.error()));
    }
    request.query = std::move(*query);
    return {};
}

Result<void> Router::check_caller(HttpRequest& request) const {
    const Permission permission = request.route->permission;
    if (!options_.is_anonymous_only) {
        Result<Caller> caller = caller_of(request, identities_);
        if (caller) {
            request.caller = *caller;  // Who is refused is told of by the name that is known.
            caller = acted_as(*std::move(caller), request.fields.acts_as, identities_);
        }
        if (!caller) {
            return tl::unexpected<Error>(std::move(caller.error()));
        }
        request.caller = std::move(*caller);
    }
    const Role role = request.caller.role;
    const bool is_open_door = permission == Permission::kCompat && role == Role::kNone &&
                              options_.allows_anonymous_compat;
    if (may(role, permission) || is_open_door) {
        return {};
    }
    if (role == Role::kNone) {
        return fail(
            ErrorCode::kUnauthenticated,
            "this needs to know who asks: send a bearer token, or use the Unix socket");
    }
    return fail(
        ErrorCode::kForbidden, "user " + request.caller.user + " lacks the permission " +
                                   std::string(word_of(permission)));
}

Result<void> Router::check_query(const HttpRequest& request) const {
    std::vector<std::string_view> seen;
    for (const Parameter& parameter : request.query) {
        const std::string& name = parameter.first;
        if (std::ranges::find(request.route->query, name) == request.route->query.end()) {
            return fail(ErrorCode::kInvalid, "there is no query parameter \"" + name + "\" here");
        }
        if (std::ranges::find(seen, name) != seen.end()) {
            return fail(ErrorCode::kInvalid, "the query parameter \"" + name + "\" comes twice");
        }
        seen.push_back(name);
    }
    return {};
}

Router::Pattern Router::compile(std::string_view pattern) {
    const Result<Target> target = parse_target(pattern);
    REEVE_ASSERT(target.has_value(), "a route's pattern is a path");
    Pattern compiled;
    for (const std::string_view segment : target->segments) {
        const std::size_t end = segment.find('}');
        if (!segment.starts_with('{') || end == segment.npos) {
            compiled.segments.push_back({.capture = {}, .literal = std::string(segment)});
        } else {
            compiled.segments.push_back(
                {.capture = std::string(segment.substr(1, end - 1)),
                 .literal = std::string(segment.substr(end + 1))});
        }
    }
    return compiled;
}

bool Router::matches(const Pattern& pattern, const std::vector<std::string_view>& segments) {
    return std::ranges::equal(
        pattern.segments, segments, [](const Segment& segment, std::string_view text) {
            if (segment.capture.empty()) {
                return text == segment.literal;
            }
            if (!text.ends_with(segment.literal)) {
                return false;
            }
            text.remove_suffix(segment.literal.size());
            return !text.empty() && text.find(':') == text.npos;  // A colon begins an action.
        });
}

}  // namespace reeve::api
