#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/instant.hpp"
#include "simulate/cluster.hpp"
#include "simulate/workload.hpp"

namespace reeve::simulate {

struct TrialOptions {
    std::size_t samples = 40;
    std::chrono::seconds every = std::chrono::hours(6);  // A look at the queue.
    std::size_t jobs_per_look = 10;                      // Of those that wait, picked at random.
    std::size_t looks_before = 50;  // Nothing is counted before: there is no history yet.
    std::uint64_t seed = 42;
};

/// What was said of one job, and what became of it: in seconds from when it was said.
struct TrialForecast {
    std::size_t look = 0;
    std::size_t job = 0;  // A place in the workload.
    std::int64_t from = 0;
    std::int64_t until = 0;
    std::int64_t median = 0;     // Of the samples.
    std::int64_t by_limits = 0;  // The core run forward once, with all taking its time limit.
    std::int64_t came = 0;

    [[nodiscard]] bool is_inside() const noexcept { return from <= came && came <= until; }
};

/// What that comes to. Widths and errors are medians, in seconds.
struct TrialSummary {
    std::size_t forecasts = 0;
    std::size_t inside = 0;
    std::size_t before = 0;         // It started before the interval.
    std::int64_t width = 0;         // Of the interval.
    std::int64_t median_error = 0;  // How far the median of the samples was off.
    std::int64_t by_limits = 0;     // From now to the start by time limits: the width of "by then".
    std::int64_t by_limits_error = 0;  // How far that start was off.
    std::int64_t wait = 0;             // How long it then took.
};

/// Replays `workload` on `cluster`, asks now and then when jobs that wait start, and compares with
/// what the replay then does. What is not over by then is not known to the forecasts. In the order
/// of the starts.
[[nodiscard]] std::vector<TrialForecast> run_forecast_trial(
    const Cluster& cluster, const Workload& workload, const TrialOptions& options);

[[nodiscard]] TrialSummary summarize(const std::vector<TrialForecast>& forecasts);

/// Gives each job a time limit, as people do: they use any part of it, evenly (Mu'alem and
/// Feitelson 2001), and ask for round times (Tsafrir, Etsion and Feitelson 2005), 60 days at most.
void invent_limits(Workload& workload, std::uint64_t seed);

}  // namespace reeve::simulate
