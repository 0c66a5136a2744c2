#include "simulate/summary.hpp"

#include <algorithm>
#include <cmath>
#include <variant>

namespace reeve::simulate {
namespace {

constexpr std::int64_t kMsOfSecond = 1000;
constexpr std::int64_t kThousand = 1000;

/// `values` is sorted and has some.
std::int64_t percentile(const std::vector<std::int64_t>& values, std::size_t percent) {
    constexpr std::size_t kHundred = 100;
    const std::size_t rank = (values.size() * percent + kHundred - 1) / kHundred;
    return values[std::max(rank, std::size_t{1}) - 1];
}

/// Hundredths of a percent. Floating point is exact enough here, and the same everywhere: the sums
/// are of integers, added in the order of the workload.
std::int64_t share_of(double part, double whole) {
    constexpr double kHundredthsOfPercent = 10'000;
    return whole > 0 ? std::llround(kHundredthsOfPercent * part / whole) : 0;
}

/// Use of GPUs and CPUs from `from` to `to`, in thousandths times milliseconds.
struct Use {
    double gpu = 0;
    double cpu = 0;
};

Use use_between(
    const Cluster& cluster, const Workload& workload, const ReplayOutcome& outcome, Instant to) {
    const Instant horizon = horizon_of(outcome);
    Use use;
    const auto add = [&](std::size_t place, NodeId node, Instant from, Instant until) {
        const Instant end = std::min(until, to);
        if (end <= from) {
            return;
        }
        const TraceJob& job = workload.jobs[place];
        const model::Request& request = workload.requests[job.request];
        const auto held = static_cast<double>(ms_between(from, end)) * job.nodes;
        use.gpu += held * static_cast<double>(gpu_milli_of(cluster, request, node));
        use.cpu += held * static_cast<double>(request.host.cpu_millicores);
    };
    for (std::size_t i = 0; i < workload.jobs.size(); ++i) {
        const JobRun& run = outcome.runs[i];
        if (run.has_started && !run.is_stopped) {
            add(i, run.node, run.started_at, run.has_ended ? run.ended_at : horizon);
        }
    }
    for (const StoppedRun& run : outcome.stopped) {
        add(run.job, run.node, run.from, run.until);
    }
    return use;
}

std::int64_t stranded_mean(const ReplayOutcome& outcome, Instant horizon) {
    double sum = 0;
    double time = 0;
    for (std::size_t i = 0; i < outcome.samples.size(); ++i) {
        const ReplaySample& sample = outcome.samples[i];
        const Instant until = i + 1 < outcome.samples.size() ? outcome.samples[i + 1].at : horizon;
        const auto ms = static_cast<double>(
            ms_between(sample.at, std::max(std::min(until, horizon), sample.at)));
        sum += ms * static_cast<double>(sample.gpu_milli_stranded);
        time += ms;
    }
    return share_of(sum, time * static_cast<double>(outcome.gpu_milli_total));
}

}  // namespace

std::int64_t gpu_milli_of(const Cluster& cluster, const model::Request& request, NodeId node) {
    if (const auto* whole = std::get_if<model::WholeGpus>(&request.gpus)) {
        return whole->count * model::kWholeGpuMilli;
    }
    const std::uint64_t place = node.value() - 1;
    if (place >= cluster.nodes.size() || cluster.nodes[place].free.gpus.empty()) {
        return 0;
    }
    const auto& share = std::get<model::GpuShare>(request.gpus);
    return model::amount_of(share, cluster.nodes[place].free.gpus.front().total_mib).milli;
}

Distribution distribution_of(std::vector<std::int64_t> values) {
    if (values.empty()) {
        return {};
    }
    std::ranges::sort(values);
    // Quotients and remainders apart: the plain sum of large values need not fit.
    const auto count = static_cast<std::int64_t>(values.size());
    std::int64_t quotients = 0;
    std::int64_t remainders = 0;
    for (const std::int64_t value : values) {
        quotients += value / count;
        remainders += value % count;
    }
    return {
        .mean = quotients + (remainders + count / 2) / count,
        .median = percentile(values, 50),
        .p90 = percentile(values, 90),
        .p95 = percentile(values, 95),
        .p99 = percentile(values, 99),
        .max = values.back()};
}

std::vector<std::int64_t> lost_gpu_milli_s(
    const Cluster& cluster, const Workload& workload, const ReplayOutcome& outcome) {
    std::vector<std::int64_t> lost(outcome.runs.size(), 0);
    for (const StoppedRun& run : outcome.stopped) {
        const TraceJob& job = workload.jobs[run.job];
        lost[run.job] += gpu_milli_of(cluster, workload.requests[job.request], run.node) *
                         job.nodes * (ms_between(run.from, run.until) / kMsOfSecond);
    }
    return lost;
}

std::vector<Instant> first_starts(const ReplayOutcome& outcome) {
    std::vector<Instant> starts;
    starts.reserve(outcome.runs.size());
    for (const JobRun& run : outcome.runs) {
        starts.push_back(run.started_at);
    }
    for (std::size_t i = outcome.stopped.size(); i > 0; --i) {  // The first of a job's is the last.
        starts[outcome.stopped[i - 1].job] = outcome.stopped[i - 1].from;
    }
    return starts;
}

std::vector<std::int64_t> waits_ms(const Workload& workload, const ReplayOutcome& outcome) {
    const std::vector<Instant> starts = first_starts(outcome);
    std::vector<std::int64_t> waits;
    waits.reserve(workload.jobs.size());
    for (std::size_t i = 0; i < workload.jobs.size(); ++i) {
        if (outcome.runs[i].has_started) {
            waits.push_back(ms_between(workload.jobs[i].submitted_at, starts[i]));
        }
    }
    return waits;
}

std::vector<std::int64_t> slowdowns_milli(const Workload& workload, const ReplayOutcome& outcome) {
    constexpr std::int64_t kThresholdMs = 10 * kMsOfSecond;
    std::vector<std::int64_t> slowdowns;
    slowdowns.reserve(workload.jobs.size());
    for (std::size_t i = 0; i < workload.jobs.size(); ++i) {
        if (!outcome.runs[i].has_started) {
            continue;
        }
        const TraceJob& job = workload.jobs[i];
        const std::int64_t wait = ms_between(job.submitted_at, outcome.runs[i].started_at);
        const std::int64_t run = job.run_s * kMsOfSecond;
        const std::int64_t bound = std::max(run, kThresholdMs);
        // (wait + run) * 1000 / bound, in two steps so that it fits.
        const std::int64_t whole = (wait + run) / bound;
        const std::int64_t rest = ((wait + run) % bound * kThousand + bound / 2) / bound;
        slowdowns.push_back(std::max(whole * kThousand + rest, kThousand));
    }
    return slowdowns;
}

Instant horizon_of(const ReplayOutcome& outcome) {
    Instant horizon = std::max(outcome.first_at, outcome.last_end_at);
    if (!outcome.samples.empty()) {
        horizon = std::max(horizon, outcome.samples.back().at);
    }
    return horizon;
}

std::int64_t ms_between(Instant from, Instant to) {
    return std::chrono::floor<std::chrono::milliseconds>(to - from).count();
}

ReplaySummary summarize(
    const Cluster& cluster, const Workload& workload, const ReplayOutcome& outcome) {
    ReplaySummary summary{
        .jobs = workload.jobs.size(),
        .wait_ms = distribution_of(waits_ms(workload, outcome)),
        .slowdown_milli = distribution_of(slowdowns_milli(workload, outcome)),
        .gpu_stranded = stranded_mean(outcome, horizon_of(outcome)),
        .makespan_ms =
            ms_between(outcome.first_at, std::max(outcome.first_at, outcome.last_end_at)),
        .waiting_max = outcome.waiting_max,
        .decisions = outcome.decisions,
        .is_complete = outcome.is_complete};
    for (const std::int64_t lost : lost_gpu_milli_s(cluster, workload, outcome)) {
        summary.lost_gpu_milli_s += lost;
    }
    for (const JobRun& run : outcome.runs) {
        summary.started += run.has_started ? 1 : 0;
        summary.ended += run.has_ended ? 1 : 0;
        summary.refused += run.is_refused ? 1 : 0;
        summary.backfilled += run.is_backfilled ? 1 : 0;
        summary.stopped += run.stops > 0 ? 1 : 0;
        summary.stops += run.stops;
    }
    // A replay that was stopped early never came to the last submission.
    const Instant end = horizon_of(outcome);
    const Instant last = std::min(outcome.last_submission_at, end);
    summary.gpu_stranded_to_last_submission = stranded_mean(outcome, last);
    const Use early = use_between(cluster, workload, outcome, last);
    const Use all = use_between(cluster, workload, outcome, end);
    const auto share = [&](double use, std::int64_t total, Instant until) {
        const auto ms = static_cast<double>(ms_between(outcome.first_at, until));
        return share_of(use, ms * static_cast<double>(total));
    };
    summary.gpu_use_to_last_submission = share(early.gpu, outcome.gpu_milli_total, last);
    summary.gpu_use_to_end = share(all.gpu, outcome.gpu_milli_total, end);
    summary.cpu_use_to_last_submission = share(early.cpu, outcome.cpu_milli_total, last);
    summary.cpu_use_to_end = share(all.cpu, outcome.cpu_milli_total, end);
    return summary;
}

std::string fixed_text(std::int64_t value, int digits) {
    std::string text = std::to_string(value < 0 ? -value : value);
    const auto places = static_cast<std::size_t>(digits);
    if (text.size() <= places) {
        text.insert(0, places + 1 - text.size(), '0');
    }
    text.insert(text.size() - places, ".");
    return (value < 0 ? "-" : "") + text;
}

}  // namespace reeve::simulate
