#pragma once

// For tests of what is said of a view: a small one.
#include <chrono>
#include <cstdint>
#include <memory>

#include "controller/view.hpp"
#include "ledger/reader.hpp"

namespace reeve::controller {

inline constexpr auto kViewNow = Instant(std::chrono::seconds(1'800'000'000));

inline model::Grant whole_gpu(std::uint64_t gpu) {
    return {.gpus = {{.gpu = GpuId(gpu), .amount = {.milli = 1000, .memory_mib = 24576}}}};
}

/// One node of two GPUs, of which ann's job 4 of the project "default" has held one since now.
inline View half_used_view(std::chrono::seconds limit_of_holder) {
    auto node = std::make_shared<NodeStatus>();
    node->record = {.id = NodeId(1), .name = "n1", .host = {.cpu_millicores = 8000}};
    node->view = {.id = NodeId(1), .host_total = {.cpu_millicores = 8000}};
    node->view.free.host = node->view.host_total;
    for (std::uint64_t gpu = 1; gpu <= 2; ++gpu) {
        node->view.free.gpus.push_back({
            .id = GpuId(gpu),
            .model = GpuModelId(1),
            .total_mib = 24576,
            .free = {.milli = 1000, .memory_mib = 24576}
        });
    }
    node->view.free = *model::take(node->view.free, whole_gpu(1));
    Holding holding{.user = "ann", .started_at = kViewNow, .limit = limit_of_holder};
    holding.allocation = {
        .id = AllocationId(1),
        .task = {.element = {.job = JobId(4)}},
        .node = NodeId(1),
        .project = ProjectId(1),
        .grant = whole_gpu(1)};
    node->holdings.push_back(holding);
    View view{.at = kViewNow, .scheduling = {.assumed_run = std::chrono::hours(24)}};
    view.nodes.push_back(node);
    view.projects.push_back({
        .record = {.id = ProjectId(1), .name = "default"}
    });
    return view;
}

/// A job of ann's that waits.
inline ledger::JobRow waiting_job(std::uint64_t id, std::int64_t gpus, std::chrono::seconds limit) {
    ledger::JobRow job;
    job.record.id = JobId(id);
    job.record.time_limit_s = limit.count();
    job.record.counts[model::ElementState::kQueued] = 1;
    job.user = "ann";
    job.project = "default";
    job.gpus.count = gpus;
    return job;
}

}  // namespace reeve::controller
