// One scheduling step: what the scheduler decides becomes allocations, moves of elements, and
// requests to stop.
#include <cstddef>
#include <optional>

#include "base/assert.hpp"
#include "ledger/ledger.hpp"

namespace reeve::ledger {

using model::ElementState;

bool Ledger::schedule(std::size_t placements_max, std::size_t groups_max) {
    act_for_nobody();
    turn_bookings();
    const scheduler::Core::QuotaCheck quota_check =
        [this](const scheduler::GroupKey& group, const std::vector<scheduler::Placed>& parts) {
            return state_.without_quota_for(group, parts.front().grant);
        };
    std::size_t looks = groups_max;
    for (std::size_t placed = 0; placed < placements_max; ++placed) {
        const std::optional<scheduler::Start> start =
            state_.core().next(state_.now(), looks, quota_check);
        if (start) {
            place(*start);
            continue;
        }
        const std::optional<scheduler::Preemption> preemption =
            looks == 0 ? std::nullopt : state_.core().preempt(state_.now(), state_.project_tree());
        if (!preemption) {
            return looks == 0;
        }
        preempt(*preemption);
    }
    return true;
}

void Ledger::preempt(const scheduler::Preemption& preemption) {
    for (const AllocationId id : preemption.victims) {
        const model::ElementKey key = state_.allocation(id)->task.element;
        request_stop(*state_.element(key), model::StopIntent::kPreempt, Control::kPreempt);
        put_control(
            {.job = key.job, .index = key.index}, Control::kPreempt,
            "job " + to_string(preemption.job));
    }
}

void Ledger::place(const scheduler::Start& start) {
    const JobId id = start.place.job;
    settle_forecast(id);
    const std::optional<model::ElementKey> key = state_.next_of(id);
    REEVE_ASSERT(key.has_value(), "a job in the queue has an element to place");
    model::ElementRecord element;
    if (const model::ElementRecord* known = state_.element(*key)) {
        element = *known;
    } else {
        const model::JobRecord& job = *state_.job(id);
        element = materialise(id, (key->index - job.range.first) / job.range.step);
    }
    const scheduler::Placed& part = start.parts.front();
    last_allocation_ = AllocationId(last_allocation_.value() + 1);
    const model::AllocationRecord allocation{
        .id = last_allocation_,
        .task = {.element = *key, .attempt = element.attempt},
        .node = part.node,
        .project = start.group.project,
        .grant = part.grant,
        .state = *model::next_state(  // An agent's devices are chosen here, so known at once.
            model::AllocationState::kReserved, model::AllocationEvent::kDevicesKnown),
        .reserved_at = state_.now()
    };
    put_allocation(allocation);
    use_bookings(allocation);
    if (state_.job(id)->fair_step > 0) {  // Its next element is due later.
        model::JobRecord job = *state_.job(id);
        job.fair_load = scheduler::next_load(job.fair_load, job.fair_step);
        put_job(std::move(job));
    }

    const ElementState from = element.state;
    move(element, model::ElementEvent::kPlaced);
    element.scheduled_at = state_.now();
    element.node = part.node;
    element.allocation = allocation.id;
    put_moved(element, from);
}

}  // namespace reeve::ledger
