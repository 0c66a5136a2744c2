// What must hold in a cluster, whatever happens to it. Each check compares what is promised with
// what is really there.
#include <algorithm>
#include <variant>

#include "cluster_world.hpp"

namespace reeve::simulation {
namespace {

using model::ElementState;

/// True if an element may be seen to go from one durable state to the other: along rows of the
/// table, of which a turn may take several, but never out of an end.
bool is_reachable(ElementState from, ElementState to) {
    if (from == to) {
        return true;
    }
    std::set<ElementState> reached = {from};
    bool has_grown = true;
    while (has_grown) {
        has_grown = false;
        for (const auto& row : model::kElementTransitions) {
            has_grown = (reached.contains(row.from) && reached.insert(row.to).second) || has_grown;
        }
    }
    return reached.contains(to);
}

bool is_direct(ElementState from, ElementState to) {
    return from == to || std::ranges::any_of(model::kElementTransitions, [&](const auto& row) {
               return row.from == from && row.to == to;
           });
}

}  // namespace

void ClusterWorld::fail_with(const std::string& what) {
    if (trouble_.empty()) {
        trouble_ = what;
    }
}

bool ClusterWorld::is_alive(const model::TaskKey& key) const {
    return std::ranges::any_of(machines_, [&](const Machine& machine) {
        const auto& tasks = machine.runtime->tasks();
        const auto found = tasks.find(key);
        return found != tasks.end() && found->second.phase != SimRuntime::Phase::kEnded;
    });
}

/// A process is about to exist on `machine`.
void ClusterWorld::check_started(const Machine& machine, const model::KnownTask& task) {
    const model::ElementKey& element = task.key.element;
    ever_started_.insert(element);
    if (cancelled_unstarted_.contains(element.job)) {
        fail_with(model::to_string(task.key) + " starts after its cancel was acknowledged");
    }
    const auto last = last_.find(element);
    if (last != last_.end() && is_end(last->second)) {
        fail_with(model::to_string(task.key) + " starts after its end");
    }
    for (const Machine& other : machines_) {
        for (const auto& [key, known] : other.runtime->tasks()) {
            if (key.element == element && key != task.key &&
                known.phase != SimRuntime::Phase::kEnded) {
                fail_with(model::to_string(task.key) + " runs twice");
            }
        }
    }
    std::map<std::string, std::pair<std::int64_t, std::int64_t>> used;
    for (const auto& [key, known] : machine.runtime->tasks()) {
        if (known.phase == SimRuntime::Phase::kEnded) {
            continue;
        }
        for (const model::GrantedGpu& gpu : known.known.gpus) {
            auto& [milli, mib] = used[gpu.uuid];
            milli += gpu.milli;
            mib += gpu.memory_mib;
        }
    }
    for (const auto& [uuid, amount] : used) {
        if (amount.first > model::kWholeGpuMilli || amount.second > 10'000) {
            fail_with(uuid + " is given twice: " + std::to_string(amount.first) + " milli");
        }
    }
}

void ClusterWorld::check_durable(const ledger::Change& change) {
    if (const auto* job = std::get_if<ledger::JobPut>(&change.body)) {
        jobs_.insert_or_assign(job->after->id, *job->after);
        std::uint32_t sum = 0;
        for (const std::uint32_t count : job->after->counts.of) {
            sum += count;
        }
        if (sum != job->after->range.count()) {
            fail_with("job " + to_string(job->after->id) + " does not count up");
        }
    }
    if (const auto* put = std::get_if<ledger::ElementPut>(&change.body)) {
        const model::ElementRecord& after = *put->after;
        const ElementState from =
            last_.contains(after.key) ? last_.at(after.key) : ElementState::kQueued;
        const bool is_new = !last_.contains(after.key);
        if (is_new ? !is_reachable(from, after.state) : !is_direct(from, after.state)) {
            fail_with(
                model::to_string(after.key, true) + " went from " +
                std::string(model::word_of(from)) + " to " +
                std::string(model::word_of(after.state)));
        }
        if (is_end(after.state) && !is_end(from) && ++ended_[after.key] > 1) {
            fail_with(model::to_string(after.key, true) + " ended twice");
        }
        last_.insert_or_assign(after.key, after.state);
    }
    if (const auto* put = std::get_if<ledger::Put<model::AllocationRecord>>(&change.body)) {
        const bool is_released =
            put->after && is_end(put->after->state) && !put->after->is_quarantined;
        if (is_released && is_alive(put->after->task)) {
            fail_with(model::to_string(put->after->task) + " runs on GPUs that are called free");
        }
    }
}

/// The ledger's own accounts.
void ClusterWorld::check_ledger() {
    const ledger::State& state = controller_->ledger().state();
    for (const auto& [id, node] : state.nodes()) {
        for (const model::Gpu& gpu : node.free.gpus) {
            model::GpuAmount sum = gpu.free;
            for (const AllocationId allocation : node.allocations) {
                for (const model::GpuGrant& granted : state.allocation(allocation)->grant.gpus) {
                    if (granted.gpu == gpu.id) {
                        sum.milli += granted.amount.milli;
                        sum.memory_mib += granted.amount.memory_mib;
                    }
                }
            }
            if (gpu.free.milli < 0 || gpu.free.memory_mib < 0 ||
                sum != model::GpuAmount{model::kWholeGpuMilli, gpu.total_mib}) {
                fail_with("the accounts of a GPU do not add up");
            }
        }
    }
    for (const auto& [key, element] : state.elements()) {
        const bool is_live = element.state == ElementState::kScheduled ||
                             element.state == ElementState::kRunning ||
                             element.state == ElementState::kStopping;
        const model::AllocationRecord* allocation = state.allocation(element.allocation);
        if (is_live && (allocation == nullptr || is_end(allocation->state))) {
            fail_with(model::to_string(key, true) + " is live without an allocation");
        }
    }
    for (const auto& [id, allocation] : state.allocations()) {
        const model::ElementRecord* element = state.element(allocation.task.element);
        if (!allocation.is_quarantined &&
            (element == nullptr || element->allocation != allocation.id)) {
            fail_with("allocation " + std::to_string(id.value()) + " belongs to nobody");
        }
    }
}

}  // namespace reeve::simulation
