#include <algorithm>
#include <string>

#include "base/text.hpp"
#include "ledger/ledger.hpp"

namespace reeve::ledger {
namespace {

using model::AllocationOwner;
using model::ElementRecord;

/// Every rule of the gate that a sample breaks; "" if it lets new work in.
std::string gate_text(const Gate& gate, const model::NodeSample& sample) {
    std::int64_t free_mib = 0;
    std::int64_t utilization = 0;
    for (const model::GpuSample& gpu : sample.gpus) {
        free_mib += gpu.memory_total_mib.value_or(0) - gpu.memory_used_mib.value_or(0);
        utilization += gpu.utilization_percent.value_or(0);
    }
    const auto gpus = static_cast<std::int64_t>(sample.gpus.size());
    std::string text;
    const auto add = [&text](const std::string& broken) {
        text += (text.empty() ? "" : "; ") + broken;
    };
    const auto add_percent = [&add](const char* what, std::int64_t is, std::int64_t below) {
        add(std::string(what) + " is " + std::to_string(is) + " %, not below " +
            std::to_string(below) + " %");
    };
    if (gpus > 0 && free_mib <= gate.gpu_memory_free_mib_above) {
        add("free GPU memory is " + format_mib(free_mib) + ", not above " +
            format_mib(gate.gpu_memory_free_mib_above));
    }
    if (gpus > 0 && utilization / gpus >= gate.gpu_utilization_below) {
        add_percent("GPU utilisation", utilization / gpus, gate.gpu_utilization_below);
    }
    if (sample.cpu_permille >= gate.cpu_permille_below) {
        add_percent("CPU usage", sample.cpu_permille / 10, gate.cpu_permille_below / 10);
    }
    if (sample.memory_permille >= gate.memory_permille_below) {
        add_percent("memory usage", sample.memory_permille / 10, gate.memory_permille_below / 10);
    }
    return text;
}

}  // namespace

void Ledger::report(const model::NodeHello& hello, const Lookups& lookups) {
    const NodeState* before = state_.node_named(hello.node);
    const bool has_rebooted = before != nullptr && !before->record.boot_id.empty() &&
                              before->record.boot_id != hello.boot_id;
    const NodeId id = put_node(hello);
    heard_from(hello.node);

    for (const AllocationId held : state_.node(id)->allocations) {
        quarantined_tasks_.erase(state_.allocation(held)->task);  // Unless it is said again.
    }
    std::set<model::TaskKey> seen;
    for (const model::KnownTask& task : hello.tasks) {
        const bool is_lost =
            has_rebooted && task.outcome && task.outcome->end == model::TaskEnd::kShimLost;
        if (is_lost) {
            acknowledged_.emplace_back(id, task.key);
        } else if (task.cluster_id == cluster_id_) {  // Else external, and never touched.
            seen.insert(task.key);
            reconcile(id, task, lookups);
        }
    }
    if (has_rebooted) {
        lose_all_but(seen, id);
    }
    greeted_.insert(id);  // The controller says again what it wants there.
}

/// The node was restarted: what it does not say that it has, is gone.
void Ledger::lose_all_but(const std::set<model::TaskKey>& seen, NodeId id) {
    for (const model::ElementKey& key : state_.live_on(id)) {
        const ElementRecord& element = *state_.element(key);
        if (!seen.contains({.element = key, .attempt = element.attempt})) {
            lose_attempt(key, "node " + state_.node(id)->record.name + " was restarted");
        }
    }
    for (const AllocationId held : std::set<AllocationId>(state_.node(id)->allocations)) {
        const model::AllocationRecord& allocation = *state_.allocation(held);
        if (allocation.owner != AllocationOwner::kTask && !seen.contains(allocation.task)) {
            release(held);
        }
    }
}

/// True if the attempt is known to be over: it ended, or another one followed.
bool Ledger::is_over(const model::TaskKey& task, const Lookups& lookups) const {
    const ElementRecord* element = state_.element(task.element);
    return lookups.ended_attempts.contains(task) ||
           (element != nullptr && (element->attempt > task.attempt ||
                                   (element->attempt == task.attempt && is_end(element->state))));
}

void Ledger::reconcile(NodeId node, const model::KnownTask& task, const Lookups& lookups) {
    const ElementRecord* element = state_.element(task.key.element);
    const bool is_ours = element != nullptr && element->attempt == task.key.attempt &&
                         is_live(element->state) && element->node == node;
    if (is_ours) {
        reconcile_live(*element, node, task);
    } else if (task.outcome) {
        acknowledged_.emplace_back(node, task.key);
        if (const model::AllocationRecord* held = quarantined(node, task.key)) {
            release(held->id);
        }
    } else if (is_over(task.key, lookups)) {
        unwanted_.emplace_back(node, task.key);  // Known, and not wanted any more.
    } else if (std::optional<ElementRecord> waiting = waiting_for(task.key)) {
        adopt_wanted(std::move(*waiting), node, task);
    } else {
        quarantine(node, task);
    }
}

/// What it has missed of an element that is live.
void Ledger::reconcile_live(ElementRecord element, NodeId node, const model::KnownTask& task) {
    const bool has_run = task.outcome ? task.started_at.has_value() : task.has_started;
    if (has_run && element.started_at == model::kNever) {
        start_adopted(element.key, task);
        element = *state_.element(element.key);
    }
    if (task.outcome) {
        end_attempt(std::move(element), *task.outcome);
        acknowledged_.emplace_back(node, task.key);
    }
}

/// Ours by cluster id, but unknown: an older backup was restored, perhaps. It keeps its GPUs.
void Ledger::quarantine(NodeId node, const model::KnownTask& task) {
    quarantined_tasks_[task.key] = task;
    if (quarantined(node, task.key) == nullptr) {
        model::AllocationRecord allocation = allocation_of(node, task);
        allocation.owner = AllocationOwner::kUnknown;
        last_allocation_ = allocation.id;
        put_allocation(allocation);
    }
}

/// What a task that runs holds, as its node says; with the next free id.
model::AllocationRecord Ledger::allocation_of(NodeId node, const model::KnownTask& task) const {
    model::AllocationRecord allocation{
        .id = AllocationId(last_allocation_.value() + 1),
        .task = task.key,
        .node = node,
        .project = state_.project_named("default")->id,
        .state = *model::next_state(
            model::AllocationState::kReserved, model::AllocationEvent::kDevicesKnown),
        .reserved_at = state_.now()};
    for (const model::GrantedGpu& gpu : task.gpus) {
        if (const std::optional<GpuId> id = state_.gpu_of(gpu.uuid)) {
            allocation.grant.gpus.push_back({
                .gpu = *id, .amount = {.milli = gpu.milli, .memory_mib = gpu.memory_mib}
            });
        }
    }
    return allocation;
}

const model::AllocationRecord* Ledger::quarantined(NodeId node, const model::TaskKey& task) const {
    for (const AllocationId id : state_.node(node)->allocations) {
        const model::AllocationRecord* allocation = state_.allocation(id);
        if (allocation->owner == AllocationOwner::kUnknown && allocation->task == task) {
            return allocation;
        }
    }
    return nullptr;
}

GpuModelId Ledger::intern_model(const std::string& name) {
    for (const auto& [id, model] : state_.gpu_models()) {
        if (model.name == name) {
            return id;
        }
    }
    const GpuModelId id(state_.gpu_models().size() + 1);
    put(Put<model::GpuModelRecord>{.after = {{.id = id, .name = name}}});
    return id;
}

NodeId Ledger::put_node(const model::NodeHello& hello) {
    const NodeState* known = state_.node_named(hello.node);
    NodePut change;
    model::NodeRecord record;
    std::uint64_t last_gpu = 0;
    std::uint64_t last_node = 0;
    for (const auto& [id, node] : state_.nodes()) {
        last_node = id.value();
        for (const model::NodeGpu& gpu : node.record.gpus) {
            last_gpu = std::max(last_gpu, gpu.id.value());
        }
    }
    if (known != nullptr) {
        record = known->record;
        change.before = record;
    } else {
        record.id = NodeId(last_node + 1);
        record.name = hello.node;
    }
    record.boot_id = hello.boot_id;
    record.enforcement = hello.enforcement;
    record.labels = hello.labels;
    record.host = {
        .cpu_millicores = hello.host.cpu_millicores, .memory_mib = hello.host.memory_mib};
    for (model::NodeGpu& gpu : record.gpus) {
        gpu.is_present = std::ranges::any_of(
            hello.gpus, [&](const auto& described) { return described.uuid == gpu.uuid; });
    }
    for (const model::GpuDescription& described : hello.gpus) {
        const GpuModelId model = intern_model(described.model);
        const auto same = std::ranges::find(record.gpus, described.uuid, &model::NodeGpu::uuid);
        if (same != record.gpus.end()) {
            same->model = model;
            same->total_mib = described.total_mib;
            same->is_simulated = described.is_simulated;
        } else if (!state_.gpu_of(
                       described.uuid)) {  // Else another node has it: its, until it ends.
            record.gpus.push_back(
                {.id = GpuId(++last_gpu),
                 .uuid = described.uuid,
                 .model = model,
                 .total_mib = described.total_mib,
                 .is_simulated = described.is_simulated});
        }
    }
    if (change.before != record) {
        change.after = record;
        put(std::move(change));
    }
    return record.id;
}

void Ledger::heard_from(const std::string& name) {
    const NodeState* node = state_.node_named(name);
    if (node == nullptr) {
        return;  // It has not said hello yet.
    }
    NodeLiveness liveness = node->liveness;
    liveness.heard_at = state_.now();
    liveness.is_reachable = true;
    state_.set_liveness(node->record.id, std::move(liveness));
}

void Ledger::report(const model::TaskStarted& started, const Lookups& /*lookups*/) {
    heard_from(started.node);
    const ElementRecord* element = state_.element(started.key.element);
    if (element != nullptr && element->attempt == started.key.attempt && is_live(element->state) &&
        element->started_at == model::kNever) {
        start_attempt(*element, started.pid);
    }
}

void Ledger::report(const model::TaskOverdue& overdue, const Lookups& /*lookups*/) {
    heard_from(overdue.node);
    const ElementRecord* element = state_.element(overdue.key.element);
    const NodeState* node = state_.node_named(overdue.node);
    if (element != nullptr && node != nullptr && element->attempt == overdue.key.attempt &&
        element->node == node->record.id && is_live(element->state)) {
        request_stop(*element, model::StopIntent::kTimeLimit, Control::kStop);
    }
}

void Ledger::report(const model::TaskEnded& ended, const Lookups& lookups) {
    heard_from(ended.node);
    const NodeState* node = state_.node_named(ended.node);
    if (node == nullptr) {
        return;
    }
    const NodeId id = node->record.id;
    const ElementRecord* element = state_.element(ended.key.element);
    const bool is_current = element != nullptr && element->attempt == ended.key.attempt &&
                            is_live(element->state) && element->node == id;
    if (is_current) {
        end_attempt(*element, ended.outcome);
    } else if (const model::AllocationRecord* held = quarantined(id, ended.key)) {
        release(held->id);
    } else if (
        !lookups.ended_attempts.contains(ended.key) &&
        (element == nullptr || element->attempt <= ended.key.attempt)) {
        return;  // Never heard of it. Its agent keeps what it knows.
    }
    acknowledged_.emplace_back(id, ended.key);
}

void Ledger::report(const model::NodeSample& sample, const Lookups& /*lookups*/) {
    heard_from(sample.node);
    const NodeState* node = state_.node_named(sample.node);
    if (node == nullptr) {
        return;
    }
    const NodeId id = node->record.id;
    note_health(id, sample);
    note_external(id, sample);
    if (options_.gate) {
        NodeLiveness liveness = state_.node(id)->liveness;
        liveness.gate_text = gate_text(*options_.gate, sample);
        liveness.is_gated = !liveness.gate_text.empty();
        state_.set_liveness(id, std::move(liveness));
    }
}

void Ledger::tick() {
    std::vector<NodeId> silent;
    for (const auto& [id, node] : state_.nodes()) {
        if (node.liveness.is_reachable &&
            state_.now() - node.liveness.heard_at > options_.silence_max) {
            silent.push_back(id);
        }
    }
    for (const NodeId id : silent) {
        NodeLiveness liveness = state_.node(id)->liveness;
        liveness.is_reachable = false;
        state_.set_liveness(id, std::move(liveness));
    }
}

}  // namespace reeve::ledger
