// What forecasts are learnt from.
#include <chrono>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

using scheduler::RunHistogram;
using scheduler::RunKey;
using std::chrono::hours;
using std::chrono::seconds;

model::JobTerms named(const std::string& name, std::int64_t limit_s) {
    model::JobTerms terms = one_gpu();
    terms.name = name;
    terms.time_limit_s = limit_s;
    return terms;
}

/// Runs a job for an hour, and lets it end so.
void run_for_an_hour(
    World& world, const model::JobTerms& terms, const model::TaskOutcome& outcome) {
    const JobId job = world.submit(terms);
    world.start(job);
    world.now = world.now + hours(1);
    world.end(job, outcome);
}

RunKey key_of(const World& world, const std::string& name) {
    return {
        .project = ProjectId(1),
        .user = world.ledger.state().user_named("ada")->id,
        .name = scheduler::run_name(name),
        .size = scheduler::run_size({.gpus = model::WholeGpus{.count = 1}}, 1)};
}

RunHistogram::Bin only_run(const World& world, const std::string& name) {
    const auto leaf = world.ledger.state().foresight().runs().leaf(key_of(world, name));
    EXPECT_NE(leaf.stats, nullptr);
    EXPECT_EQ(leaf.stats->runs.bins().size(), 1U);
    return leaf.stats->runs.bins().front();
}

TEST(LedgerForesight, RemembersHowLongThingsRan) {
    World world(1);
    run_for_an_hour(world, named("train-1", 7200), {.end = model::TaskEnd::kExited});
    run_for_an_hour(
        world, named("train-2", 7200), {.end = model::TaskEnd::kExited, .exit_code = 1});
    const RunHistogram::Bin bin = only_run(world, "train-77");
    EXPECT_EQ(bin.bin, RunHistogram::bin_of(3601));
    EXPECT_EQ(bin.ended, 2 * RunHistogram::kOne) << "success or failure";
    const auto leaf = world.ledger.state().foresight().runs().leaf(key_of(world, "train-0"));
    EXPECT_EQ(leaf.stats->shares.weight(), 2 * RunHistogram::kOne);
}

TEST(LedgerForesight, WhatHadToStopWouldHaveGoneOn) {
    World world(1);
    run_for_an_hour(world, named("limited", 3600), {.end = model::TaskEnd::kTimeLimit});
    EXPECT_EQ(only_run(world, "limited").cut, RunHistogram::kOne);
    const JobId again = world.submit(named("again", 0));
    world.start(again);
    ASSERT_TRUE(world.control(Control::kRequeue, again));
    world.end(again, {.end = model::TaskEnd::kStopped});
    EXPECT_EQ(only_run(world, "again").cut, RunHistogram::kOne);
}

TEST(LedgerForesight, WhatItsUserCancelsHasEnded) {
    World world(1);
    const JobId job = world.submit(named("enough", 0));
    world.start(job);
    ASSERT_TRUE(world.control(Control::kStop, job));
    world.end(job, {.end = model::TaskEnd::kStopped});
    EXPECT_EQ(only_run(world, "enough").ended, RunHistogram::kOne);
}

TEST(LedgerForesight, WhatWasHeardOfLateRanForNoLonger) {
    World world(1);
    const JobId job = world.submit(named("late", 0));
    world.start(job);
    world.now = world.now + hours(9);
    world.end(job, {.end = model::TaskEnd::kExited, .ran_for = hours(1)});
    EXPECT_EQ(only_run(world, "late").bin, RunHistogram::bin_of(3600));
}

TEST(LedgerForesight, WhatNeverRanTellsNothing) {
    World world(1);
    const JobId job = world.submit(named("broken", 0));
    world.end(job, {.end = model::TaskEnd::kStartFailed});
    EXPECT_EQ(world.ledger.state().foresight().runs().size(), 0U);
}

ForecastRecord said_of(JobId job, Instant at, seconds from, seconds until) {
    return {
        .job = job,
        .at = at,
        .said = {
                 .sampled = {.from = from, .until = until}, .interval = {.from = from, .until = until}}
    };
}

struct Waiting {
    World world = World(1);
    JobId running = world.submit(named("a", 0));
    JobId waiting = world.submit(named("b", 0));

    /// Says that it starts in 10 to 20 seconds.
    void note() {
        EXPECT_TRUE(
            world.apply(NoteForecasts{{said_of(waiting, world.now, seconds(10), seconds(20))}}));
        world.step();
    }

    [[nodiscard]] const Foresight& foresight() const { return world.ledger.state().foresight(); }
};

TEST(LedgerForesight, AForecastIsComparedWithTheStart) {
    Waiting scene;
    scene.note();
    ASSERT_NE(scene.foresight().open_forecast(scene.waiting), nullptr);
    scene.world.now = scene.world.now + seconds(11);
    scene.world.end(scene.running, {});
    EXPECT_EQ(scene.world.state(scene.waiting), "scheduled");
    EXPECT_EQ(scene.foresight().open_forecast(scene.waiting), nullptr);
    EXPECT_EQ(scene.foresight().calibration()->known(), 1U);
    EXPECT_EQ(scene.foresight().calibration()->inside(), 1U);
}

TEST(LedgerForesight, AForecastThatWasMissedCountsToo) {
    Waiting scene;
    scene.note();
    scene.world.now = scene.world.now + seconds(300);
    scene.world.end(scene.running, {});
    EXPECT_EQ(scene.foresight().calibration()->known(), 1U);
    EXPECT_EQ(scene.foresight().calibration()->inside(), 0U);
}

TEST(LedgerForesight, TheFirstForecastOfAJobCounts) {
    Waiting scene;
    scene.note();
    const ForecastRecord first = *scene.foresight().open_forecast(scene.waiting);
    ASSERT_TRUE(scene.world.apply(
        NoteForecasts{{said_of(scene.waiting, scene.world.now, seconds(1), seconds(2))}}));
    EXPECT_EQ(*scene.foresight().open_forecast(scene.waiting), first);
}

TEST(LedgerForesight, WhatNoLongerWaitsIsNotForecast) {
    Waiting scene;
    ASSERT_TRUE(scene.world.apply(NoteForecasts{
        {said_of(scene.running, scene.world.now, seconds(1), seconds(2)),
         said_of(JobId(99), scene.world.now, seconds(1), seconds(2))}
    }));
    EXPECT_TRUE(scene.foresight().open_forecasts().empty());
    scene.note();
    ASSERT_TRUE(scene.world.control(Control::kHold, scene.waiting));
    EXPECT_TRUE(scene.foresight().open_forecasts().empty()) << "held, it may start at any time";
    EXPECT_EQ(scene.foresight().calibration()->known(), 0U);
}

TEST(LedgerForesight, ACommitThatFailsLeavesNoTrace) {
    Waiting scene;
    scene.note();
    const scheduler::Calibration before = *scene.foresight().calibration();
    (void)scene.world.apply(Report{
        model::TaskEnded{.node = "n1", .key = scene.world.key(scene.running), .outcome = {}}
    });
    while (scene.world.ledger.schedule(1, 1)) {
    }
    EXPECT_EQ(scene.foresight().calibration()->known(), 1U);
    EXPECT_EQ(scene.foresight().runs().size(), 1U);
    scene.world.ledger.undo();
    EXPECT_EQ(*scene.foresight().calibration(), before);
    EXPECT_EQ(scene.foresight().runs().size(), 0U);
    EXPECT_NE(scene.foresight().open_forecast(scene.waiting), nullptr);
}

}  // namespace
}  // namespace reeve::ledger
