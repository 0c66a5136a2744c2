#include "simulate/replay.hpp"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace reeve::simulate {
namespace {

using scheduler::Backfill;
using scheduler::Policy;
using std::chrono::seconds;

Instant at(std::int64_t second) {
    return Instant(seconds(second));
}

/// `nodes` nodes with `gpus` GPUs each.
Cluster cluster_of(std::uint64_t nodes, std::uint64_t gpus) {
    Cluster cluster;
    for (std::uint64_t id = 1; id <= nodes; ++id) {
        scheduler::NodeView node{
            .id = NodeId(id),
            .free = {.host = {.cpu_millicores = 64000, .memory_mib = 65536}},
            .host_total = {.cpu_millicores = 64000, .memory_mib = 65536}
        };
        for (std::uint64_t gpu = 0; gpu < gpus; ++gpu) {
            node.free.gpus.push_back({
                .id = GpuId(id * 100 + gpu),
                .model = GpuModelId(1),
                .total_mib = 1000,
                .free = {.milli = model::kWholeGpuMilli, .memory_mib = 1000}
            });
        }
        cluster.nodes.push_back(node);
    }
    cluster.gpus = static_cast<std::int64_t>(nodes * gpus);
    return cluster;
}

/// Requests 0..7 are for 1..8 whole GPUs, 8 is for a half.
Workload workload_of(std::vector<TraceJob> jobs) {
    Workload workload{.jobs = std::move(jobs), .users = {"ann"}, .projects = {"default"}};
    for (std::int64_t count = 1; count <= 8; ++count) {
        workload.requests.push_back({.gpus = model::WholeGpus{.count = count}});
    }
    workload.requests.push_back({.gpus = model::GpuShare{.milli = 500}});
    return workload;
}

constexpr std::size_t kHalf = 8;

TEST(Replay, JobsStartEndAndFollowEachOther) {
    const ReplayOutcome outcome = run_replay(
        cluster_of(1, 2),
        workload_of({
            {.submitted_at = at(10), .run_s = 100, .request = 1},
            {.submitted_at = at(20), .run_s = 50,  .request = 0},
            {.submitted_at = at(30), .run_s = 50,  .request = 0},
    }),
        {.backfill = Backfill::kNone});
    EXPECT_EQ(outcome.runs[0].started_at, at(10));
    EXPECT_EQ(outcome.runs[1].started_at, at(110));
    EXPECT_EQ(outcome.runs[2].started_at, at(110));
    EXPECT_EQ(outcome.runs[2].ended_at, at(160));
    EXPECT_EQ(outcome.last_end_at, at(160));
    EXPECT_EQ(outcome.waiting_max, 2U);
    EXPECT_EQ(outcome.gpu_milli_total, 2000);
    EXPECT_EQ(outcome.gpu_milli_seconds, 2000 * 100 + 1000 * 50 * 2);
    EXPECT_EQ(outcome.spans.size(), 3U);
    EXPECT_TRUE(outcome.is_complete);
}

TEST(Replay, WhatNoNodeCouldHoldIsRefused) {
    const ReplayOutcome outcome = run_replay(
        cluster_of(2, 2),
        workload_of({
            {.submitted_at = at(10), .run_s = 5, .request = 2},
            {.submitted_at = at(10), .run_s = 5, .request = 1, .nodes = 3},
            {.submitted_at = at(10), .run_s = 5, .request = 1, .nodes = 2},
    }),
        {});
    EXPECT_TRUE(outcome.runs[0].is_refused);
    EXPECT_TRUE(outcome.runs[1].is_refused);
    EXPECT_FALSE(outcome.runs[2].is_refused);
    EXPECT_EQ(outcome.runs[2].ended_at, at(15));
}

TEST(Replay, BackfillLetsTheShortPassAndTheWideStartInTime) {
    const Workload workload = workload_of({
        {.submitted_at = at(0), .run_s = 100, .limit_s = 100, .request = 1},
        {.submitted_at = at(1), .run_s = 50,  .limit_s = 50,  .request = 3},
        {.submitted_at = at(2), .run_s = 500, .limit_s = 500, .request = 0},
        {.submitted_at = at(3), .run_s = 50,  .limit_s = 50,  .request = 1},
    });
    const ReplayOutcome easy =
        run_replay(cluster_of(1, 4), workload, {.backfill = Backfill::kEasy});
    EXPECT_EQ(easy.runs[3].started_at, at(3));
    EXPECT_TRUE(easy.runs[3].is_backfilled);
    EXPECT_EQ(easy.runs[1].started_at, at(100));
    EXPECT_EQ(easy.runs[2].started_at, at(150));
    const ReplayOutcome none =
        run_replay(cluster_of(1, 4), workload, {.backfill = Backfill::kNone});
    EXPECT_EQ(none.runs[2].started_at, at(2));
    EXPECT_EQ(none.runs[1].started_at, at(502));
}

TEST(Replay, StrandedIsWhatIsFreeOnGpusInUse) {
    const ReplayOutcome outcome = run_replay(
        cluster_of(1, 2),
        workload_of({
            {.submitted_at = at(0), .run_s = 10, .request = kHalf}
    }),
        {});
    ASSERT_FALSE(outcome.samples.empty());
    EXPECT_EQ(outcome.samples.front().gpu_milli_used, 500);
    EXPECT_EQ(outcome.samples.front().gpu_milli_stranded, 500);
    EXPECT_EQ(outcome.samples.back().gpu_milli_stranded, 0);
}

Workload random_workload(std::uint64_t seed, std::size_t jobs) {
    SeededRandom random(seed);
    std::vector<TraceJob> list;
    std::int64_t now = 0;
    for (std::size_t i = 0; i < jobs; ++i) {
        now += static_cast<std::int64_t>(random.below(40));
        const auto run = static_cast<std::int64_t>(random.below(600));
        const std::size_t request = random.below(9);
        list.push_back(
            {.submitted_at = at(now),
             .run_s = run,
             .limit_s =
                 random.below(4) == 0 ? 0 : run + static_cast<std::int64_t>(random.below(600)),
             .request = request,
             .nodes = request < kHalf && random.below(8) == 0 ? 2 : 1,
             .priority = random.below(10) == 0 ? 1 : 0});
    }
    return workload_of(std::move(list));
}

TEST(ReplayProperty, EveryJobRunsOnceForItsTimeAndNoNodeHoldsMoreThanItHas) {
    for (std::uint64_t seed = 1; seed <= 18; ++seed) {
        SCOPED_TRACE(seed);
        const Workload workload = random_workload(seed, 200);
        const Cluster cluster = cluster_of(3, 8);
        const ReplayOutcome outcome = run_replay(
            cluster, workload,
            {.policy = seed % 2 == 0 ? Policy::kFillValue : Policy::kBestFit,
             .backfill = static_cast<Backfill>(seed % 3)});
        std::map<NodeId, std::map<Instant, std::int64_t>> changes;
        for (const NodeSpan& span : outcome.spans) {
            const JobRun& run = outcome.runs[span.job];
            changes[span.node][run.started_at] += span.gpu_milli;
            changes[span.node][run.ended_at] -= span.gpu_milli;
        }
        for (const auto& [node, steps] : changes) {
            std::int64_t used = 0;
            for (const auto& [when, change] : steps) {
                used += change;
                EXPECT_LE(used, 8 * model::kWholeGpuMilli);
                EXPECT_GE(used, 0);
            }
            EXPECT_EQ(used, 0);
        }
        for (std::size_t i = 0; i < workload.jobs.size(); ++i) {
            const JobRun& run = outcome.runs[i];
            ASSERT_TRUE(run.has_ended) << "job " << i;
            EXPECT_GE(run.started_at, workload.jobs[i].submitted_at);
            EXPECT_EQ(run.ended_at - run.started_at, seconds(workload.jobs[i].run_s));
        }
        EXPECT_EQ(outcome.samples.back().running, 0U);
        EXPECT_EQ(outcome.samples.back().gpu_milli_used, 0);
    }
}

TEST(ReplayProperty, EqualArgumentsGiveAnEqualOutcome) {
    const Workload workload = random_workload(7, 300);
    for (const Policy policy : {Policy::kFillValue, Policy::kRandom}) {
        const auto starts = [&] {
            std::vector<Instant> all;
            for (const JobRun& run :
                 run_replay(cluster_of(3, 8), workload, {.policy = policy}).runs) {
                all.push_back(run.started_at);
            }
            return all;
        };
        EXPECT_EQ(starts(), starts());
    }
}

TEST(Replay, ProgressMayEndIt) {
    std::size_t told = 0;
    const ReplayOutcome outcome = run_replay(
        cluster_of(3, 8), random_workload(3, 5000),
        {.progress = [&](std::size_t done, std::size_t) {
            told = done;
            return done < 2000;
        }});
    EXPECT_FALSE(outcome.is_complete);
    EXPECT_EQ(told, 2000U);
    EXPECT_FALSE(outcome.runs.back().has_ended);
}

TEST(Replay, ManySamplesAreThinnedOutAndTheLastIsThere) {
    constexpr std::int64_t kJobs = 20'000;
    std::vector<TraceJob> jobs;
    jobs.reserve(kJobs);
    for (std::int64_t i = 0; i < kJobs; ++i) {
        jobs.push_back({.submitted_at = at(3 * i), .run_s = 2, .request = 0});
    }
    const ReplayOutcome outcome = run_replay(cluster_of(1, 1), workload_of(jobs), {});
    EXPECT_LE(outcome.samples.size(), 4001U);
    EXPECT_GE(outcome.samples.size(), 1000U);
    EXPECT_EQ(outcome.samples.back().at, outcome.last_end_at);
    EXPECT_TRUE(std::ranges::is_sorted(outcome.samples, {}, &ReplaySample::at));
}

}  // namespace
}  // namespace reeve::simulate
