#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "api/router.hpp"
#include "api/sample_board.hpp"

namespace reeve::api {

/// Requirement 003's availability rule, as shown on the node's own port.
struct AvailabilityRule {
    std::int64_t gpu_memory_free_mib_above = 2048;
    std::int64_t gpu_utilization_below = 80;  // Percent, the mean of the GPUs.
    std::int64_t cpu_permille_below = 900;
    std::int64_t memory_permille_below = 850;
};

struct NodeStatusParts {
    const SampleBoard& samples;
    std::string node;
    AvailabilityRule rule = {};
    std::function<Instant()> now;

    /// What the GPUs are called, by UUID; may change while the node is up.
    std::function<std::vector<model::GpuDescription>()> gpus;
};

/// The routes of api/node.yaml, for an agent's own port: GET /status and GET /gpus, from the last
/// sample. `parts` outlives them.
[[nodiscard]] std::vector<Route> node_status_routes(const NodeStatusParts& parts);

/// The six fields of requirement 003. Without a GPU its three fields are "N/A", and nothing is
/// available.
[[nodiscard]] std::string six_fields(const model::NodeSample& sample, const AvailabilityRule& rule);

}  // namespace reeve::api
