#include "scheduler/core.hpp"

#include <map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "scheduler/core_history.hpp"
#include "scheduler/core_world.hpp"
#include "scheduler/engine_world.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::seconds;

constexpr auto kHour = seconds(3600);

model::Request gpus(std::int64_t count) {
    return {.gpus = model::WholeGpus{.count = count}};
}

/// `nodes` nodes with `count` GPUs each, and plenty of everything else.
CoreWorld world_of(int nodes, std::int64_t count, const CoreOptions& options) {
    CoreWorld world(options);
    for (int id = 1; id <= nodes; ++id) {
        world.put_node(node_of(
            static_cast<std::uint64_t>(id), {.gpus = count, .cpu = 64000, .memory_mib = 65536}));
    }
    return world;
}

JobId submit(
    CoreWorld& world,
    std::int64_t count,
    seconds limit,
    std::int32_t priority = 0,
    std::int32_t nodes = 1) {
    return world.submit(
        {.priority = priority,
         .request = world.put_request(gpus(count)),
         .nodes = nodes,
         .limit = planning_limit(limit)},
        limit);
}

TEST(PlanningLimit, IsNeverShorterAndLittleLonger) {
    EXPECT_EQ(planning_limit(seconds(0)), seconds(0));
    for (std::int64_t limit = 1; limit < 10'000'000; limit += 1 + limit / 7) {
        const std::int64_t planned = planning_limit(seconds(limit)).count();
        EXPECT_GE(planned, limit);
        EXPECT_LE(planned, limit + limit / 64);
        EXPECT_EQ(planning_limit(seconds(planned)).count(), planned);
        const std::int64_t longest = longest_limit(seconds(limit)).count();
        EXPECT_LE(planning_limit(seconds(longest)).count(), limit);
        EXPECT_GT(planning_limit(seconds(longest + 1)).count(), limit);
    }
}

TEST(Core, StartsInOrderOfPriorityThenSubmission) {
    CoreWorld world = world_of(1, 4, {});
    const JobId first = submit(world, 1, kHour);
    const JobId urgent = submit(world, 1, kHour, 5);
    const JobId second = submit(world, 1, kHour);
    EXPECT_EQ(world.schedule(), (std::vector<JobId>{urgent, first, second}));
    EXPECT_TRUE(world.core().reservations().empty());
}

TEST(Core, WhoWouldDelayTheFirstWaits) {
    CoreWorld world = world_of(1, 4, {});
    submit(world, 3, kHour);
    EXPECT_EQ(world.schedule().size(), 1U);
    const JobId wide = submit(world, 4, kHour);
    const JobId longer = submit(world, 1, 2 * kHour);
    const JobId shorter = submit(world, 1, kHour / 2);
    EXPECT_EQ(world.schedule(), std::vector<JobId>{shorter}) << "one GPU is free for an hour";
    ASSERT_EQ(world.core().reservations().size(), 1U);
    EXPECT_EQ(world.core().reservations().front().job, wide);
    EXPECT_EQ(world.core().reservations().front().at, world.now() + planning_limit(kHour));

    ASSERT_TRUE(world.advance());
    EXPECT_TRUE(world.schedule().empty()) << "the GPU is kept for the wide one";
    ASSERT_TRUE(world.advance());
    EXPECT_EQ(world.schedule(), std::vector<JobId>{wide});
    ASSERT_TRUE(world.advance());
    EXPECT_EQ(world.schedule(), std::vector<JobId>{longer});
}

TEST(Core, WithoutBackfillRulesWhoeverFitsStarts) {
    CoreWorld world = world_of(1, 4, {.backfill = Backfill::kNone});
    submit(world, 3, kHour);
    submit(world, 4, kHour);
    submit(world, 1, 2 * kHour);
    EXPECT_EQ(world.schedule(), (std::vector<JobId>{JobId(1), JobId(3)}));
    EXPECT_TRUE(world.core().reservations().empty());
}

TEST(Core, WhatUsesOtherNodesDelaysNobody) {
    CoreWorld world = world_of(2, 4, {});
    submit(world, 4, kHour);      // One node.
    submit(world, 3, 2 * kHour);  // Most of the other.
    EXPECT_EQ(world.schedule().size(), 2U);
    const JobId wide = submit(world, 4, kHour);
    const JobId longer = submit(world, 1, 100 * kHour);
    EXPECT_EQ(world.schedule(), std::vector<JobId>{longer}) << "beside the one of two hours";
    EXPECT_EQ(world.core().reservations().front().job, wide);
    EXPECT_EQ(world.core().reservations().front().parts.front().node, NodeId(1));
}

TEST(Core, WhatLeavesRoomForTheFirstMayPassIt) {
    CoreWorld world = world_of(1, 8, {});
    submit(world, 6, kHour);
    EXPECT_EQ(world.schedule().size(), 1U);
    submit(world, 6, kHour);
    const JobId two = submit(world, 2, 100 * kHour);
    EXPECT_EQ(world.schedule(), std::vector<JobId>{two}) << "8 - 6 are left when the first starts";
}

TEST(Core, AReservationMovesToWhereRoomComesSooner) {
    CoreWorld world = world_of(2, 4, {});
    submit(world, 4, 2 * kHour);
    const JobId early =
        world.submit({.request = world.put_request(gpus(3)), .limit = 3 * kHour}, seconds(600));
    submit(world, 1, kHour);  // Beside it.
    EXPECT_EQ(world.schedule().size(), 3U);
    submit(world, 4, kHour);
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_EQ(world.core().reservations().front().parts.front().node, NodeId(1));
    ASSERT_TRUE(world.advance());
    EXPECT_FALSE(world.running().contains(early));
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_EQ(world.core().reservations().front().parts.front().node, NodeId(2));
}

TEST(Core, ConservativeKeepsRoomForTheSecondToo) {
    for (const Backfill backfill : {Backfill::kEasy, Backfill::kConservative}) {
        CoreWorld world = world_of(1, 4, {.backfill = backfill});
        submit(world, 3, kHour);
        EXPECT_EQ(world.schedule().size(), 1U);
        submit(world, 2, kHour);                            // At 1 h.
        submit(world, 4, kHour);                            // At 2 h.
        const JobId passing = submit(world, 1, 3 * kHour);  // Would delay the second.
        const bool has_passed = world.schedule() == std::vector<JobId>{passing};
        EXPECT_EQ(has_passed, backfill == Backfill::kEasy);
        EXPECT_EQ(world.core().reservations().size(), has_passed ? 1U : 3U);
    }
}

TEST(Core, WhatIsPromisedToOneThatMayPassDoesNotHideItsRoom) {
    CoreWorld world = world_of(1, 4, {.backfill = Backfill::kConservative});
    submit(world, 1, kHour);
    submit(world, 2, 4 * kHour);
    EXPECT_EQ(world.schedule().size(), 2U);
    submit(world, 4, kHour);                            // At 4 h.
    submit(world, 1, 10 * kHour);                       // At 5 h: up to 4 h may pass.
    submit(world, 2, 2 * kHour);                        // At 1 h: up to 1 h may pass.
    submit(world, 1, 2 * kHour);                        // Would delay that one.
    const JobId passing = submit(world, 1, kHour / 2);  // Asks for the same, and would not.
    EXPECT_EQ(world.schedule(), std::vector<JobId>{passing});
    EXPECT_EQ(world.core().reservations().size(), 4U);
}

TEST(Core, AGangStartsWholeOrNotAtAll) {
    CoreWorld world = world_of(3, 4, {});
    submit(world, 1, kHour);
    EXPECT_EQ(world.schedule().size(), 1U);
    const JobId gang = submit(world, 4, kHour, 0, 3);
    EXPECT_TRUE(world.schedule().empty());
    const JobId wide = submit(world, 4, kHour);
    EXPECT_EQ(world.schedule(), std::vector<JobId>{wide}) << "it is over when the gang can start";
    const JobId longer = submit(world, 4, 2 * kHour);
    EXPECT_TRUE(world.schedule().empty());
    ASSERT_TRUE(world.advance());
    EXPECT_EQ(world.schedule(), std::vector<JobId>{gang});
    ASSERT_TRUE(world.advance());
    EXPECT_EQ(world.schedule(), std::vector<JobId>{longer});
}

TEST(Core, WhatRunsOverItsTimePutsTheReservationOff) {
    CoreWorld world = world_of(1, 1, {});
    world.submit({.request = world.put_request(gpus(1)), .limit = seconds(10)}, seconds(25));
    EXPECT_EQ(world.schedule().size(), 1U);
    const JobId next = submit(world, 1, kHour);
    EXPECT_TRUE(world.schedule().empty());
    int wakeups = 0;
    for (; world.running().contains(JobId(1)); ++wakeups) {
        ASSERT_LT(wakeups, 10);
        ASSERT_TRUE(world.advance());
        if (world.running().contains(JobId(1))) {
            EXPECT_TRUE(world.schedule().empty());
            EXPECT_GT(world.core().reservations().front().at, world.now());
        }
    }
    EXPECT_EQ(world.schedule(), std::vector<JobId>{next});
}

TEST(Core, WhoLacksQuotaHoldsNobodyUp) {
    CoreWorld world = world_of(1, 4, {});
    bool is_full = true;
    world.set_quota_check(
        [&](const GroupKey& group, const std::vector<Placed>&) -> std::optional<QuotaHolder> {
            if (is_full && group.project == ProjectId(7)) {
                return QuotaHolder{.project = ProjectId(3)};  // Above it.
            }
            return std::nullopt;
        });
    const auto whole = world.put_request(gpus(4));
    const JobId poor = world.submit({.project = ProjectId(7), .request = whole}, kHour);
    const JobId rich = world.submit({.project = ProjectId(8), .request = whole}, kHour);
    EXPECT_EQ(world.schedule(), std::vector<JobId>{rich});
    world.end(rich);
    EXPECT_TRUE(world.schedule().empty());
    is_full = false;
    world.core().free_quota({.project = ProjectId(7)});
    EXPECT_TRUE(world.schedule().empty()) << "it was another one that was full";
    world.core().free_quota({.project = ProjectId(3)});
    EXPECT_EQ(world.schedule(), std::vector<JobId>{poor});
}

TEST(Core, RoomThatCameWhileAJobHadNoQuotaIsItsOnceItHas) {
    CoreWorld world = world_of(1, 4, {});
    bool is_full = true;
    world.set_quota_check(
        [&](const GroupKey& group, const std::vector<Placed>&) -> std::optional<QuotaHolder> {
            const QuotaHolder holder{.project = group.project};
            return is_full && group.project == ProjectId(7) ? std::optional(holder) : std::nullopt;
        });
    const auto whole = world.put_request(gpus(4));
    const JobId rich = world.submit({.project = ProjectId(8), .request = whole}, kHour);
    EXPECT_EQ(world.schedule(), std::vector<JobId>{rich});
    const JobId poor = world.submit({.project = ProjectId(7), .request = whole}, kHour);
    EXPECT_TRUE(world.schedule().empty());  // There is no room, and nothing is kept for it.
    world.end(rich);
    EXPECT_TRUE(world.schedule().empty());
    is_full = false;
    world.core().free_quota({.project = ProjectId(7)});
    EXPECT_EQ(world.schedule(), std::vector<JobId>{poor});
}

TEST(Core, WhoMayRunOnOtherNodesAloneIsPassedAndStartsWhenOneBecomesSuch) {
    CoreWorld world = world_of(2, 4, {});
    world.set_node_class(NodeId(2), NodeClassId(1));
    model::Request there = gpus(4);
    there.node_classes = std::vector{NodeClassId(1)};
    model::Request nowhere = gpus(1);
    nowhere.node_classes = std::vector<NodeClassId>{};
    const JobId first = world.submit({.request = world.put_request(there)}, kHour);
    const JobId second = world.submit({.request = world.put_request(there)}, kHour);
    const model::RequestId narrow = world.put_request(nowhere);
    const JobId third = world.submit({.request = narrow}, kHour);
    EXPECT_EQ(world.schedule(), std::vector<JobId>{first});
    EXPECT_EQ(world.running().at(first).parts.front().node, NodeId(2));

    world.set_node_class(NodeId(1), NodeClassId(1));
    EXPECT_EQ(world.schedule(), std::vector<JobId>{second});
    EXPECT_EQ(world.running().at(second).parts.front().node, NodeId(1));
    world.end(first);
    EXPECT_TRUE(world.schedule().empty());
    world.set_node_classes(narrow, std::vector{NodeClassId(0), NodeClassId(1)});
    EXPECT_EQ(world.schedule(), std::vector<JobId>{third});
}

TEST(Core, AStepThatNothingChangedForLooksAtNobody) {
    CoreWorld world = world_of(2, 4, {});
    for (int i = 0; i < 50; ++i) {
        submit(world, 1 + i % 4, kHour + seconds(60 * i));
    }
    world.schedule();
    const std::uint64_t decisions = world.core().decisions();
    std::size_t looks = 100;
    EXPECT_FALSE(world.core().next(world.now(), looks, {}));
    EXPECT_EQ(looks, 100U);
    EXPECT_EQ(world.core().decisions(), decisions);
}

TEST(Core, WhatNoNodeCanHoldIsPromisedNothingUntilOneComes) {
    CoreWorld world = world_of(2, 4, {});
    submit(world, 4, kHour);
    submit(world, 4, kHour);
    EXPECT_EQ(world.schedule().size(), 2U);
    world.set_availability(NodeId(1), Availability::kDrained);
    world.set_availability(NodeId(2), Availability::kDrained);
    const JobId first = submit(world, 4, kHour);
    submit(world, 4, kHour);
    EXPECT_TRUE(world.schedule().empty());
    const JobId urgent = submit(world, 2, kHour, 1);
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_TRUE(world.core().reservations().empty());
    world.set_availability(NodeId(2), Availability::kReady);
    EXPECT_TRUE(world.schedule().empty()) << "it is in use";
    ASSERT_EQ(world.core().reservations().size(), 1U);
    EXPECT_EQ(world.core().reservations().front().job, urgent);
    ASSERT_TRUE(world.advance());
    EXPECT_EQ(world.schedule(), std::vector<JobId>{urgent});
    EXPECT_EQ(world.core().reservations().front().job, first);
}

TEST(Core, GoesOnWhereItsBudgetEnded) {
    CoreWorld world = world_of(1, 1, {});
    for (std::int64_t cpu = 1; cpu <= 5; ++cpu) {
        model::Request request = gpus(1);
        request.host.cpu_millicores = cpu * 1000;
        world.submit({.request = world.put_request(request)}, kHour);
    }
    EXPECT_EQ(world.schedule().size(), 1U);
    world.end(JobId(1));
    world.set_availability(NodeId(1), Availability::kDrained);
    world.set_availability(NodeId(1), Availability::kReady);
    std::size_t looks = 1;
    const auto start = world.core().next(world.now(), looks, {});
    ASSERT_TRUE(start);
    EXPECT_EQ(start->place.job, JobId(2));
    world.begin(*start);
    EXPECT_FALSE(world.core().next(world.now(), looks, {})) << "no look is left";
    EXPECT_TRUE(world.schedule().empty());
}

/// What the core should do without backfill rules, in the plainest way.
std::vector<JobId> naive_starts(const CoreWorld& world) {
    std::vector<NodeView> nodes = world.views();
    std::vector<JobId> started;
    for (const auto& [id, job] : world.in_order()) {
        const Decision decision = place(world.request_of(job.group), nodes);
        if (const auto* placed = std::get_if<Placed>(&decision)) {
            started.push_back(id);
            const auto node = std::ranges::find(nodes, placed->node, &NodeView::id);
            node->free = *model::take(node->free, placed->grant);
        }
    }
    return started;
}

TEST(CoreProperty, StartsWhatAPlainPassOverTheQueueWould) {
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        CoreWorld world = random_world(random, {.backfill = Backfill::kNone});
        const std::vector<model::Request> requests = random_requests(random);
        for (int step = 0; step < 60; ++step) {
            disturb(world, random, requests);
            const std::vector<JobId> expected = naive_starts(world);
            ASSERT_EQ(world.schedule(), expected) << "step " << step;
        }
    }
}

/// Holds after every step: whoever could start without delaying a reservation has, and the first
/// one that waits has the earliest room that there is.
void expect_no_room_left(CoreWorld& world) {
    for (const auto& [id, job] : world.waiting()) {
        EXPECT_FALSE(world.could_start(id)) << "job " << id.value() << " waits beside free GPUs";
    }
    if (!world.core().reservations().empty()) {
        const Reservation& first = world.core().reservations().front();
        const auto earliest = world.earliest(first.group);
        ASSERT_TRUE(earliest) << "something is reserved that there will never be";
        EXPECT_LE(first.at, *earliest + seconds(1)) << "job " << first.job.value();
    }
}

TEST(CoreProperty, NobodyWaitsWhoCouldStartWithoutDelayingAReservation) {
    for (const Backfill backfill : {Backfill::kEasy, Backfill::kConservative}) {
        for (std::uint64_t seed = 1; seed <= 150; ++seed) {
            SCOPED_TRACE(seed);
            SeededRandom random(seed);
            CoreWorld world = random_world(random, {.backfill = backfill});
            const std::vector<model::Request> requests = random_requests(random);
            for (int step = 0; step < 40 && !testing::Test::HasFailure(); ++step) {
                disturb(world, random, requests);
                world.schedule();
                expect_no_room_left(world);
            }
        }
    }
}

TEST(CoreProperty, AReservationIsNeverPutOffByWhoPassesIt) {
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        CoreWorld world = random_world(random, {});
        const std::vector<model::Request> requests = random_requests(random);
        std::map<JobId, Instant> promised;
        for (int step = 0; step < 80; ++step) {
            for (std::int64_t n = pick(random, 0, 4); n > 0; --n) {
                const std::int64_t limit = pick(random, 1, 40) * 100;
                world.submit(
                    {.request = world.put_request(requests[random.below(requests.size())]),
                     .limit = planning_limit(seconds(limit))},
                    seconds(pick(random, 1, limit)));
            }
            world.advance();
            const std::vector<JobId> started = world.schedule();
            for (const JobId id : started) {
                const auto promise = promised.try_emplace(id, world.now()).first;
                EXPECT_LE(world.now(), promise->second) << "job " << id.value();
            }
            for (const Reservation& reservation : world.core().reservations()) {
                const auto [known, is_new] = promised.emplace(reservation.job, reservation.at);
                EXPECT_LE(reservation.at, known->second) << "job " << reservation.job.value();
                known->second = reservation.at;
            }
        }
    }
}

TEST(CoreProperty, GangsNeverHoldAPartAndAllJobsComeToTheirEnd) {
    for (std::uint64_t seed = 1; seed <= 80; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        const auto backfill = static_cast<Backfill>(random.below(3));
        CoreWorld world = world_of(4, 4, {.backfill = backfill});
        for (int step = 0; step < 60; ++step) {
            for (std::int64_t n = pick(random, 0, 3); n > 0; --n) {
                submit(
                    world, pick(random, 1, 4), seconds(pick(random, 1, 40) * 100), 0,
                    static_cast<std::int32_t>(pick(random, 1, 4)));
            }
            world.advance();
            world.schedule();
        }
        for (int step = 0; step < 1000 && world.advance(); ++step) {
            world.schedule();
        }
        EXPECT_TRUE(world.waiting().empty());
        EXPECT_TRUE(world.running().empty());
    }
}

TEST(CoreProperty, ACopyThatWasMovedDecidesTheSame) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        CoreWorld world = random_world(random, {.backfill = static_cast<Backfill>(seed % 3)});
        const std::vector<model::Request> requests = random_requests(random);
        for (int step = 0; step < 30; ++step) {
            disturb(world, random, requests);
            CoreWorld original = world;
            CoreWorld copy = std::move(original);
            ASSERT_EQ(copy.schedule(), world.schedule());
            ASSERT_EQ(copy.core().reservations().size(), world.core().reservations().size());
            for (std::size_t i = 0; i < world.core().reservations().size(); ++i) {
                const Reservation& mine = copy.core().reservations()[i];
                const Reservation& its = world.core().reservations()[i];
                ASSERT_EQ(mine.job, its.job);
                ASSERT_EQ(mine.at, its.at);
                ASSERT_EQ(mine.parts.front().node, its.parts.front().node);
            }
        }
    }
}

/// The bound that docs/scheduler.md states: with EASY, a job waits no longer than all that was
/// before it in order takes one after the other, plus the longest limit of what ran when it came
/// up.
TEST(CoreProperty, NobodyStarvesUnderAStreamOfSmallerJobs) {
    CoreWorld world = world_of(1, 4, {});
    for (int i = 0; i < 4; ++i) {
        submit(world, 1, seconds(100 + i));
    }
    world.schedule();
    const JobId wide = submit(world, 4, kHour);
    const Instant came_at = world.now();
    while (world.waiting().contains(wide)) {
        submit(world, 1, seconds(200));
        ASSERT_TRUE(world.advance());
        world.schedule();
        ASSERT_LE(world.now(), came_at + planning_limit(seconds(104)));
    }
}

TEST(Core, NoRoomIsKeptForWhoLacksTheQuotaMeanwhile) {
    CoreWorld world({});
    world.put_node(node_of(1, {.gpus = 2, .cpu = 64000, .memory_mib = 65536}));
    model::ProjectRecord limited;
    limited.id = ProjectId(1);
    limited.quota.gpu_milli = 2000;
    world.put_project(limited);
    const auto submit = [&](std::uint64_t project, std::int64_t count, seconds run) {
        return world.submit(
            {.project = ProjectId(project),
             .request = world.put_request({.gpus = model::WholeGpus{.count = count}}),
             .limit = planning_limit(run)},
            run);
    };
    submit(2, 1, kHour);
    world.schedule();
    const JobId large = submit(1, 2, kHour);
    world.schedule();
    ASSERT_EQ(world.core().reservations().size(), 1U);
    EXPECT_EQ(world.core().reservations().front().job, large);
    submit(1, 1, seconds(600));
    EXPECT_EQ(world.schedule().size(), 1U) << "it ends before the large one could start";
    EXPECT_TRUE(world.core().reservations().empty());
    ASSERT_TRUE(world.advance());
    world.schedule();
    EXPECT_EQ(world.core().reservations().size(), 1U) << "it has the quota again";
}

}  // namespace
}  // namespace reeve::scheduler
