#include "api/cluster_json.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "api/request_fields.hpp"
#include "model/gpu_xid.hpp"

namespace reeve::api {
namespace {

using scheduler::Availability;

void write_amount(JsonText& json, std::string_view name, std::int64_t total, std::int64_t free) {
    json.key(name);
    json.begin_object();
    json.field("total", total);
    json.field("free", std::max<std::int64_t>(free, 0));  // Less, where a machine shrank.
    json.end_object();
}

void write_age(JsonText& json, Instant now, Instant at) {
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - at);
    json.field("age_ms", std::max<std::int64_t>(0, age.count()));
}

template <class Number>
void write_if_known(JsonText& json, std::string_view name, const std::optional<Number>& number) {
    if (number) {
        json.field(name, *number);
    }
}

void write_allocation(
    JsonText& json,
    const controller::Holding& holding,
    const model::GpuAmount& amount,
    const Caller& caller) {
    const model::AllocationRecord& allocation = holding.allocation;
    const bool is_visible = may_see(caller, holding.user);
    json.begin_object();
    switch (allocation.owner) {
        case model::AllocationOwner::kTask:
            json.field("owner", is_visible ? "task" : "other");
            break;
        case model::AllocationOwner::kUnknown:  json.field("owner", "unknown"); break;
        case model::AllocationOwner::kExternal: json.field("owner", "external"); break;
    }
    if (is_visible && allocation.owner == model::AllocationOwner::kExternal) {
        json.field("process", holding.name);
        json.field("user", holding.user);
    }
    if (is_visible && allocation.owner == model::AllocationOwner::kTask) {
        json.field("job", allocation.task.element.job.value());
        json.field("element", allocation.task.element.index);
        json.field("user", holding.user);
        json.field("project", holding.project);
    }
    if (allocation.state != model::AllocationState::kReleased) {
        json.field("state", model::word_of(allocation.state));
    }
    json.field("milli", amount.milli);
    json.field("memory_mib", amount.memory_mib);
    if (holding.until) {
        json.field("until", *holding.until);
    }
    json.end_object();
}

void write_allocations(
    JsonText& json, const controller::NodeStatus& node, GpuId gpu, const Caller& caller) {
    json.key("allocations");
    json.begin_array();
    for (const controller::Holding& holding : node.holdings) {
        for (const model::GpuGrant& grant : holding.allocation.grant.gpus) {
            if (grant.gpu == gpu) {
                write_allocation(json, holding, grant.amount, caller);
            }
        }
    }
    json.end_array();
}

const model::GpuSample* sample_of(const Observed* observed, const std::string& uuid) {
    if (observed == nullptr) {
        return nullptr;
    }
    const auto& gpus = observed->sample.gpus;
    const auto found = std::ranges::find(gpus, uuid, &model::GpuSample::uuid);
    return found == gpus.end() ? nullptr : &*found;
}

/// The newest first. Nothing if there are none.
void write_xids(JsonText& json, const Observed* observed, const std::string& uuid) {
    if (observed == nullptr ||
        std::ranges::find(observed->sample.xids, uuid, &model::ReportedXid::uuid) ==
            observed->sample.xids.end()) {
        return;
    }
    json.key("xids");
    json.begin_array();
    for (auto xid = observed->sample.xids.rbegin(); xid != observed->sample.xids.rend(); ++xid) {
        if (xid->uuid != uuid) {
            continue;
        }
        json.begin_object();
        json.field("xid", xid->xid);
        json.field("at", xid->at);
        if (const std::string_view meaning = model::meaning_of_xid(xid->xid); !meaning.empty()) {
            json.field("message", meaning);
        }
        json.end_object();
    }
    json.end_array();
}

void write_gpu(
    JsonText& json, const NodePicture& picture, const model::NodeGpu& gpu, const Caller& caller) {
    const model::Gpu* free = free_gpu(picture.node, gpu.id);
    const auto model = picture.view.gpu_models.find(gpu.model);
    const model::GpuSample* sample = sample_of(picture.observed.get(), gpu.uuid);
    json.begin_object();
    json.field("uuid", gpu.uuid);
    json.field("node", picture.node.record.name);
    json.field("model", model == picture.view.gpu_models.end() ? std::string() : model->second);
    json.field("simulated", gpu.is_simulated);
    write_amount(json, "memory_mib", gpu.total_mib, free == nullptr ? 0 : free->free.memory_mib);
    write_amount(json, "milli", model::kWholeGpuMilli, free == nullptr ? 0 : free->free.milli);
    write_allocations(json, picture.node, gpu.id, caller);
    if (sample != nullptr) {
        json.key("observed");
        json.begin_object();
        write_age(json, picture.now, picture.observed->at);
        write_gpu_sample(json, *sample);
        json.end_object();
    }
    const std::string trouble = trouble_of(picture, gpu);
    if (!trouble.empty()) {
        json.field("trouble", trouble);
    }
    write_xids(json, picture.observed.get(), gpu.uuid);
    json.end_object();
}

}  // namespace

std::string trouble_of(const NodePicture& picture, const model::NodeGpu& gpu) {
    if (!gpu.is_present) {
        return "the node no longer reports it";
    }
    const model::GpuSample* sample = sample_of(picture.observed.get(), gpu.uuid);
    return sample == nullptr ? std::string() : sample->trouble;
}

std::vector<std::shared_ptr<const controller::NodeStatus>> by_name(const controller::View& view) {
    auto nodes = view.nodes;
    std::ranges::sort(
        nodes, [](const auto& a, const auto& b) { return a->record.name < b->record.name; });
    return nodes;
}

std::string_view word_of(Availability availability) {
    switch (availability) {
        case Availability::kReady:       return "ready";
        case Availability::kDrained:     return "drained";
        case Availability::kUnreachable: return "unreachable";
        case Availability::kGated:       return "gated";
    }
    return "unreachable";
}

const model::Gpu* free_gpu(const controller::NodeStatus& node, GpuId id) {
    const auto& gpus = node.view.free.gpus;
    const auto found = std::ranges::find(gpus, id, &model::Gpu::id);
    return found == gpus.end() ? nullptr : &*found;
}

void write_gpu_sample(JsonText& json, const model::GpuSample& sample) {
    write_if_known(json, "memory_used_mib", sample.memory_used_mib);
    write_if_known(json, "utilization_percent", sample.utilization_percent);
    write_if_known(json, "power_milliwatts", sample.power_milliwatts);
    write_if_known(json, "temperature_celsius", sample.temperature_celsius);
    write_if_known(json, "sm_clock_mhz", sample.sm_clock_mhz);
    write_if_known(json, "memory_clock_mhz", sample.memory_clock_mhz);
    json.field("processes", sample.processes.size());
}

void write_node(JsonText& json, const NodePicture& picture) {
    const controller::NodeStatus& node = picture.node;
    const model::NodeRecord& record = node.record;
    const auto is_whole = [](const model::Gpu& gpu) {
        return gpu.free.milli == model::kWholeGpuMilli;
    };
    json.begin_object();
    json.field("name", record.name);
    json.field("state", word_of(node.view.availability));
    const std::string& reason = record.is_drained ? record.drain_reason : node.gate_text;
    if (!reason.empty()) {
        json.field("reason", reason);
    }
    // The view is made anew when something changes; samples come all the time.
    const Instant heard_at =
        picture.observed ? std::max(node.heard_at, picture.observed->at) : node.heard_at;
    if (heard_at != model::kNever) {
        json.field("heard_at", heard_at);
    }
    write_amount(
        json, "cpu_millicores", record.host.cpu_millicores, node.view.free.host.cpu_millicores);
    write_amount(json, "memory_mib", record.host.memory_mib, node.view.free.host.memory_mib);
    json.key("gpus");
    json.begin_object();
    json.field("total", std::ranges::count_if(record.gpus, &model::NodeGpu::is_present));
    json.field("free", std::ranges::count_if(node.view.free.gpus, is_whole));
    json.end_object();
    json.field("running", std::ranges::count_if(node.holdings, [](const auto& holding) {
                   return holding.allocation.owner == model::AllocationOwner::kTask;
               }));
    if (!record.enforcement.empty()) {
        json.field("enforcement", record.enforcement);
    }
    if (!record.labels.empty()) {
        json.key("labels");
        json.begin_object();
        for (const auto& [key, value] : record.labels) {
            json.field(key, value);
        }
        json.end_object();
    }
    json.field("simulated", std::ranges::any_of(record.gpus, &model::NodeGpu::is_simulated));
    if (picture.observed) {
        const model::NodeSample& sample = picture.observed->sample;
        json.key("observed");
        json.begin_object();
        write_age(json, picture.now, picture.observed->at);
        json.field("cpu_percent", static_cast<double>(sample.cpu_permille) / 10);
        json.field("memory_percent", static_cast<double>(sample.memory_permille) / 10);
        json.end_object();
    }
    json.end_object();
}

void write_node_gpus(JsonText& json, const NodePicture& picture, const Caller& caller) {
    for (const model::NodeGpu& gpu : picture.node.record.gpus) {
        write_gpu(json, picture, gpu, caller);
    }
}

void write_quota(JsonText& json, std::string_view name, const model::Quota& quota) {
    json.key(name);
    json.begin_object();
    write_if_known(json, "gpu_milli", quota.gpu_milli);
    write_if_known(json, "cpu_millicores", quota.cpu_millicores);
    write_if_known(json, "memory_mib", quota.memory_mib);
    write_if_known(json, "running_elements", quota.running_elements);
    write_if_known(json, "pending_elements", quota.pending_elements);
    json.end_object();
}

void write_project(
    JsonText& json, const controller::ProjectStatus& project, const controller::View& view) {
    const model::Usage& usage = project.usage;
    json.begin_object();
    json.field("name", project.record.name);
    if (!project.parent.empty()) {
        json.field("parent", project.parent);
    }
    json.field("share", project.record.share);
    if (view.fair_share) {
        json.field(
            "fair_used_milli_s", view.fair_share->used(project.record.id, std::nullopt, view.at));
    }
    write_quota(json, "quota", project.record.quota);
    write_quota(json, "user_quota", project.record.user_quota);
    json.field("guaranteed_gpu_milli", project.record.guaranteed_gpu_milli);
    json.key("used");
    json.begin_object();
    json.field("gpu_milli", usage.gpu_milli);
    json.field("cpu_millicores", usage.cpu_millicores);
    json.field("memory_mib", usage.memory_mib);
    json.field("running_elements", usage.running_elements);
    json.field("pending_elements", usage.pending_elements);
    json.end_object();
    json.end_object();
}

}  // namespace reeve::api
