#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "simulate/cluster.hpp"
#include "simulate/replay.hpp"
#include "simulate/workload.hpp"

namespace reeve::simulate {

/// Of some values, in their unit. Percentiles by nearest rank: the smallest value that so many
/// percent are not above. All 0 for no values.
struct Distribution {
    std::int64_t mean = 0;  // To the nearest.
    std::int64_t median = 0;
    std::int64_t p90 = 0;
    std::int64_t p95 = 0;
    std::int64_t p99 = 0;
    std::int64_t max = 0;

    friend bool operator==(const Distribution&, const Distribution&) = default;
};

/// `values` in any order, none negative.
[[nodiscard]] Distribution distribution_of(std::vector<std::int64_t> values);

/// What a replay came to, in integers: hundredths of a percent are of all GPUs (CPUs) of the
/// cluster over the time in question.
struct ReplaySummary {
    std::size_t jobs = 0;
    std::size_t started = 0;
    std::size_t ended = 0;
    std::size_t refused = 0;
    std::size_t backfilled = 0;
    std::size_t stopped = 0;  // Jobs that others had stopped, at least once.
    std::size_t stops = 0;

    Distribution wait_ms;  // From submission to the first start, of the jobs that started.

    /// Of the same jobs, in thousandths: (wait + run) / max(run, 10 s), at least 1. The threshold
    /// keeps very short jobs from deciding it (Feitelson, Rudolph, Schwiegelshohn, Sevcik, Wong:
    /// Theory and practice in parallel job scheduling, 1997).
    Distribution slowdown_milli;

    // From the first submission to the last one, while new work comes; and to the end of it all,
    // which has the tail in it in which the last jobs run out.
    std::int64_t gpu_use_to_last_submission = 0;
    std::int64_t gpu_use_to_end = 0;
    std::int64_t cpu_use_to_last_submission = 0;
    std::int64_t cpu_use_to_end = 0;

    // Free, but on GPUs of which a part is in use; means over the same times, by the samples.
    std::int64_t gpu_stranded_to_last_submission = 0;
    std::int64_t gpu_stranded = 0;

    /// What jobs that were stopped had run for: thousandths of a GPU, times seconds.
    std::int64_t lost_gpu_milli_s = 0;

    std::int64_t makespan_ms = 0;  // From the first submission to the last end.
    std::uint64_t waiting_max = 0;
    std::uint64_t decisions = 0;
    bool is_complete = true;

    friend bool operator==(const ReplaySummary&, const ReplaySummary&) = default;
};

/// `outcome` is of a replay of `workload` on `cluster`. A job that had started and not ended when
/// the replay was stopped counts as running up to the last moment that it knows of.
[[nodiscard]] ReplaySummary summarize(
    const Cluster& cluster, const Workload& workload, const ReplayOutcome& outcome);

/// What each job, as Workload::jobs, had run for in vain when it was stopped: thousandths of a GPU,
/// times seconds.
[[nodiscard]] std::vector<std::int64_t> lost_gpu_milli_s(
    const Cluster& cluster, const Workload& workload, const ReplayOutcome& outcome);

/// When each job started, as Workload::jobs: the first time, if it was stopped. Valid of those that
/// started.
[[nodiscard]] std::vector<Instant> first_starts(const ReplayOutcome& outcome);

// What distributions are made of: of the jobs that started, in the order of the workload.
[[nodiscard]] std::vector<std::int64_t> waits_ms(
    const Workload& workload, const ReplayOutcome& outcome);
[[nodiscard]] std::vector<std::int64_t> slowdowns_milli(
    const Workload& workload, const ReplayOutcome& outcome);

/// Thousandths of GPUs that a job holds on each of its nodes. What a share by memory takes depends
/// on the GPU; the nodes of a cluster have GPUs of one kind each.
[[nodiscard]] std::int64_t gpu_milli_of(
    const Cluster& cluster, const model::Request& request, NodeId node);

/// The last moment that `outcome` knows of.
[[nodiscard]] Instant horizon_of(const ReplayOutcome& outcome);

/// Whole milliseconds, rounded down.
[[nodiscard]] std::int64_t ms_between(Instant from, Instant to);

/// 1234567 with 3 digits -> "1234.567", with 2 -> "12345.67". `value` may be negative.
[[nodiscard]] std::string fixed_text(std::int64_t value, int digits);

}  // namespace reeve::simulate
