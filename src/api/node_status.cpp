#include "api/node_status.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "api/cluster_json.hpp"
#include "api/json_text.hpp"

namespace reeve::api {
namespace {

/// Of the GPUs that could be measured.
struct GpuSums {
    std::int64_t measured = 0;
    std::int64_t utilization = 0;
    std::int64_t used_mib = 0;
    std::int64_t total_mib = 0;
};

GpuSums sums_of(const std::vector<model::GpuSample>& gpus) {
    GpuSums sums;
    for (const model::GpuSample& gpu : gpus) {
        if (gpu.utilization_percent && gpu.memory_used_mib && gpu.memory_total_mib) {
            ++sums.measured;
            sums.utilization += *gpu.utilization_percent;
            sums.used_mib += *gpu.memory_used_mib;
            sums.total_mib += *gpu.memory_total_mib;
        }
    }
    return sums;
}

void write_gpu_number(JsonText& json, std::string_view name, bool is_known, std::int64_t number) {
    json.key(name);
    if (is_known) {
        json.value(number);
    } else {
        json.value("N/A");
    }
}

HttpResponse with_age(std::string body, const Observed& observed, Instant now) {
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - observed.at);
    HttpResponse response{.body = std::move(body)};
    response.headers.emplace_back(
        "X-Reeve-Sample-Age-Ms", std::to_string(std::max<std::int64_t>(0, age.count())));
    return response;
}

HttpResponse refuse_unmeasured() {
    return refuse(ErrorCode::kUnavailable, "nothing has been measured yet; try again in a second");
}

HttpResponse status(const NodeStatusParts& parts) {
    const auto observed = parts.samples.newest(parts.node);
    return observed ? with_age(six_fields(observed->sample, parts.rule), *observed, parts.now())
                    : refuse_unmeasured();
}

HttpResponse gpus(const NodeStatusParts& parts) {
    const auto observed = parts.samples.newest(parts.node);
    if (!observed) {
        return refuse_unmeasured();
    }
    const std::vector<model::GpuDescription> known = parts.gpus();
    JsonText json;
    json.begin_object();
    json.key("items");
    json.begin_array();
    for (const model::GpuSample& sample : observed->sample.gpus) {
        const auto description =
            std::ranges::find(known, sample.uuid, &model::GpuDescription::uuid);
        const bool is_known = description != known.end();
        json.begin_object();
        json.field("uuid", sample.uuid);
        json.field("model", is_known ? description->model : std::string());
        json.field("simulated", is_known && description->is_simulated);
        if (sample.memory_total_mib) {
            json.field("memory_total_mib", *sample.memory_total_mib);
        }
        write_gpu_sample(json, sample);
        if (!sample.trouble.empty()) {
            json.field("trouble", sample.trouble);
        }
        json.end_object();
    }
    json.end_array();
    json.end_object();
    return with_age(json.take(), *observed, parts.now());
}

}  // namespace

std::string six_fields(const model::NodeSample& sample, const AvailabilityRule& rule) {
    const GpuSums sums = sums_of(sample.gpus);
    const bool has_gpu = sums.measured > 0;
    const std::int64_t utilization = has_gpu ? sums.utilization / sums.measured : 0;
    const bool is_available =
        has_gpu && sums.total_mib - sums.used_mib > rule.gpu_memory_free_mib_above &&
        utilization < rule.gpu_utilization_below && sample.cpu_permille < rule.cpu_permille_below &&
        sample.memory_permille < rule.memory_permille_below;
    JsonText json;
    json.begin_object();
    write_gpu_number(json, "gpu_utilization", has_gpu, utilization);
    write_gpu_number(json, "gpu_memory_used", has_gpu, sums.used_mib);
    write_gpu_number(json, "gpu_memory_total", has_gpu, sums.total_mib);
    json.field("cpu_usage", static_cast<double>(sample.cpu_permille) / 10);
    json.field("memory_usage", static_cast<double>(sample.memory_permille) / 10);
    json.field("available", is_available);
    json.end_object();
    return json.take();
}

std::vector<Route> node_status_routes(const NodeStatusParts& parts) {
    const auto read = [&parts](const std::string& pattern, auto function) {
        return Route{
            .method = Method::kGet,
            .pattern = pattern,
            .permission = Permission::kAnonymous,
            .handler = [&parts, function](HttpRequest& /*request*/, const Responder& responder) {
                responder.send(function(parts));
            }};
    };
    return {read("/status", status), read("/gpus", gpus)};
}

}  // namespace reeve::api
