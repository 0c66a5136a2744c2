#include "simulate/summary.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace reeve::simulate {
namespace {

Instant at(std::int64_t seconds) {
    return Instant(std::chrono::seconds(seconds));
}

JobRun run_of(std::int64_t start, std::int64_t end) {
    return {
        .started_at = at(start),
        .ended_at = at(end),
        .node = NodeId(1),
        .has_started = true,
        .has_ended = true};
}

/// Two nodes of two GPUs and 4 CPUs; five jobs from 100 on.
struct Played {
    Cluster cluster = parse_cluster_spec("2x2xA100/10G:4cpu").value();
    Workload workload = {};
    ReplayOutcome outcome = {
        .first_at = at(100), .last_submission_at = at(200), .last_end_at = at(300)};

    Played() {
        workload.requests = {
            {.host = {.cpu_millicores = 1000}, .gpus = model::WholeGpus{.count = 2}},
            {.gpus = model::GpuShare{.memory_mib = 2560}},
            {.host = {.cpu_millicores = 4000}},
        };
        workload.jobs = {
            {.name = "a", .submitted_at = at(100), .run_s = 100, .request = 0},
            {.name = "b", .submitted_at = at(100), .run_s = 50, .request = 1},
            {.name = "gang", .submitted_at = at(110), .run_s = 100, .request = 2, .nodes = 2},
            {.name = "short", .submitted_at = at(150), .run_s = 1, .request = 1},
            {.name = "huge", .submitted_at = at(200), .run_s = 1, .request = 0, .nodes = 9},
        };
        outcome.runs = {
            run_of(100, 200),
            run_of(150, 200),
            run_of(200, 300),
            run_of(199, 200),
            {.started_at = at(0), .ended_at = at(0), .is_refused = true}
        };
        outcome.runs[3].is_backfilled = true;
        outcome.gpu_milli_total = 4000;
        outcome.cpu_milli_total = 8000;
        outcome.waiting_max = 3;
        outcome.decisions = 17;
        outcome.samples = {
            {.at = at(100), .gpu_milli_used = 2000},
            {.at = at(150), .gpu_milli_used = 2250, .gpu_milli_stranded = 800},
            {.at = at(200)},
        };
    }
};

TEST(Summary, AddsUpWhatHappened) {
    const Played played;
    const ReplaySummary summary = summarize(played.cluster, played.workload, played.outcome);
    EXPECT_EQ(summary.jobs, 5U);
    EXPECT_EQ(summary.started, 4U);
    EXPECT_EQ(summary.ended, 4U);
    EXPECT_EQ(summary.refused, 1U);
    EXPECT_EQ(summary.backfilled, 1U);
    // Waits 0, 50, 90, 49.
    EXPECT_EQ(
        summary.wait_ms, (Distribution{
                             .mean = 47'250,
                             .median = 49'000,
                             .p90 = 90'000,
                             .p95 = 90'000,
                             .p99 = 90'000,
                             .max = 90'000}));
    // (0+100)/100, (50+50)/50, (90+100)/100, (49+1)/10: a run of 1 s counts as 10.
    EXPECT_EQ(
        summary.slowdown_milli,
        (Distribution{
            .mean = 2475, .median = 1900, .p90 = 5000, .p95 = 5000, .p99 = 5000, .max = 5000}));
    // To 200: 2 GPUs for 100 s, a quarter for 50 s and for 1 s, of 4 for 100 s.
    EXPECT_EQ(summary.gpu_use_to_last_submission, 5319) << "53.1875 %, rounded";
    EXPECT_EQ(summary.gpu_use_to_end, 2659);
    // One CPU for 100 s of 8; then 4 on both nodes.
    EXPECT_EQ(summary.cpu_use_to_last_submission, 1250);
    EXPECT_EQ(summary.cpu_use_to_end, 5625);
    EXPECT_EQ(summary.gpu_stranded, 500) << "0.8 of 4 GPUs for 50 s of 200";
    EXPECT_EQ(summary.gpu_stranded_to_last_submission, 1000) << "for 50 s of 100";
    EXPECT_EQ(summary.makespan_ms, 200'000);
    EXPECT_EQ(summary.waiting_max, 3U);
    EXPECT_EQ(summary.decisions, 17U);
    EXPECT_TRUE(summary.is_complete);
}

TEST(Summary, CountsWhatRanUpToWhereItWasStopped) {
    Played played;
    played.outcome.is_complete = false;
    played.outcome.last_end_at = at(100);
    played.outcome.samples = {
        {.at = at(100), .gpu_milli_used = 2000},
        {.at = at(150), .gpu_milli_used = 2000}
    };
    played.outcome.runs = {
        {.started_at = at(100), .ended_at = at(0), .node = NodeId(1), .has_started = true},
        {.started_at = at(0), .ended_at = at(0)},
        {.started_at = at(0), .ended_at = at(0)},
        {.started_at = at(0), .ended_at = at(0)},
        {.started_at = at(0), .ended_at = at(0)}
    };
    const ReplaySummary summary = summarize(played.cluster, played.workload, played.outcome);
    EXPECT_FALSE(summary.is_complete);
    EXPECT_EQ(summary.started, 1U);
    EXPECT_EQ(summary.ended, 0U);
    EXPECT_EQ(summary.gpu_use_to_last_submission, 5000);
    EXPECT_EQ(summary.gpu_use_to_end, 5000);
    EXPECT_EQ(summary.makespan_ms, 0);
}

TEST(Summary, IsAllZeroWhereNothingStarted) {
    Played played;
    for (JobRun& run : played.outcome.runs) {
        run = {.started_at = at(0), .ended_at = at(0), .is_refused = true};
    }
    played.outcome.samples.clear();
    played.outcome.last_end_at = at(100);
    const ReplaySummary summary = summarize(played.cluster, played.workload, played.outcome);
    EXPECT_EQ(summary.wait_ms, Distribution{});
    EXPECT_EQ(summary.slowdown_milli, Distribution{});
    EXPECT_EQ(summary.gpu_use_to_end, 0);
    EXPECT_EQ(summary.gpu_stranded, 0);
    EXPECT_EQ(summary.refused, 5U);
}

TEST(Distribution, TakesTheNearestRank) {
    std::vector<std::int64_t> values;
    for (std::int64_t i = 200; i >= 1; --i) {
        values.push_back(i);
    }
    EXPECT_EQ(
        distribution_of(values),
        (Distribution{.mean = 101, .median = 100, .p90 = 180, .p95 = 190, .p99 = 198, .max = 200}))
        << "100.5 is rounded up";
    EXPECT_EQ(
        distribution_of({7}),
        (Distribution{.mean = 7, .median = 7, .p90 = 7, .p95 = 7, .p99 = 7, .max = 7}));
    EXPECT_EQ(distribution_of({}), Distribution{});
    constexpr std::int64_t kLarge = INT64_MAX - 1;
    EXPECT_EQ(distribution_of({kLarge, kLarge, kLarge}).mean, kLarge) << "no sum that overflows";
}

TEST(FixedText, PutsThePoint) {
    EXPECT_EQ(fixed_text(1234567, 3), "1234.567");
    EXPECT_EQ(fixed_text(7, 3), "0.007");
    EXPECT_EQ(fixed_text(0, 2), "0.00");
    EXPECT_EQ(fixed_text(-150, 2), "-1.50");
    EXPECT_EQ(fixed_text(100, 2), "1.00");
}

}  // namespace
}  // namespace reeve::simulate
