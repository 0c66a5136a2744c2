#include "controller/when.hpp"

#include <chrono>
#include <memory>

#include <gtest/gtest.h>

namespace reeve::controller {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr auto kNow = Instant(seconds(1'800'000'000));

model::Grant whole(std::uint64_t gpu) {
    return {.gpus = {{.gpu = GpuId(gpu), .amount = {.milli = 1000, .memory_mib = 24576}}}};
}

/// One node of two GPUs, of which one is held by job 4.
View view_of(seconds limit_of_holder) {
    auto node = std::make_shared<NodeStatus>();
    node->record = {.id = NodeId(1), .name = "n1", .host = {.cpu_millicores = 8000}};
    node->view = {.id = NodeId(1), .host_total = {.cpu_millicores = 8000}};
    node->view.free.host = node->view.host_total;
    for (std::uint64_t gpu = 1; gpu <= 2; ++gpu) {
        node->view.free.gpus.push_back({
            .id = GpuId(gpu),
            .model = GpuModelId(1),
            .total_mib = 24576,
            .free = {.milli = 1000, .memory_mib = 24576}
        });
    }
    node->view.free = *model::take(node->view.free, whole(1));
    node->holdings.push_back({
        .allocation =
            {.id = AllocationId(1),
                         .task = {.element = {.job = JobId(4)}},
                         .node = NodeId(1),
                         .project = ProjectId(1),
                         .grant = whole(1)},
        .started_at = kNow,
        .limit = limit_of_holder
    });
    View view{.at = kNow};
    view.nodes.push_back(node);
    view.projects.push_back({
        .record = {.id = ProjectId(1), .name = "default"}
    });
    return view;
}

ledger::JobRow waiting(std::uint64_t id, std::int64_t gpus, seconds limit) {
    ledger::JobRow job;
    job.record.id = JobId(id);
    job.record.time_limit_s = limit.count();
    job.record.counts[model::ElementState::kQueued] = 1;
    job.project = "default";
    job.gpus.count = gpus;
    return job;
}

TEST(When, FollowsTheQueueToTheJob) {
    const std::vector<ledger::JobRow> queue = {
        waiting(5, 2, hours(1)), waiting(6, 2, hours(2)), waiting(7, 2, hours(1))};
    const When when = when_starts(queue[2], queue, view_of(hours(3)));
    EXPECT_EQ(when.kind, WhenKind::kExpected);
    EXPECT_EQ(when.at, kNow + hours(3) + hours(1) + hours(2));
    EXPECT_EQ(when.nodes, std::vector<std::string>{"n1"});
    EXPECT_EQ(when.starts_before, 2U);
    EXPECT_EQ(when.without_limit, 0U);
}

TEST(When, LooksAtTheNodesThatEachMayRunOn) {
    View view = view_of(hours(3));
    auto labelled = std::make_shared<NodeStatus>(*view.nodes.front());
    labelled->record.labels = {
        {"zone", "a"}
    };
    labelled->view.node_class = NodeClassId(1);
    view.nodes.front() = labelled;
    std::vector<ledger::JobRow> queue = {waiting(5, 1, hours(1)), waiting(6, 1, hours(1))};
    queue[0].on = "zone!=a";
    queue[1].on = "zone==a";
    EXPECT_EQ(when_starts(queue[0], queue, view).kind, WhenKind::kNever);
    EXPECT_EQ(when_starts(queue[1], queue, view).kind, WhenKind::kExpected);
}

TEST(When, SaysWhatIsTakenForGranted) {
    const std::vector<ledger::JobRow> queue = {waiting(5, 2, seconds(0)), waiting(6, 2, hours(2))};
    const When when = when_starts(queue[1], queue, view_of(seconds(0)));
    EXPECT_EQ(when.at, kNow + hours(48));
    EXPECT_EQ(when.without_limit, 2U);
}

TEST(When, WhatIsInTheWayForGoodIsSaid) {
    const View view = view_of(hours(1));
    ledger::JobRow held = waiting(5, 1, hours(1));
    held.record.counts = {};
    held.record.counts[model::ElementState::kHeld] = 1;
    EXPECT_EQ(when_starts(held, {held}, view).kind, WhenKind::kHeld);

    ledger::JobRow dependent = waiting(6, 1, hours(1));
    dependent.record.after = {{.job = JobId(4)}};
    const When when = when_starts(dependent, {dependent}, view);
    EXPECT_EQ(when.kind, WhenKind::kDependency);
    EXPECT_EQ(when.after, JobId(4));

    const ledger::JobRow large = waiting(7, 3, hours(1));
    EXPECT_EQ(when_starts(large, {large}, view).kind, WhenKind::kNever);
    EXPECT_EQ(when_starts(large, {}, view).kind, WhenKind::kTooFar);

    View poor = view;
    poor.projects.front().record.quota.gpu_milli = 1000;
    poor.projects.front().usage = {.gpu_milli = 1000, .running_elements = 1};
    const ledger::JobRow two = waiting(8, 2, hours(1));
    EXPECT_EQ(when_starts(two, {two}, poor).kind, WhenKind::kNever);

    ledger::JobRow running = waiting(9, 1, hours(1));
    running.record.counts = {};
    running.record.counts[model::ElementState::kRunning] = 1;
    EXPECT_EQ(when_starts(running, {}, view).kind, WhenKind::kNotPending);
}

}  // namespace
}  // namespace reeve::controller
