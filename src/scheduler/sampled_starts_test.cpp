#include "scheduler/sampled_starts.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "scheduler/engine_world.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::seconds;

constexpr auto kNow = Instant(seconds(1'000'000));

RunKey own_key(JobId job) {
    return {
        .project = ProjectId(1), .user = UserId(1), .name = job.value() < 10 ? 1U : 2U, .size = 3};
}

/// Runs named 1 take a second, those named 2 evenly 100 to 1000.
RunHistory history() {
    RunLeaves leaves;
    for (std::uint64_t i = 1; i <= 200; ++i) {
        const auto run = static_cast<std::int64_t>(100 + i * 9 / 2);
        for (const auto& [job, run_s] : {
                 std::pair(JobId(1), std::int64_t{1}
                  ), {JobId(10), run}
        }) {
            for (const RunLeaves::Put& put : leaves.learn(own_key(job), {.run_s = run_s}, i)) {
                leaves.put(put);
            }
        }
    }
    RunHistory made;
    made.update(leaves);
    return made;
}

/// Two GPUs: jobs 10 and 11 have one each, since 200 seconds ago, with a limit of 5000; 12 and 13
/// wait for one.
Situation situation() {
    Situation now{.now = kNow};
    NodeView node = node_of(1, {.gpus = 2, .cpu = 64'000, .memory_mib = 65'536});
    now.requests.emplace_back(
        model::RequestId(1), model::Request{.gpus = model::WholeGpus{.count = 1}});
    for (const std::uint64_t id : {10U, 11U}) {
        model::Gpu& gpu = node.free.gpus[id - 10];
        now.running.push_back({
            .id = AllocationId(id),
            .job = JobId(id),
            .project = ProjectId(1),
            .hold = {
                     .node = NodeId(1),
                     .grant = {.gpus = {{.gpu = gpu.id, .amount = gpu.free}}},
                     .since = Instant(kNow.since_epoch() - seconds(200)),
                     .limit = seconds(5000)}
        });
        gpu.free = {};
    }
    now.nodes.push_back(node);
    for (const std::uint64_t id : {12U, 13U}) {
        now.waiting.push_back({
            .job = JobId(id),
            .group =
                {.project = ProjectId(1),
                        .request = model::RequestId(1),
                        .limit = planning_limit(seconds(5000))},
            .run = seconds(5000)
        });
    }
    return now;
}

std::vector<std::int64_t> waits_of(JobId job, const Situation& from, const RunHistory& known) {
    const StartSampler sampler(from, known, own_key, {});
    std::vector<std::int64_t> waits;
    for (std::size_t number = 0; number < 40; ++number) {
        const auto starts = sampler.sample(number);
        waits.push_back((starts->at(job) - kNow).count() / 1'000'000);
    }
    std::ranges::sort(waits);
    return waits;
}

/// The first of two that end evenly 0 to 800 seconds from now.
TEST(SampledStarts, AreSpreadAsTheRunTimesAre) {
    const RunHistory known = history();
    const std::vector<std::int64_t> first = waits_of(JobId(12), situation(), known);
    EXPECT_GT(first.front(), 0);
    EXPECT_LT(first.back(), 830);
    EXPECT_NEAR(static_cast<double>(first[20]), 800 * 0.293, 90);  // 1 - sqrt(1/2)
    EXPECT_GT(waits_of(JobId(13), situation(), known)[20], first[20]);
}

TEST(SampledStarts, AreTheSameInAnyOrderAndForAnySample) {
    const RunHistory known = history();
    Situation turned = situation();
    std::ranges::reverse(turned.running);
    std::ranges::reverse(turned.waiting);
    const StartSampler one(situation(), known, own_key, {});
    const StartSampler other(turned, known, own_key, {});
    const auto last = other.sample(39);
    for (std::size_t number = 0; number < 40; ++number) {
        EXPECT_EQ(one.sample(number), other.sample(number));
    }
    EXPECT_EQ(one.sample(39), last);
    EXPECT_NE(one.sample(1), one.sample(2));
    const StartSampler seeded(situation(), known, own_key, {.seed = 43});
    EXPECT_NE(seeded.sample(1), one.sample(1));
}

/// Each sample takes its own fortieth of what a job may take.
TEST(SampledStarts, TakeEvenlySpreadRunTimes) {
    const RunHistory known = history();
    Situation alone = situation();
    alone.running.pop_back();
    alone.nodes.front().free.gpus.pop_back();
    std::int64_t wanted = 10;  // The middle of the first fortieth of 0 to 800.
    for (const std::int64_t wait : waits_of(JobId(12), alone, known)) {
        EXPECT_NEAR(static_cast<double>(wait), static_cast<double>(wanted), 45);
        wanted += 20;
    }
}

TEST(SampledStarts, EndWhenTheyAreToldTo) {
    const RunHistory known = history();
    const StartSampler sampler(situation(), known, own_key, {});
    EXPECT_EQ(sampler.sample(0, [] { return true; }), std::nullopt);
    const StartSampler near(situation(), known, own_key, {.horizon = seconds(1)});
    EXPECT_TRUE(near.sample(5)->empty());
}

}  // namespace
}  // namespace reeve::scheduler
