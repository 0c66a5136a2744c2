#include "controller/what_if.hpp"

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "controller/view_world.hpp"
#include "ledger/command.hpp"

namespace reeve::controller {
namespace {

using model::ElementState;
using std::chrono::hours;
using std::chrono::seconds;

/// One node of two GPUs, one of which is held for three hours; jobs 5 and 6 want both, 7 wants one.
Scenario small_scenario() {
    Scenario scenario{.view = half_used_view(hours(3))};
    auto node = std::make_shared<NodeStatus>(*scenario.view.nodes.front());
    for (const model::Gpu& gpu : node->view.free.gpus) {
        node->record.gpus.push_back({.id = gpu.id, .model = gpu.model, .total_mib = gpu.total_mib});
    }
    scenario.view.nodes.front() = node;
    scenario.view.usage = {.gpu_milli = 1000, .running_elements = 1};
    scenario.view.projects.front().usage = scenario.view.usage;
    scenario.view.gpu_models.emplace(GpuModelId(1), "NVIDIA A30");
    scenario.queue = {
        waiting_job(5, 2, hours(1)), waiting_job(6, 2, hours(2)), waiting_job(7, 1, hours(4))};
    for (ledger::JobRow& job : scenario.queue) {
        job.record.submitted_at = kViewNow + -hours(1);
    }
    return scenario;
}

Result<Scenario> with(const WhatIf& what_if) {
    const Scenario from = small_scenario();
    return scenario_of(from, what_if, [&](JobId id) -> Result<ledger::JobRow> {
        for (const ledger::JobRow& job : from.queue) {
            if (job.record.id == id) {
                return job;
            }
        }
        ledger::JobRow other = waiting_job(id.value(), 1, hours(1));
        if (id == JobId(4) || id == JobId(3)) {  // It runs; it has ended.
            other.record.counts = {};
            other.record.counts[id == JobId(4) ? ElementState::kRunning : ElementState::kFailed] =
                1;
            return other;
        }
        return tl::unexpected(ledger::no_job(id));
    });
}

/// Hours from now until each job starts; -1: it does not.
std::map<std::uint64_t, std::int64_t> starts_of(const Result<Scenario>& scenario) {
    std::map<std::uint64_t, std::int64_t> starts;
    EXPECT_TRUE(scenario.has_value()) << scenario.error().message;
    for (const auto& [id, foreseen] : forecast(*scenario, {}).jobs) {
        const bool does_start = foreseen.fate == Fate::kExpected;
        const auto key =
            id < kFirstHypothetical ? id.value() : 100 + id.value() - kFirstHypothetical.value();
        starts.emplace(
            key,
            does_start ? std::chrono::duration_cast<hours>(foreseen.at - kViewNow).count() : -1);
    }
    return starts;
}

std::string refusal_of(const WhatIf& what_if) {
    const auto scenario = with(what_if);
    return scenario ? "" : scenario.error().message;
}

using Starts = std::map<std::uint64_t, std::int64_t>;

TEST(WhatIf, NothingChangesNothing) {
    EXPECT_EQ(
        starts_of(small_scenario()), (Starts{
                                         {5, 3},
                                         {6, 4},
                                         {7, 6}
    }));
    EXPECT_EQ(
        starts_of(with({
    })),
        (Starts{{5, 3}, {6, 4}, {7, 6}}));
}

TEST(WhatIf, NodesComeAndGo) {
    EXPECT_EQ(
        starts_of(with({
            .drained = {"n1"}
    })),
        (Starts{{5, -1}, {6, -1}, {7, -1}}));
    EXPECT_EQ(
        starts_of(with({
            .removed = {"n1"}
    })),
        (Starts{{5, -1}, {6, -1}, {7, -1}}));
    EXPECT_EQ(
        starts_of(with({
            .added = {{.count = 2, .like = "n1"}}
    })),
        (Starts{{5, 0}, {6, 0}, {7, 0}}));
    const auto added = with({.added = {{.gpus = 4, .gpu_model = "a30"}}});
    EXPECT_EQ(
        starts_of(added), (Starts{
                              {5, 0},
                              {6, 0},
                              {7, 0}
    }));
    EXPECT_EQ(added->view.nodes.back()->record.name, "added-1");
    EXPECT_EQ(added->view.nodes.back()->record.gpus.size(), 4U);
    const auto removed_and_added = with(
        {.removed = {"n1"}, .added = {{.gpus = 2, .gpu_model = "H100", .gpu_memory_mib = 80000}}});
    EXPECT_TRUE(removed_and_added) << removed_and_added.error().message;
    EXPECT_EQ(removed_and_added->view.usage.gpu_milli, 0);
}

TEST(WhatIf, JobsAreChanged) {
    EXPECT_EQ(
        starts_of(with({
            .changes = {{.job = JobId(7), .priority = 1}}
    })),
        (Starts{{5, 4}, {6, 5}, {7, 0}}));
    EXPECT_EQ(
        starts_of(with({
            .changes = {{.job = JobId(7), .time_limit_s = 2 * 3600}}
    })),
        (Starts{{5, 3}, {6, 4}, {7, 0}}));
    EXPECT_EQ(
        starts_of(with({
            .changes = {{.job = JobId(5), .wish = JobWish::kHold}}
    })),
        (Starts{{5, -1}, {6, 3}, {7, 5}}));
    const auto cancelled = with({.changes = {{.job = JobId(4), .wish = JobWish::kCancel}}});
    EXPECT_EQ(
        starts_of(cancelled), (Starts{
                                  {5, 0},
                                  {6, 1},
                                  {7, 3}
    }));
    EXPECT_EQ(
        starts_of(with({
            .changes = {{.job = JobId(6), .wish = JobWish::kCancel}}
    })),
        (Starts{{5, 3}, {7, 4}}));
}

TEST(WhatIf, QuotasAndPoliciesAreChanged) {
    EXPECT_EQ(
        starts_of(with({
            .quotas = {{"default", {.running_elements = 0}}}
    })),
        (Starts{{5, -1}, {6, -1}, {7, -1}}));
    EXPECT_EQ(
        starts_of(with({
            .backfill = scheduler::Backfill::kNone
    })),
        (Starts{{5, 4}, {6, 5}, {7, 0}}));
}

TEST(WhatIf, HypotheticalJobsComeLast) {
    EXPECT_EQ(
        starts_of(with({
            .jobs = {{.terms = {.gpus = {.count = 1}, .time_limit_s = 3600}, .count = 2}}
    })),
        (Starts{{5, 3}, {6, 4}, {7, 6}, {100, 0}, {101, 1}}));
    EXPECT_EQ(
        starts_of(with({
            .jobs = {{.terms = {.gpus = {.count = 2}, .after = {{.job = JobId(7)}}}}}
    })),
        (Starts{{5, 3}, {6, 4}, {7, 6}, {100, 10}}));
    EXPECT_EQ(
        starts_of(with(
                      {.jobs = {{.terms = {.gpus = {.count = 1}, .on = "node.name==added-1"}}},
                       .added = {{.like = "n1"}}}))
            .at(100),
        3)
        << "it waits for the others there";
}

TEST(WhatIf, HypotheticalJobsMayNameTheirPriority) {
    Scenario scenario = small_scenario();
    scenario.view.priorities = std::make_shared<const ledger::Priorities>(ledger::Priorities{
        .names = {{"low", -1}, {"urgent", 100}},
          .users_most = 0
    });
    const auto with_priority = [&](const std::string& name, bool is_admin) {
        const WhatIf what_if{
            .is_admin = is_admin,
            .jobs = {
                {.terms = {.gpus = {.count = 1}, .time_limit_s = 18'000, .priority_name = name}}}};
        return scenario_of(scenario, what_if, [](JobId id) -> Result<ledger::JobRow> {
            return tl::unexpected(ledger::no_job(id));
        });
    };
    EXPECT_EQ(with_priority("low", false)->queue.back().record.priority, -1);
    EXPECT_EQ(with_priority("urgent", true)->queue.back().record.priority, 100);
    EXPECT_EQ(starts_of(with_priority("urgent", true)).at(100), 0) << "before the others";
    EXPECT_GT(starts_of(with_priority("low", false)).at(100), 0);
    EXPECT_EQ(
        with_priority("high", false).error().message,
        "priority: none is named 'high'; expects low (-1) or a number from -1000 to 0");
    EXPECT_EQ(with_priority("urgent", false).error().code, ErrorCode::kPolicy);
}

TEST(WhatIf, AnotherPriorityMayBeNamed) {
    Scenario scenario = small_scenario();
    scenario.view.priorities = std::make_shared<const ledger::Priorities>(ledger::Priorities{
        .names = {{"low", -1}, {"urgent", 100}},
          .users_most = 0
    });
    const JobId job = scenario.queue.back().record.id;
    const auto changed = [&](const JobChange& change, bool is_admin) {
        return scenario_of(
            scenario, {.is_admin = is_admin, .changes = {change}},
            [&](JobId) -> Result<ledger::JobRow> { return scenario.queue.back(); });
    };
    const auto priority = [&](const std::string& name, bool is_admin) {
        return changed({.job = job, .priority_name = name}, is_admin).map([](const Scenario& then) {
            return then.queue.back().record.priority;
        });
    };
    EXPECT_EQ(priority("low", false), -1);
    EXPECT_EQ(priority("urgent", true), 100);
    EXPECT_EQ(priority("urgent", false).error().code, ErrorCode::kPolicy);
    EXPECT_EQ(
        priority("high", true).error().message,
        "priority: none is named 'high'; expects low (-1), urgent (100) or a number from -1000 to "
        "1000");
    EXPECT_EQ(changed({.job = job, .priority = 7}, false).error().code, ErrorCode::kPolicy)
        << "as when it is submitted";
}

TEST(WhatIf, WhatCannotBeIsRefusedByName) {
    EXPECT_EQ(refusal_of({.drained = {"x7"}}), "there is no node 'x7'; there are: n1");
    EXPECT_EQ(refusal_of({.removed = {"n11"}}), "there is no node 'n11'; did you mean 'n1'?");
    EXPECT_EQ(
        refusal_of({.drained = {"n1"}, .removed = {"n1"}}),
        "node 'n1' is to be drained and removed; ask for one of them");
    EXPECT_EQ(
        refusal_of({.added = {{.gpus = 4, .gpu_model = "H100"}}}),
        "no node has a GPU of model 'H100'; there are: NVIDIA A30. For another model give its "
        "memory, too (gpu_memory_mib, --add-nodes 2x4xH100:80G)");
    EXPECT_EQ(
        refusal_of({.quotas = {{"vision", {}}}}),
        "there is no project 'vision'; there are: default");
    EXPECT_EQ(
        refusal_of({.jobs = {{.terms = {.project = "defaultx"}}}}),
        "there is no project 'defaultx'; did you mean 'default'?");
    EXPECT_TRUE(
        refusal_of({.jobs = {{.terms = {.gpus = {.count = 3}}}}})
            .starts_with("no node can ever run this: no node has 3 GPUs; the largest has 2"));
    EXPECT_EQ(
        refusal_of(
            {.jobs = {{.terms = {.gpus = {.count = 2}}}},
             .quotas = {{"default", {.gpu_milli = 1000}}}}),
        "project 'default' may hold 1 GPU at once, and this needs 2 GPUs");
    EXPECT_EQ(
        refusal_of({.jobs = {{.terms = {.after = {{.job = JobId(99)}}}}}}),
        "after: there is no job 99 to wait for");
    EXPECT_EQ(refusal_of({.changes = {{.job = JobId(99), .priority = 1}}}), "there is no job 99");
    EXPECT_EQ(
        refusal_of({.changes = {{.job = JobId(4), .priority = 1}}}),
        "job 4 is running; another priority or time limit is for jobs that wait");
    EXPECT_EQ(
        refusal_of({.changes = {{.job = JobId(4), .priority_name = "low"}}}),
        "job 4 is running; another priority or time limit is for jobs that wait");
    EXPECT_EQ(
        refusal_of({.changes = {{.job = JobId(3), .wish = JobWish::kCancel}}}),
        "job 3 has already ended");
    EXPECT_EQ(
        refusal_of({.changes = {{.job = JobId(5), .wish = JobWish::kRelease}}}),
        "job 5 has nothing that is held");
    EXPECT_EQ(
        refusal_of({.jobs = {{.count = kHypotheticalJobsMax + 1}}}),
        "jobs: 1001 are too many; a simulation takes 1000 at most");
}

TEST(WhatIf, TotalsAndComparison) {
    const Scenario now = small_scenario();
    const Forecast before = forecast(now, {.horizon = hours(4)});
    EXPECT_EQ(before.totals.jobs, 3U);
    EXPECT_EQ(before.totals.started, 3U);
    EXPECT_EQ(before.totals.started_in_horizon, 2U);
    EXPECT_EQ(before.totals.wait_mean, hours(4) + std::chrono::minutes(30));
    EXPECT_EQ(before.totals.wait_max, hours(5));
    EXPECT_EQ(before.totals.queue_empty_at, kViewNow + hours(6));
    EXPECT_EQ(before.totals.gpu_permille, 750);  // One for 3 hours, two for 3.

    const auto then = with({
        .changes = {
                    {.job = JobId(7), .time_limit_s = 2 * 3600},
                    {.job = JobId(6), .wish = JobWish::kCancel}}
    });
    const Comparison all =
        compare(now, before, forecast(*then, {.horizon = hours(4)}), then->cancelled);
    EXPECT_EQ(all.sooner, 1U);
    EXPECT_EQ(all.cancelled, 1U);
    EXPECT_EQ(all.unchanged, 1U);
    ASSERT_EQ(all.jobs.size(), 3U);
    EXPECT_EQ(all.jobs[0].after.fate, Fate::kCancelled);
    EXPECT_EQ(all.jobs[1].job->record.id, JobId(7));
    EXPECT_EQ(all.jobs[1].later_by, -hours(6));
}

TEST(WhatIf, SaysWhatItDidNotReach) {
    const Scenario now = small_scenario();
    const Forecast cut = forecast(now, {.starts_max = 1});
    EXPECT_TRUE(cut.is_cut_short);
    EXPECT_EQ(cut.totals.not_reached, 2U);
    EXPECT_FALSE(cut.totals.queue_empty_at);
    const Comparison all = compare(now, cut, forecast(now, {}), {});
    EXPECT_EQ(all.unchanged, 1U);
    EXPECT_EQ(all.unknown, 2U);
}

TEST(WhatIf, WhatStartedSinceTheQueueWasReadWaitsNoMore) {
    Scenario now = small_scenario();
    now.queue.push_back(waiting_job(4, 1, hours(3)));  // As it was before it held its GPU.
    EXPECT_EQ(starts_of(now).at(4), -1);
    EXPECT_EQ(starts_of(now).at(5), 3);
}

}  // namespace
}  // namespace reeve::controller
