// What the scheduler decides, as the ledger makes it true.
#include <algorithm>
#include <chrono>
#include <vector>

#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

model::JobTerms gpus_for(std::int64_t count, std::int64_t limit_s) {
    model::JobTerms terms;
    terms.gpus.count = count;
    terms.time_limit_s = limit_s;
    return terms;
}

TEST(LedgerSchedule, PlacesInOrderAndLetsThosePassWhoDelayNobody) {
    World world(2);
    const JobId running = world.submit(gpus_for(1, 3600));
    const JobId large = world.submit(gpus_for(2, 3600));
    const JobId endless = world.submit(gpus_for(1, 0));
    const JobId brief = world.submit(gpus_for(1, 1800));
    EXPECT_EQ(world.state(large), "queued");
    EXPECT_EQ(world.state(endless), "queued") << "it would run when the large one could start";
    EXPECT_EQ(world.state(brief), "scheduled") << "it is over by then";
    ASSERT_EQ(world.ledger.state().core().reservations().size(), 1U);
    EXPECT_EQ(world.ledger.state().core().reservations().front().job, large);
    model::JobTerms urgent = gpus_for(1, 0);
    urgent.priority = 1;
    const JobId first = world.submit(urgent);
    world.end(running, {});
    EXPECT_EQ(world.state(first), "scheduled");
    EXPECT_EQ(world.state(large), "queued");
}

TEST(LedgerSchedule, WithoutBackfillRulesWhoeverFitsStarts) {
    World world(2, {.scheduling = {.backfill = scheduler::Backfill::kNone}});
    world.submit(gpus_for(1, 0));
    const JobId large = world.submit(gpus_for(2, 0));
    const JobId small = world.submit(gpus_for(1, 0));
    EXPECT_EQ(world.state(large), "queued");
    EXPECT_EQ(world.state(small), "scheduled");
}

TEST(LedgerSchedule, AReservationThatFallsDueIsAReasonToLookAgain) {
    World world(2);
    world.submit(gpus_for(1, 5));
    world.submit(gpus_for(2, 3600));
    ASSERT_FALSE(world.ledger.state().core().reservations().empty());
    const Instant due = world.ledger.state().core().reservations().front().at;
    EXPECT_LE(*world.ledger.next_wakeup(), due);
    world.now = due;
    ASSERT_TRUE(world.apply(Tick{}));
    world.step();
    EXPECT_GT(world.ledger.state().core().reservations().front().at, due);
}

LedgerOptions with_fair_share() {
    return {.scheduling = {.order = {.half_life = std::chrono::hours(24)}}};
}

TEST(LedgerSchedule, WithFairShareALittleIsNotBehindMuch) {
    World world(1, with_fair_share());
    std::vector<JobId> of_ada;
    of_ada.reserve(5);
    for (int i = 0; i < 5; ++i) {
        of_ada.push_back(world.submit(gpus_for(1, 3600)));
    }
    const JobId of_bob = world.submit(gpus_for(1, 3600), "bob");
    EXPECT_EQ(world.state(of_ada[0]), "scheduled");
    world.end(of_ada[0], {});
    EXPECT_EQ(world.state(of_bob), "scheduled") << "bob has used nothing";
    world.end(of_bob, {});
    EXPECT_EQ(world.state(of_ada[1]), "scheduled") << "and of one user the first is first";
}

TEST(LedgerSchedule, WithFairShareAnArrayIsDueElementByElement) {
    World world(1, with_fair_share());
    model::JobTerms array = gpus_for(1, 3600);
    array.array = model::ArrayRange{.last = 9};
    const JobId of_ada = world.submit(array);
    const JobId of_bob = world.submit(array, "bob");
    std::vector<JobId> order;
    for (int i = 0; i < 8; ++i) {
        const auto& allocations = world.ledger.state().allocations();
        ASSERT_EQ(allocations.size(), 1U);
        const model::ElementKey key = allocations.begin()->second.task.element;
        order.push_back(key.job);
        world.end(key.job, {}, key.index);
    }
    EXPECT_GE(std::ranges::count(order, of_ada), 2);
    EXPECT_GE(std::ranges::count(order, of_bob), 2);
}

TEST(LedgerSchedule, WhatWasHeldIsCharged) {
    World world(2, with_fair_share());
    const JobId job = world.submit(gpus_for(2, 3600));
    world.start(job);
    world.now = world.now + std::chrono::hours(1);
    world.end(job, {});
    const scheduler::FairShare& shares = world.ledger.state().fair_share();
    ASSERT_EQ(shares.accounts().size(), 1U);
    EXPECT_NEAR(static_cast<double>(shares.accounts()[0].used_milli_s), 2 * 3.6e6, 2 * 3000.0);
    world.submit(gpus_for(2, 3600));
    const JobId second = world.submit(gpus_for(1, 3600));
    EXPECT_GT(world.ledger.state().job(second)->fair_load, 2 * 3'500'000 + 2 * 3'600'000 - 1);
}

TEST(LedgerSchedule, WithAgeingWhoWaitsComesBeforeWhoIsALittleMoreImportant) {
    World world(1, {.scheduling = {.order = {.ageing = std::chrono::hours(1)}}});
    const JobId running = world.submit(gpus_for(1, 86'400));
    const JobId early = world.submit(gpus_for(1, 60));
    world.now = world.now + std::chrono::minutes(61);
    model::JobTerms urgent = gpus_for(1, 60);
    urgent.priority = 1;
    const JobId late = world.submit(urgent);
    urgent.priority = 2;
    const JobId first = world.submit(urgent);
    world.end(running, {});
    EXPECT_EQ(world.state(first), "scheduled");
    world.end(first, {});
    EXPECT_EQ(world.state(early), "scheduled");
    world.end(early, {});
    EXPECT_EQ(world.state(late), "scheduled");
}

TEST(LedgerSchedule, UnderOtherRulesJobsAreRankedAnew) {
    World world(1, with_fair_share());
    world.submit(gpus_for(1, 3600));
    const JobId waiting = world.submit(gpus_for(1, 3600));
    const model::JobRecord before = *world.ledger.state().job(waiting);
    EXPECT_GT(before.rank, 0);
    Ledger other({}, {.cluster_id = "c", .last_at = world.now});
    other.restore(*world.ledger.state().user_named("ada"));
    other.restore(*world.ledger.state().request(before.request));
    other.restore(*world.ledger.state().project_named("default"));
    other.restore(before);
    other.begin(world.now);
    EXPECT_FALSE(other.rank_anew(10));
    EXPECT_EQ(other.state().job(waiting)->rank, 0);
    EXPECT_EQ(other.changes().size(), 1U);
    EXPECT_FALSE(other.rank_anew(10));
    EXPECT_EQ(other.changes().size(), 1U) << "once is enough";
}

/// A job on all of the one GPU that may be stopped for others.
JobId run_preemptible(World& world) {
    model::JobTerms terms = gpus_for(1, 3600);
    terms.is_preemptible = true;
    const JobId job = world.submit(terms);
    world.start(job);
    return job;
}

model::JobTerms urgent_terms() {
    model::JobTerms terms = gpus_for(1, 3600);
    terms.priority = 5;
    return terms;
}

TEST(LedgerSchedule, APreemptibleJobGivesWayAndComesBack) {
    World world(1);
    const JobId victim = run_preemptible(world);
    const JobId urgent = world.submit(urgent_terms());
    EXPECT_EQ(world.state(victim), "stopping");
    EXPECT_EQ(world.ledger.state().element({victim, 0})->intent, model::StopIntent::kPreempt);
    EXPECT_EQ(world.state(urgent), "queued") << "not before the end was seen";
    world.end(victim, {.end = model::TaskEnd::kStopped, .signal = 15});
    EXPECT_EQ(world.state(urgent), "scheduled");
    EXPECT_EQ(world.state(victim), "queued");
    EXPECT_EQ(world.ledger.state().element({victim, 0})->attempt, 2U);
    world.start(urgent);
    world.end(urgent, {});
    EXPECT_EQ(world.state(victim), "scheduled");
}

TEST(LedgerSchedule, APreemptionNamesTheJobItIsFor) {
    World world(1);
    const JobId victim = run_preemptible(world);
    ASSERT_TRUE(world.try_submit({urgent_terms()}));
    ASSERT_FALSE(world.ledger.schedule(100, 100));
    const std::vector<model::ControlRecord> controls = world.controls();
    ASSERT_EQ(controls.size(), 1U);
    const model::ControlRecord& record = controls.front();
    EXPECT_EQ(record.job, victim);
    EXPECT_EQ(record.control, model::JobControl::kPreempt);
    EXPECT_EQ(record.actor, "job 2");
    world.ledger.undo();
    EXPECT_EQ(world.state(victim), "running");
    EXPECT_FALSE(world.ledger.state().core().hold_with(AllocationId(1)).is_ending);
}

}  // namespace
}  // namespace reeve::ledger
