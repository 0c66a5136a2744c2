#include <algorithm>
#include <string>

#include "base/text.hpp"
#include "ledger/ledger.hpp"
#include "ledger/refusals.hpp"

namespace reeve::ledger {
namespace {

using model::ElementEvent;
using model::ElementKey;
using model::ElementRecord;
using model::ElementState;
using model::StopIntent;

std::string name_of(const Target& target) {
    return "job " + to_string(target.job) +
           (target.index ? "_" + std::to_string(*target.index) : std::string());
}

bool is_stop(Control control) {
    return control == Control::kStop || control == Control::kStopForced;
}

bool is_all_cancelled(const model::StateCounts& counts) {
    return counts[ElementState::kCancelled] > 0 &&
           counts[ElementState::kCancelled] == counts.ended() && counts.live() == 0 &&
           counts.pending() == 0;
}

/// Of a job that ended long ago: it is as it was asked for, or never will be.
Result<std::uint32_t> control_ended(
    Control control, const std::string& name, const model::StateCounts& counts) {
    if (is_stop(control) && is_all_cancelled(counts)) {
        return 0U;
    }
    return fail(ErrorCode::kConflict, name + " " + why_ended(control));
}

tl::unexpected<Error> nothing_to_do(
    Control control, const std::string& name, const model::StateCounts& counts) {
    const bool is_stopping = counts[ElementState::kStopping] > 0;
    return fail(
        ErrorCode::kConflict,
        name + " " + (is_stopping ? why_not_while_stopping(control) : why_nothing(control)));
}

}  // namespace

Result<Reply> Ledger::control(const ControlJobs& command, const Lookups& lookups) {
    Controlled controlled;
    for (const Target& target : command.targets) {
        const Result<std::uint32_t> count = control_one(command, target, lookups);
        if (!count) {
            return tl::unexpected<Error>(count.error());
        }
        controlled.element_count += *count;
        const model::JobRecord* job = state_.job(target.job);
        controlled.rev = job == nullptr ? controlled.rev : job->rev;
    }
    return Reply(controlled);
}

/// Whose a job is, as far as that is known; "" if there is no such job.
std::string Ledger::owner_of(JobId id, const Lookups& lookups) const {
    const model::JobRecord* job = state_.job(id);
    const auto ended = lookups.ended_jobs.find(id);
    if (job == nullptr && ended == lookups.ended_jobs.end()) {
        return {};
    }
    const model::UserRecord* owner = state_.user(job != nullptr ? job->user : ended->second.user);
    return owner == nullptr ? std::string() : owner->name;
}

Result<std::uint32_t> Ledger::control_one(
    const ControlJobs& command, const Target& target, const Lookups& lookups) {
    const std::string name = name_of(target);
    const model::JobRecord* job = state_.job(target.job);
    const std::string owner = owner_of(target.job, lookups);
    if (owner.empty() || !command.actor.reach().covers(owner)) {
        return tl::unexpected<Error>(no_job(target.job, owner));
    }
    if (job == nullptr) {
        const model::StateCounts& counts = lookups.ended_jobs.at(target.job).counts;
        return command.if_rev ? nothing_to_do(command.control, name, counts)
                              : control_ended(command.control, name, counts);
    }
    if (command.if_rev && std::ranges::find(*command.if_rev, job->rev) == command.if_rev->end()) {
        return fail(
            ErrorCode::kPrecondition, "job " + to_string(target.job) +
                                          " has changed since it was read (If-Match); read it "
                                          "again");
    }
    if (target.index && is_so_without_record(command.control, target, *job)) {
        return 0U;  // So that none is made.
    }
    Result<std::uint32_t> count = change_target(command.control, target, *job);
    if (count && *count > 0) {
        put_control(target, command.control, actor_);
    }
    if (!count || *count > 0 || is_so_already(command.control, target, *job)) {
        return count;
    }
    return nothing_to_do(command.control, name, job->counts);
}

/// How many elements changed by it.
Result<std::uint32_t> Ledger::change_target(
    Control control, const Target& target, const model::JobRecord& job) {
    if (!target.index) {
        return control_whole(control, target.job);
    }
    return element_named(control, target, job).map([&](const ElementKey& key) {
        return control_element(control, key);
    });
}

/// True if what was asked for, and changed nothing, is as it was asked for: it was asked twice.
bool Ledger::is_so_already(
    Control control, const Target& target, const model::JobRecord& job) const {
    const auto is_requeued = [this](const ElementKey& key) {
        const ElementRecord* element = state_.element(key);
        return element != nullptr && element->state == ElementState::kStopping &&
               element->intent == StopIntent::kRequeue;
    };
    if (control == Control::kRequeue) {
        return target.index ? is_requeued({.job = target.job, .index = *target.index})
                            : std::ranges::any_of(elements_of(target.job), is_requeued);
    }
    const ElementRecord* element =
        target.index ? state_.element({.job = target.job, .index = *target.index}) : nullptr;
    if (element != nullptr) {
        return (is_stop(control) && element->state == ElementState::kCancelled) ||
               (control == Control::kHold && element->state == ElementState::kHeld) ||
               (control == Control::kRelease && element->state == ElementState::kQueued);
    }
    if (is_stop(control)) {
        return is_all_cancelled(job.counts);
    }
    const bool has_held = job.counts[ElementState::kHeld] > 0;
    const bool has_queued = job.counts[ElementState::kQueued] > 0;
    return (control == Control::kHold && has_held && !has_queued) ||
           (control == Control::kRelease && has_queued && !has_held);
}

/// The same of an element that has no record: it never left the queue, or has ended.
bool Ledger::is_so_without_record(
    Control control, const Target& target, const model::JobRecord& job) const {
    const ElementKey key{.job = target.job, .index = *target.index};
    if (!job.range.has(key.index) || state_.element(key) != nullptr) {
        return false;
    }
    const std::uint32_t position = (key.index - job.range.first) / job.range.step;
    if (position < job.next || std::ranges::binary_search(job.taken, position)) {
        // Which end it was is not at hand, unless all had the same.
        return is_stop(control) && job.counts.ended() == job.counts[ElementState::kCancelled];
    }
    return (control == Control::kHold && job.waiting_state == ElementState::kHeld) ||
           (control == Control::kRelease && job.waiting_state == ElementState::kQueued);
}

/// Notes what was asked of a job, and by whom.
void Ledger::put_control(const Target& target, Control control, const std::string& actor) {
    put(Put<model::ControlRecord>{
        .after = {
            {.job = target.job,
             .rev = Revision(last_rev_.value() + 1),  // put() gives it this one.
             .control = control,
             .index = target.index,
             .actor = actor,
             .at = state_.now()}}});
}

/// The element that a target names; from now on it has a record.
Result<ElementKey> Ledger::element_named(
    Control control, const Target& target, const model::JobRecord& job) {
    const ElementKey key{.job = target.job, .index = *target.index};
    if (!job.range.has(key.index)) {
        return fail(ErrorCode::kNotFound, "there is no " + name_of(target));
    }
    if (state_.element(key) != nullptr) {
        return key;
    }
    const std::uint32_t position = (key.index - job.range.first) / job.range.step;
    if (position < job.next || std::ranges::binary_search(job.taken, position)) {
        return fail(ErrorCode::kConflict, name_of(target) + " " + why_ended(control));
    }
    materialise(target.job, position);
    return key;
}

std::uint32_t Ledger::control_whole(Control control, JobId job) {
    std::uint32_t count = 0;
    for (const ElementKey& key : elements_of(job)) {
        count += control_element(control, key);
    }
    if (control == Control::kStop || control == Control::kStopForced) {
        return count + end_waiting(job, ElementEvent::kCancelRequested);
    }
    return count + hold_waiting(control, *state_.job(job));
}

/// Holds or releases what of a job never left the queue.
std::uint32_t Ledger::hold_waiting(Control control, model::JobRecord job) {
    const ElementState to = control == Control::kHold ? ElementState::kHeld : ElementState::kQueued;
    const std::uint32_t waiting = job.waiting_count();
    if (control == Control::kRequeue || job.waiting_state == to || waiting == 0) {
        return 0;
    }
    job.counts[job.waiting_state] -= waiting;
    job.counts[to] += waiting;
    job.waiting_state = to;
    put_job(std::move(job));
    return waiting;
}

std::uint32_t Ledger::control_element(Control control, const ElementKey& key) {
    ElementRecord element = *state_.element(key);
    const ElementState from = element.state;
    switch (control) {
        case Control::kStop:
        case Control::kStopForced:
            if (is_live(from)) {
                request_stop(std::move(element), StopIntent::kCancel, control);
                return 1;
            }
            if (is_end(from)) {
                return 0;
            }
            finish(
                std::move(element), ElementEvent::kCancelRequested, model::EndReason::kCancelled);
            return 1;
        case Control::kHold:
        case Control::kRelease: {
            const ElementEvent event = control == Control::kHold ? ElementEvent::kHoldRequested
                                                                 : ElementEvent::kReleaseRequested;
            if (!next_state(from, event)) {
                return 0;
            }
            move(element, event);
            put_moved(element, from);
            return 1;
        }
        case Control::kRequeue:
            if (!is_live(from) || from == ElementState::kStopping) {
                return 0;
            }
            request_stop(std::move(element), StopIntent::kRequeue, control);
            return 1;
        case Control::kPreempt:       // By the scheduler alone: see schedule.cpp.
        case Control::kAdopt:   break;  // Of what is in quarantine alone: see adoption.cpp.
    }
    return 0;
}

/// A stronger intent replaces a weaker one; a weaker one changes nothing.
void Ledger::request_stop(ElementRecord element, StopIntent intent, Control how) {
    const ElementState from = element.state;
    const bool is_forced = how == Control::kStopForced;
    const bool is_stronger = !element.intent || intent < *element.intent;
    if (!is_stronger && (!is_forced || element.is_forced)) {
        return;
    }
    move(
        element, intent == StopIntent::kCancel ? ElementEvent::kCancelRequested
                                               : ElementEvent::kStopRequested);
    if (is_stronger) {
        element.intent = intent;
    }
    element.is_forced = element.is_forced || is_forced;
    put_moved(element, from);
    if (element.state == from) {
        put_job(*state_.job(element.key.job));  // What it asks of an element has changed.
    }
}

Result<Reply> Ledger::put_project(const PutProject& command) {
    if (!command.actor.is_admin) {
        return fail(ErrorCode::kForbidden, "only an administrator changes projects and quotas");
    }
    const model::ProjectRecord* known = state_.project_named(command.name);
    model::ProjectRecord record;
    Put<model::ProjectRecord> change;
    if (known != nullptr) {
        change.before = *known;
        record = *known;
    } else {
        record.id = ProjectId(state_.projects().rbegin()->first.value() + 1);
        record.name = command.name;
    }
    if (command.parent) {
        const model::ProjectRecord* parent = state_.project_named(*command.parent);
        if (parent == nullptr) {
            return fail(
                ErrorCode::kInvalid, "parent: there is no project '" + *command.parent + "'");
        }
        if (known != nullptr && known->parent != parent->id) {
            return fail(
                ErrorCode::kConflict, "the parent of a project is set when it is made, and stays");
        }
        record.parent = parent->id;
    }
    record.quota = command.quota;
    record.share = command.share.value_or(record.share);
    record.user_quota = command.user_quota.value_or(record.user_quota);
    record.guaranteed_gpu_milli =
        command.guaranteed_gpu_milli.value_or(record.guaranteed_gpu_milli);
    std::vector<const model::ProjectRecord*> others;
    others.reserve(state_.projects().size());
    for (const auto& [id, project] : state_.projects()) {
        others.push_back(&project);
    }
    if (Result<void> checked = check_guarantee(record, others); !checked) {
        return tl::unexpected<Error>(std::move(checked.error()));
    }
    if (change.before != record) {
        change.after = record;
        put(std::move(change));
    }
    return Reply();
}

Result<Reply> Ledger::control_node(const ControlNode& command) {
    if (!command.actor.is_admin) {
        return fail(ErrorCode::kForbidden, "only an administrator controls nodes");
    }
    const NodeState* node = state_.node_named(command.node);
    if (node == nullptr) {
        return fail(ErrorCode::kNotFound, "there is no node '" + command.node + "'");
    }
    const NodeId id = node->record.id;
    if (command.control == NodeControl::kLost) {
        if (node->liveness.is_reachable) {
            return fail(
                ErrorCode::kConflict,
                "node '" + command.node + "' answers, so it is not lost; drain it instead");
        }
        for (const ElementKey& key : state_.live_on(id)) {
            lose_attempt(key, "node " + command.node + " was declared lost by " + actor_);
        }
        return Reply();
    }
    NodePut change{
        {.before = node->record, .after = node->record}
    };
    change.after->is_drained = command.control == NodeControl::kDrain;
    change.after->drain_reason = change.after->is_drained ? command.reason : "";
    if (change.before != change.after) {
        put(std::move(change));
    }
    return Reply();
}

Result<Reply> Ledger::control_quarantine(const ControlQuarantine& command, const Lookups& lookups) {
    if (!command.actor.is_admin) {
        return fail(ErrorCode::kForbidden, "only an administrator decides about quarantine");
    }
    for (const auto& [id, allocation] : state_.allocations()) {
        if (allocation.owner != model::AllocationOwner::kUnknown ||
            allocation.task != command.task) {
            continue;
        }
        switch (command.control) {
            case QuarantineControl::kAdopt: return adopt_quarantined(allocation, lookups);
            case QuarantineControl::kStop:
                unwanted_.emplace_back(allocation.node, allocation.task);
                break;
            case QuarantineControl::kRelease:
                if (Result<void> may = check_is_gone(allocation); !may) {
                    return tl::unexpected<Error>(std::move(may.error()));
                }
                release(id);
                break;
        }
        return Reply();
    }
    return fail(ErrorCode::kNotFound, "no task " + to_string(command.task) + " is in quarantine");
}

/// What a node that answers says of its tasks goes over an operator's word.
Result<void> Ledger::check_is_gone(const model::AllocationRecord& allocation) const {
    const NodeState& node = *state_.node(allocation.node);
    if (node.liveness.is_reachable && quarantined_tasks_.contains(allocation.task)) {
        return fail(
            ErrorCode::kConflict, node.record.name + " says that " + to_string(allocation.task) +
                                      " still runs; stop it, or adopt it");
    }
    return {};
}

}  // namespace reeve::ledger
