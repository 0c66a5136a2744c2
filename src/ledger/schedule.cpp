// One scheduling step: first in, first out within a priority; what does not fit now lets what comes
// behind it pass. Equal jobs of one project form a group that is tried once, so a step costs
// groups x nodes, however many jobs wait.
#include <cstddef>
#include <cstdint>
#include <map>

#include "base/assert.hpp"
#include "ledger/ledger.hpp"
#include "scheduler/quota.hpp"

namespace reeve::ledger {
namespace {

using model::ElementState;

constexpr Queue::Place kFront = {.priority_negated = INT64_MIN};

Queue::Place behind(const Queue::Place& place) {
    return {.priority_negated = place.priority_negated, .head = JobId(place.head.value() + 1)};
}

}  // namespace

/// One pass over heads: over all of them from cursor_ on, or over those of `todo`.
struct Ledger::Pass {
    std::map<Queue::Place, GroupKey> todo = {};
    std::size_t looked_at = 0;
    std::size_t placements = 0;
};

bool Ledger::schedule(std::size_t placements_max, std::size_t groups_max) {
    act_for_nobody();
    fresh_.merge(state_.take_fresh());
    if (state_.take_freed()) {
        cursor_ = kFront;
    }
    if (!cursor_ && fresh_.empty()) {
        return false;
    }
    Pass pass;
    for (const GroupKey& group : fresh_) {
        const std::optional<Queue::Head> head = state_.queue().head_of(group);
        if (!cursor_ && head) {
            pass.todo.emplace(head->place, group);
        }
    }
    fresh_.clear();

    std::vector<scheduler::NodeView> nodes = state_.node_views();
    while (const std::optional<Queue::Head> head = next_head(pass)) {
        if (pass.placements == placements_max || pass.looked_at == groups_max) {
            for (const auto& [place, group] : pass.todo) {
                fresh_.insert(group);
            }
            return true;
        }
        advance_pass(pass, *head, place_head(*head, nodes));
    }
    cursor_.reset();
    (void)state_.take_fresh();  // Heads that came up in this step were looked at in it.
    return false;
}

std::optional<Queue::Head> Ledger::next_head(const Pass& pass) const {
    if (cursor_) {
        return state_.queue().head_from(*cursor_);
    }
    if (pass.todo.empty()) {
        return std::nullopt;
    }
    return Queue::Head{.place = pass.todo.begin()->first, .group = pass.todo.begin()->second};
}

void Ledger::advance_pass(Pass& pass, const Queue::Head& head, bool is_placed) {
    if (is_placed) {
        ++pass.placements;
    } else {
        ++pass.looked_at;
    }
    if (cursor_) {
        cursor_ = is_placed ? head.place : behind(head.place);
        return;
    }
    pass.todo.erase(head.place);
    if (const auto next = state_.queue().head_of(head.group); is_placed && next) {
        pass.todo.emplace(next->place, next->group);
    }
}

bool Ledger::place_head(const Queue::Head& head, std::vector<scheduler::NodeView>& nodes) {
    const std::optional<model::ElementKey> key = state_.next_of(head.place.head);
    REEVE_ASSERT(key.has_value(), "a job in the queue has an element to place");
    const scheduler::Decision decision =
        scheduler::place(state_.resolved(head.group.request), nodes);
    const auto* placed = std::get_if<scheduler::Placed>(&decision);
    if (placed == nullptr || !is_within_quota(head.group.project, placed->grant)) {
        return false;
    }
    model::ElementRecord element;
    if (const model::ElementRecord* known = state_.element(*key)) {
        element = *known;
    } else {
        const model::JobRecord& job = *state_.job(key->job);
        element = materialise(key->job, (key->index - job.range.first) / job.range.step);
    }
    last_allocation_ = AllocationId(last_allocation_.value() + 1);
    const model::AllocationRecord allocation{
        .id = last_allocation_,
        .task = {.element = *key, .attempt = element.attempt},
        .node = placed->node,
        .project = head.group.project,
        .grant = placed->grant,
        .state = *model::next_state(  // An agent's devices are chosen here, so known at once.
            model::AllocationState::kReserved, model::AllocationEvent::kDevicesKnown),
        .reserved_at = state_.now()
    };
    put_allocation(allocation);

    const ElementState from = element.state;
    move(element, model::ElementEvent::kPlaced);
    element.scheduled_at = state_.now();
    element.node = placed->node;
    element.allocation = allocation.id;
    put_moved(element, from);

    for (scheduler::NodeView& node : nodes) {
        if (node.id == placed->node) {
            node = state_.view_of(*state_.node(node.id));
        }
    }
    return true;
}

bool Ledger::is_within_quota(ProjectId project, const model::Grant& grant) const {
    model::Usage more{
        .cpu_millicores = grant.host.cpu_millicores,
        .memory_mib = grant.host.memory_mib,
        .running_elements = 1};
    for (const model::GpuGrant& granted : grant.gpus) {
        more.gpu_milli += granted.amount.milli;
    }
    if (!scheduler::is_within(options_.limits, state_.usage_of_all(), more)) {
        return false;
    }
    for (std::optional<ProjectId> at = project; at; at = state_.project(*at)->parent) {
        if (!scheduler::is_within(state_.project(*at)->quota, state_.usage(*at), more)) {
            return false;
        }
    }
    return true;
}

}  // namespace reeve::ledger
