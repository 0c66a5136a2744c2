// What must hold in a cluster, whatever happens to it. Each check compares what is promised with
// what is really there.
#include <algorithm>
#include <numeric>
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
    check_not_twice(task);
    check_devices(machine);
}

void ClusterWorld::check_not_twice(const model::KnownTask& task) {
    for (const Machine& other : machines_) {
        for (const auto& [key, known] : other.runtime->tasks()) {
            if (key.element == task.key.element && key != task.key &&
                known.phase != SimRuntime::Phase::kEnded) {
                fail_with(model::to_string(task.key) + " runs twice");
            }
        }
    }
}

/// What really uses a device is never more than there is.
void ClusterWorld::check_devices(const Machine& machine) {
    std::map<std::string, model::GpuAmount> used;
    for (const auto& [key, known] : machine.runtime->tasks()) {
        if (known.phase == SimRuntime::Phase::kEnded) {
            continue;
        }
        for (const model::GrantedGpu& gpu : known.known.gpus) {
            used[gpu.uuid].milli += gpu.milli;
            used[gpu.uuid].memory_mib += gpu.memory_mib;
        }
    }
    for (const auto& [uuid, amount] : used) {
        if (amount.milli > model::kWholeGpuMilli || amount.memory_mib > 10'000) {
            fail_with(uuid + " is given twice: " + std::to_string(amount.milli) + " milli");
        }
    }
}

void ClusterWorld::check_durable(const ledger::Change& change) {
    if (const auto* job = std::get_if<ledger::JobPut>(&change.body)) {
        check_job(*job);
    } else if (const auto* element = std::get_if<ledger::ElementPut>(&change.body)) {
        check_element(*element);
    } else if (const auto* put = std::get_if<ledger::Put<model::AllocationRecord>>(&change.body)) {
        check_allocation(*put);
    }
}

void ClusterWorld::check_job(const ledger::JobPut& put) {
    const auto& counts = put.after->counts.of;
    const auto sum = std::accumulate(counts.begin(), counts.end(), std::uint32_t{0});
    if (sum != put.after->range.count()) {
        fail_with("job " + to_string(put.after->id) + " does not count up");
    }
}

void ClusterWorld::check_element(const ledger::ElementPut& put) {
    const model::ElementRecord& after = *put.after;
    const bool is_new = !last_.contains(after.key);
    const ElementState from = is_new ? ElementState::kQueued : last_.at(after.key);
    const std::string name = model::to_string(after.key, true);
    if (is_new ? !is_reachable(from, after.state) : !is_direct(from, after.state)) {
        fail_with(
            name + " went from " + std::string(model::word_of(from)) + " to " +
            std::string(model::word_of(after.state)));
    }
    if (is_end(after.state) && !is_end(from) && ++ended_[after.key] > 1) {
        fail_with(name + " ended twice");
    }
    last_.insert_or_assign(after.key, after.state);
}

void ClusterWorld::check_allocation(const ledger::Put<model::AllocationRecord>& put) {
    const bool is_released =
        put.after && is_end(put.after->state) && put.after->owner == model::AllocationOwner::kTask;
    if (is_released && is_alive(put.after->task)) {
        fail_with(model::to_string(put.after->task) + " runs on GPUs that are called free");
    }
}

/// The ledger's own accounts.
void ClusterWorld::check_ledger() {
    for (const auto& [id, node] : controller_->ledger().state().nodes()) {
        check_accounts(node);
    }
    for (const auto& [id, allocation] : controller_->ledger().state().allocations()) {
        if (allocation.owner ==
            model::AllocationOwner::kUnknown) {  // No backup is ever restored here.
            fail_with(model::to_string(allocation.task) + " is in quarantine, though it is known");
        }
    }
    check_owners();
    check_requests();
}

/// What is free and what is held come to what there is, device by device.
void ClusterWorld::check_accounts(const ledger::NodeState& node) {
    std::map<GpuId, model::GpuAmount> sums;
    for (const AllocationId id : node.allocations) {
        for (const model::GpuGrant& granted :
             controller_->ledger().state().allocation(id)->grant.gpus) {
            sums[granted.gpu].milli += granted.amount.milli;
            sums[granted.gpu].memory_mib += granted.amount.memory_mib;
        }
    }
    for (const model::Gpu& gpu : node.free.gpus) {
        const model::GpuAmount sum{
            sums[gpu.id].milli + gpu.free.milli, sums[gpu.id].memory_mib + gpu.free.memory_mib};
        if (gpu.free.milli < 0 || gpu.free.memory_mib < 0 ||
            sum != model::GpuAmount{model::kWholeGpuMilli, gpu.total_mib}) {
            fail_with("the accounts of a GPU do not add up");
        }
    }
}

/// Whatever is live holds an allocation, and every allocation belongs to somebody.
void ClusterWorld::check_owners() {
    const ledger::State& state = controller_->ledger().state();
    for (const auto& [key, element] : state.elements()) {
        const model::AllocationRecord* allocation = state.allocation(element.allocation);
        if (is_live(element.state) && (allocation == nullptr || is_end(allocation->state))) {
            fail_with(model::to_string(key, true) + " is live without an allocation");
        }
    }
    for (const auto& [id, allocation] : state.allocations()) {
        const model::ElementRecord* element = state.element(allocation.task.element);
        if (allocation.owner == model::AllocationOwner::kTask &&
            (element == nullptr || element->allocation != allocation.id)) {
            fail_with("allocation " + std::to_string(id.value()) + " belongs to nobody");
        }
    }
}

/// What jobs in memory ask for is known, and nothing else: once all have ended, nothing.
void ClusterWorld::check_requests() {
    const ledger::State& state = controller_->ledger().state();
    std::map<model::RequestId, std::size_t> jobs;
    std::set<std::string> expressions;
    for (const auto& [id, job] : state.jobs()) {
        const model::RequestRecord* request = state.request(job.request);
        if (request == nullptr) {
            fail_with("what job " + to_string(id) + " asks for is not known");
            return;
        }
        ++jobs[job.request];
        expressions.insert(request->on);
    }
    expressions.erase("");
    for (const auto& [id, request] : state.requests()) {
        if (request.jobs == 0 || request.jobs != jobs[id]) {
            fail_with(
                "request " + std::to_string(id.value()) + " counts other jobs than ask for it");
        }
    }
    if (state.requests().size() != jobs.size() || state.core().request_count() != jobs.size() ||
        state.node_classes().expression_count() != expressions.size()) {
        fail_with("something is known that no job asks for");
    }
}

}  // namespace reeve::simulation
