// Goal: what a node says of when its tasks ran and of its load is what is kept.
#include <chrono>
#include <tuple>

#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

using model::TaskEnd;
using namespace std::chrono_literals;

class EndedAt : public testing::Test {
  protected:
    /// Runs for 2 s, of which is heard 7 s later.
    std::chrono::microseconds run(const model::TaskOutcome& outcome) {
        const JobId job = world.submit(one_gpu());
        world.start(job);
        const Instant started = world.ledger.state().element({job, 0})->started_at;
        world.now = started + 8s;  // The report is a second later.
        EXPECT_TRUE(world.apply(Report{
            model::TaskEnded{.node = "n1", .key = world.key(job), .outcome = outcome}
        }));
        const model::ElementRecord& ended = *world.ledger.state().element({job, 0});
        EXPECT_EQ(ended.started_at, started);
        return ended.ended_at - started;
    }

    World world = World(1);
};

TEST_F(EndedAt, IsWhatTheNodeMeasuredAndNotWhenItWasHeard) {
    EXPECT_EQ(run({.ran_for = 2s}), 2s);
    EXPECT_EQ(run({.end = TaskEnd::kTimeLimit, .ran_for = 2s}), 2s);
    EXPECT_EQ(run({.end = TaskEnd::kSignalled, .signal = 9, .ran_for = 0s}), 0s);
}

TEST_F(EndedAt, IsNeverLaterThanNow) {
    EXPECT_EQ(run({.ran_for = 11s}), 9s);
    EXPECT_EQ(run({.end = TaskEnd::kShimLost}), 9s) << "nobody measured it";
}

TEST_F(EndedAt, OfAStartThatWasNotHeardOfIsNowLessWhatItTook) {
    const JobId job = world.submit(one_gpu());
    const Instant placed = world.ledger.state().element({job, 0})->scheduled_at;
    world.now = placed + 8s;
    ASSERT_TRUE(world.apply(Report{
        model::TaskEnded{.node = "n1", .key = world.key(job), .outcome = {.ran_for = 2s}}
    }));
    const model::ElementRecord& ended = *world.ledger.state().element({job, 0});
    EXPECT_EQ(ended.started_at, placed + 7s);
    EXPECT_EQ(ended.ended_at, placed + 9s);
}

TEST_F(EndedAt, OfATaskThatRanWhileNobodyListenedIsWhenItWas) {
    const JobId job = world.submit(one_gpu());
    const Instant placed = world.ledger.state().element({job, 0})->scheduled_at;
    world.now = placed + 9s;
    model::NodeHello hello = world.hello;
    hello.tasks = {
        {.key = world.key(job),
         .cluster_id = "c",
         .outcome = model::TaskOutcome{.ran_for = 2s},
         .has_started = true,
         .started_at = placed + 1s}
    };
    ASSERT_TRUE(world.apply(Report{hello}));
    const model::ElementRecord& ended = *world.ledger.state().element({job, 0});
    EXPECT_EQ(ended.started_at, placed + 1s);
    EXPECT_EQ(ended.ended_at, placed + 3s);
}

TEST(Gate, NamesEveryRuleThatIsBroken) {
    World world(1, {.gate = Gate{}});
    world.say(model::NodeSample{.node = "n1", .cpu_permille = 950, .memory_permille = 900});
    const NodeState& node = *world.ledger.state().node_named("n1");
    EXPECT_EQ(
        node.liveness.gate_text,
        "CPU usage is 95 %, not below 90 %; memory usage is 90 %, not below 85 %");
}

TEST(Gate, WhatItSaysIsPublishedAgainWhenItChanges) {
    World world(1, {.gate = Gate{}});
    world.say(model::NodeSample{.node = "n1", .cpu_permille = 950});
    std::ignore = world.ledger.take_dirty_nodes();
    world.say(model::NodeSample{.node = "n1", .cpu_permille = 950});
    EXPECT_TRUE(world.ledger.take_dirty_nodes().empty()) << "nothing is published for nothing";
    world.say(model::NodeSample{.node = "n1", .cpu_permille = 960});
    EXPECT_EQ(world.ledger.take_dirty_nodes().size(), 1U);
}

TEST(Overdue, IsStoppingForItsTimeLimit) {
    World world(1);
    const JobId job = world.submit(one_gpu());
    world.start(job);
    const model::TaskKey key = world.key(job);
    world.say(model::TaskOverdue{.node = "elsewhere", .key = key});
    EXPECT_EQ(world.state(job), "running");
    for (int i = 0; i < 2; ++i) {  // Hearing it twice changes nothing.
        world.say(model::TaskOverdue{.node = "n1", .key = key});
        EXPECT_EQ(world.state(job), "stopping");
        EXPECT_EQ(world.ledger.state().element({job, 0})->intent, model::StopIntent::kTimeLimit);
    }
    world.end(job, {.end = TaskEnd::kTimeLimit, .signal = 15});
    EXPECT_EQ(world.state(job), "gone");
    world.say(model::TaskOverdue{.node = "n1", .key = key});  // Late.
    EXPECT_EQ(world.state(job), "gone");
}

TEST(Overdue, ACancelIsNotLostBehindIt) {
    World world(1);
    const JobId job = world.submit(one_gpu());
    world.start(job);
    ASSERT_TRUE(world.control(Control::kStop, job));
    world.say(model::TaskOverdue{.node = "n1", .key = world.key(job)});
    EXPECT_EQ(world.ledger.state().element({job, 0})->intent, model::StopIntent::kCancel);
}

}  // namespace
}  // namespace reeve::ledger
