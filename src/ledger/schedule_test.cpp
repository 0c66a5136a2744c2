// What the scheduler decides, as the ledger makes it true.
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
