#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ledger/contested.hpp"
#include "ledger/ledger.hpp"

// Use that is not ours (SEMANTICS 6): what runs on a GPU beside the queue takes its room from it.
namespace reeve::ledger {
namespace {

using model::AllocationOwner;

/// Processes that compute, and are no task's. What only draws is a desktop's, and what shares a GPU
/// among others (MPS) is no user of it.
std::vector<model::GpuProcess> outsiders_in(const model::GpuSample& sample) {
    std::vector<model::GpuProcess> found;
    std::ranges::copy_if(
        sample.processes, std::back_inserter(found), [](const model::GpuProcess& process) {
            return !process.task && !process.is_graphics &&
                   !process.command.starts_with("nvidia-cuda-mps");
        });
    return found;
}

/// What they take of the GPU, in sixteenths of it: memory that moves a little is no change. Nothing
/// if there are none.
std::optional<model::GpuAmount> amount_of(
    const std::vector<model::GpuProcess>& processes, const model::NodeGpu& gpu) {
    constexpr std::int64_t kParts = 16;
    if (processes.empty()) {
        return std::nullopt;
    }
    std::int64_t memory_mib = 0;
    for (const model::GpuProcess& process : processes) {
        memory_mib += process.memory_mib.value_or(0);
    }
    const std::int64_t total_mib = std::max<std::int64_t>(gpu.total_mib, 1);
    const std::int64_t parts =
        std::clamp<std::int64_t>((memory_mib * kParts + total_mib - 1) / total_mib, 1, kParts);
    return model::GpuAmount{
        .milli = (model::kWholeGpuMilli * parts + kParts - 1) / kParts,
        .memory_mib = (total_mib * parts + kParts - 1) / kParts};
}

/// There is one at least.
Outsiders names_of(const std::vector<model::GpuProcess>& processes) {
    const model::GpuProcess& most =
        *std::ranges::max_element(processes, {}, &model::GpuProcess::memory_mib);
    Outsiders names{
        .user = most.user,
        .process = (most.command.empty() ? "a process" : most.command) + " (pid " +
                   std::to_string(most.pid) + ")"};
    if (processes.size() > 1) {
        names.process += " and " + std::to_string(processes.size() - 1) + " more";
    }
    return names;
}

}  // namespace

/// A GPU that does not say what runs on it keeps what it had.
void Ledger::note_external(NodeId id, const model::NodeSample& sample) {
    const auto is_external = [this](AllocationId each) {
        return state_.allocation(each)->owner == AllocationOwner::kExternal;
    };
    const bool is_used = std::ranges::any_of(
        sample.gpus, [](const model::GpuSample& gpu) { return !outsiders_in(gpu).empty(); });
    if (!is_used && std::ranges::none_of(state_.node(id)->allocations, is_external)) {
        return;  // Mostly.
    }
    const std::vector<model::NodeGpu> gpus = state_.node(id)->record.gpus;
    NodeLiveness liveness = state_.node(id)->liveness;
    for (const model::GpuSample& measured : sample.gpus) {
        const auto gpu = std::ranges::find(gpus, measured.uuid, &model::NodeGpu::uuid);
        if (gpu == gpus.end() || !measured.trouble.empty()) {
            continue;
        }
        const std::vector<model::GpuProcess> processes = outsiders_in(measured);
        liveness.outsiders.erase(gpu->id);
        if (!processes.empty()) {
            liveness.outsiders.emplace(gpu->id, names_of(processes));
        }
        hold_external(id, *gpu, amount_of(processes, *gpu));
    }
    state_.set_liveness(id, std::move(liveness));
}

void Ledger::hold_external(
    NodeId id, const model::NodeGpu& gpu, const std::optional<model::GpuAmount>& use) {
    std::optional<model::AllocationRecord> held;
    for (const AllocationId each : state_.node(id)->allocations) {
        const model::AllocationRecord& allocation = *state_.allocation(each);
        if (allocation.owner == AllocationOwner::kExternal &&
            allocation.grant.gpus.front().gpu == gpu.id) {
            held = allocation;
        }
    }
    if (!use) {
        if (held) {
            release(held->id);
        }
        return;
    }
    model::AllocationRecord allocation = held.value_or(model::AllocationRecord{
        .id = AllocationId(last_allocation_.value() + 1),
        .owner = AllocationOwner::kExternal,
        .node = id,
        .state = *model::next_state(
            model::AllocationState::kReserved, model::AllocationEvent::kDevicesKnown),
        .reserved_at = state_.now()});
    last_allocation_ = std::max(last_allocation_, allocation.id);
    allocation.grant.gpus = {
        {.gpu = gpu.id, .amount = *use}
    };
    if (held == allocation) {
        return;
    }
    const bool was_contested = is_contested(gpu, allocations_on(id));
    put_allocation(allocation);
    if (!was_contested && is_contested(gpu, allocations_on(id))) {
        note_contested(id, gpu);
    }
}

std::vector<const model::AllocationRecord*> Ledger::allocations_on(NodeId id) const {
    std::vector<const model::AllocationRecord*> found;
    found.reserve(state_.node(id)->allocations.size());
    for (const AllocationId each : state_.node(id)->allocations) {
        found.push_back(state_.allocation(each));
    }
    return found;
}

/// Tells of each task that has some of it, so that whoever runs it may know; of one in quarantine
/// it is not said which.
void Ledger::note_contested(NodeId id, const model::NodeGpu& gpu) {
    std::vector<std::optional<model::TaskKey>> tasks;
    for (const model::AllocationRecord* allocation : allocations_on(id)) {
        if (allocation->owner != AllocationOwner::kExternal && amount_on(*allocation, gpu.id)) {
            tasks.push_back(
                allocation->owner == AllocationOwner::kTask ? std::optional(allocation->task)
                                                            : std::nullopt);
        }
    }
    for (const std::optional<model::TaskKey>& task : tasks) {
        put_incident(
            id, {.kind = GpuIncidentKind::kContested,
                 .uuid = gpu.uuid,
                 .text = "it is granted, and used outside the queue, too",
                 .task = task});
    }
}

}  // namespace reeve::ledger
