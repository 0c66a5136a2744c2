#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "simulate/cluster.hpp"
#include "simulate/workload.hpp"

namespace reeve::simulate {

/// Reads Reeve's own format: CSV with the columns submitted_s and run_s, and any of name, limit_s,
/// gpus, gpu_milli, gpu_mem_mib, gpu_model, cpu_millicores, memory_mib, nodes, priority, user,
/// project (docs/replay.md has what they mean). An empty field is as a column that is not there.
/// gpus, gpu_mem_mib and gpu_milli mean what they mean in a job: with gpus, gpu_mem_mib is the
/// least that each whole GPU has; without, gpu_milli and gpu_mem_mib are a share of one. All
/// amounts are of each of its nodes. Errors: kInvalid "FILE:LINE: …": a missing column, one of
/// another name, a number that is none, negative or too large, a name twice, nothing asked for,
/// more than the cluster could ever hold.
[[nodiscard]] Result<Workload> parse_reeve_trace(
    const std::string& file, std::string_view text, const Cluster& cluster);

}  // namespace reeve::simulate
