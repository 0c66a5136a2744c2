#include "simulate/request_maker.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/text.hpp"

namespace reeve::simulate {
namespace {

bool is_alike(const scheduler::NodeView& one, const scheduler::NodeView& other) {
    return one.host_total == other.host_total &&
           std::ranges::equal(
               one.free.gpus, other.free.gpus, [](const model::Gpu& a, const model::Gpu& b) {
                   return a.model == b.model && a.total_mib == b.total_mib;
               });
}

/// The models of "A|B" that there are.
std::optional<std::vector<GpuModelId>> models_of(const Cluster& cluster, std::string_view spec) {
    if (spec.empty()) {
        return std::nullopt;
    }
    std::vector<GpuModelId> models;
    for (const std::string& name : split(spec, '|')) {
        const auto model = cluster.models.find(name);
        if (model != cluster.models.end()) {
            models.push_back(model->second);
        }
    }
    std::ranges::sort(models);
    const auto repeated = std::ranges::unique(models);
    models.erase(repeated.begin(), repeated.end());
    return models;
}

}  // namespace

RequestMaker::RequestMaker(const Cluster& cluster) : cluster_(cluster) {
    for (const scheduler::NodeView& node : cluster.nodes) {
        gpus_max_ = std::max(gpus_max_, static_cast<std::int64_t>(node.free.gpus.size()));
        cpu_millicores_max_ = std::max(cpu_millicores_max_, node.host_total.cpu_millicores);
        // Lists of nodes have few kinds, and name them in blocks: the last is mostly the one.
        const auto kind = std::ranges::find_if(
            kinds_.rbegin(), kinds_.rend(), [&](const Kind& k) { return is_alike(*k.node, node); });
        if (kind == kinds_.rend()) {
            kinds_.push_back({.node = &node, .count = 1});
        } else {
            ++kind->count;
        }
    }
}

Result<model::Request> RequestMaker::make(const Ask& ask) const {
    model::Request request{
        .host = {.cpu_millicores = ask.cpu_millicores, .memory_mib = ask.memory_mib},
        .gpus = model::WholeGpus{}
    };
    if (ask.gpus == 0) {
        return request;
    }
    const auto models = models_of(cluster_, ask.gpu_models);
    if (models && models->empty()) {
        return fail(
            ErrorCode::kInvalid, "no node has a GPU of '" + std::string(ask.gpu_models) + "'");
    }
    std::int64_t most = 0;
    for (const Kind& kind : kinds_) {
        const auto usable = std::ranges::count_if(kind.node->free.gpus, [&](const model::Gpu& gpu) {
            return model::accepts(models, gpu.model);
        });
        most = std::max(most, static_cast<std::int64_t>(usable));
    }
    if (ask.gpus > most) {
        return fail(
            ErrorCode::kInvalid, "it asks for " + std::to_string(ask.gpus) +
                                     " GPUs; the largest node that it may use has " +
                                     std::to_string(most));
    }
    if (ask.gpu_milli == 0) {
        return fail(ErrorCode::kInvalid, "gpu_milli: it asks for GPUs, and for nothing of them");
    }
    if (ask.gpu_milli.value_or(ask.is_share ? 0 : model::kWholeGpuMilli) == model::kWholeGpuMilli) {
        request.gpus = model::WholeGpus{
            .count = ask.gpus, .models = models, .total_mib_min = ask.gpu_mem_mib.value_or(0)};
        return request;
    }
    if (ask.gpus > 1) {
        return fail(
            ErrorCode::kInvalid, "gpu_milli: a task of several GPUs takes them whole (1000)");
    }
    request.gpus =
        model::GpuShare{.milli = ask.gpu_milli, .memory_mib = ask.gpu_mem_mib, .models = models};
    return request;
}

std::int64_t RequestMaker::holders_of(const model::Request& request) const {
    std::int64_t holders = 0;
    for (const Kind& kind : kinds_) {
        holders += scheduler::could_hold(*kind.node, request) ? kind.count : 0;
    }
    return holders;
}

}  // namespace reeve::simulate
