#include "scheduler/forward.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "scheduler/core_world.hpp"
#include "scheduler/engine_world.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::seconds;

constexpr auto kNow = Instant(seconds(1'000'000));

model::Request gpus(std::int64_t count) {
    return {.gpus = model::WholeGpus{.count = count}};
}

/// One node with `count` GPUs, nothing on it; requests 1, 2, … ask for as many GPUs.
Situation situation_of(std::int64_t count) {
    Situation situation{.now = kNow};
    situation.nodes.push_back(node_of(1, {.gpus = count, .cpu = 64000, .memory_mib = 65536}));
    for (std::int64_t i = 1; i <= count; ++i) {
        situation.requests.emplace_back(model::RequestId(static_cast<std::uint64_t>(i)), gpus(i));
    }
    return situation;
}

WaitingJob job(std::uint64_t id, std::uint64_t gpu_count, seconds run) {
    return {
        .job = JobId(id),
        .group =
            {.project = ProjectId(1),
                    .request = model::RequestId(gpu_count),
                    .limit = planning_limit(run)},
        .run = run
    };
}

struct Seen {
    std::uint64_t job = 0;
    std::int64_t after_s = 0;

    friend bool operator==(const Seen&, const Seen&) = default;
};

std::vector<Seen> starts_of(const Situation& situation, std::size_t steps_max = 1000) {
    std::vector<Seen> seen;
    (void)run_forward(situation, steps_max, [&](const Ahead& ahead) {
        seen.push_back({ahead.job.value(), (ahead.at - kNow).count() / 1'000'000});
        return true;
    });
    return seen;
}

TEST(Forward, OneFollowsTheOther) {
    Situation situation = situation_of(2);
    situation.waiting = {job(1, 2, seconds(64)), job(2, 2, seconds(32)), job(3, 1, seconds(10))};
    EXPECT_EQ(
        starts_of(situation), (std::vector<Seen>{
                                  {1, 0 },
                                  {2, 64},
                                  {3, 96}
    }));
}

TEST(Forward, WhatHasNoLimitRunsForTheAssumedTimeAndWhatIsOverItsTimeGoesOn) {
    Situation situation = situation_of(1);
    situation.options.assumed_run = seconds(1000);
    situation.waiting = {job(1, 1, seconds(0)), job(2, 1, seconds(5))};
    EXPECT_EQ(
        starts_of(situation), (std::vector<Seen>{
                                  {1, 0   },
                                  {2, 1000}
    }));

    const model::Grant grant{
        .gpus = {{.gpu = GpuId(100), .amount = {.milli = 1000, .memory_mib = 1000}}}};
    situation.nodes.front().free = *model::take(situation.nodes.front().free, grant);
    situation.running.push_back({
        .id = AllocationId(7),
        .job = JobId(9),
        .project = ProjectId(1),
        .hold = {
                 .node = NodeId(1),
                 .grant = grant,
                 .since = Instant(seconds(999'900)),
                 .limit = seconds(60)}
    });
    EXPECT_EQ(
        starts_of(situation), (std::vector<Seen>{
                                  {1, 100 },
                                  {2, 1100}
    }));
}

TEST(Forward, AnArrayRunsAsManyAsItLets) {
    Situation situation = situation_of(4);
    WaitingJob array = job(1, 1, seconds(64));
    array.elements = 5;
    array.running_max = 2;
    situation.waiting = {array};
    EXPECT_EQ(
        starts_of(situation), (std::vector<Seen>{
                                  {1, 0  },
                                  {1, 0  },
                                  {1, 64 },
                                  {1, 64 },
                                  {1, 128}
    }));
}

TEST(Forward, QuotasAreKeptAllTheWayUp) {
    Situation situation = situation_of(4);
    situation.projects.put({.id = ProjectId(5), .quota = {.gpu_milli = 1000}}, {});
    situation.projects.put({.id = ProjectId(1), .parent = ProjectId(5)}, {});
    situation.waiting = {job(1, 1, seconds(64)), job(2, 1, seconds(64))};
    EXPECT_EQ(
        starts_of(situation), (std::vector<Seen>{
                                  {1, 0 },
                                  {2, 64}
    }));
    situation.projects = ProjectTree({.running_elements = 1});
    EXPECT_EQ(
        starts_of(situation), (std::vector<Seen>{
                                  {1, 0 },
                                  {2, 64}
    }));
}

TEST(Forward, StopsWhereItIsToldTo) {
    Situation situation = situation_of(1);
    for (std::uint64_t id = 1; id <= 20; ++id) {
        situation.waiting.push_back(job(id, 1, seconds(64)));
    }
    EXPECT_EQ(starts_of(situation, 3).size(), 4U);
    std::size_t count = 0;
    EXPECT_TRUE(run_forward(
        situation, 1000, [&](const Ahead& ahead) { return ++count, ahead.job != JobId(5); }));
    EXPECT_EQ(count, 5U);
    EXPECT_FALSE(run_forward(situation, 3, [](const Ahead&) { return true; }));
}

TEST(Forward, WhatWaitsForAnotherStartsWhenThatIsOver) {
    Situation situation = situation_of(4);
    WaitingJob second = job(2, 1, seconds(10));
    second.after = {{.job = JobId(1)}};
    WaitingJob third = job(3, 1, seconds(10));
    third.after = {{.job = JobId(2)}, {.job = JobId(9)}};
    WaitingJob never = job(4, 1, seconds(10));
    never.after = {{.job = JobId(77)}};  // Nothing of it runs, or will.
    situation.waiting = {job(1, 1, seconds(64)), second, third, never};
    const model::Grant grant{
        .gpus = {{.gpu = GpuId(100), .amount = {.milli = 1000, .memory_mib = 1000}}}};
    situation.nodes.front().free = *model::take(situation.nodes.front().free, grant);
    for (std::uint64_t task = 1; task <= 2; ++task) {  // Both have to end.
        situation.running.push_back({
            .id = AllocationId(task),
            .job = JobId(9),
            .project = ProjectId(1),
            .hold = {
                     .node = NodeId(1),
                     .grant = task == 1 ? grant : model::Grant{},
                     .since = kNow,
                     .limit = seconds(100 * static_cast<std::int64_t>(task))}
        });
    }
    EXPECT_EQ(
        starts_of(situation), (std::vector<Seen>{
                                  {1, 0  },
                                  {2, 64 },
                                  {3, 200}
    }));
}

TEST(Forward, WhatWaitsForAFailureGoesOnIfTheOtherNeverCan) {
    using enum model::DependencyKind;
    Situation situation = situation_of(4);
    situation.failed = {JobId(9)};
    situation.waiting = {
        job(1, 1, seconds(64)), job(2, 1, seconds(10)), job(3, 1, seconds(10)),
        job(4, 1, seconds(10)), job(5, 1, seconds(10))};
    situation.waiting[1].after = {
        {.kind = kNotOk, .job = JobId(1)}
    };  // Which succeeds.
    situation.waiting[2].after = {
        {.kind = kNotOk, .job = JobId(2)}
    };
    situation.waiting[3].after = {
        {.kind = kOk, .job = JobId(9)}
    };
    situation.waiting[4].after = {
        {.kind = kNotOk, .job = JobId(9)},
        {.kind = kAny,   .job = JobId(4)}
    };
    EXPECT_EQ(
        starts_of(situation), (std::vector<Seen>{
                                  {1, 0 },
                                  {5, 0 },
                                  {3, 64}
    }));
}

TEST(Forward, AJobThatIsPartlyHeldIsNeverOver) {
    Situation situation = situation_of(4);
    situation.waiting = {job(1, 1, seconds(64)), job(2, 1, seconds(10))};
    situation.waiting[0].is_partly_held = true;
    situation.waiting[1].after = {{.job = JobId(1)}};
    EXPECT_EQ(
        starts_of(situation), (std::vector<Seen>{
                                  {1, 0}
    }));
}

TEST(Forward, WhatBacksOffStartsWhenThatIsOver) {
    Situation situation = situation_of(2);
    WaitingJob later = job(1, 1, seconds(10));
    later.not_before = kNow + seconds(30);
    situation.waiting = {later, job(2, 1, seconds(100))};
    EXPECT_EQ(
        starts_of(situation), (std::vector<Seen>{
                                  {2, 0 },
                                  {1, 30}
    }));
}

TEST(Forward, SaysUntilWhenAndOfHowMuch) {
    Situation situation = situation_of(2);
    situation.waiting = {job(1, 2, seconds(64))};
    (void)run_forward(situation, 10, [](const Ahead& ahead) {
        EXPECT_EQ(ahead.until, kNow + seconds(64));
        EXPECT_EQ(ahead.gpu_milli, 2000);
        return true;
    });
}

TEST(Forward, IsOverWhenItIsToldSo) {
    Situation situation = situation_of(1);
    for (std::uint64_t id = 1; id <= 20; ++id) {
        situation.waiting.push_back(job(id, 1, seconds(64)));
    }
    std::size_t count = 0;
    const auto counts = [&](const Ahead&) { return ++count > 0; };
    EXPECT_FALSE(run_forward(situation, 1000, counts, [&] { return count == 7; }));
    EXPECT_EQ(count, 7U);
}

/// DESIGN: what follows is what then happens, if nothing else happens.
TEST(ForwardProperty, IsWhatThenHappens) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        const CoreOptions options{.backfill = static_cast<Backfill>(random.below(3))};
        CoreWorld world(options);
        for (const NodeView& node : random_nodes(random)) {
            world.put_node(node);
        }
        constexpr std::size_t kRequests = 6;
        std::vector<model::Request> requests;
        requests.reserve(kRequests);
        for (std::size_t i = 0; i < kRequests; ++i) {
            requests.push_back(random_request(random));
        }
        const auto submit = [&] {
            const auto run = planning_limit(seconds(pick(random, 1, 40) * 100));
            world.submit(
                {.project = ProjectId(1),
                 .request = world.put_request(requests[random.below(requests.size())]),
                 .limit = run},
                run);
        };
        for (int step = 0; step < 20; ++step) {
            submit();
            submit();
            world.schedule();
            world.advance();
        }
        const Situation situation = world.situation();
        std::vector<std::pair<JobId, Instant>> expected;
        (void)run_forward(situation, SIZE_MAX - 1, [&](const Ahead& ahead) {
            expected.emplace_back(ahead.job, ahead.at);
            return true;
        });
        std::vector<std::pair<JobId, Instant>> seen;
        do {
            for (const JobId id : world.schedule()) {
                seen.emplace_back(id, world.now());
            }
        } while (world.advance());
        EXPECT_EQ(seen, expected);
    }
}

TEST(Forward, PlacesByWhatThePolicyHasLearnt) {
    Situation situation{.now = kNow, .options = {.policy = Policy::kFillValue}};
    for (const std::uint64_t id : {1U, 2U}) {
        situation.nodes.push_back(node_of(id, {.gpus = 1, .cpu = 64000, .memory_mib = 65536}));
    }
    NodeView& half = situation.nodes.back();
    half.free = *model::take(
        half.free, {.gpus = {{.gpu = half.free.gpus.front().id, .amount = {.milli = 500}}}});
    situation.requests.emplace_back(
        model::RequestId(1), model::Request{.gpus = model::GpuShare{.milli = 500}});
    situation.waiting = {job(1, 1, seconds(64))};
    const auto node = [&] {
        NodeId found(0);
        (void)run_forward(situation, 10, [&](const Ahead& ahead) {
            found = ahead.nodes.front();
            return true;
        });
        return found;
    };
    EXPECT_EQ(node(), NodeId(1)) << "the first of equals";
    situation.mix = std::make_shared<const std::vector<ClassCount>>(std::vector<ClassCount>{
        {.request = gpus(1), .count = 100}
    });
    EXPECT_EQ(node(), NodeId(2)) << "where no whole GPU is lost";
}

}  // namespace
}  // namespace reeve::scheduler
