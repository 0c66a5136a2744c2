// Projects and their quotas: read from the newest view, changed by commands.
#include <algorithm>
#include <utility>

#include "api/cluster_json.hpp"
#include "api/item_fields.hpp"
#include "api/job_json.hpp"
#include "api/json_body.hpp"
#include "api/request_fields.hpp"
#include "api/routes.hpp"
#include "model/spec_rules.hpp"

namespace reeve::api {
namespace {

using controller::ProjectStatus;
using controller::View;

constexpr std::size_t kNameCharacters = 64;

const ProjectStatus* find_project(const View& view, const std::string& name) {
    const auto found = std::ranges::find_if(
        view.projects, [&](const auto& any) { return any.record.name == name; });
    return found == view.projects.end() ? nullptr : &*found;
}

tl::unexpected<Error> no_project(const std::string& name) {
    return fail(ErrorCode::kNotFound, "there is no project " + name);
}

HttpResponse show_project(const ApiParts& parts, const std::string& name) {
    const auto view = parts.commands.view();
    const ProjectStatus* project = find_project(*view, name);
    if (project == nullptr) {
        return refuse(no_project(name).value());
    }
    JsonText json;
    write_project(json, *project, *view);
    return {.body = json.take()};
}

HttpResponse list_projects(const ApiParts& parts, const HttpRequest& request) {
    auto fields = item_fields_of(request);
    if (!fields) {
        return refuse(std::move(fields.error()));
    }
    const auto view = parts.commands.view();
    std::vector<const ProjectStatus*> projects;
    for (const ProjectStatus& project : view->projects) {
        projects.push_back(&project);
    }
    std::ranges::sort(
        projects, [](const auto* a, const auto* b) { return a->record.name < b->record.name; });
    JsonText json;
    json.begin_object();
    json.key("items");
    json.begin_items(*std::move(fields));
    for (const ProjectStatus* project : projects) {
        write_project(json, *project, *view);
    }
    json.end_items();
    write_as_of(json, view->incarnation, view->rev, parts.now());
    json.end_object();
    return {.body = json.take()};
}

Result<std::optional<std::int32_t>> share_of(const JsonBody& body) {
    return body.integer("share", {.least = 1, .most = model::kShareMax})
        .map([](const std::optional<std::int64_t>& share) {
            return share ? std::optional(static_cast<std::int32_t>(*share)) : std::nullopt;
        });
}

/// Sends the command, and answers with the project as it is then.
void submit(
    const ApiParts& parts, const Responder& responder, ledger::PutProject command, int status) {
    const std::string name = command.name;
    parts.commands.submit(
        std::move(command), [&parts, responder, name, status](const Result<ledger::Reply>& reply) {
            if (!reply) {
                responder.fail(reply.error());
                return;
            }
            HttpResponse response = show_project(parts, name);
            if (status == 201 && !response.problem) {
                response.status = status;
                response.headers.emplace_back("Location", "/api/v1/projects/" + name);
            }
            responder.send(std::move(response));
        });
}

/// Of a project that is to be made.
Result<void> check_names(
    const View& view,
    const std::optional<std::string>& name,
    const std::optional<std::string>& parent) {
    if (!name) {
        return fail(ErrorCode::kInvalid, "name: is missing; a project needs one");
    }
    if (const std::string fault = model::fault_of_project(*name); !fault.empty()) {
        return fail(ErrorCode::kInvalid, "name: " + fault);
    }
    if (parent && find_project(view, *parent) == nullptr) {
        return no_project(*parent);
    }
    if (find_project(view, *name) != nullptr) {
        return fail(ErrorCode::kConflict, "there is a project " + *name + " already");
    }
    return {};
}

/// What a body may say of a project's limits.
struct Limits {
    std::optional<model::Quota> quota = {};
    std::optional<model::Quota> user_quota = {};
    std::optional<std::int32_t> share = {};
    std::optional<std::int64_t> guaranteed_gpu_milli = {};
};

Result<Limits> limits_of(const JsonBody& body) {
    const auto quota = quota_of(body);
    const auto user_quota = quota_of(body, "user_quota");
    const auto share = share_of(body);
    const auto guaranteed = guaranteed_of(body);
    if (!quota || !user_quota || !share || !guaranteed) {
        return tl::unexpected<Error>(
            !quota        ? quota.error()
            : !user_quota ? user_quota.error()
            : !share      ? share.error()
                          : guaranteed.error());
    }
    return Limits{
        .quota = *quota,
        .user_quota = *user_quota,
        .share = *share,
        .guaranteed_gpu_milli = *guaranteed};
}

Result<ledger::PutProject> creation(const ApiParts& parts, const HttpRequest& request) {
    const auto body = JsonBody::parse(
        request.body, {"name", "parent", "quota", "user_quota", "share", "guaranteed_gpu_milli"});
    if (!body) {
        return tl::unexpected<Error>(body.error());
    }
    auto name = body->text("name", kNameCharacters);
    auto parent = body->text("parent", kNameCharacters);
    auto limits = limits_of(*body);
    if (!name || !parent || !limits) {
        return tl::unexpected<Error>(
            !name     ? name.error()
            : !parent ? parent.error()
                      : limits.error());
    }
    if (Result<void> checked = check_names(*parts.commands.view(), *name, *parent); !checked) {
        return tl::unexpected<Error>(std::move(checked.error()));
    }
    return ledger::PutProject{
        .actor = actor_of(request),
        .name = **name,
        .parent = *parent,
        .quota = limits->quota.value_or(model::Quota()),
        .share = limits->share,
        .user_quota = limits->user_quota,
        .guaranteed_gpu_milli = limits->guaranteed_gpu_milli};
}

Result<ledger::PutProject> replacement(const ApiParts& parts, const HttpRequest& request) {
    const std::string& name = request.capture("name");
    const auto body =
        JsonBody::parse(request.body, {"quota", "user_quota", "share", "guaranteed_gpu_milli"});
    if (!body) {
        return tl::unexpected<Error>(body.error());
    }
    auto limits = limits_of(*body);
    if (!limits) {
        return tl::unexpected<Error>(limits.error());
    }
    if (!limits->quota) {
        return fail(ErrorCode::kInvalid, "quota: is missing; {} is a project without limits");
    }
    if (find_project(*parts.commands.view(), name) == nullptr) {
        return no_project(name);
    }
    return ledger::PutProject{
        .actor = actor_of(request),
        .name = name,
        .quota = *limits->quota,
        .share = limits->share,
        .user_quota = limits->user_quota,
        .guaranteed_gpu_milli = limits->guaranteed_gpu_milli};
}

}  // namespace

std::vector<Route> project_routes(const ApiParts& parts) {
    const auto change = [&parts](auto command_of, int status) {
        return [&parts, command_of, status](HttpRequest& request, const Responder& responder) {
            auto command = command_of(parts, request);
            if (command) {
                submit(parts, responder, *std::move(command), status);
            } else {
                responder.fail(std::move(command.error()));
            }
        };
    };
    return {
        {.method = Method::kGet,
         .pattern = "/api/v1/projects",
         .permission = Permission::kClusterRead,
         .query = {"fields"},
         .handler =
             [&parts](HttpRequest& request, const Responder& responder) {
                 responder.send(list_projects(parts, request));
             }, .item_fields = fields_of_projects()},
        {.method = Method::kPost,
         .pattern = "/api/v1/projects",
         .permission = Permission::kProjectsControl,
         .handler = change(creation, 201)},
        {.method = Method::kGet,
         .pattern = "/api/v1/projects/{name}",
         .permission = Permission::kClusterRead,
         .handler =
             [&parts](HttpRequest& request, const Responder& responder) {
                 responder.send(show_project(parts, request.capture("name")));
             }},
        {.method = Method::kPut,
         .pattern = "/api/v1/projects/{name}",
         .permission = Permission::kProjectsControl,
         .handler = change(replacement, 200)},
    };
}

}  // namespace reeve::api
