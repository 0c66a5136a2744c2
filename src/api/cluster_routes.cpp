// Nodes, GPUs, quarantine: read from the newest view, changed by commands.
#include <algorithm>
#include <utility>

#include "api/cluster_json.hpp"
#include "api/item_fields.hpp"
#include "api/job_json.hpp"
#include "api/json_body.hpp"
#include "api/request_fields.hpp"
#include "api/routes.hpp"

namespace reeve::api {
namespace {

using controller::NodeStatus;
using controller::View;

NodePicture picture_of(const ApiParts& parts, const View& view, const NodeStatus& node) {
    return {
        .view = view,
        .node = node,
        .observed = parts.samples.newest(node.record.name),
        .now = parts.now()};
}

/// {"items": […], "as_of": …} of what `write_items` writes.
template <class WriteItems>
HttpResponse list_of(
    const ApiParts& parts, const View& view, const HttpRequest& request, WriteItems write_items) {
    auto fields = item_fields_of(request);
    if (!fields) {
        return refuse(std::move(fields.error()));
    }
    JsonText json;
    json.begin_object();
    json.key("items");
    json.begin_items(*std::move(fields));
    write_items(json);
    json.end_items();
    write_as_of(json, view.incarnation, view.rev, parts.now());
    json.end_object();
    return {.body = json.take()};
}

HttpResponse show_node(const ApiParts& parts, const std::string& name) {
    const auto view = parts.commands.view();
    const auto node = std::ranges::find_if(
        view->nodes, [&](const auto& any) { return any->record.name == name; });
    if (node == view->nodes.end()) {
        return refuse(ErrorCode::kNotFound, "there is no node " + name);
    }
    JsonText json;
    write_node(json, picture_of(parts, *view, **node));
    return {.body = json.take()};
}

HttpResponse list_nodes(const ApiParts& parts, const HttpRequest& request) {
    const auto view = parts.commands.view();
    return list_of(parts, *view, request, [&](JsonText& json) {
        for (const auto& node : by_name(*view)) {
            write_node(json, picture_of(parts, *view, *node));
        }
    });
}

HttpResponse get_node(const ApiParts& parts, const HttpRequest& request) {
    return show_node(parts, request.capture("name"));
}

HttpResponse list_gpus(const ApiParts& parts, const HttpRequest& request) {
    const auto view = parts.commands.view();
    return list_of(parts, *view, request, [&](JsonText& json) {
        for (const auto& node : by_name(*view)) {
            write_node_gpus(json, picture_of(parts, *view, *node), request.caller);
        }
    });
}

void write_quarantined(
    JsonText& json, const View& view, const NodeStatus& node, const controller::Holding& holding) {
    const model::AllocationRecord& allocation = holding.allocation;
    json.begin_object();
    json.field("key", to_string(allocation.task));
    json.field("node", node.record.name);
    for (const auto& [field, text] :
         {std::pair("user", holding.user), std::pair("name", holding.name)}) {
        if (!text.empty()) {
            json.field(field, text);
        }
    }
    if (holding.started_at != model::kNever) {
        json.field("started_at", holding.started_at);
    }
    json.key("gpus");
    json.begin_array();
    for (const model::GpuGrant& grant : allocation.grant.gpus) {
        const auto gpu = std::ranges::find(node.record.gpus, grant.gpu, &model::NodeGpu::id);
        json.begin_object();
        json.field("uuid", gpu == node.record.gpus.end() ? std::string("unknown") : gpu->uuid);
        json.field("node", node.record.name);
        if (gpu != node.record.gpus.end() && view.gpu_models.contains(gpu->model)) {
            json.field("model", view.gpu_models.at(gpu->model));
        }
        json.field("milli", grant.amount.milli);
        json.field("memory_mib", grant.amount.memory_mib);
        json.end_object();
    }
    json.end_array();
    json.field("since", allocation.reserved_at);
    json.end_object();
}

HttpResponse list_quarantine(const ApiParts& parts, const HttpRequest& request) {
    const auto view = parts.commands.view();
    return list_of(parts, *view, request, [&](JsonText& json) {
        for (const auto& node : by_name(*view)) {
            for (const controller::Holding& holding : node->holdings) {
                if (holding.allocation.owner == model::AllocationOwner::kUnknown) {
                    write_quarantined(json, *view, *node, holding);
                }
            }
        }
    });
}

/// Or has other control characters, which no terminal should get.
bool is_of_many_lines(std::string_view text) {
    return std::ranges::any_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

Handler control_node(const ApiParts& parts, ledger::NodeControl control) {
    return [&parts, control](HttpRequest& request, const Responder& responder) {
        constexpr std::size_t kReasonCharacters = 256;
        const bool takes_reason = control == ledger::NodeControl::kDrain;
        const auto body = takes_reason ? JsonBody::parse(request.body, {"reason"})
                                       : JsonBody::parse(request.body, {});
        if (!body) {
            responder.fail(body.error());
            return;
        }
        auto reason = body->text("reason", kReasonCharacters);
        if (!reason) {
            responder.fail(std::move(reason.error()));
            return;
        }
        if (is_of_many_lines(reason->value_or(""))) {
            responder.fail({ErrorCode::kInvalid, "reason: expects one line", {}});
            return;
        }
        const std::string& name = request.capture("name");
        parts.commands.submit(
            ledger::ControlNode{
                .actor = actor_of(request),
                .control = control,
                .node = name,
                .reason = reason->value_or("")},
            [&parts, responder, name](const Result<ledger::Reply>& reply) {
                responder.send(reply ? show_node(parts, name) : refuse(reply.error()));
            });
    };
}

Handler control_quarantine(const ApiParts& parts, ledger::QuarantineControl control) {
    return [&parts, control](HttpRequest& request, const Responder& responder) {
        const auto key = model::parse_task_key(request.capture("key"));
        const auto body = JsonBody::parse(request.body, {});
        if (!key || !body) {
            responder.fail(key ? body.error() : key.error());
            return;
        }
        parts.commands.submit(
            ledger::ControlQuarantine{.actor = actor_of(request), .control = control, .task = *key},
            [responder](const Result<ledger::Reply>& reply) {
                responder.send(reply ? HttpResponse{.status = 204} : refuse(reply.error()));
            });
    };
}

}  // namespace

std::vector<Route> cluster_routes(const ApiParts& parts) {
    const auto read = [&parts](const std::string& pattern, Permission permission, auto function) {
        return Route{
            .method = Method::kGet,
            .pattern = pattern,
            .permission = permission,
            .handler = [&parts, function](HttpRequest& request, const Responder& responder) {
                responder.send(function(parts, request));
            }};
    };
    const auto change = [](std::string pattern, Handler handler) {
        return Route{
            .method = Method::kPost,
            .pattern = std::move(pattern),
            .permission = Permission::kClusterControl,
            .handler = std::move(handler)};
    };
    using ledger::NodeControl;
    using ledger::QuarantineControl;
    std::vector<Route> routes = {
        read("/api/v1/nodes", Permission::kClusterRead, list_nodes),
        read("/api/v1/nodes/{name}", Permission::kClusterRead, get_node),
        read("/api/v1/gpus", Permission::kClusterRead, list_gpus),
        read("/api/v1/quarantine", Permission::kClusterControl, list_quarantine),
        change("/api/v1/nodes/{name}:drain", control_node(parts, NodeControl::kDrain)),
        change("/api/v1/nodes/{name}:resume", control_node(parts, NodeControl::kResume)),
        change("/api/v1/nodes/{name}:lost", control_node(parts, NodeControl::kLost)),
        change(
            "/api/v1/quarantine/{key}:adopt", control_quarantine(parts, QuarantineControl::kAdopt)),
        change(
            "/api/v1/quarantine/{key}:stop", control_quarantine(parts, QuarantineControl::kStop)),
        change(
            "/api/v1/quarantine/{key}:release",
            control_quarantine(parts, QuarantineControl::kRelease)),
    };
    for (const auto& [pattern, fields] :
         {std::pair("/api/v1/nodes", fields_of_nodes()),
          std::pair("/api/v1/gpus", fields_of_gpus())}) {
        Route& list = *std::ranges::find(routes, pattern, &Route::pattern);
        list.query = {"fields"};
        list.item_fields = fields;
    }
    return routes;
}

}  // namespace reeve::api
