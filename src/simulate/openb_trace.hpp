#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/resources.hpp"
#include "scheduler/placement.hpp"

namespace reeve::simulate {

/// The machines that a trace is replayed on.
struct Cluster {
    std::vector<scheduler::NodeView> nodes = {};  // By id, in the order of the file, all free.
    std::map<std::string, GpuModelId> models = {};
    std::int64_t gpus = 0;
};

/// One task of a trace.
struct TraceTask {
    model::Request request = {};
    std::int64_t gpu_milli = 0;  // Of all its GPUs together.
};

/// Reads a node list of the Alibaba 2023 GPU trace ("openb"): columns sn, cpu_milli, memory_mib,
/// gpu, model. `file` is for messages. What the trace does not say of a GPU, its memory, is taken
/// as one MiB for each thousandth, so that memory never decides. Errors: kInvalid "FILE:LINE: …": a
/// missing column, a number that is none, negative or too large, a name twice, no node at all.
[[nodiscard]] Result<Cluster> parse_openb_nodes(const std::string& file, std::string_view text);

/// Reads a pod list of the same: columns name, cpu_milli, memory_mib, num_gpu, gpu_milli, and
/// gpu_spec where there is one ("V100M16|V100M32"; empty: any model).
/// Errors: as above; also a task with more GPUs than any node of `cluster` that it may use, and
/// several GPUs of which not all are whole.
[[nodiscard]] Result<std::vector<TraceTask>> parse_openb_tasks(
    const std::string& file, std::string_view text, const Cluster& cluster);

}  // namespace reeve::simulate
