#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "scheduler/placement.hpp"

namespace reeve::simulate {

/// The machines that a trace is replayed on.
struct Cluster {
    std::vector<scheduler::NodeView> nodes = {};  // By id, in the order of the file, all free.
    std::map<std::string, GpuModelId> models = {};
    std::int64_t gpus = 0;
    std::vector<std::string> names = {};  // Of the nodes, in their order.
};

/// What a node has.
struct NodeShape {
    std::int64_t cpu_millicores = 0;
    std::int64_t memory_mib = 0;
    std::int64_t gpus = 0;
    std::string gpu_model = {};

    /// Of each GPU. Not said by most traces: then one MiB for each thousandth, so that memory never
    /// decides.
    std::int64_t gpu_mem_mib = model::kWholeGpuMilli;
};

/// Adds a free node with the next ids.
void add_node(Cluster& cluster, std::string name, const NodeShape& shape);

/// True for a text that begins as "750x8xA100" does, a number and an "x": a cluster in short, and
/// no file (which would be "./750x8xA100").
[[nodiscard]] bool is_cluster_spec(std::string_view text);

/// A cluster in short: parts joined by "+", each NODESxGPUSxMODEL or NODESxCPUScpu. After a MODEL
/// may come "/MEMORY" of each GPU; after that ":CPUScpu" and ":MEMORY" of each node, where GPU
/// nodes otherwise have 16 CPUs for each GPU, and all nodes 8 GiB for each CPU. "750x8xA100",
/// "1x256cpu", "4x8xH100/80G:96cpu:1T+16x64cpu". Nodes are called n1, n2, ….
/// Errors: kInvalid, naming the part and what was expected.
[[nodiscard]] Result<Cluster> parse_cluster_spec(const std::string& text);

}  // namespace reeve::simulate
