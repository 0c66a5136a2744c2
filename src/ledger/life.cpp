// How elements and allocations move, whoever asks: every transition goes through the tables of
// model/, and every move of an element is counted in its job.
#include <algorithm>
#include <chrono>
#include <utility>

#include "base/assert.hpp"
#include "ledger/ledger.hpp"
#include "model/job_end.hpp"

namespace reeve::ledger {
namespace {

using model::ElementEvent;
using model::ElementRecord;
using model::ElementState;
using model::EndReason;
using model::StopIntent;
using model::TaskEnd;
using scheduler::RunEnd;
using std::chrono::microseconds;

constexpr std::chrono::seconds kBackoffMax = std::chrono::hours(1);

/// Why an attempt that ended by itself failed.
EndReason reason_of(TaskEnd end) {
    switch (end) {
        case TaskEnd::kExited:       return EndReason::kExitCode;
        case TaskEnd::kOom:          return EndReason::kOom;
        case TaskEnd::kTimeLimit:    return EndReason::kTimeLimit;
        case TaskEnd::kStartFailed:  return EndReason::kStartFailed;
        case TaskEnd::kNeverStarted: return EndReason::kNodeLost;
        case TaskEnd::kSignalled:
        case TaskEnd::kStopped:
        case TaskEnd::kShimLost:     return EndReason::kSignal;
    }
    return EndReason::kSignal;
}

/// True if the end is one that a stop brings about.
bool is_by_stop(TaskEnd end) {
    return end == TaskEnd::kStopped || end == TaskEnd::kNeverStarted || end == TaskEnd::kShimLost;
}

bool has_run(TaskEnd end) {
    return end != TaskEnd::kStartFailed && end != TaskEnd::kNeverStarted;
}

/// Its time was up, or it was stopped for the sake of others. What its user cancels has ended.
bool would_have_gone_on(const ElementRecord& element, TaskEnd end) {
    const bool was_stopped = element.state == ElementState::kStopping && is_by_stop(end);
    return end == TaskEnd::kTimeLimit || (was_stopped && element.intent != StopIntent::kCancel);
}

/// Doubled at each try, an hour at most.
microseconds backoff(const model::JobRecord& job, std::int32_t retries_used) {
    std::chrono::seconds delay(job.retry_backoff_s);
    for (std::int32_t i = 0; i < retries_used && delay < kBackoffMax; ++i) {
        delay *= 2;
    }
    return std::min(delay, kBackoffMax);
}

EndReason how_stopped(const model::TaskOutcome& outcome) {
    const bool has_exited = outcome.end == TaskEnd::kStopped && outcome.signal == 0;
    return has_exited ? EndReason::kExitCode : EndReason::kSignal;
}

}  // namespace

void Ledger::move(ElementRecord& element, ElementEvent event) {
    const std::optional<ElementState> to = next_state(element.state, event);
    REEVE_ASSERT(to.has_value(), "the caller checked that the move is legal");
    element.state = *to;
}

/// The record of an element that never left the queue; from now on it has one.
ElementRecord Ledger::materialise(JobId id, std::uint32_t position) {
    model::JobRecord job = *state_.job(id);
    ElementRecord element{
        .key = {.job = id, .index = job.index_at(position)},
        .state = job.waiting_state,
        .queued_at = job.submitted_at
    };
    if (position == job.next) {
        ++job.next;
        while (!job.taken.empty() && job.taken.front() == job.next) {
            job.taken.erase(job.taken.begin());
            ++job.next;
        }
    } else {
        job.taken.insert(std::ranges::lower_bound(job.taken, position), position);
    }
    put_job(std::move(job));
    put_element(element);
    return element;
}

/// Puts `element` in place and counts its move in its job.
void Ledger::put_moved(const ElementRecord& element, ElementState from) {
    put_element(element);
    if (element.state != from) {
        model::JobRecord job = *state_.job(element.key.job);
        --job.counts[from];
        ++job.counts[element.state];
        put_job(std::move(job));
    }
}

void Ledger::start_attempt(ElementRecord element, std::int64_t pid) {
    const ElementState from = element.state;
    if (from == ElementState::kScheduled) {
        move(element, ElementEvent::kStarted);
    }
    if (element.started_at == model::kNever) {
        element.started_at = state_.now();
    }
    element.pid = pid;
    put_moved(element, from);
}

/// Now, unless its node has measured when it was.
void Ledger::note_end(ElementRecord& element) const {
    if (element.ended_at == model::kNever) {
        element.ended_at = state_.now();
    }
}

void Ledger::finish(ElementRecord element, ElementEvent event, EndReason reason) {
    const ElementState from = element.state;
    move(element, event);
    element.end_reason = reason;
    note_end(element);
    put_moved(element, from);
}

void Ledger::fail_or_retry(ElementRecord element, EndReason reason) {
    const model::JobRecord& job = *state_.job(element.key.job);
    const bool is_wanted = element.intent != StopIntent::kCancel;
    if (is_wanted && element.retries_used < job.retries_max) {
        const microseconds delay = backoff(job, element.retries_used);
        ++element.retries_used;
        requeue(std::move(element), reason, delay);
        return;
    }
    finish(std::move(element), ElementEvent::kFailed, reason);
}

/// This attempt is over, the next one is queued.
void Ledger::requeue(ElementRecord element, EndReason reason, microseconds delay) {
    const ElementState from = element.state;
    move(element, ElementEvent::kRequeued);
    element.end_reason = reason;
    note_end(element);
    element.not_before = state_.now() + delay;
    put_element(element);

    ElementRecord next{
        .key = element.key,
        .attempt = element.attempt + 1,
        .retries_used = element.retries_used,
        .not_before = element.not_before,
        .queued_at = state_.now()};
    put_moved(next, from);
}

/// What its node measured and saw of it.
ElementRecord Ledger::with_outcome(ElementRecord element, const model::TaskOutcome& outcome) {
    if (has_run(outcome.end) &&
        element.state == ElementState::kScheduled) {  // Its start was not heard of.
        if (outcome.ran_for && element.started_at == model::kNever) {
            element.started_at = std::max(element.scheduled_at, state_.now() + -*outcome.ran_for);
        }
        start_attempt(element, element.pid);
        element = *state_.element(element.key);
    }
    element.exit_code = outcome.exit_code;
    element.signal = outcome.signal;
    element.message = outcome.message;
    element.memory_peak_mib = outcome.memory_peak_mib;
    element.cpu_ms = outcome.cpu_ms;
    element.log_bytes = outcome.log_bytes;
    if (outcome.ran_for && element.started_at != model::kNever) {  // Else it was just now.
        element.ended_at = std::min(state_.now(), element.started_at + *outcome.ran_for);
    }
    return element;
}

/// Its time limit was over, and nobody had heard of that before it ended.
void Ledger::pass_through_stopping(ElementRecord& element) {
    const Instant ended_at = std::exchange(element.ended_at, model::kNever);
    request_stop(element, StopIntent::kTimeLimit, Control::kStop);
    element.state = ElementState::kStopping;
    element.intent = StopIntent::kTimeLimit;
    element.ended_at = ended_at;
}

void Ledger::end_attempt(ElementRecord element, const model::TaskOutcome& outcome) {
    release(element.allocation);
    element = with_outcome(std::move(element), outcome);
    const bool is_stopping = element.state == ElementState::kStopping;
    if (outcome.end == TaskEnd::kTimeLimit && !is_stopping) {
        pass_through_stopping(element);
    }
    if (has_run(outcome.end)) {
        learn_run(
            element, would_have_gone_on(element, outcome.end) ? RunEnd::kCut : RunEnd::kEnded);
    }
    if (outcome.end == TaskEnd::kTimeLimit) {
        finish(std::move(element), ElementEvent::kTimedOut, EndReason::kTimeLimit);
    } else if (outcome.end == TaskEnd::kExited && outcome.exit_code == 0) {
        finish(std::move(element), ElementEvent::kSucceeded, EndReason::kExitCode);
    } else if (is_stopping && is_by_stop(outcome.end)) {
        end_by_stop(std::move(element), how_stopped(outcome));
    } else if (is_stopping && element.intent != StopIntent::kCancel) {
        requeue(std::move(element), reason_of(outcome.end), microseconds(0));
    } else if (outcome.end == TaskEnd::kNeverStarted && !is_stopping) {
        // The node says that it never ran and never will, and nobody asked for that.
        fail_or_retry(std::move(element), EndReason::kNodeLost);
    } else {
        fail_or_retry(std::move(element), reason_of(outcome.end));
    }
}

/// It was told to stop, and ended by it; `requeued_by` is how, if it was to be queued again.
void Ledger::end_by_stop(ElementRecord element, EndReason requeued_by) {
    switch (*element.intent) {
        case StopIntent::kCancel:
            finish(std::move(element), ElementEvent::kCancelled, EndReason::kCancelled);
            break;
        case StopIntent::kTimeLimit:
            finish(std::move(element), ElementEvent::kTimedOut, EndReason::kTimeLimit);
            break;
        case StopIntent::kPreempt:
            requeue(std::move(element), EndReason::kPreempted, microseconds(0));
            break;
        case StopIntent::kDrain:
            requeue(std::move(element), EndReason::kDrained, microseconds(0));
            break;
        case StopIntent::kRequeue: requeue(std::move(element), requeued_by, microseconds(0)); break;
    }
}

/// Its node is gone, and it with it: nothing of it runs any more.
void Ledger::lose_attempt(const model::ElementKey& key, const std::string& why) {
    ElementRecord element = *state_.element(key);
    release(element.allocation);
    element.message = why;
    if (element.state == ElementState::kStopping) {
        end_by_stop(std::move(element), EndReason::kNodeLost);
    } else {
        fail_or_retry(std::move(element), EndReason::kNodeLost);
    }
}

/// The end of everything on it was seen: its amounts are free.
void Ledger::release(AllocationId id) {
    const model::AllocationRecord* found = state_.allocation(id);
    if (found == nullptr || is_end(found->state)) {
        return;
    }
    model::AllocationRecord allocation = *found;
    for (const model::AllocationEvent event :
         {model::AllocationEvent::kEndSeen, model::AllocationEvent::kNothingLeft}) {
        allocation.state = model::next_state(allocation.state, event).value_or(allocation.state);
    }
    REEVE_ASSERT(is_end(allocation.state), "seen to its end, an allocation is released");
    allocation.released_at = state_.now();
    put_allocation(allocation);
    charge(allocation);
}

/// What it held counts for its user, for fair share.
void Ledger::charge(const model::AllocationRecord& allocation) {
    const model::JobRecord* job = state_.job(allocation.task.element.job);
    if (!state_.has_fair_share() || job == nullptr) {
        return;
    }
    const auto held = std::chrono::duration_cast<std::chrono::seconds>(
        allocation.released_at - allocation.reserved_at);
    const scheduler::FairShare& shares = state_.fair_share();
    const std::int64_t cost =
        scheduler::cost_of(shares.rules(), scheduler::usage_of(allocation.grant), held);
    if (cost > 0) {
        put(Put<model::AccountRecord>{
            .before = shares.account(job->project, job->user),
            .after = shares.charged(job->project, job->user, cost, state_.now())});
    }
}

std::vector<model::ElementKey> Ledger::elements_of(JobId id) const {
    std::vector<model::ElementKey> keys;
    const auto& elements = state_.elements();
    for (auto at = elements.lower_bound({.job = id}); at != elements.end() && at->first.job == id;
         ++at) {
        keys.push_back(at->first);
    }
    return keys;
}

/// Ends all of a job that waits, by `event`. How many elements that were.
std::uint32_t Ledger::end_waiting(JobId id, ElementEvent event) {
    const EndReason reason = event == ElementEvent::kDependencyNever ? EndReason::kDependencyNever
                                                                     : EndReason::kCancelled;
    const std::string message = event == ElementEvent::kDependencyNever
                                    ? model::never_text(state_.job(id)->after)
                                    : std::string();
    std::uint32_t count = 0;
    for (const model::ElementKey& key : elements_of(id)) {
        ElementRecord element = *state_.element(key);
        if (element.state == ElementState::kHeld && event == ElementEvent::kDependencyNever) {
            const ElementState from = element.state;
            move(element, ElementEvent::kReleaseRequested);
            put_moved(element, from);
        }
        if (element.state == ElementState::kQueued || element.state == ElementState::kHeld) {
            element.message = message;
            finish(std::move(element), event, reason);
            ++count;
        }
    }
    model::JobRecord job = *state_.job(id);
    const std::uint32_t waiting = job.waiting_count();
    if (waiting > 0) {
        const ElementState end = event == ElementEvent::kDependencyNever ? ElementState::kFailed
                                                                         : ElementState::kCancelled;
        job.counts[job.waiting_state] -= waiting;
        job.counts[end] += waiting;
        job.next = job.range.count();
        job.taken.clear();
        put_job(std::move(job));
    }
    return count + waiting;
}

}  // namespace reeve::ledger
