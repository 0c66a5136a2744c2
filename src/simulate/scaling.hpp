#pragma once

#include <cstdint>

#include "simulate/cluster.hpp"
#include "simulate/workload.hpp"

// What a trace leaves of a cluster is seldom what one wants to see: these make it busier. Each
// leaves jobs as they are: what they ask for, and how long they run.
namespace reeve::simulate {

/// Every `nth` node of the cluster, from the first on, with ids of their own. Lists name alike
/// nodes in blocks, so that each kind keeps its share. `nth` is above 0.
[[nodiscard]] Cluster every_nth_node(const Cluster& cluster, std::int64_t nth);

/// Jobs come `factor` times as fast: the time since the first submission is divided by it, rounded
/// down to seconds. `factor` is above 0.
void speed_up(Workload& workload, std::int64_t factor);

/// The same jobs at the same times, but which one comes when is made up from `seed`.
void shuffle_jobs(Workload& workload, std::uint64_t seed);

}  // namespace reeve::simulate
