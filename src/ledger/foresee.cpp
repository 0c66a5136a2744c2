// What forecasts are learnt from: how long things ran, and what became of what was said.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/assert.hpp"
#include "ledger/ledger.hpp"

namespace reeve::ledger {
namespace {

using model::ElementState;
using std::chrono::seconds;

seconds between(Instant from, Instant until) {
    return std::chrono::duration_cast<seconds>(until - from);
}

}  // namespace

scheduler::RunKey State::run_key(const model::JobRecord& job) const {
    return {
        .project = job.project,
        .user = job.user,
        .name = job.run_name,
        .size = scheduler::run_size(resolved(job.request), 1)};
}

/// An attempt that had started is over.
void Ledger::learn_run(const model::ElementRecord& element, scheduler::RunEnd end) {
    if (element.started_at == model::kNever) {
        return;
    }
    const model::JobRecord& job = *state_.job(element.key.job);
    const Instant ended = element.ended_at == model::kNever ? state_.now() : element.ended_at;
    const scheduler::ObservedRun run{
        .run_s = std::max<std::int64_t>(between(element.started_at, ended).count(), 0),
        .limit_s = job.time_limit_s,
        .end = end};
    const scheduler::RunLeaves& known = state_.foresight().runs();
    for (const scheduler::RunLeaves::Put& learnt :
         known.learn(state_.run_key(job), run, last_rev_.value() + 1)) {
        Put<RunStatsRecord> change;
        if (const auto before = known.leaf(learnt.key); before.stats != nullptr) {
            change.before = {.key = learnt.key, .stats = before.stats, .told = before.told};
        }
        if (learnt.leaf.stats != nullptr) {
            change.after = {
                .key = learnt.key, .stats = learnt.leaf.stats, .told = learnt.leaf.told};
        }
        put(std::move(change));
    }
}

/// The first element to start since the forecast was made.
void Ledger::settle_forecast(JobId job) {
    const ForecastRecord* made = state_.foresight().open_forecast(job);
    if (made == nullptr) {
        return;
    }
    const scheduler::Calibration& past = *state_.foresight().calibration();
    Put<OutcomeRecord> change;
    const std::uint64_t number = past.next();
    if (const scheduler::Outcome* before = past.at(number)) {
        change.before = {.number = number - scheduler::Calibration::kKept, .outcome = *before};
    }
    change.after = {
        .number = number,
        .outcome = scheduler::outcome_of(made->said, between(made->at, state_.now()))};
    put(change);
    drop_forecast(job);
}

/// It will not be known whether it was right: somebody held or ended the job.
void Ledger::drop_forecast(JobId job) {
    if (const ForecastRecord* made = state_.foresight().open_forecast(job)) {
        put(Put<ForecastRecord>{.before = *made});
    }
}

/// What no longer waits by now is left out, or waits for another job, of which nothing is said; as
/// is what was said of already: the first forecast of a job counts, since its later ones have ever
/// less to say.
Result<Reply> Ledger::note_forecasts(const NoteForecasts& command) {
    for (const ForecastRecord& made : command.forecasts) {
        const model::JobRecord* job = state_.job(made.job);
        const Foresight& foresight = state_.foresight();
        if (job == nullptr || job->counts[ElementState::kQueued] == 0 || job->counts.live() > 0 ||
            !job->after.empty() || made.at > state_.now() ||
            foresight.open_forecast(made.job) != nullptr ||
            foresight.open_forecasts().size() >= Foresight::kOpenMax) {
            continue;
        }
        put(Put<ForecastRecord>{.after = made});
    }
    return Reply();
}

}  // namespace reeve::ledger
