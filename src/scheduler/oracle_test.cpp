// Goal: fit and gangs are decided as by trying everything. Method: every small instance (1 to 3
// nodes of 2 GPUs, 4 jobs of 9 kinds, one of them after another), against a plain search that
// shares no code with the core: it tries each set of GPUs on each node.
#include <algorithm>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "scheduler/core_world.hpp"
#include "scheduler/engine_world.hpp"

namespace reeve::scheduler {
namespace {

constexpr std::int64_t kGpuMib = 1000;

struct Kind {
    std::int64_t gpus = 0;        // Whole ones.
    std::int64_t milli = 0;       // Or a share,
    std::int64_t memory_mib = 0;  // or by memory.
    std::int64_t cpus = 1;
    std::int32_t nodes = 1;
};

const std::vector<Kind> kinds = {
    {.gpus = 1},
    {.gpus = 2},
    {.gpus = 1, .cpus = 3},
    {.milli = 500},
    {.milli = 300, .cpus = 2},
    {.memory_mib = 600},
    {.gpus = 1, .nodes = 2},
    {.gpus = 2, .nodes = 2},
    {.milli = 500, .nodes = 3},
};

model::Request request_of(const Kind& kind) {
    model::Request request{.host = {.cpu_millicores = kind.cpus * 1000}};
    if (kind.gpus > 0) {
        request.gpus = model::WholeGpus{.count = kind.gpus};
    } else if (kind.milli > 0) {
        request.gpus = model::GpuShare{.milli = kind.milli};
    } else {
        request.gpus = model::GpuShare{.memory_mib = kind.memory_mib};
    }
    return request;
}

/// True if some set of the node's GPUs can serve the kind; a share takes its part of the memory,
/// and memory its part of the compute.
bool has_room_plainly(const NodeView& node, const Kind& kind) {
    if (node.free.host.cpu_millicores < kind.cpus * 1000) {
        return false;
    }
    const std::size_t count = node.free.gpus.size();
    for (unsigned set = 1; set < (1U << count); ++set) {
        std::int64_t untouched = 0;
        bool has_share = false;
        std::int64_t size = 0;
        for (std::size_t i = 0; i < count; ++i) {
            if ((set >> i & 1U) == 0) {
                continue;
            }
            ++size;
            const model::GpuAmount& free = node.free.gpus[i].free;
            untouched +=
                static_cast<std::int64_t>(free.milli == 1000 && free.memory_mib == kGpuMib);
            const std::int64_t milli = kind.milli + kind.memory_mib;  // 1 MiB is 1 milli here.
            has_share = free.milli >= milli && free.memory_mib >= milli;
        }
        if (kind.gpus > 0 ? size == kind.gpus && untouched == size : size == 1 && has_share) {
            return true;
        }
    }
    return false;
}

bool has_room_plainly(const CoreWorld& world, const Kind& kind) {
    const std::vector<NodeView> nodes = world.views();
    return std::ranges::count_if(nodes, [&](const NodeView& node) {
               return has_room_plainly(node, kind);
           }) >= kind.nodes;
}

/// Submits the jobs that the digits of `code` say, one after the other: each starts at once or
/// finds no room, and then goes.
void check_instance(std::uint64_t nodes, unsigned code, Policy policy) {
    CoreWorld world({.policy = policy, .backfill = Backfill::kNone});
    for (std::uint64_t id = 1; id <= nodes; ++id) {
        world.put_node(
            node_of(id, {.gpus = 2, .total_mib = kGpuMib, .cpu = 4000, .memory_mib = 1000}));
    }
    for (int i = 0; i < 4; ++i) {
        const Kind& kind = kinds[code % kinds.size()];
        code /= static_cast<unsigned>(kinds.size());
        const bool has_room = has_room_plainly(world, kind);
        const JobId job = world.submit(
            {.request = world.put_request(request_of(kind)), .nodes = kind.nodes},
            std::chrono::seconds(1000));
        EXPECT_EQ(world.schedule().size(), has_room ? 1U : 0U);
        if (world.waiting().contains(job)) {
            world.cancel(job);
        }
    }
}

TEST(PlacementOracle, AllSmallInstancesStartWhatHasRoomAndNothingElse) {
    unsigned codes = 1;
    for (int i = 0; i < 4; ++i) {
        codes *= static_cast<unsigned>(kinds.size());
    }
    for (std::uint64_t nodes = 1; nodes <= 3; ++nodes) {
        for (unsigned code = 0; code < codes; ++code) {
            SCOPED_TRACE(testing::Message() << nodes << " nodes, " << code);
            check_instance(nodes, code, code % 2 == 0 ? Policy::kTightest : Policy::kFillValue);
            if (testing::Test::HasFailure()) {
                return;
            }
        }
    }
}

}  // namespace
}  // namespace reeve::scheduler
