#include "scheduler/preemption.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "scheduler/core_world.hpp"
#include "scheduler/engine_world.hpp"
#include "scheduler/victims.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::seconds;

constexpr auto kHour = seconds(3600);

struct Ask {
    model::Request request = {};
    std::int32_t priority = 0;
    std::uint64_t project = 1;
    bool is_preemptible = false;
    std::int32_t nodes = 1;
};

model::Request gpus(std::int64_t count) {
    return {.gpus = model::WholeGpus{.count = count}};
}

CoreWorld world_of(int nodes, std::int64_t count, PreemptionMode mode) {
    CoreWorld world({.preemption = mode});
    for (int id = 1; id <= nodes; ++id) {
        world.put_node(node_of(
            static_cast<std::uint64_t>(id), {.gpus = count, .cpu = 64000, .memory_mib = 65536}));
    }
    return world;
}

JobId submit(CoreWorld& world, const Ask& ask, seconds run = kHour) {
    return world.submit(
        {.priority = ask.priority,
         .project = ProjectId(ask.project),
         .request = world.put_request(ask.request),
         .nodes = ask.nodes,
         .limit = planning_limit(run)},
        run, ask.is_preemptible);
}

std::vector<JobId> stopping(const CoreWorld& world) {
    std::vector<JobId> jobs;
    for (const auto& [id, job] : world.running()) {
        if (job.is_stopping) {
            jobs.push_back(id);
        }
    }
    return jobs;
}

TEST(Preemption, AHigherPriorityGetsTheGpusOfALowerOneThatAllowsIt) {
    CoreWorld world = world_of(1, 2, PreemptionMode::kProject);
    const JobId low = submit(world, {.request = gpus(2), .is_preemptible = true});
    EXPECT_EQ(world.schedule(), std::vector{low});
    const JobId high = submit(world, {.request = gpus(2), .priority = 1});
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_EQ(stopping(world), std::vector{low});
    ASSERT_TRUE(world.advance());
    EXPECT_EQ(world.schedule(), std::vector{high});
    EXPECT_TRUE(world.waiting().contains(low));
    ASSERT_TRUE(world.advance());
    EXPECT_EQ(world.schedule(), std::vector{low});
    EXPECT_EQ(world.preemptions().size(), 1U);
}

TEST(Preemption, NotOfEqualPriorityNorOfWhatDoesNotAllowItNorOfAnotherProject) {
    const std::vector<Ask> running = {
        {.request = gpus(2), .priority = 1, .is_preemptible = true},
        {.request = gpus(2), .is_preemptible = false},
        {.request = gpus(2), .project = 2, .is_preemptible = true},
    };
    for (const Ask& ask : running) {
        CoreWorld world = world_of(1, 2, PreemptionMode::kProject);
        submit(world, ask);
        EXPECT_EQ(world.schedule().size(), 1U);
        submit(world, {.request = gpus(2), .priority = 1});
        EXPECT_TRUE(world.schedule().empty());
        EXPECT_TRUE(world.preemptions().empty());
    }
    CoreWorld world = world_of(1, 2, PreemptionMode::kAny);
    submit(world, running[2]);
    EXPECT_EQ(world.schedule().size(), 1U);
    submit(world, {.request = gpus(2), .priority = 1});
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_EQ(world.preemptions().size(), 1U);
}

TEST(Preemption, NothingIsStoppedForWhatStartsSoonAnyway) {
    CoreWorld world = world_of(1, 2, PreemptionMode::kProject);
    submit(world, {.request = gpus(1), .is_preemptible = true});
    submit(world, {.request = gpus(1)}, kStopTakes);
    EXPECT_EQ(world.schedule().size(), 2U);
    submit(world, {.request = gpus(1), .priority = 1});
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_TRUE(world.preemptions().empty());
}

TEST(Preemption, WhatWasStoppedOnceIsLeftAloneForAWhile) {
    CoreWorld world = world_of(1, 1, PreemptionMode::kProject);
    const JobId low = submit(world, {.request = gpus(1), .is_preemptible = true}, seconds(1000));
    EXPECT_EQ(world.schedule().size(), 1U);
    submit(world, {.request = gpus(1), .priority = 1}, seconds(10));
    EXPECT_TRUE(world.schedule().empty());
    world.advance();
    EXPECT_EQ(world.schedule().size(), 1U);
    world.advance();
    EXPECT_EQ(world.schedule(), std::vector{low});
    const Instant again = world.now();
    const JobId high = submit(world, {.request = gpus(1), .priority = 1}, seconds(10));
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_EQ(world.preemptions().size(), 1U);
    EXPECT_EQ(world.core().next_wakeup(), again + CoreWorld::kProtected);
    while (world.schedule().empty()) {
        ASSERT_TRUE(world.advance());
    }
    EXPECT_EQ(world.preemptions().size(), 2U);
    EXPECT_TRUE(world.running().contains(high));
    EXPECT_EQ(world.now(), again + CoreWorld::kProtected + CoreWorld::kStopTime);
}

TEST(Preemption, OfAGangAllIsStopped) {
    CoreWorld world = world_of(2, 2, PreemptionMode::kProject);
    const JobId gang = submit(world, {.request = gpus(2), .is_preemptible = true, .nodes = 2});
    EXPECT_EQ(world.schedule().size(), 1U);
    const JobId high = submit(world, {.request = gpus(1), .priority = 1});
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_EQ(world.preemptions().at(0).victims.size(), 2U);
    EXPECT_EQ(stopping(world), std::vector{gang});
    world.advance();
    EXPECT_EQ(world.schedule(), std::vector{high});
}

TEST(Preemption, AGangGetsItsNodesTogether) {
    CoreWorld world = world_of(3, 2, PreemptionMode::kProject);
    for (int i = 0; i < 6; ++i) {
        submit(world, {.request = gpus(1), .is_preemptible = i < 4});
    }
    EXPECT_EQ(world.schedule().size(), 6U);
    const JobId high = submit(world, {.request = gpus(2), .priority = 1, .nodes = 2});
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_EQ(stopping(world).size(), 4U);
    world.advance();
    EXPECT_EQ(world.schedule(), std::vector{high});
}

TEST(Preemption, AForecastCountsWithItAndWithWhatComesBack) {
    CoreWorld world = world_of(1, 2, PreemptionMode::kProject);
    const JobId low = submit(world, {.request = gpus(2), .is_preemptible = true});
    EXPECT_EQ(world.schedule().size(), 1U);
    const JobId high = submit(world, {.request = gpus(2), .priority = 1});
    Situation situation = world.situation();
    WaitingJob rest = situation.waiting.front();  // Of an array: one runs, one waits.
    rest.job = low;
    rest.group.priority = 0;
    rest.live = 1;
    rest.group.is_preemptible = true;
    situation.waiting.push_back(rest);
    std::vector<std::pair<JobId, Instant>> starts;
    run_forward(situation, 100, [&](const Ahead& ahead) {
        starts.emplace_back(ahead.job, ahead.at);
        return true;
    });
    const Instant at = world.now() + kStopTakes;
    const std::vector<std::pair<JobId, Instant>> expected = {
        {high, at            },
        {low,  at + kHour    },
        {low,  at + 2 * kHour}
    };
    EXPECT_EQ(starts, expected);
}

// ---- Every small instance against the plainest way to decide.

/// What is to be stopped: nothing if nothing helps, or if nothing need be.
struct Verdict {
    std::int32_t level = 0;  // The highest priority that is stopped.
    StopCost cost = {};

    friend auto operator<=>(const Verdict&, const Verdict&) = default;
};

Verdict verdict_of(const CoreWorld& world, const std::vector<JobId>& victims) {
    Verdict verdict{.level = INT32_MIN};
    for (const JobId id : victims) {
        const CoreWorld::Job& job = world.running().at(id);
        verdict.level = std::max(verdict.level, job.group.priority);
        verdict.cost += cost_of(
            {.node = job.parts.front().node, .grant = job.parts.front().grant, .since = job.since},
            world.now());
    }
    return verdict;
}

std::vector<JobId> stoppable_for(const CoreWorld& world, const GroupKey& high) {
    std::vector<JobId> may_stop;
    for (const auto& [id, job] : world.running()) {
        if (job.is_preemptible && job.group.priority < high.priority) {
            may_stop.push_back(id);
        }
    }
    return may_stop;
}

/// Whether `high` has room on all of its nodes once `victims` have ended.
bool has_room_after(
    const CoreWorld& world, const std::vector<JobId>& victims, const GroupKey& high) {
    std::int32_t with_room = 0;
    for (NodeView node : world.views()) {
        for (const JobId id : victims) {
            const Placed& part = world.running().at(id).parts.front();
            if (part.node == node.id) {
                node.free = model::give_back(node.free, part.grant);
            }
        }
        with_room += static_cast<std::int32_t>(can_take(node, world.request_of(high)));
    }
    return with_room >= high.nodes;
}

std::optional<Verdict> brute_force(const CoreWorld& world, const GroupKey& high) {
    const std::vector<JobId> may_stop = stoppable_for(world, high);
    std::optional<Verdict> best;
    for (unsigned set = 0; set < (1U << may_stop.size()); ++set) {
        std::vector<JobId> victims;
        std::ranges::copy_if(may_stop, std::back_inserter(victims), [&](const JobId& id) {
            return (set >> static_cast<unsigned>(&id - may_stop.data()) & 1U) != 0;
        });
        const Verdict verdict = verdict_of(world, victims);
        if ((!best || verdict < *best) && has_room_after(world, victims, high)) {
            best = verdict;
        }
    }
    return best && best->cost.count > 0 ? best : std::nullopt;
}

std::vector<Ask> small_asks() {
    const std::vector<model::Request> requests = {
        gpus(1), gpus(2), {.gpus = model::GpuShare{.milli = 500}}};
    std::vector<Ask> asks;
    for (const model::Request& request : requests) {
        asks.push_back({.request = request, .is_preemptible = true});
        asks.push_back({.request = request, .priority = 1, .is_preemptible = true});
    }
    asks.push_back({.request = gpus(1)});
    return asks;
}

/// Nodes full of the jobs that the digits of `code` say, each started at another time; then one of
/// priority 2 comes.
void check_instance(int nodes, const std::vector<Ask>& asks, unsigned code, const Ask& high) {
    CoreWorld world = world_of(nodes, 2, PreemptionMode::kProject);
    for (int i = 0; i < 4; ++i) {
        submit(world, asks[code % asks.size()]);
        code /= static_cast<unsigned>(asks.size());
        world.start_all();
        for (const auto& [id, job] : std::map(world.waiting())) {
            world.cancel(id);
        }
        world.wait(seconds(1 << i));
    }
    const JobId job = submit(world, high);
    const bool starts = !world.schedule().empty();
    const std::optional<Verdict> best =
        starts ? std::nullopt : brute_force(world, world.waiting().at(job).group);
    ASSERT_EQ(world.preemptions().size(), best ? 1U : 0U);
    if (best) {
        EXPECT_EQ(verdict_of(world, stopping(world)), *best);
    }
}

TEST(PreemptionOracle, AllSmallInstancesAreDecidedAsByTryingAll) {
    const std::vector<Ask> asks = small_asks();
    const std::array<Ask, 3> highs = {
        Ask{.request = gpus(1), .priority = 2},
        Ask{.request = gpus(2), .priority = 2},
        Ask{.request = gpus(1), .priority = 2, .nodes = 2},
    };
    unsigned codes = 1;
    for (int i = 0; i < 4; ++i) {
        codes *= static_cast<unsigned>(asks.size());
    }
    for (int nodes = 1; nodes <= 3; ++nodes) {
        for (unsigned code = 0; code < codes; ++code) {
            for (std::size_t high = 0; high < highs.size(); ++high) {
                SCOPED_TRACE(testing::Message() << nodes << " nodes, " << code << ", " << high);
                check_instance(nodes, asks, code, highs.at(high));
                if (testing::Test::HasFailure()) {
                    return;
                }
            }
        }
    }
}

// ---- Over time.

/// If nobody else comes, `job` starts as soon as what was stopped for it has ended.
void check_starts_next(const CoreWorld& now, JobId job) {
    CoreWorld world = now;
    const Instant due = world.now() + CoreWorld::kStopTime;
    while (world.waiting().contains(job) && world.now() < due && world.advance()) {
        world.schedule();
    }
    EXPECT_TRUE(world.running().contains(job)) << "job " << job.value();
}

TEST(PreemptionProperty, WhoPreemptsStartsSoonAndAllEndSometime) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        CoreWorld world = world_of(2, 4, PreemptionMode::kAny);
        for (int i = 0; i < 60; ++i) {
            submit(
                world,
                {.request = gpus(pick(random, 1, 4)),
                 .priority = static_cast<std::int32_t>(pick(random, 0, 2)),
                 .is_preemptible = one_in(random, 2)},
                seconds(pick(random, 1, 2000)));
            world.wait(seconds(pick(random, 0, 200)));
            const std::size_t before = world.preemptions().size();
            world.schedule();  // Checks who may be stopped.
            for (std::size_t made = before; made < world.preemptions().size(); ++made) {
                check_starts_next(world, world.preemptions()[made].job);
            }
            world.end_due();
        }
        do {
            world.schedule();
        } while (world.advance());
        EXPECT_TRUE(world.waiting().empty());
        EXPECT_TRUE(world.running().empty());
    }
}

}  // namespace
}  // namespace reeve::scheduler
