// Goal: fair share, guarantees and preemption do in a replay what they do in the live cluster.
// Method: small traces of our own, made by rules or from a seed, with bounds that hold for each.
#include "simulate/shares.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "simulate/project_rules.hpp"
#include "simulate/replay.hpp"
#include "simulate/summary.hpp"
#include "simulate/trace_format.hpp"

namespace reeve::simulate {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::string_view kHeader =
    "name,submitted_s,run_s,limit_s,gpus,user,project,priority,preemptible\n";

Workload parse(const std::string& rows, const Cluster& cluster) {
    const std::string text = std::string(kHeader) + rows;
    auto workload = find_trace_format("reeve").value()->parse("jobs.csv", text, cluster);
    EXPECT_TRUE(workload) << workload.error().message;
    return workload ? std::move(*workload) : Workload();
}

Workload parse(const std::string& rows, const Cluster& cluster, const std::string& projects) {
    Workload workload = parse(rows, cluster);
    const auto read = read_project_rules("projects.csv", projects, workload);
    EXPECT_TRUE(read) << read.error().message;
    return workload;
}

std::int64_t wait_s(const Workload& workload, const ReplayOutcome& outcome, std::size_t job) {
    return ms_between(workload.jobs[job].submitted_at, first_starts(outcome)[job]) / 1000;
}

/// Jobs of one user, whose limits are as long as they run.
std::string one_users_jobs(std::uint64_t seed) {
    SeededRandom random(seed);
    std::string rows;
    std::uint64_t at = 0;
    for (int i = 0; i < 60; ++i) {
        at += random.below(40);
        const std::string run = std::to_string(10 + random.below(400));
        const std::string gpus = std::to_string(1 + random.below(4));
        rows.append(std::to_string(i)).append(",").append(std::to_string(at)).append(",");
        rows.append(run).append(",").append(run).append(",").append(gpus);
        rows.append(",ann,vision,,\n");
    }
    return rows;
}

TEST(FairShareReplay, ChangesNothingForOneUser) {
    const Cluster cluster = parse_cluster_spec("2x4xA100").value();
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        SCOPED_TRACE(seed);
        const Workload workload = parse(one_users_jobs(seed), cluster);
        const ReplayOutcome plain = run_replay(cluster, workload, {});
        const ReplayOutcome fair =
            run_replay(cluster, workload, {.order = {.half_life = hours(24)}});
        for (std::size_t job = 0; job < workload.jobs.size(); ++job) {
            ASSERT_EQ(plain.runs[job].started_at, fair.runs[job].started_at) << job;
        }
    }
}

/// Whose jobs started, in the order of their starts.
std::vector<std::size_t> users_by_start(const Workload& workload, const ReplayOutcome& outcome) {
    std::vector<std::size_t> order(workload.jobs.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        order[i] = i;
    }
    std::ranges::sort(
        order, {}, [&](std::size_t job) { return std::pair(outcome.runs[job].started_at, job); });
    for (std::size_t& each : order) {
        each = workload.jobs[each].user;
    }
    return order;
}

std::string job_of(const std::string& user, int at) {
    static int number = 0;
    return user + std::to_string(++number) + "," + std::to_string(at) + ",100,100,1," + user +
           ",vision,,\n";
}

TEST(FairShareReplay, EqualDemandGetsEqualShares) {
    const Cluster cluster = parse_cluster_spec("1x2xA100").value();
    std::string rows;
    for (int i = 0; i < 60; ++i) {
        rows += job_of("ann", i * 10) + job_of("bob", i * 10);
    }
    const Workload workload = parse(rows, cluster);
    const ReplayOutcome outcome =
        run_replay(cluster, workload, {.order = {.half_life = hours(24)}});
    std::int64_t ahead = 0;
    for (const std::size_t user : users_by_start(workload, outcome)) {
        ahead += user == 0 ? 1 : -1;
        EXPECT_LE(std::abs(ahead), 2) << "two jobs, at any time";
    }
}

TEST(FairShareReplay, WhoComesSecondIsNotPushedOut) {
    const Cluster cluster = parse_cluster_spec("1x2xA100").value();
    std::string rows;
    for (int i = 0; i < 120; ++i) {
        rows += job_of(i < 60 ? "ann" : "bob", i < 60 ? 0 : 1);
    }
    const Workload workload = parse(rows, cluster);
    const auto share_of_bob = [&](const ReplayOptions& options) {
        const std::vector<std::size_t> users =
            users_by_start(workload, run_replay(cluster, workload, options));
        return std::ranges::count(users.begin(), users.begin() + 60, std::size_t{1});
    };
    EXPECT_EQ(share_of_bob({}), 0) << "first come, first served";
    EXPECT_GE(share_of_bob({.order = {.half_life = hours(24)}}), 18)
        << "a third, less two: ann had no rival when she submitted";
}

// ---- Guarantees.

constexpr std::string_view kGuaranteed =
    "project,guaranteed_gpus,preemptible\nlender,4,0\nborrower,0,1\n";

TEST(GuaranteedReplay, IsHadBackWithinMinRunAndGrace) {
    const Cluster cluster = parse_cluster_spec("1x4xA100").value();
    const Workload workload = parse(
        "b1,0,90000,90000,2,bob,borrower,,\nb2,0,90000,90000,2,bob,borrower,,\n"
        "a1,1000,10,10,4,ann,lender,,\na2,1075,10,10,4,ann,lender,,\n",
        cluster, std::string(kGuaranteed));
    const ReplayOptions options{.min_run = seconds(600), .grace = seconds(60)};
    const ReplayOutcome outcome = run_replay(cluster, workload, options);
    EXPECT_EQ(wait_s(workload, outcome, 2), 60) << "the grace alone: nobody was stopped before";
    const std::int64_t second = wait_s(workload, outcome, 3);
    EXPECT_GT(second, 60) << "they had just begun again";
    EXPECT_LE(second, 660);
    EXPECT_EQ(outcome.runs[0].stops, 2U);
    EXPECT_EQ(outcome.runs[1].stops, 2U);
    ASSERT_EQ(outcome.stopped.size(), 4U);
    EXPECT_EQ(outcome.stopped[0].for_job, 2U);
    EXPECT_EQ(outcome.stopped[0].until, Instant(seconds(1060)));
    const ReplaySummary summary = summarize(cluster, workload, outcome);
    EXPECT_EQ(summary.ended, 4U) << "those that were stopped, too";
    EXPECT_EQ(summary.stopped, 2U);
    EXPECT_EQ(summary.stops, 4U);
    const std::int64_t again = ms_between(outcome.stopped[2].from, outcome.stopped[2].until) / 1000;
    EXPECT_EQ(summary.lost_gpu_milli_s, 4000 * (1060 + again));

    const ReplayOutcome never =
        run_replay(cluster, workload, {.preemption = scheduler::PreemptionMode::kNone});
    EXPECT_TRUE(never.stopped.empty());
    EXPECT_EQ(wait_s(workload, never, 2), 89000);
}

TEST(GuaranteedReplay, WhatCannotBeStoppedBorrowsNothing) {
    const Cluster cluster = parse_cluster_spec("1x4xA100").value();
    const Workload workload = parse(
        "b1,0,100,100,2,bob,other,,\nb2,0,100,100,2,bob,other,,\nb3,0,1,1,3,bob,other,,\n", cluster,
        "project,guaranteed_gpus,gpus\nlender,2,\nother,,4\n");
    const ReplayOutcome outcome = run_replay(cluster, workload, {});
    EXPECT_EQ(wait_s(workload, outcome, 0), 0);
    EXPECT_EQ(wait_s(workload, outcome, 1), 100) << "two are kept for who may come";
    EXPECT_TRUE(outcome.runs[2].is_refused) << "it never could start";
}

TEST(GuaranteedReplay, ALimitIsKept) {
    const Cluster cluster = parse_cluster_spec("1x4xA100").value();
    const Workload workload = parse(
        "a,0,100,100,2,ann,small,,\nb,0,100,100,1,ann,small,,\nc,0,100,100,1,ann,large,,\n",
        cluster, "project,parent,gpus\nsmall,large,2\nlarge,,3\n");
    const ReplayOutcome outcome = run_replay(cluster, workload, {});
    EXPECT_EQ(wait_s(workload, outcome, 1), 100);
    EXPECT_EQ(wait_s(workload, outcome, 2), 0);
}

// ---- Preemption.

std::string anybodys_jobs(std::uint64_t seed) {
    SeededRandom random(seed);
    std::string rows;
    std::uint64_t at = 0;
    for (int i = 0; i < 80; ++i) {
        at += random.below(60);
        const std::uint64_t run = 10 + random.below(900);
        rows += std::to_string(i) + "," + std::to_string(at) + "," + std::to_string(run) + "," +
                (random.below(3) == 0 ? "" : std::to_string(run + random.below(100))) + "," +
                std::to_string(1 + random.below(4)) + ",u" + std::to_string(random.below(3)) +
                ",p" + std::to_string(random.below(3)) + "," + std::to_string(random.below(3)) +
                "," + std::to_string(random.below(2)) + "\n";
    }
    return rows;
}

void check_stops(
    const Workload& workload, const ReplayOutcome& outcome, const ReplayOptions& options) {
    std::map<std::size_t, int> stops;
    for (const StoppedRun& run : outcome.stopped) {
        const TraceJob& job = workload.jobs[run.job];
        EXPECT_TRUE(job.is_preemptible);
        EXPECT_LT(run.until - run.from, seconds(job.run_s)) << "else it had ended";
        if (stops[run.job]++ > 0) {
            EXPECT_GE(run.until - run.from, options.min_run);
        }
    }
    for (std::size_t job = 0; job < workload.jobs.size(); ++job) {
        const JobRun& run = outcome.runs[job];
        EXPECT_EQ(run.stops, stops[job]);
        EXPECT_TRUE(run.has_ended || run.is_refused);
        if (run.has_ended) {
            EXPECT_EQ(run.ended_at - run.started_at, seconds(workload.jobs[job].run_s));
        }
    }
}

TEST(PreemptionReplay, LosesNothingButWhatItSays) {
    const Cluster cluster = parse_cluster_spec("2x4xA100").value();
    std::size_t stops = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        SCOPED_TRACE(seed);
        const Workload workload =
            parse(anybodys_jobs(seed), cluster, "project,guaranteed_gpus\np0,2\np1,3\n");
        const ReplayOptions options{
            .order = {.half_life = hours(seed % 2 == 0 ? 0 : 24)},
            .preemption = seed % 3 == 0 ? scheduler::PreemptionMode::kProject
                                        : scheduler::PreemptionMode::kAny,
            .min_run = seconds(120),
            .grace = seconds(30)};
        const ReplayOutcome outcome = run_replay(cluster, workload, options);
        check_stops(workload, outcome, options);
        stops += outcome.stopped.size();
        const ReplaySummary summary = summarize(cluster, workload, outcome);
        const double capacity = 8.0 * static_cast<double>(summary.makespan_ms);
        EXPECT_NEAR(
            static_cast<double>(summary.gpu_use_to_end) / 10'000,
            static_cast<double>(outcome.gpu_milli_seconds) / capacity, 0.0001);
        const ReplayOutcome again = run_replay(cluster, workload, options);
        EXPECT_EQ(summarize(cluster, workload, again), summary);
    }
    EXPECT_GT(stops, 100U);
}

TEST(PreemptionReplay, WhatEndsWithinItsGraceHasEnded) {
    const Cluster cluster = parse_cluster_spec("1x1xA100").value();
    const Workload workload =
        parse("low,0,500,9000,1,ann,p,0,1\nhigh,480,10,10,1,ann,p,5,\n", cluster);
    const ReplayOutcome outcome = run_replay(cluster, workload, {.grace = seconds(60)});
    EXPECT_TRUE(outcome.stopped.empty());
    EXPECT_EQ(outcome.runs[0].ended_at, Instant(seconds(500)));
    EXPECT_EQ(wait_s(workload, outcome, 1), 20);
    EXPECT_EQ(outcome.last_end_at, Instant(seconds(510))) << "no stop that came too late";
}

// ---- Who held what.

TEST(SharesOverTime, AddsUpWhatEachHeld) {
    const Cluster cluster = parse_cluster_spec("1x4xA100").value();
    const Workload workload =
        parse("a,0,100,100,2,ann,p,,\nb,0,50,50,1,bob,q,,\nc,50,50,50,1,cid,q,,\n", cluster);
    Report report{.machines = cluster, .workload = workload};
    report.runs.push_back({.outcome = run_replay(cluster, workload, {})});
    const SharesOverTime shares = shares_over_time(report, report.runs[0], 2, 10);
    EXPECT_EQ(shares.part_s, 50);
    ASSERT_EQ(shares.projects.size(), 2U);
    EXPECT_EQ(shares.projects[0].name, "p");
    EXPECT_EQ(shares.projects[0].gpu_milli_seconds, 200'000);
    EXPECT_EQ(shares.projects[1].gpu_milli, (std::vector<std::int64_t>{1000, 1000}));
    ASSERT_EQ(shares.users.size(), 3U);
    EXPECT_EQ(shares.users[1].name, "bob");
    EXPECT_EQ(shares.users[1].gpu_milli, (std::vector<std::int64_t>{1000, 0}));
    const SharesOverTime few = shares_over_time(report, report.runs[0], 2, 2);
    ASSERT_EQ(few.users.size(), 2U);
    EXPECT_EQ(few.users[1].name, "others (2)");
    EXPECT_EQ(few.users[1].gpu_milli_seconds, 100'000);
    EXPECT_NE(shares_csv(report).find("fill-value,easy,user,ann,0,2.000\n"), std::string::npos);
}

TEST(ProjectRules, RefusesWhatCannotBe) {
    const Cluster cluster = parse_cluster_spec("1x4xA100").value();
    Workload workload = parse("a,0,1,1,1,ann,p,,\n", cluster);
    const auto refusal = [&](const std::string& text) {
        const auto read = read_project_rules("f", text, workload);
        return read ? std::string() : read.error().message;
    };
    EXPECT_EQ(
        refusal("project,parent\np,q\n"),
        "f:2: parent: there is no project 'q', neither here nor in the trace");
    EXPECT_EQ(refusal("project,parent\np,q\nq,p\n"), "f:2: parent: 'p' is above itself");
    EXPECT_EQ(
        refusal("project,guaranteed_gpus,gpus\np,3,2\n"),
        "f:2: guaranteed_gpus: more than its limit, gpus");
    EXPECT_NE(refusal("project,color\np,red\n").find("color"), std::string::npos);
    EXPECT_NE(refusal("project\np\np\n"), "");
    EXPECT_NE(refusal("project,preemptible\np,2\n"), "");
    EXPECT_TRUE(workload.project_rules.empty()) << "as it was";
    EXPECT_EQ(refusal("project,parent,share\np,q,3\nq,,\n"), "");
    EXPECT_EQ(workload.projects, (std::vector<std::string>{"p", "q"}));
}

}  // namespace
}  // namespace reeve::simulate
