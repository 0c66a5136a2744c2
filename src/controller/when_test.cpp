#include "controller/when.hpp"

#include <chrono>

#include <gtest/gtest.h>

#include "controller/view_world.hpp"

namespace reeve::controller {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(When, FollowsTheQueueToTheJob) {
    const std::vector<ledger::JobRow> queue = {
        waiting_job(5, 2, hours(1)), waiting_job(6, 2, hours(2)), waiting_job(7, 2, hours(1))};
    const When when = when_starts(queue[2], queue, half_used_view(hours(3)));
    EXPECT_EQ(when.kind, WhenKind::kExpected);
    EXPECT_EQ(when.at, kViewNow + hours(3) + hours(1) + hours(2));
    EXPECT_EQ(when.nodes, std::vector<std::string>{"n1"});
    EXPECT_EQ(when.starts_before, 2U);
    EXPECT_EQ(when.without_limit, 0U);
}

TEST(When, LooksAtTheNodesThatEachMayRunOn) {
    View view = half_used_view(hours(3));
    auto labelled = std::make_shared<NodeStatus>(*view.nodes.front());
    labelled->record.labels = {
        {"zone", "a"}
    };
    labelled->view.node_class = NodeClassId(1);
    view.nodes.front() = labelled;
    std::vector<ledger::JobRow> queue = {waiting_job(5, 1, hours(1)), waiting_job(6, 1, hours(1))};
    queue[0].on = "zone!=a";
    queue[1].on = "zone==a";
    EXPECT_EQ(when_starts(queue[0], queue, view).kind, WhenKind::kNever);
    EXPECT_EQ(when_starts(queue[1], queue, view).kind, WhenKind::kExpected);
}

TEST(When, WhatBacksOffStartsWhenThatIsOver) {
    ledger::JobRow job = waiting_job(5, 1, hours(1));
    job.element = model::ElementRecord{
        .state = model::ElementState::kQueued, .not_before = kViewNow + seconds(20)};
    EXPECT_EQ(when_starts(job, {job}, half_used_view(hours(3))).at, kViewNow + seconds(20));
}

TEST(When, CountsWhatStartsOnceAJobBeforeItIsOver) {
    std::vector<ledger::JobRow> queue = {
        waiting_job(5, 1, hours(1)), waiting_job(6, 1, hours(2)), waiting_job(7, 2, hours(1))};
    queue[1].record.after = {{.job = JobId(5)}};
    queue[1].record.priority = 1;
    const When when = when_starts(queue[2], queue, half_used_view(hours(1)));
    EXPECT_EQ(when.starts_before, 2U);
    EXPECT_EQ(when.at, kViewNow + hours(3));
}

TEST(When, SaysWhatIsTakenForGranted) {
    const std::vector<ledger::JobRow> queue = {
        waiting_job(5, 2, seconds(0)), waiting_job(6, 2, hours(2))};
    const When when = when_starts(queue[1], queue, half_used_view(seconds(0)));
    EXPECT_EQ(when.at, kViewNow + hours(48));
    EXPECT_EQ(when.without_limit, 2U);
}

TEST(When, WhatIsInTheWayForGoodIsSaid) {
    const View view = half_used_view(hours(1));
    ledger::JobRow held = waiting_job(5, 1, hours(1));
    held.record.counts = {};
    held.record.counts[model::ElementState::kHeld] = 1;
    EXPECT_EQ(when_starts(held, {held}, view).kind, WhenKind::kHeld);

    ledger::JobRow dependent = waiting_job(6, 1, hours(1));
    dependent.record.after = {{.job = JobId(4)}};
    const When when = when_starts(dependent, {dependent}, view);
    EXPECT_EQ(when.kind, WhenKind::kDependency);
    EXPECT_EQ(when.after, JobId(4));

    const ledger::JobRow large = waiting_job(7, 3, hours(1));
    EXPECT_EQ(when_starts(large, {large}, view).kind, WhenKind::kNever);
    EXPECT_EQ(when_starts(large, {}, view).kind, WhenKind::kTooFar);

    View poor = view;
    poor.projects.front().record.quota.gpu_milli = 1000;
    poor.projects.front().usage = {.gpu_milli = 1000, .running_elements = 1};
    const ledger::JobRow two = waiting_job(8, 2, hours(1));
    EXPECT_EQ(when_starts(two, {two}, poor).kind, WhenKind::kNever);

    ledger::JobRow running = waiting_job(9, 1, hours(1));
    running.record.counts = {};
    running.record.counts[model::ElementState::kRunning] = 1;
    EXPECT_EQ(when_starts(running, {}, view).kind, WhenKind::kNotPending);
}

}  // namespace
}  // namespace reeve::controller
