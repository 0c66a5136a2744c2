// Tasks that run though the ledger did not start them: it was restored from an older backup.
#include <algorithm>

#include "ledger/ledger.hpp"

namespace reeve::ledger {

using model::ElementEvent;
using model::ElementRecord;
using model::ElementState;

/// The element that waits for exactly this attempt, if one does: what runs is what was wanted.
std::optional<ElementRecord> Ledger::waiting_for(const model::TaskKey& task) {
    const auto is_waiting = [&](const ElementRecord& element) {
        return element.attempt == task.attempt &&
               (element.state == ElementState::kQueued || element.state == ElementState::kHeld);
    };
    if (const ElementRecord* known = state_.element(task.element)) {
        return is_waiting(*known) ? std::optional(*known) : std::nullopt;
    }
    const model::JobRecord* job = state_.job(task.element.job);
    if (job == nullptr || !job->range.has(task.element.index) || task.attempt != 1) {
        return std::nullopt;
    }
    const std::uint32_t position = (task.element.index - job->range.first) / job->range.step;
    if (position < job->next || std::ranges::binary_search(job->taken, position)) {
        return std::nullopt;
    }
    return materialise(task.element.job, position);
}

void Ledger::adopt_wanted(ElementRecord element, NodeId node, const model::KnownTask& task) {
    const model::AllocationRecord* held = quarantined(node, task.key);
    adopt(std::move(element), held != nullptr ? *held : allocation_of(node, task), start_of(task));
    if (task.has_started) {
        start_adopted(task.key.element, task);
    }
}

/// When it began, as its node says; never later than now.
Instant Ledger::start_of(const model::KnownTask& task) const {
    return std::min(task.started_at.value_or(state_.now()), state_.now());
}

/// It runs, and has for as long as its node says.
void Ledger::start_adopted(const model::ElementKey& key, const model::KnownTask& task) {
    ElementRecord element = *state_.element(key);
    element.started_at = std::max(start_of(task), element.scheduled_at);
    start_attempt(std::move(element), 0);
}

/// `element` is what holds `allocation`, and has since then. Quotas are not asked: it runs already.
void Ledger::adopt(ElementRecord element, model::AllocationRecord allocation, Instant since) {
    const model::JobRecord& job = *state_.job(element.key.job);
    const model::HostAmount host = state_.resolved(job.request).host;
    last_allocation_ = std::max(last_allocation_, allocation.id);
    allocation.owner = model::AllocationOwner::kTask;
    allocation.project = job.project;
    allocation.grant.host = host;
    put_allocation(allocation);

    const ElementState from = element.state;
    if (element.state == ElementState::kHeld) {
        move(element, ElementEvent::kReleaseRequested);
    }
    move(element, ElementEvent::kPlaced);
    element.scheduled_at = since;
    element.node = allocation.node;
    element.allocation = allocation.id;
    put_moved(element, from);
}

Result<Reply> Ledger::adopt_quarantined(
    const model::AllocationRecord& held, const Lookups& lookups) {
    const JobId id = held.task.element.job;
    const std::string name = to_string(held.task);
    const auto known = quarantined_tasks_.find(held.task);
    if (known == quarantined_tasks_.end()) {
        return fail(
            ErrorCode::kUnavailable,
            "the node of " + name + " has not said yet what runs there; try again when it is back");
    }
    if (state_.job(id) != nullptr || lookups.ended_jobs.contains(id)) {
        return fail(
            ErrorCode::kConflict, "job " + to_string(id) + " is known, and does not wait for " +
                                      name + "; stop that, or release it once it is gone");
    }
    const Result<model::TaskOrder> order = model::parse_task_order(known->second.order_json);
    if (!order) {
        return fail(
            ErrorCode::kConflict, "what " + name + " was started with cannot be read (" +
                                      order.error().message + "); stop it, or release it");
    }
    return put_adopted_job(*order, start_of(known->second)).map([&](const ElementRecord& element) {
        adopt(element, held, start_of(known->second));
        start_adopted(element.key, known->second);
        const bool is_array = state_.job(id)->is_array;
        put_control(
            {.job = id, .index = is_array ? std::optional(element.key.index) : std::nullopt},
            Control::kAdopt, actor_);
        return Reply();
    });
}

/// A job of the one element that runs. Of an array the others are not known, and not made up.
Result<ElementRecord> Ledger::put_adopted_job(const model::TaskOrder& order, Instant submitted_at) {
    Result<model::JobSpec> spec = model::parse_job_spec(order.spec_json);
    if (!spec) {
        return tl::unexpected<Error>(std::move(spec.error()));
    }
    const model::ElementKey& key = order.key.element;
    const model::ProjectRecord* project = state_.project_named(order.project);
    if (project == nullptr) {
        project = state_.project_named("default");
    }
    const model::JobTerms& terms = spec->terms;
    const Result<model::RequestId> request = intern_request(terms);
    if (!request) {
        return tl::unexpected<Error>(request.error());
    }
    model::JobRecord job{
        .id = key.job,
        .user = intern_user(order.identity),
        .project = project->id,
        .request = *request,
        // It runs already: 0 if its priority had a name that is gone by now.
        .priority = priority_of(*options_.priorities, terms, true).value_or(0),
        .retries_max = terms.retries_max,
        .retry_backoff_s = terms.retry_backoff_s,
        .time_limit_s = terms.time_limit_s,
        .submitted_at = submitted_at,
        .range = {.first = key.index, .last = key.index},
        .is_array = terms.array.has_value(),
        .on_node_loss = terms.on_node_loss,
        .is_preemptible = terms.is_preemptible,
        .next = 1,
        .run_name = scheduler::run_name(terms.name)
    };
    job.counts[ElementState::kQueued] = 1;
    put_job(
        std::move(job),
        JobTexts{
            .name = spec->terms.name, .labels = spec->terms.labels, .spec_json = order.spec_json});
    last_job_ = std::max(last_job_, key.job);
    ElementRecord element{.key = key, .attempt = order.key.attempt, .queued_at = submitted_at};
    put_element(element);
    return element;
}

}  // namespace reeve::ledger
