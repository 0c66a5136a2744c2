// The server itself: who calls, whether it lives, what it measures, its contract, its backup.
#include <utility>

#include "api/contract_page.hpp"
#include "api/json_body.hpp"
#include "api/json_text.hpp"
#include "api/metrics.hpp"
#include "api/openapi_document.hpp"
#include "api/routes.hpp"

namespace reeve::api {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";

HttpResponse me(const ApiParts& parts, const HttpRequest& request) {
    const Caller& caller = request.caller;
    JsonText json;
    json.begin_object();
    json.field("user", caller.user);
    json.field("uid", caller.uid);
    json.field("gid", caller.gid);
    json.field("role", caller.role == Role::kAdmin ? "admin" : "user");
    json.field("source", word_of(caller.source));
    if (!caller.acted_by.empty()) {
        json.field("acted_by", caller.acted_by);
    }
    json.key("server");
    json.begin_object();
    json.field("version", parts.version);
    json.field("cluster_id", parts.commands.view()->cluster_id);
    json.end_object();
    json.end_object();
    return {.body = json.take()};
}

HttpResponse livez(const ApiParts& /*parts*/, const HttpRequest& /*request*/) {
    return {.body = "ok\n", .content_type = kText};
}

HttpResponse readyz(const ApiParts& parts, const HttpRequest& /*request*/) {
    const auto view = parts.commands.view();
    if (!view->storage_trouble.empty()) {
        return refuse(ErrorCode::kStorageFull, view->storage_trouble);
    }
    if (std::string trouble = parts.trouble ? parts.trouble() : ""; !trouble.empty()) {
        return refuse(ErrorCode::kUnavailable, std::move(trouble));
    }
    return {.body = "ok\n", .content_type = kText};
}

HttpResponse metrics(const ApiParts& parts, const HttpRequest& /*request*/) {
    return {
        .body = metrics_text(parts), .content_type = "text/plain; version=0.0.4; charset=utf-8"};
}

HttpResponse contract_yaml(const ApiParts& /*parts*/, const HttpRequest& /*request*/) {
    return {.body = std::string(openapi_yaml()), .content_type = "application/yaml"};
}

void contract_json(const ApiParts& parts, const Responder& responder) {
    // The first time it takes longer than an event loop should wait.
    parts.reads.answer(responder, [](ledger::Reader& /*reader*/) {
        auto json = openapi_json();
        return json ? HttpResponse{.body = std::move(*json)} : refuse(std::move(json.error()));
    });
}

void contract_html(const ApiParts& parts, const Responder& responder) {
    parts.reads.answer(responder, [](ledger::Reader& /*reader*/) {
        auto page = contract_page();
        if (!page) {
            return refuse(std::move(page.error()));
        }
        return HttpResponse{
            .body = std::move(*page),
            .content_type = "text/html; charset=utf-8",
            .headers = {
                {"Content-Security-Policy",
                 "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action "
                 "'none'; frame-ancestors 'none'"}}};
    });
}

void back_up(const ApiParts& parts, const HttpRequest& request, const Responder& responder) {
    constexpr std::size_t kPathMax = 4096;
    const auto body = JsonBody::parse(request.body, {"path"});
    if (!body) {
        responder.fail(body.error());
        return;
    }
    const auto path = body->text("path", kPathMax);
    if (!path || !*path || (*path)->size() < 2 || !(*path)->starts_with('/')) {
        responder.fail(
            path ? Error{ErrorCode::kInvalid, "path: expects an absolute path of a new file", {}}
                 : path.error());
        return;
    }
    parts.reads.answer(responder, [&parts, path = **path](ledger::Reader& /*reader*/) {
        const auto size = parts.backup(path);
        if (!size) {
            return refuse(size.error());
        }
        JsonText json;
        json.begin_object();
        json.field("path", path);
        json.field("size_bytes", *size);
        json.end_object();
        return HttpResponse{.body = json.take()};
    });
}

}  // namespace

std::vector<Route> server_routes(const ApiParts& parts) {
    const auto read = [&parts](const std::string& pattern, Permission permission, auto function) {
        return Route{
            .method = Method::kGet,
            .pattern = pattern,
            .permission = permission,
            .handler = [&parts, function](HttpRequest& request, const Responder& responder) {
                responder.send(function(parts, request));
            }};
    };
    return {
        read("/api/v1/me", Permission::kAny, me),
        read("/livez", Permission::kAnonymous, livez),
        read("/readyz", Permission::kAnonymous, readyz),
        read("/metrics", Permission::kClusterRead, metrics),
        read("/api/openapi.yaml", Permission::kAnonymous, contract_yaml),
        {.method = Method::kGet,
                                                                      .pattern = "/api/openapi.json",
                                                                      .permission = Permission::kAnonymous,
                                                                      .handler = [&parts](
                        HttpRequest& /*request*/,
                                                                      const Responder& responder) { contract_json(parts, responder); }   },
        {.method = Method::kGet,
                                                                      .pattern = "/api/docs",
                                                                      .permission = Permission::kAnonymous,
                                                                      .handler = [&parts](
                        HttpRequest& /*request*/,
                                                                      const Responder& responder) { contract_html(parts, responder); }   },
        {.method = Method::kPost,
                                                                      .pattern = "/api/v1/server:backup",
                                                                      .permission = Permission::kClusterControl,
                                                                      .handler = [&parts](
                        HttpRequest& request,
                                                                      const Responder& responder) { back_up(parts, request, responder); }},
    };
}

}  // namespace reeve::api
