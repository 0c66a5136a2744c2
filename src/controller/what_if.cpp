#include "controller/what_if.hpp"

#include <algorithm>
#include <tuple>

#include "controller/situation.hpp"
#include "scheduler/forward.hpp"

namespace reeve::controller {
namespace {

using model::ElementState;
using std::chrono::seconds;

/// GPUs in use for a while.
struct Use {
    Instant from = model::kNever;
    Instant until = model::kNever;
    std::int64_t gpu_milli = 0;
};

/// How much of all GPUs is in use from `from` to `until`, per mille; nothing if there is nothing to
/// use, or no time to do it in.
std::optional<std::int64_t> permille_of(
    const std::vector<Use>& uses, const View& view, Instant from, Instant until) {
    std::int64_t capacity = 0;
    for (const auto& node : view.nodes) {
        capacity += static_cast<std::int64_t>(node->view.free.gpus.size()) * model::kWholeGpuMilli;
    }
    const auto seconds_of = [](std::chrono::microseconds span) {
        return std::chrono::duration<double>(span).count();
    };
    const double span = seconds_of(until - from);
    if (capacity == 0 || span <= 0) {
        return std::nullopt;
    }
    double used = 0;
    for (const Use& use : uses) {
        const Instant begin = std::max(use.from, from);
        const Instant end = std::min(use.until, until);
        used += end > begin ? seconds_of(end - begin) * static_cast<double>(use.gpu_milli) : 0;
    }
    constexpr double kPermille = 1000;
    const double permille = kPermille * used / (span * static_cast<double>(capacity));
    return static_cast<std::int64_t>(std::min(permille, kPermille));
}

/// What a job is that did not start.
Fate fate_of(const ledger::JobRow& job, bool is_cut_short) {
    const bool is_held = job.record.counts[ElementState::kQueued] == 0;
    return is_held ? Fate::kHeld : is_cut_short ? Fate::kNotReached : Fate::kNever;
}

void count(Totals& totals, const Scenario& scenario, const Forecast& made, seconds horizon) {
    const Instant now = scenario.view.at;
    seconds waited = {};
    for (const ledger::JobRow& job : scenario.queue) {
        if (job.record.id >= kFirstHypothetical) {
            continue;
        }
        const Foreseen& foreseen = made.jobs.at(job.record.id);
        ++totals.jobs;
        switch (foreseen.fate) {
            case Fate::kExpected:   ++totals.started; break;
            case Fate::kHeld:       ++totals.held; break;
            case Fate::kNotReached: ++totals.not_reached; break;
            case Fate::kNever:
            case Fate::kCancelled:  ++totals.never; break;
        }
        if (foreseen.fate == Fate::kExpected && foreseen.at <= now + horizon) {
            const auto wait =
                std::chrono::duration_cast<seconds>(foreseen.at - job.record.submitted_at);
            ++totals.started_in_horizon;
            waited += wait;
            totals.wait_max = std::max(totals.wait_max, wait);
        }
    }
    if (totals.started_in_horizon > 0) {
        totals.wait_mean = waited / static_cast<std::int64_t>(totals.started_in_horizon);
    }
}

/// How much changes, for the order: the starts that come or go altogether before all others.
std::int64_t weight_of(const Compared& compared) {
    if (compared.later_by) {
        return std::abs(compared.later_by->count());
    }
    return compared.before.fate == compared.after.fate ? 0 : INT64_MAX;
}

/// In the queue.
scheduler::Place place_of(const Compared& compared) {
    const model::JobRecord& job = compared.job->record;
    return {.rank = job.rank, .job = job.id};
}

void classify(Compared& compared, Comparison& all) {
    const Fate before = compared.before.fate;
    const Fate after = compared.after.fate;
    if (after == Fate::kCancelled) {
        ++all.cancelled;
    } else if (before == Fate::kNotReached || after == Fate::kNotReached) {
        ++all.unknown;
    } else if (before == Fate::kExpected && after == Fate::kExpected) {
        compared.later_by =
            std::chrono::duration_cast<seconds>(compared.after.at - compared.before.at);
        const std::int64_t by = compared.later_by->count();
        (by < 0 ? all.sooner : by > 0 ? all.later : all.unchanged) += 1;
    } else if (before == Fate::kExpected) {
        ++all.later;
    } else if (after == Fate::kExpected) {
        ++all.sooner;
    } else {
        ++all.unchanged;
    }
}

}  // namespace

std::string_view word_of(Fate fate) {
    switch (fate) {
        case Fate::kExpected:   return "expected";
        case Fate::kHeld:       return "held";
        case Fate::kNever:      return "never";
        case Fate::kCancelled:  return "cancelled";
        case Fate::kNotReached: return "not_reached";
    }
    return "never";
}

Forecast forecast(const Scenario& scenario, const ForecastLimits& limits) {
    SituationBuilder builder(scenario.view);
    for (const ledger::JobRow& job : scenario.queue) {
        builder.add(job);
    }
    for (const std::set<JobId>* gone : {&scenario.cancelled, &scenario.lost}) {
        for (const JobId job : *gone) {
            builder.add_failed(job);
        }
    }
    const scheduler::Situation& situation = builder.situation();
    std::map<NodeId, std::string> names;
    for (const auto& node : scenario.view.nodes) {
        names.emplace(node->record.id, node->record.name);
    }
    std::vector<Use> uses;
    uses.reserve(situation.running.size() + scenario.queue.size());
    for (const scheduler::RunningTask& task : situation.running) {
        uses.push_back(
            {.from = situation.now,
             .until = end_of(task, situation),
             .gpu_milli = scheduler::usage_of(task.hold.grant).gpu_milli});
    }
    Forecast made;
    Instant last = situation.now;
    const bool is_whole = scheduler::run_forward(
        situation, SIZE_MAX - 1,
        [&](const scheduler::Ahead& ahead) {
            const auto [first, is_new] = made.jobs.try_emplace(ahead.job);
            if (is_new) {
                first->second = {.fate = Fate::kExpected, .at = ahead.at};
                for (const NodeId node : ahead.nodes) {
                    first->second.nodes.push_back(names.at(node));
                }
            }
            uses.push_back({.from = ahead.at, .until = ahead.until, .gpu_milli = ahead.gpu_milli});
            last = ahead.at;
            return ++made.starts < limits.starts_max;
        },
        limits.is_over);
    made.is_cut_short = !is_whole || made.starts >= limits.starts_max;
    for (const ledger::JobRow& job : scenario.queue) {
        made.jobs.try_emplace(job.record.id, Foreseen{.fate = fate_of(job, made.is_cut_short)});
    }
    count(made.totals, scenario, made, limits.horizon);
    if (!made.is_cut_short && made.starts > 0) {
        made.totals.queue_empty_at = last;
        made.totals.gpu_permille = permille_of(uses, scenario.view, situation.now, last);
    }
    return made;
}

Comparison compare(
    const Scenario& scenario,
    const Forecast& before,
    const Forecast& after,
    const std::set<JobId>& cancelled) {
    Comparison all;
    for (const ledger::JobRow& job : scenario.queue) {
        const JobId id = job.record.id;
        Compared compared{.job = &job, .before = before.jobs.at(id)};
        compared.after =
            cancelled.contains(id) ? Foreseen{.fate = Fate::kCancelled} : after.jobs.at(id);
        classify(compared, all);
        all.jobs.push_back(std::move(compared));
    }
    std::ranges::sort(all.jobs, [](const Compared& a, const Compared& b) {
        return std::tuple(weight_of(b), place_of(a)) < std::tuple(weight_of(a), place_of(b));
    });
    return all;
}

}  // namespace reeve::controller
