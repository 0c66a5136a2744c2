#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/audit.hpp"
#include "api/http_service.hpp"
#include "api/identity.hpp"
#include "api/permission.hpp"
#include "api/target.hpp"

namespace reeve::api {

inline constexpr std::uint64_t kBodyMax = 8ULL << 20;  // Of a route that says nothing else.

using Handler = std::function<void(HttpRequest&, Responder)>;

/// One row of the server's table of routes.
struct Route {
    Method method = Method::kGet;
    std::string pattern =
        {};  // "/api/v1/jobs/{id}:stop": a capture ends a segment, or its ":…" does.
    Permission permission = Permission::kClusterControl;
    std::vector<std::string> query = {};  // Parameters that it knows; any other is refused.
    Handler handler = {};
    bool takes_if_match = false;  // A change that does not refuses a condition it cannot keep.
    std::vector<std::string_view> item_fields = {};  // What the parameter `fields` may name.
    std::uint64_t body_max = kBodyMax;               // Of a POST, PUT or PATCH. Of others it is 0.
};

struct RouterOptions {
    /// Names under which the server is reached besides localhost, 127.0.0.1 and [::1]; without
    /// port.
    std::vector<std::string> hosts = {};

    /// Lets anonymous callers on loopback use kCompat routes.
    bool allows_anonymous_compat = false;

    /// Serves the node's own port: callers are not looked at, kAnonymous routes are all there is.
    bool is_anonymous_only = false;

    /// Is told of denials and of reads of what is others'. Null, or outlives the router.
    Audit* audit = nullptr;
};

/// Finds the route, refuses who may not use it, and calls its handler. Immutable once made, so
/// every thread may use it.
class Router final : public HttpService {
  public:
    /// `identities` outlives the router.
    Router(std::vector<Route> routes, const Identities& identities, RouterOptions options);

    [[nodiscard]] std::optional<HttpResponse> admit(
        HttpRequest& request, std::uint64_t& body_limit) override;
    void handle(HttpRequest& request, Responder responder) override;

    [[nodiscard]] const std::vector<Route>& routes() const noexcept { return routes_; }

  private:
    /// A pattern's segment: a literal, or a capture with a literal after it.
    struct Segment {
        std::string capture = {};  // "" in a literal.
        std::string literal = {};
    };

    struct Pattern {
        std::vector<Segment> segments = {};
    };

    [[nodiscard]] std::optional<HttpResponse> refusal_of(
        HttpRequest& request, std::uint64_t& body_limit) const;
    [[nodiscard]] Result<void> check_browser(const HttpRequest& request) const;
    [[nodiscard]] std::optional<HttpResponse> find_route(HttpRequest& request) const;
    [[nodiscard]] Result<void> check_caller(HttpRequest& request) const;
    [[nodiscard]] Result<void> check_query(const HttpRequest& request) const;
    [[nodiscard]] bool is_our_host(std::string_view host) const;
    [[nodiscard]] static Result<void> take_parameters(
        HttpRequest& request, const Pattern& pattern, const Target& target);
    [[nodiscard]] static Pattern compile(std::string_view pattern);
    [[nodiscard]] static bool matches(
        const Pattern& pattern, const std::vector<std::string_view>& segments);

    std::vector<Route> routes_;
    std::vector<Pattern> patterns_;  // By index in routes_.
    const Identities& identities_;
    RouterOptions options_;
};

}  // namespace reeve::api
