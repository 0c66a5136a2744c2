#include "controller/changes.hpp"

#include <chrono>
#include <memory>

#include <gtest/gtest.h>

#include "controller/why.hpp"

namespace reeve::controller {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr auto kNow = Instant(seconds(1'800'000'000));

/// A node of four A30 with 8 CPUs, `used` of which are held by job 4 for an hour more.
View view_of(std::uint64_t used) {
    auto node = std::make_shared<NodeStatus>();
    node->record = {.id = NodeId(1), .name = "n1", .host = {.cpu_millicores = 8000}};
    node->view = {
        .id = NodeId(1), .free = {.host = node->record.host}, .host_total = node->record.host};
    Holding holding = {
        .allocation = {.id = AllocationId(1), .node = NodeId(1)},
        .user = "ann",
        .started_at = kNow,
        .limit = hours(1)
    };
    for (std::uint64_t gpu = 1; gpu <= 4; ++gpu) {
        const model::GpuAmount all = {.milli = 1000, .memory_mib = 24576};
        node->view.free.gpus.push_back(
            {.id = GpuId(gpu),
             .model = GpuModelId(1),
             .total_mib = 24576,
             .free = gpu <= used ? model::GpuAmount{} : all});
        if (gpu <= used) {
            holding.allocation.grant.gpus.push_back({.gpu = GpuId(gpu), .amount = all});
        }
    }
    node->holdings.push_back(holding);
    View view{
        .at = kNow,
        .scheduling = {.assumed_run = hours(24)},
        .gpu_models = {{GpuModelId(1), "NVIDIA A30"}},
        .usage = {.pending_elements = 9}};
    view.nodes.push_back(node);
    return view;
}

/// All of the node is kept for job 5 from the end of job 4 on.
void keep_all(View& view) {
    model::Grant all;
    for (const model::Gpu& gpu : view.nodes[0]->view.free.gpus) {
        all.gpus.push_back({
            .gpu = gpu.id, .amount = {.milli = 1000, .memory_mib = gpu.total_mib}
        });
    }
    view.kept.push_back({
        .reservation =
            {.job = JobId(5), .at = kNow + hours(1), .parts = {{.node = NodeId(1), .grant = all}}},
        .user = "bob",
        .run = hours(2)
    });
}

ledger::JobRow waiting(std::uint64_t id, const model::GpuAsk& gpus, std::int64_t cpus = 1) {
    ledger::JobRow job;
    job.record.id = JobId(id);
    job.record.counts[model::ElementState::kQueued] = 1;
    job.user = "ann";
    job.project = "vision";
    job.gpus = gpus;
    job.host.cpu_millicores = cpus * 1000;
    return job;
}

std::vector<Change> changes_of(const Waiter& waiter, const View& view) {
    Why why = why_pending(waiter, 1, view, {.user = "ann"});
    add_changes(why, waiter, view, kNow);
    return why.changes;
}

/// "kind: text | flags | command", one for each line.
std::string told(const std::vector<Change>& changes) {
    std::string lines;
    for (const Change& change : changes) {
        lines += std::string(word_of(change.kind)) + ": " + change.text + " | " + change.flags +
                 " | " + change.command + "\n";
    }
    return lines;
}

std::string told_of(const ledger::JobRow& job, const View& view) {
    return told(changes_of({.job = job}, view));
}

TEST(Changes, SayWhatToAskForInstead) {
    struct Case {
        ledger::JobRow job;
        const char* want;
    };

    const std::vector<Case> cases = {
        {waiting(6, {.count = 2}), ""},
        {waiting(6, {.count = 4, .model = "a30"}), "gpus: 2 GPUs instead of 4 | --gpus a30:2 | \n"},
        {waiting(6, {.count = 1, .memory_mib = 40960}),
         "gpu_memory: 24 GiB of GPU memory instead of 40 GiB | --gpu-mem 24G | \n"},
        {waiting(6, {.milli = 500, .model = "l40s"}),
         "gpu_model: a30 as GPU model instead of l40s | --gpus a30:0.5 | \n"},
        {waiting(6, {.count = 1}, 9), "cpus: 8 CPUs instead of 9 | --cpus 8 | \n"},
        {waiting(6, {.count = 3}, 9),
         "several: 2 GPUs instead of 3 and 8 CPUs instead of 9 | --gpus 2 --cpus 8 | \n"},
        {waiting(6, {.count = 3, .model = "l40s"}),
         "several: 2 GPUs instead of 3 and a30 as GPU model instead of l40s | --gpus a30:2 | \n"},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(told_of(c.job, view_of(2)), c.want);
    }
    EXPECT_EQ(told_of(waiting(6, {.count = 1}), view_of(4)), "") << "none of them has a share left";
}

TEST(Changes, AShorterLimitLeavesTimeToSubmitIt) {
    View view = view_of(2);
    keep_all(view);
    EXPECT_EQ(
        told_of(waiting(6, {.count = 1}), view),
        "time_limit: 59m of time limit instead of none | --time 59m | \n");
    Waiter waiter{.job = waiting(6, {.count = 1})};
    Why why = why_pending(waiter, 1, view, {.user = "ann"});
    add_changes(why, waiter, view, kNow + seconds(3600 - 60 - 29));
    EXPECT_EQ(told(why.changes), "") << "a minute, and half of one to submit it, are more";
    add_changes(why, waiter, view, kNow + seconds(3600 - 60 - 31));
    EXPECT_EQ(told(why.changes), "time_limit: 1m of time limit instead of none | --time 1m | \n");
}

TEST(Changes, OwnRoomCountsOnlyWhereNobodyElseCanTakeIt) {
    View view = view_of(2);
    keep_all(view);
    const ledger::JobRow owner = waiting(5, {.count = 4});
    EXPECT_EQ(
        told_of(owner, view),
        "several: 2 GPUs instead of 4 and 59m of time limit instead of none | --gpus 2 "
        "--time 59m | \n");
    view.usage.pending_elements = 1;
    EXPECT_EQ(told_of(owner, view), "gpus: 2 GPUs instead of 4 | --gpus 2 | \n");
}

TEST(Changes, WhatIsHeldIsReleasedIfThatIsEnough) {
    ledger::JobRow job = waiting(6, {.count = 2});
    job.record.counts = {};
    job.record.counts[model::ElementState::kHeld] = 1;
    EXPECT_EQ(told_of(job, view_of(2)), "release: it is released |  | reeve release 6\n");
    EXPECT_EQ(told_of(job, view_of(3)), "") << "it would wait then, too";
    EXPECT_TRUE(changes_of({.job = job, .is_submitted = false}, view_of(2)).empty())
        << "a dry run has no id";
}

TEST(Changes, NoneHelpWhileItWaitsForAnotherJobOrItsArray) {
    ledger::JobRow job = waiting(6, {.count = 4});
    job.record.after = {
        {model::DependencyKind::kOk, JobId(2)}
    };
    EXPECT_EQ(told_of(job, view_of(2)), "");
    job.record.after.clear();
    job.record.range.running_max = 1;
    job.record.counts[model::ElementState::kRunning] = 1;
    EXPECT_EQ(told_of(job, view_of(2)), "");
}

TEST(Changes, AQuotaIsPassedByNoneAndRaisedWhereItStandsAlone) {
    View view = view_of(0);
    view.projects = {
        {.record = {.id = ProjectId(1), .name = "lab"},
         .usage = {.gpu_milli = 3000, .pending_elements = 1}},
        {.record = {.id = ProjectId(2), .name = "vision", .quota = {.gpu_milli = 4000}},
         .parent = "lab",
         .usage = {.gpu_milli = 3000, .pending_elements = 1}},
    };
    const ledger::JobRow job = waiting(6, {.count = 2});
    const std::string fewer = "gpus: 1 GPU instead of 2 | --gpus 1 | \n";
    EXPECT_EQ(
        told_of(job, view),
        fewer + "quota: project vision may hold 5 GPUs |  | reeve project set vision --gpus 5\n");
    view.projects[1].usage.pending_elements = 2;
    EXPECT_EQ(told_of(job, view), fewer) << "somebody else may take what it may hold more";
    view.projects[1].usage.pending_elements = 1;
    view.projects[0].record.quota.gpu_milli = 3500;
    EXPECT_EQ(told_of(job, view), "share: 0.5 of a GPU instead of 2 GPUs | --gpus 0.5 | \n")
        << "two limits are in the way";
    view.projects.clear();
    view.limits.running_elements = 1;
    view.usage = {.running_elements = 1, .pending_elements = 1};
    EXPECT_EQ(
        told_of(job, view),
        "quota: the configuration of the server had limits.max_running_jobs: 2 |  | \n");
}

}  // namespace
}  // namespace reeve::controller
