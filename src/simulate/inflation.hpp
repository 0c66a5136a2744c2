#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "scheduler/placement_engine.hpp"
#include "simulate/openb_trace.hpp"

namespace reeve::simulate {

/// Where the placement engine has the shares of the classes from.
enum class Knowledge : std::uint8_t {
    kLearnt,  // From the arrivals so far, as a live cluster has to.
    kListed,  // From the list of tasks, before the first comes.
};

struct InflationOptions {
    scheduler::Policy policy = scheduler::Policy::kFillValue;
    Knowledge knowledge = Knowledge::kLearnt;
    std::uint64_t seed = 42;
    std::int64_t arrived_percent = 130;  // Of the cluster's GPUs, all arrivals together.

    /// Told now and then how many of how many tasks have come; false ends it.
    std::function<bool(std::size_t done, std::size_t all)> progress = {};
};

/// What was allocated when so much had arrived, both in percent of all GPUs: a mean over the
/// arrivals that round to this percent.
struct InflationPoint {
    std::int64_t arrived_percent = 0;
    double allocated_percent = 0;
};

struct InflationOutcome {
    std::vector<InflationPoint> points = {};  // Of each whole percent that came up.
    std::uint64_t placed = 0;
    std::uint64_t refused = 0;
    std::int64_t gpu_milli_used = 0;
    std::int64_t cpu_milli_used = 0;
    bool is_complete = true;  // False: `progress` ended it.

    /// Of the last point at or before `arrived_percent`; nothing if there is none.
    [[nodiscard]] std::optional<double> allocated_at(std::int64_t arrived_percent) const;
};

/// The tasks of a run: shuffled, then drawn out or thinned at random until their GPUs together are
/// `gpu_milli_max` or just under it.
[[nodiscard]] std::vector<const TraceTask*> arrivals_of(
    std::span<const TraceTask> tasks, std::int64_t gpu_milli_max, Random& random);

/// The experiment that FGD was published with: tasks come one after the other and never leave; one
/// that fits nowhere is dropped, but counts as arrived. Equal arguments, equal outcome.
/// `cluster` has a GPU.
[[nodiscard]] InflationOutcome run_inflation(
    const Cluster& cluster, std::span<const TraceTask> tasks, const InflationOptions& options);

/// The same on an engine of the caller's, which keeps its memos from one run to the next. It holds
/// the nodes of `cluster`, and is given them back free.
[[nodiscard]] InflationOutcome run_inflation(
    const Cluster& cluster,
    std::span<const TraceTask> tasks,
    const InflationOptions& options,
    scheduler::PlacementEngine& engine);

}  // namespace reeve::simulate
