#include "scheduler/timeline.hpp"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "scheduler/engine_world.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::seconds;

constexpr auto kNow = Instant(seconds(1000));
constexpr auto kDay = std::chrono::hours(24);

model::Grant gpu(std::uint64_t id) {
    return {.gpus = {{.gpu = GpuId(id), .amount = {.milli = 1000, .memory_mib = 1000}}}};
}

/// A node of two GPUs, 100 and 101, of which the first is held until `end`.
Timeline half_used(seconds end) {
    NodeView view = node_of(1, {.gpus = 2, .cpu = 8000, .memory_mib = 8000});
    view.free = *model::take(view.free, gpu(100));
    Timeline timeline(view, kDay);
    timeline.put_hold(
        AllocationId(1), {.node = NodeId(1), .grant = gpu(100), .since = kNow, .limit = end});
    return timeline;
}

const model::Request one_gpu = {.gpus = model::WholeGpus{.count = 1}};
const model::Request two_gpus = {.gpus = model::WholeGpus{.count = 2}};

TEST(Timeline, FindsTheFirstTimeAtWhichThereIsRoom) {
    const Timeline timeline = half_used(seconds(50));
    EXPECT_EQ(timeline.earliest(one_gpu, seconds(10), kNow)->at, kNow);
    EXPECT_EQ(timeline.earliest(two_gpus, seconds(10), kNow)->at, kNow + seconds(50));
    EXPECT_FALSE(timeline.earliest({.gpus = model::WholeGpus{.count = 3}}, seconds(10), kNow));
    EXPECT_EQ(timeline.gpus_free_at(2), kNow + seconds(50));
    EXPECT_FALSE(timeline.gpus_free_at(3));
}

TEST(Timeline, WhatIsOverItsTimeGoesOnForAsLongAgain) {
    const Timeline timeline = half_used(seconds(50));
    const Instant late = kNow + seconds(80);
    EXPECT_EQ(timeline.earliest(two_gpus, seconds(10), late)->at, late + seconds(80));
}

TEST(Timeline, WhatHasNoLimitIsTakenToRunForTheAssumedTime) {
    EXPECT_EQ(half_used(seconds(0)).earliest(two_gpus, seconds(10), kNow)->at, kNow + kDay);
}

TEST(Timeline, APromiseIsKeptFromOthersNotFromItsOwner) {
    Timeline timeline = half_used(seconds(50));
    timeline.put_promise(
        {.job = JobId(7), .grant = gpu(101), .at = kNow + seconds(20), .run = seconds(30)});
    EXPECT_EQ(timeline.longest_run(one_gpu, kNow), seconds(20));
    EXPECT_EQ(timeline.earliest(one_gpu, seconds(20), kNow)->at, kNow);
    EXPECT_EQ(timeline.earliest(one_gpu, seconds(21), kNow)->at, kNow + seconds(50));
    EXPECT_FALSE(can_take(timeline.view_during(kNow, kNow, seconds(21), JobId(8)), one_gpu));
    EXPECT_TRUE(can_take(timeline.view_during(kNow, kNow, seconds(21), JobId(7)), one_gpu));
}

/// A timeline of things that started in the past and promises that do not contradict them.
Timeline random_timeline(Random& random, NodeView& view) {
    const NodeView empty =
        node_of(1, {.gpus = pick(random, 1, 4), .cpu = 16000, .memory_mib = 32768});
    view = empty;
    Timeline timeline(view, kDay);
    for (std::uint64_t id = 1; id <= 6; ++id) {
        const Decision decision = place(random_request(random), {view});
        if (const auto* placed = std::get_if<Placed>(&decision)) {
            view.free = *model::take(view.free, placed->grant);
            timeline.put_hold(
                AllocationId(id), {.node = NodeId(1),
                                   .grant = placed->grant,
                                   .since = kNow,
                                   .limit = seconds(pick(random, 1, 20) * 10)});
        }
    }
    timeline.put_view(view);
    for (std::uint64_t id = 1; id <= 4; ++id) {
        const seconds run(pick(random, 1, 10) * 10);
        const auto slot = timeline.earliest(random_request(random), run, kNow);
        if (slot) {
            timeline.put_promise(
                {.job = JobId(id), .grant = slot->grant, .at = slot->at, .run = run});
        }
    }
    return timeline;
}

TEST(TimelineProperty, EarliestAndLongestAreWhatTryingEverySecondFinds) {
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        NodeView view;
        const Timeline timeline = random_timeline(random, view);
        const model::Request request = random_request(random);
        const seconds run(pick(random, 1, 15) * 10);
        std::optional<Instant> first;
        for (int at = 0; at <= 1000 && !first; at += 10) {
            const Instant from = kNow + seconds(at);
            if (can_take(timeline.view_during(kNow, from, run, JobId(0)), request)) {
                first = from;
            }
        }
        const auto slot = timeline.earliest(request, run, kNow);
        ASSERT_EQ(slot.has_value(), first.has_value());
        if (slot) {
            EXPECT_EQ(slot->at, *first);
        }
        const seconds longest = timeline.longest_run(request, kNow);
        for (int length = 10; length <= 1000; length += 10) {
            EXPECT_EQ(
                can_take(timeline.view_during(kNow, kNow, seconds(length), JobId(0)), request),
                seconds(length) <= longest);
        }
    }
}

}  // namespace
}  // namespace reeve::scheduler
