// That requests come and go, and that nodes are sorted by what they ask, decides nothing.
#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "scheduler/core.hpp"
#include "scheduler/core_history.hpp"
#include "scheduler/core_world.hpp"
#include "scheduler/engine_world.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::seconds;

constexpr auto kHour = seconds(3600);

using Classes = std::vector<NodeClassId>;

model::Request two_gpus(const std::optional<Classes>& node_classes = {}) {
    return {.gpus = model::WholeGpus{.count = 2}, .node_classes = node_classes};
}

/// `count` nodes of two GPUs each, of class 0.
CoreWorld world_of(std::uint64_t count) {
    CoreWorld world(CoreOptions{});
    for (std::uint64_t id = 1; id <= count; ++id) {
        world.put_node(node_of(id, {.gpus = 2, .cpu = 64000, .memory_mib = 65536}));
    }
    return world;
}

/// What runs, and where: the same in two worlds that decided the same.
std::map<JobId, std::vector<NodeId>> places_in(const CoreWorld& world) {
    std::map<JobId, std::vector<NodeId>> places;
    for (const auto& [id, job] : world.running()) {
        for (const Placed& part : job.parts) {
            places[id].push_back(part.node);
        }
    }
    return places;
}

TEST(CoreRequests, ANumberMayComeAgainForAnother) {
    CoreWorld world = world_of(1);
    Core& core = world.core();
    const GroupKey group{.request = model::RequestId(1)};
    core.put_request(group.request, {.gpus = model::WholeGpus{.count = 3}});
    core.put_waiting(strict_place(group, JobId(7)), group);
    std::size_t looks = 10;
    EXPECT_FALSE(core.next(world.now(), looks, {}));
    core.drop_waiting(strict_place(group, JobId(7)), group);
    core.drop_request(group.request);
    EXPECT_EQ(core.request_count(), 0U);
    core.put_request(group.request, two_gpus());
    core.put_waiting(strict_place(group, JobId(8)), group);
    const auto start = core.next(world.now(), looks, {});
    ASSERT_TRUE(start) << "what was found of the one before it is forgotten";
    EXPECT_EQ(start->place.job, JobId(8));
}

TEST(CoreRequests, NobodyIsLookedAtAgainBecauseNodesAreSortedOtherwise) {
    CoreWorld world = world_of(2);
    const model::RequestId request = world.put_request(two_gpus(Classes{NodeClassId(0)}));
    const JobId first = world.submit({.request = request}, kHour);
    world.submit({.request = request}, 2 * kHour);
    const JobId waits = world.submit({.request = request}, kHour);
    EXPECT_EQ(world.schedule().size(), 2U);
    const std::uint64_t decisions = world.core().decisions();
    const Instant promised = world.core().reservations().front().at;

    world.reclassify(NodeId(1), NodeClassId(4));
    world.reclassify(request, {NodeClassId(0), NodeClassId(4)});
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_EQ(world.core().decisions(), decisions);
    EXPECT_EQ(world.core().reservations().front().at, promised);
    world.end(first);
    EXPECT_EQ(world.schedule(), std::vector<JobId>{waits});
    EXPECT_EQ(places_in(world).at(waits), std::vector<NodeId>{NodeId(1)});
}

TEST(CoreRequestsProperty, NumbersThatComeAgainDecideAsNewOnesDo) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        SCOPED_TRACE(seed);
        const CoreOptions options{.backfill = static_cast<Backfill>(seed % 3)};
        SeededRandom random(seed);
        SeededRandom same(seed);
        CoreWorld world = random_world(random, options);
        CoreWorld reusing = random_world(same, options);
        const std::vector<model::Request> requests = random_requests(random);
        (void)random_requests(same);
        for (int step = 0; step < 60; ++step) {
            disturb(world, random, requests);
            disturb(reusing, same, requests);
            ASSERT_EQ(reusing.schedule(), world.schedule()) << "step " << step;
            ASSERT_EQ(places_in(reusing), places_in(world)) << "step " << step;
            reusing.drop_unused_requests();
            ASSERT_EQ(reusing.core().request_count(), reusing.requests().size());
        }
        EXPECT_LE(reusing.requests().size(), world.requests().size());
    }
}

/// Jobs that ask for nodes of some kinds, in a world where each kind is one class, or many.
class Kinds {
  public:
    explicit Kinds(CoreWorld world) : world_(std::move(world)) {
        for (const NodeView& node : world_.views()) {
            kind_of_.insert_or_assign(node.id, node.node_class);
            classes_[node.node_class] = {node.node_class};
        }
    }

    CoreWorld& world() { return world_; }

    void submit(model::Request request, seconds limit) {
        const std::optional<Classes> kinds = request.node_classes;
        request.node_classes = classes_of(kinds);
        const model::RequestId id = world_.put_request(request);
        kinds_of_.insert_or_assign(id, kinds);
        world_.submit({.request = id, .limit = planning_limit(limit)}, limit);
    }

    /// One node gets a class of its own.
    void split(NodeId id) {
        const NodeClassId own(++last_class_);
        classes_[kind_of_.at(id)].push_back(own);
        world_.reclassify(id, own);
        for (const auto& [request, kinds] : kinds_of_) {
            if (kinds) {
                world_.reclassify(request, *classes_of(kinds));
            }
        }
    }

  private:
    [[nodiscard]] std::optional<Classes> classes_of(const std::optional<Classes>& kinds) {
        if (!kinds) {
            return std::nullopt;
        }
        Classes all;
        for (const NodeClassId kind : *kinds) {
            const Classes& some = classes_[kind];
            all.insert(all.end(), some.begin(), some.end());
        }
        std::ranges::sort(all);
        return all;
    }

    CoreWorld world_;
    std::map<NodeId, NodeClassId> kind_of_;
    std::map<NodeClassId, Classes> classes_;
    std::map<model::RequestId, std::optional<Classes>> kinds_of_;
    std::uint64_t last_class_ = kNodeClasses;
};

TEST(CoreRequestsProperty, HowFinelyNodesAreSortedDecidesNothing) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        SCOPED_TRACE(seed);
        const CoreOptions options{.backfill = static_cast<Backfill>(seed % 3)};
        SeededRandom random(seed);
        SeededRandom same(seed);
        Kinds coarse(random_world(random, options));
        Kinds fine(random_world(same, options));
        const std::vector<model::Request> requests = random_requests(random);
        const std::vector<NodeView> nodes = coarse.world().views();
        for (int step = 0; step < 60; ++step) {
            for (std::int64_t n = pick(random, 0, 4); n > 0; --n) {
                const model::Request& request = requests[random.below(requests.size())];
                const seconds limit(pick(random, 1, 40) * 100);
                coarse.submit(request, limit);
                fine.submit(request, limit);
            }
            if (one_in(random, 3)) {
                fine.split(nodes[random.below(nodes.size())].id);
            }
            coarse.world().advance();
            fine.world().advance();
            ASSERT_EQ(fine.world().schedule(), coarse.world().schedule()) << "step " << step;
            ASSERT_EQ(places_in(fine.world()), places_in(coarse.world())) << "step " << step;
            ASSERT_EQ(fine.world().core().decisions(), coarse.world().core().decisions());
        }
    }
}

}  // namespace
}  // namespace reeve::scheduler
