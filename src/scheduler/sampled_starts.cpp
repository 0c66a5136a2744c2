#include "scheduler/sampled_starts.hpp"

#include <algorithm>
#include <utility>

#include "base/random.hpp"

namespace reeve::scheduler {
namespace {

constexpr unsigned kHalf = 32U;
constexpr std::uint64_t kRuns = std::uint64_t{1} << kHalf;  // Apart from what waits.

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) {
    constexpr std::uint64_t kOdd = 0xD6E8FEB86659FD93ULL;
    return SeededRandom(a * kOdd + b).next();
}

/// Number `number` of `samples` random ones, of which each has a part of the range to itself.
std::uint64_t stratified(std::uint64_t seed, std::size_t number, std::size_t samples) {
    const std::uint64_t own = mixed(seed, number);
    std::uint64_t rank = 0;
    for (std::size_t other = 0; other < samples; ++other) {
        rank += mixed(seed, other) < own ? 1U : 0U;
    }
    const std::uint64_t within = mixed(own, 1) >> kHalf;
    const std::uint64_t chance =
        std::min(((rank << kHalf) + within) / samples, RunHistogram::kCertain - 1);
    return (chance << kHalf) | (mixed(own, 2) >> kHalf);
}

}  // namespace

StartSampler::StartSampler(
    Situation situation, const RunHistory& history, KeyOf key_of, const SamplingOptions& options)
    : situation_(std::move(situation)),
      history_(history),
      key_of_(std::move(key_of)),
      options_(options) {}

std::int64_t StartSampler::drawn(
    std::size_t number, JobId job, std::uint64_t element, const RunHistory::Query& query) const {
    const std::uint64_t seed = mixed(mixed(options_.seed, job.value()), element);
    return history_.draw(query, stratified(seed, number, options_.samples));
}

std::optional<std::map<JobId, Instant>> StartSampler::sample(
    std::size_t number, const std::function<bool()>& is_over) const {
    const std::int64_t assumed = situation_.options.assumed_run.count();
    Situation course = situation_;
    for (RunningTask& task : course.running) {
        if (task.hold.is_ending) {
            continue;
        }
        const auto run_so_far =
            std::chrono::duration_cast<std::chrono::seconds>(course.now - task.hold.since);
        const std::int64_t run = drawn(
            number, task.job, kRuns + task.element,
            {.key = key_of_(task.job),
             .limit_s = task.hold.limit.count(),
             .after_s = std::max<std::int64_t>(run_so_far.count(), 0),
             .assumed_s = assumed});
        task.ends_at = task.hold.since + std::chrono::seconds(run);
    }
    course.takes = [&](const WaitingJob& job) {
        return std::chrono::seconds(drawn(
            number, job.job, job.elements,
            {.key = key_of_(job.job), .limit_s = job.run.count(), .assumed_s = assumed}));
    };
    std::map<JobId, Instant> starts;
    bool is_stopped = false;
    const auto ask = [&] {
        is_stopped = is_over && is_over();
        return is_stopped;
    };
    run_forward(
        course, options_.steps_max,
        [&](const Ahead& ahead) {
            if (ahead.at > course.now + options_.horizon) {
                return false;
            }
            starts.try_emplace(ahead.job, ahead.at);
            return starts.size() < course.waiting.size();  // Else what is asked for is known.
        },
        ask);
    return is_stopped ? std::nullopt : std::optional(std::move(starts));
}

}  // namespace reeve::scheduler
