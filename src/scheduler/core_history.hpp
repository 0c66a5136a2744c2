#pragma once

// For tests of the core: what happens to a small cluster, from a seed.
#include <chrono>
#include <iterator>
#include <vector>

#include "base/random.hpp"
#include "scheduler/core_world.hpp"
#include "scheduler/engine_world.hpp"

namespace reeve::scheduler {

/// Now and then a node is drained, or comes back.
inline void drain_or_resume(CoreWorld& world, Random& random) {
    if (one_in(random, 8)) {
        const std::vector<NodeView> nodes = world.views();
        const NodeView& node = nodes[random.below(nodes.size())];
        world.set_availability(
            node.id, node.availability == Availability::kReady ? Availability::kDrained
                                                               : Availability::kReady);
    }
    if (one_in(random, 8)) {
        const std::vector<NodeView> nodes = world.views();
        world.set_node_class(
            nodes[random.below(nodes.size())].id, NodeClassId(random.below(kNodeClasses)));
    }
    if (one_in(random, 8) && !world.waiting().empty()) {
        const model::RequestId waits = world.waiting().begin()->second.group.request;
        world.set_node_classes(waits, random_node_classes(random));
    }
}

/// Something happens: jobs come, end and are cancelled, nodes are drained and come back.
inline void disturb(CoreWorld& world, Random& random, const std::vector<model::Request>& requests) {
    for (std::int64_t n = pick(random, 0, 4); n > 0; --n) {
        const std::chrono::seconds limit(one_in(random, 5) ? 0 : pick(random, 1, 40) * 100);
        const GroupKey group{
            .priority = one_in(random, 6) ? static_cast<std::int32_t>(pick(random, -1, 2)) : 0,
            .project = ProjectId(static_cast<std::uint64_t>(pick(random, 1, 3))),
            .request = world.put_request(requests[random.below(requests.size())]),
            .limit = planning_limit(limit)};
        const std::int64_t most = limit.count() > 0 ? limit.count() : 5000;
        const std::int64_t rank = 4 * strict_place(group, JobId(0)).rank + pick(random, 0, 6);
        world.submit_at(rank, group, std::chrono::seconds(pick(random, 1, most)));
    }
    if (one_in(random, 5) && !world.waiting().empty()) {
        auto job = world.waiting().begin();
        std::advance(job, static_cast<std::ptrdiff_t>(random.below(world.waiting().size())));
        world.cancel(job->first);
    }
    drain_or_resume(world, random);
    if (!one_in(random, 3)) {
        world.advance();
    }
}

inline CoreWorld random_world(Random& random, const CoreOptions& options) {
    CoreWorld world(options);
    for (const NodeView& node : random_nodes(random)) {
        world.put_node(node);
    }
    return world;
}

inline std::vector<model::Request> random_requests(Random& random) {
    constexpr std::size_t kRequests = 8;
    std::vector<model::Request> requests;
    requests.reserve(kRequests);
    for (std::size_t i = 0; i < kRequests; ++i) {
        requests.push_back(random_request(random));
    }
    return requests;
}

}  // namespace reeve::scheduler
