// GET free: what could start now and run for so long, beside what is promised and reserved.
#include "api/free_routes.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "api/cluster_json.hpp"
#include "api/job_json.hpp"
#include "api/request_fields.hpp"
#include "controller/changes.hpp"
#include "model/spec_rules.hpp"

namespace reeve::api {
namespace {

using controller::View;
using std::chrono::seconds;

struct Question {
    std::string model = {};  // "": any.
    std::int64_t memory_mib = 1;
    seconds run = {};
    std::string project = {};
};

/// What is free of one model of GPU on one node.
struct Row {
    std::int64_t whole = 0;        // Untouched GPUs.
    std::int64_t share_milli = 0;  // The largest share of one.
    std::int64_t share_mib = 0;    // The most memory of one.
    bool is_simulated = false;
};

std::string model_name(const View& view, const model::NodeGpu& gpu) {
    const auto name = view.gpu_models.find(gpu.model);
    return name == view.gpu_models.end() ? std::string() : name->second;
}

/// "NVIDIA A30, NVIDIA L4 (simulated)", each once.
std::string names_of_models(const View& view) {
    std::set<std::string> models;
    for (const auto& node : view.nodes) {
        for (const model::NodeGpu& gpu : node->record.gpus) {
            models.insert(model_name(view, gpu) + (gpu.is_simulated ? " (simulated)" : ""));
        }
    }
    std::string names;
    for (const std::string& name : models) {
        names += (names.empty() ? "" : ", ") + name;
    }
    return names;
}

/// Errors: kNotFound, with the models that there are.
Result<void> expect_model(const View& view, const std::string& asked) {
    const bool is_there = std::ranges::any_of(view.nodes, [&](const auto& node) {
        return std::ranges::any_of(node->record.gpus, [&](const model::NodeGpu& gpu) {
            return model::is_model(asked, model_name(view, gpu));
        });
    });
    if (asked.empty() || is_there) {
        return {};
    }
    const std::string names = names_of_models(view);
    return fail(
        ErrorCode::kNotFound,
        "no GPU here is of model '" + asked + "'; " +
            (names.empty() ? "no node has a GPU" : "the models are: " + names));
}

Result<Question> question_of(const View& view, const HttpRequest& request) {
    Question question{
        .model = std::string(request.parameter("gpu").value_or("")),
        .project = std::string(request.parameter("project").value_or(""))};
    const auto memory =
        integer_parameter(request, "memory_mib", {.least = 1, .most = model::kMemoryMibMax});
    const auto run =
        integer_parameter(request, "for_s", {.least = 1, .most = model::kTimeLimitMaxS});
    if (!memory || !run) {
        return tl::unexpected<Error>(memory ? run.error() : memory.error());
    }
    if (request.parameter("gpu") &&
        (question.model.empty() || question.model.size() > model::kGpuModelBytesMax)) {
        return fail(
            ErrorCode::kInvalid, "gpu: expects a model of GPU, like a30, of 64 bytes at most");
    }
    if (auto found = expect_model(view, question.model); !found) {
        return tl::unexpected<Error>(std::move(found.error()));
    }
    const auto is_it = [&](const auto& any) { return any.record.name == question.project; };
    if (request.parameter("project") && std::ranges::none_of(view.projects, is_it)) {
        return fail(ErrorCode::kNotFound, "there is no project " + question.project);
    }
    question.memory_mib = memory->value_or(1);
    question.run = scheduler::planning_limit(seconds(run->value_or(1)));
    return question;
}

/// By name of the model.
std::map<std::pair<std::string, GpuModelId>, Row> rows_of(
    const NodePicture& picture, const scheduler::NodeView& free, const Question& question) {
    std::map<std::pair<std::string, GpuModelId>, Row> rows;
    for (const model::NodeGpu& gpu : picture.node.record.gpus) {
        const std::string name = model_name(picture.view, gpu);
        const auto left = std::ranges::find(free.free.gpus, gpu.id, &model::Gpu::id);
        const bool is_asked = question.model.empty() || model::is_model(question.model, name);
        if (!is_asked || left == free.free.gpus.end() || !trouble_of(picture, gpu).empty() ||
            left->free.milli < 1 || left->free.memory_mib < question.memory_mib) {
            continue;
        }
        Row& row = rows[{name, gpu.model}];
        row.whole += left->free.milli == model::kWholeGpuMilli ? 1 : 0;
        row.share_milli = std::max(row.share_milli, left->free.milli);
        row.share_mib = std::max(row.share_mib, left->free.memory_mib);
        row.is_simulated = gpu.is_simulated;
    }
    return rows;
}

/// So long can a job have all of the row's whole GPUs; if there is none, the largest share.
seconds longest_of(
    const scheduler::Timeline& timeline,
    GpuModelId model,
    const Row& row,
    Instant now,
    ProjectId project) {
    const std::vector<GpuModelId> models = {model};
    model::Request request;
    if (row.whole > 0) {
        request.gpus = model::WholeGpus{.count = row.whole, .models = models};
    } else {
        request.gpus = model::GpuShare{.milli = row.share_milli, .models = models};
    }
    return timeline.longest_run(request, now, project);
}

void write_node_rows(
    JsonText& json, const NodePicture& picture, const Question& question, ProjectId project) {
    const View& view = picture.view;
    const scheduler::Timeline timeline =
        controller::timeline_of(picture.node, view, std::nullopt, question.project);
    const scheduler::NodeView free =
        timeline.view_during(picture.now, picture.now, question.run, JobId(0), project);
    for (const auto& [model, row] : rows_of(picture, free, question)) {
        json.begin_object();
        json.field("node", picture.node.record.name);
        json.field("model", model.first);
        json.field("simulated", row.is_simulated);
        json.field("whole_gpus", row.whole);
        json.field("largest_share_milli", row.share_milli);
        json.field("largest_share_mib", row.share_mib);
        json.field("cpu_millicores", std::max<std::int64_t>(0, free.free.host.cpu_millicores));
        json.field("memory_mib", std::max<std::int64_t>(0, free.free.host.memory_mib));
        const seconds longest = longest_of(timeline, model.second, row, picture.now, project);
        if (longest < seconds(model::kTimeLimitMaxS)) {
            json.field("until", picture.now + longest);
        }
        json.end_object();
    }
}

HttpResponse list_free(const ApiParts& parts, const HttpRequest& request) {
    const auto view = parts.commands.view();
    const auto question = question_of(*view, request);
    if (!question) {
        return refuse(question.error());
    }
    const auto project = std::ranges::find_if(
        view->projects, [&](const auto& any) { return any.record.name == question->project; });
    const Instant now = std::max(view->at, parts.now());
    JsonText json;
    json.begin_object();
    json.key("items");
    json.begin_array();
    for (const auto& node : by_name(*view)) {
        if (node->view.availability == scheduler::Availability::kReady) {
            write_node_rows(
                json,
                {.view = *view,
                 .node = *node,
                 .observed = parts.samples.newest(node->record.name),
                 .now = now},
                *question, project == view->projects.end() ? ProjectId(0) : project->record.id);
        }
    }
    json.end_array();
    write_as_of(json, view->incarnation, view->rev, now);
    json.end_object();
    return {.body = json.take()};
}

}  // namespace

std::vector<Route> free_routes(const ApiParts& parts) {
    return {
        {.method = Method::kGet,
         .pattern = "/api/v1/free",
         .permission = Permission::kClusterRead,
         .query = {"gpu", "memory_mib", "for_s", "project"},
         .handler = [&parts](HttpRequest& request, const Responder& responder) {
             responder.send(list_free(parts, request));
         }}
    };
}

}  // namespace reeve::api
