#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/resources.hpp"
#include "simulate/cluster.hpp"
#include "simulate/workload.hpp"

// The Alibaba 2023 GPU trace ("openb"). `file` is for messages; all errors are kInvalid
// "FILE:LINE: …".
namespace reeve::simulate {

/// One task of a trace.
struct TraceTask {
    model::Request request = {};
    std::int64_t gpu_milli = 0;  // Of all its GPUs together.
};

/// Reads a node list: columns sn, cpu_milli, memory_mib, gpu, model, and gpu_mem_mib where there is
/// one (openb has none: see NodeShape). Errors: a missing column, a number that is none, negative
/// or too large, a name twice, no node at all.
[[nodiscard]] Result<Cluster> parse_openb_nodes(const std::string& file, std::string_view text);

/// Reads a pod list, without its times: columns name, cpu_milli, memory_mib, num_gpu, gpu_milli,
/// and gpu_spec where there is one ("V100M16|V100M32"; empty: any model). Errors: as above; also a
/// task with more GPUs than any node of `cluster` that it may use, and several GPUs of which not
/// all are whole.
[[nodiscard]] Result<std::vector<TraceTask>> parse_openb_tasks(
    const std::string& file, std::string_view text, const Cluster& cluster);

/// Reads a pod list with the columns creation_time and deletion_time, in seconds: a job is
/// submitted when its pod was made and runs for as long as the pod was there. So the time that it
/// waited in Alibaba's cluster is in its run; a note says how many pods were never scheduled there
/// (column scheduled_time). There are no limits, users, gangs and priorities. Errors: as above;
/// also a pod that was deleted before it was made, and one that is larger than any node.
[[nodiscard]] Result<Workload> parse_openb_workload(
    const std::string& file, std::string_view text, const Cluster& cluster);

}  // namespace reeve::simulate
