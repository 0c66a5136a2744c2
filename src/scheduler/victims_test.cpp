#include "scheduler/victims.hpp"

#include <map>

#include <gtest/gtest.h>

#include "scheduler/engine_world.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::seconds;

constexpr auto kStart = Instant(seconds(1000));
constexpr auto kNow = kStart + seconds(10'000);

/// A node and what runs on it, by allocation.
struct Busy {
    NodeView node;
    std::map<AllocationId, Hold> holds;

    [[nodiscard]] std::vector<Stoppable> stoppable() const {
        std::vector<Stoppable> all;
        all.reserve(holds.size());
        for (const auto& [id, hold] : holds) {
            all.push_back({.id = id, .hold = &hold});
        }
        return all;
    }

    void start(std::uint64_t id, const model::Request& request, seconds ago) {
        const Decision decision = place(request, {node});
        if (const auto* placed = std::get_if<Placed>(&decision)) {
            node.free = *model::take(node.free, placed->grant);
            holds.emplace(
                AllocationId(id), Hold{
                                      .node = node.id,
                                      .grant = placed->grant,
                                      .since = kStart + (seconds(10'000) - ago),
                                      .preemptible = Preemptible()});
        }
    }
};

model::Request gpus(std::int64_t count) {
    return {.gpus = model::WholeGpus{.count = count}};
}

Busy four_gpus() {
    return {.node = node_of(1, {.gpus = 4, .cpu = 16000, .memory_mib = 32768}), .holds = {}};
}

std::vector<AllocationId> ids(const std::vector<std::uint64_t>& values) {
    std::vector<AllocationId> all;
    all.reserve(values.size());
    for (const std::uint64_t value : values) {
        all.emplace_back(value);
    }
    return all;
}

TEST(Victims, NoneWhereThereIsRoom) {
    Busy busy = four_gpus();
    busy.start(1, gpus(2), seconds(10));
    const auto victims = cheapest_victims(busy.node, gpus(2), busy.stoppable(), kNow);
    ASSERT_TRUE(victims);
    EXPECT_TRUE(victims->ids.empty());
    EXPECT_FALSE(cheapest_victims(busy.node, gpus(5), busy.stoppable(), kNow));
}

TEST(Victims, OneThatRunsLongRatherThanTwoNewOnes) {
    Busy busy = four_gpus();
    busy.start(1, gpus(2), seconds(5000));
    busy.start(2, gpus(1), seconds(1));
    busy.start(3, gpus(1), seconds(1));
    EXPECT_EQ(cheapest_victims(busy.node, gpus(2), busy.stoppable(), kNow)->ids, ids({1}));
}

TEST(Victims, OfAsManyThoseThatLoseLeastThenTheNewest) {
    Busy busy = four_gpus();
    busy.start(1, gpus(3), seconds(100));
    busy.start(2, gpus(1), seconds(200));
    EXPECT_EQ(cheapest_victims(busy.node, gpus(1), busy.stoppable(), kNow)->ids, ids({2}));
    Busy without_gpus = four_gpus();
    const model::Request cpus = {.host = {.cpu_millicores = 8000}};
    without_gpus.start(1, cpus, seconds(200));
    without_gpus.start(2, cpus, seconds(100));
    EXPECT_EQ(
        cheapest_victims(without_gpus.node, cpus, without_gpus.stoppable(), kNow)->ids, ids({2}));
}

TEST(Victims, WithTooManySetsNothingThatCouldBeLeftOut) {
    Busy busy{.node = node_of(1, {.gpus = 8, .cpu = 64000, .memory_mib = 65536}), .holds = {}};
    for (std::uint64_t id = 1; id <= 32; ++id) {
        busy.start(id, {.gpus = model::GpuShare{.milli = 250}}, seconds(static_cast<int>(id)));
    }
    const auto victims = cheapest_victims(busy.node, gpus(4), busy.stoppable(), kNow);
    ASSERT_TRUE(victims);
    EXPECT_EQ(victims->cost.count, 16);
    NodeView after = busy.node;
    for (const AllocationId id : victims->ids) {
        EXPECT_FALSE(can_take(after, gpus(4)));
        after.free = model::give_back(after.free, busy.holds.at(id).grant);
    }
    EXPECT_TRUE(can_take(after, gpus(4)));
}

/// The least that any set of `all` costs that gives room, by trying each.
std::optional<StopCost> least_cost(
    const NodeView& node, const model::Request& request, const std::vector<Stoppable>& all) {
    std::optional<StopCost> least;
    for (unsigned set = 0; set < (1U << all.size()); ++set) {
        NodeView view = node;
        StopCost cost;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if ((set >> i & 1U) != 0) {
                view.free = model::give_back(view.free, all[i].hold->grant);
                cost += cost_of(*all[i].hold, kNow);
            }
        }
        if (can_take(view, request) && (!least || cost < *least)) {
            least = cost;
        }
    }
    return least;
}

TEST(VictimsProperty, NoSetIsCheaper) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        Busy busy{
            .node = node_of(1, {.gpus = pick(random, 1, 4), .cpu = 16000, .memory_mib = 32768}),
            .holds = {}};
        for (std::uint64_t id = 1; id <= 8; ++id) {
            busy.start(id, random_request(random), seconds(pick(random, 0, 50)));
        }
        const model::Request request = random_request(random);
        const std::vector<Stoppable> all = busy.stoppable();
        const auto victims = cheapest_victims(busy.node, request, all, kNow);
        EXPECT_EQ(
            victims ? std::optional(victims->cost) : std::nullopt,
            least_cost(busy.node, request, all));
    }
}

}  // namespace
}  // namespace reeve::scheduler
