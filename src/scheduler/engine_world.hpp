#pragma once

// For tests of the placement engine: clusters and requests made up from a seed.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "scheduler/class_mix.hpp"
#include "scheduler/placement.hpp"

namespace reeve::scheduler {

/// A whole number from `low` to `high`.
inline std::int64_t pick(Random& random, std::int64_t low, std::int64_t high) {
    return low +
           static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low) + 1));
}

inline bool one_in(Random& random, std::uint64_t n) {
    return random.below(n) == 0;
}

struct NodeShape {
    std::int64_t gpus = 0;
    std::uint64_t model = 1;
    std::int64_t total_mib = 1000;
    std::int64_t cpu = 0;
    std::int64_t memory_mib = 0;
    std::uint64_t node_class = 0;
};

/// All of it free. Its GPUs are 100 times its id and the numbers that follow.
inline NodeView node_of(std::uint64_t id, const NodeShape& shape) {
    NodeView node{
        .id = NodeId(id),
        .free = {.host = {.cpu_millicores = shape.cpu, .memory_mib = shape.memory_mib}},
        .host_total = {.cpu_millicores = shape.cpu, .memory_mib = shape.memory_mib},
        .node_class = NodeClassId(shape.node_class)
    };
    for (std::int64_t i = 0; i < shape.gpus; ++i) {
        node.free.gpus.push_back({
            .id = GpuId(id * 100 + static_cast<std::uint64_t>(i)),
            .model = GpuModelId(shape.model),
            .total_mib = shape.total_mib,
            .free = {.milli = model::kWholeGpuMilli, .memory_mib = shape.total_mib}
        });
    }
    return node;
}

constexpr std::uint64_t kNodeClasses = 3;  // 0, 1, 2.

inline NodeView random_node(Random& random, std::uint64_t id) {
    const std::int64_t sizes[] = {1000, 24000, 81920};
    const std::uint64_t model = 1 + random.below(3);
    return node_of(
        id, {.gpus = pick(random, 0, 4),
             .model = model,
             .total_mib = sizes[model - 1],
             .cpu = pick(random, 1, 6) * 4000,
             .memory_mib = pick(random, 1, 4) * 16384,
             .node_class = random.below(kNodeClasses)});
}

inline std::optional<std::vector<GpuModelId>> random_models(Random& random) {
    if (!one_in(random, 4)) {
        return std::nullopt;
    }
    std::vector<GpuModelId> models;
    for (std::uint64_t model = 1; model <= 3; ++model) {
        if (one_in(random, 2)) {
            models.emplace_back(model);
        }
    }
    return models;
}

inline std::optional<std::vector<NodeClassId>> random_node_classes(Random& random) {
    if (!one_in(random, 3)) {
        return std::nullopt;
    }
    std::vector<NodeClassId> classes;
    for (std::uint64_t each = 0; each < kNodeClasses; ++each) {
        if (one_in(random, 2)) {
            classes.emplace_back(each);
        }
    }
    return classes;
}

inline model::Request random_request(Random& random) {
    model::Request request{
        .host =
            {.cpu_millicores = pick(random, 0, 8) * 1000, .memory_mib = pick(random, 0, 8) * 2048},
        .node_classes = random_node_classes(random)
    };
    if (one_in(random, 2)) {
        request.gpus = model::WholeGpus{
            .count = pick(random, 0, 3),
            .models = random_models(random),
            .total_mib_min = one_in(random, 4) ? 24000 : 0};
        return request;
    }
    model::GpuShare share{.models = random_models(random)};
    if (!one_in(random, 4)) {
        share.milli = pick(random, 1, 20) * 50;
    }
    if (!share.milli || one_in(random, 4)) {
        share.memory_mib = pick(random, 1, 40) * 500;
    }
    request.gpus = share;
    return request;
}

/// Requests that come again and again, and how often each came.
struct RandomMix {
    std::vector<model::Request> requests = {};
    ClassMix counts = {};

    explicit RandomMix(Random& random) {
        for (int i = 0; i < 12; ++i) {
            requests.push_back(random_request(random));
            for (std::int64_t n = pick(random, 1, 20); n > 0; --n) {
                counts.observe(requests.back());
            }
        }
    }

    [[nodiscard]] const model::Request& any(Random& random) const {
        return requests[random.below(requests.size())];
    }
};

inline std::vector<NodeView> random_nodes(Random& random) {
    std::vector<NodeView> nodes;
    for (std::int64_t i = pick(random, 1, 12); i > 0; --i) {
        nodes.push_back(random_node(random, nodes.size() + 1));
    }
    return nodes;
}

template <class T>
void shuffle(std::vector<T>& items, Random& random) {
    for (std::size_t left = items.size(); left > 1; --left) {
        std::swap(items[left - 1], items[random.below(left)]);
    }
}

}  // namespace reeve::scheduler
