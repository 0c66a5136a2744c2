#include "simulate/forecast_trial.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/random.hpp"
#include "scheduler/calibration.hpp"
#include "scheduler/sampled_starts.hpp"
#include "simulate/replay.hpp"
#include "simulate/summary.hpp"

namespace reeve::simulate {
namespace {

using scheduler::Calibration;
using scheduler::RunHistory;
using scheduler::RunKey;
using scheduler::RunLeaves;
using std::chrono::seconds;

seconds between(Instant from, Instant until) {
    return std::chrono::duration_cast<seconds>(until - from);
}

class Trial final : public ReplayObserver {
  public:
    Trial(const Workload& workload, const TrialOptions& options)
        : workload_(workload), options_(options), random_(options.seed) {
        keys_.reserve(workload.jobs.size());
        for (const TraceJob& job : workload.jobs) {
            keys_.push_back(
                {.project = ProjectId(job.project + 1),
                 .user = UserId(job.user + 1),
                 .name = 1,
                 .size = scheduler::run_size(workload.requests[job.request], job.nodes)});
        }
    }

    void on_start(std::size_t place, Instant at) override {
        started_.emplace(place, at);
        const auto asked = open_.find(place);
        if (asked == open_.end()) {
            return;
        }
        for (const Open& open : asked->second) {
            const seconds wait = between(open.at, at);
            calibration_.put(calibration_.next(), scheduler::outcome_of(open.said, wait));
            if (open.forecast.look >= options_.looks_before) {
                all_.push_back(open.forecast);
                all_.back().came = wait.count();
            }
        }
        open_.erase(asked);
    }

    void on_end(std::size_t place, Instant at) override {
        const TraceJob& job = workload_.jobs[place];
        const scheduler::ObservedRun run{
            .run_s = between(started_.at(place), at).count(), .limit_s = job.limit_s};
        started_.erase(place);
        for (const RunLeaves::Put& put : leaves_.learn(keys_[place], run, ++runs_)) {
            leaves_.put(put);
        }
    }

    [[nodiscard]] bool wants_to_look(Instant now) override {
        if (next_look_ && now < *next_look_) {
            return false;
        }
        next_look_ = now + options_.every;
        return true;
    }

    void look(const scheduler::Situation& situation) override {
        if (situation.waiting.empty()) {
            return;
        }
        history_.update(leaves_);
        std::set<JobId> picked;
        for (std::size_t i = 0; i < options_.jobs_per_look; ++i) {
            picked.insert(situation.waiting[random_.below(situation.waiting.size())].job);
        }
        const std::map<JobId, Instant> by_limits = starts_by_limits(situation, picked);
        const scheduler::SamplingOptions sampling{
            .samples = options_.samples, .seed = options_.seed + looks_};
        const scheduler::StartSampler sampler(
            situation, history_, [this](JobId job) { return keys_[job.value() - 1]; }, sampling);
        std::map<JobId, std::vector<seconds>> waits;
        for (std::size_t number = 0; number < options_.samples; ++number) {
            const auto starts = sampler.sample(number);
            for (const JobId job : picked) {
                const auto start = starts->find(job);
                waits[job].push_back(
                    start == starts->end() ? sampling.horizon
                                           : between(situation.now, start->second));
            }
        }
        for (const JobId job : picked) {
            note(job, situation.now, waits.at(job), between(situation.now, by_limits.at(job)));
        }
        ++looks_;
    }

    [[nodiscard]] std::vector<TrialForecast> take() { return std::move(all_); }

  private:
    struct Open {
        Instant at = model::kNever;
        scheduler::Said said = {};
        TrialForecast forecast = {};
    };

    static std::map<JobId, Instant> starts_by_limits(
        const scheduler::Situation& situation, const std::set<JobId>& picked) {
        std::map<JobId, Instant> starts;
        std::size_t found = 0;
        scheduler::run_forward(situation, SIZE_MAX - 1, [&](const scheduler::Ahead& ahead) {
            found += starts.try_emplace(ahead.job, ahead.at).second && picked.contains(ahead.job);
            return found < picked.size();
        });
        return starts;
    }

    void note(JobId job, Instant now, std::vector<seconds> waits, seconds by_limits) {
        const std::size_t place = job.value() - 1;
        std::ranges::sort(waits);
        const scheduler::Said said = calibration_.say(waits);
        open_[place].push_back({
            .at = now,
            .said = said,
            .forecast = {
                         .look = looks_,
                         .job = place,
                         .from = said.interval.from.count(),
                         .until = said.interval.until.count(),
                         .median = waits[waits.size() / 2].count(),
                         .by_limits = by_limits.count()}
        });
    }

    const Workload& workload_;
    const TrialOptions& options_;
    SeededRandom random_;
    std::vector<RunKey> keys_;
    RunLeaves leaves_;
    std::uint64_t runs_ = 0;
    RunHistory history_;
    Calibration calibration_;
    std::map<std::size_t, Instant> started_;  // By place: what runs.
    std::map<std::size_t, std::vector<Open>> open_;
    std::optional<Instant> next_look_;
    std::size_t looks_ = 0;
    std::vector<TrialForecast> all_;
};

}  // namespace

std::vector<TrialForecast> run_forecast_trial(
    const Cluster& cluster, const Workload& workload, const TrialOptions& options) {
    Trial trial(workload, options);
    (void)run_replay(
        cluster, workload, {.policy = scheduler::Policy::kTightest, .observer = &trial});
    return trial.take();
}

TrialSummary summarize(const std::vector<TrialForecast>& forecasts) {
    TrialSummary summary{.forecasts = forecasts.size()};
    const auto median = [&](auto&& value_of) {
        std::vector<std::int64_t> values;
        values.reserve(forecasts.size());
        for (const TrialForecast& each : forecasts) {
            values.push_back(value_of(each));
        }
        return distribution_of(std::move(values)).median;
    };
    for (const TrialForecast& each : forecasts) {
        summary.inside += each.is_inside() ? 1U : 0U;
        summary.before += each.came < each.from ? 1U : 0U;
    }
    summary.width = median([](const auto& each) { return each.until - each.from; });
    summary.median_error =
        median([](const auto& each) { return std::abs(each.median - each.came); });
    summary.by_limits = median([](const auto& each) { return each.by_limits; });
    summary.by_limits_error =
        median([](const auto& each) { return std::abs(each.by_limits - each.came); });
    summary.wait = median([](const auto& each) { return each.came; });
    return summary;
}

void invent_limits(Workload& workload, std::uint64_t seed) {
    constexpr std::int64_t kMinute = 60;
    constexpr std::int64_t kHour = 3600;
    constexpr std::int64_t kDay = 86'400;
    constexpr std::int64_t kRound[] = {
        5 * kMinute, 10 * kMinute, 15 * kMinute, 30 * kMinute, kHour,      2 * kHour,
        3 * kHour,   4 * kHour,    6 * kHour,    8 * kHour,    12 * kHour, kDay,
        2 * kDay,    3 * kDay,     4 * kDay,     5 * kDay,     7 * kDay,   10 * kDay,
        14 * kDay,   21 * kDay,    30 * kDay,    60 * kDay};
    constexpr std::uint64_t kParts = 1000;
    SeededRandom random(seed);
    for (TraceJob& job : workload.jobs) {
        const auto part = static_cast<std::int64_t>(1 + random.below(kParts));
        const std::int64_t wished = job.run_s * static_cast<std::int64_t>(kParts) / part;
        const auto* const round = std::ranges::lower_bound(kRound, wished);
        job.limit_s =
            std::max(round == std::end(kRound) ? kRound[std::size(kRound) - 1] : *round, job.run_s);
    }
}

}  // namespace reeve::simulate
