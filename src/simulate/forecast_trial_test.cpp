#include "simulate/forecast_trial.hpp"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace reeve::simulate {
namespace {

/// Whole GPUs on one node of 8. Jobs of project 0 run about 10 minutes, those of project 1 about
/// 2 hours; all said a day. Nearly as much comes as fits.
Workload busy_days() {
    SeededRandom random(5);
    Workload workload{
        .users = {"u"},
          .projects = {"short", "long"}
    };
    workload.requests.push_back({.gpus = model::WholeGpus{.count = 1}});
    workload.requests.push_back({.gpus = model::WholeGpus{.count = 4}});
    std::int64_t now = 0;
    while (now < std::int64_t{10} * 86'400) {
        now += static_cast<std::int64_t>(random.below(1400));
        const std::size_t project = random.below(2);
        const std::int64_t usual = project == 0 ? 600 : 7200;
        workload.jobs.push_back(
            {.submitted_at = Instant(std::chrono::seconds(now)),
             .run_s = usual / 2 +
                      static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(usual))),
             .limit_s = 86'400,
             .request = random.below(8) == 0 ? 1U : 0U,
             .project = project});
    }
    return workload;
}

TEST(ForecastTrial, KnowsMoreThanTimeLimitsDo) {
    const Cluster cluster = parse_cluster_spec("1x8xA100").value();
    const Workload workload = busy_days();
    const TrialOptions options{
        .samples = 20, .every = std::chrono::hours(1), .jobs_per_look = 4, .looks_before = 40};
    const std::vector<TrialForecast> made = run_forecast_trial(cluster, workload, options);
    const TrialSummary summary = summarize(made);
    ASSERT_GT(summary.forecasts, 200U);
    const double inside =
        100.0 * static_cast<double>(summary.inside) / static_cast<double>(summary.forecasts);
    EXPECT_NEAR(inside, 80, 6);
    EXPECT_LT(summary.width * 4, summary.by_limits);
    EXPECT_LT(summary.median_error * 4, summary.by_limits_error);
}

/// A forecast depends on what was over when it was made: the same start of a workload, the same
/// forecasts, whatever comes later.
TEST(ForecastTrial, DoesNotKnowTheFuture) {
    const Cluster cluster = parse_cluster_spec("1x8xA100").value();
    const Workload whole = busy_days();
    Workload cut = whole;
    cut.jobs.resize(whole.jobs.size() / 2);
    const TrialOptions options{
        .samples = 5, .every = std::chrono::hours(4), .jobs_per_look = 2, .looks_before = 0};
    const auto all = run_forecast_trial(cluster, whole, options);
    const auto half = run_forecast_trial(cluster, cut, options);
    ASSERT_GT(half.size(), 20U);
    const std::size_t looks = half.back().look / 2;  // Long before its last job came.
    for (const TrialForecast& one : half) {
        if (one.look > looks) {
            continue;
        }
        const auto other = std::ranges::find_if(all, [&](const TrialForecast& each) {
            return each.look == one.look && each.job == one.job;
        });
        ASSERT_NE(other, all.end());
        EXPECT_EQ(other->from, one.from);
        EXPECT_EQ(other->until, one.until);
    }
}

TEST(InventedLimits, AreRoundAndNotBelowTheRun) {
    Workload workload = busy_days();
    invent_limits(workload, 1);
    std::set<std::int64_t> limits;
    for (const TraceJob& job : workload.jobs) {
        EXPECT_GE(job.limit_s, job.run_s);
        limits.insert(job.limit_s);
    }
    EXPECT_LE(limits.size(), 22U);
    EXPECT_GT(limits.size(), 8U);
}

}  // namespace
}  // namespace reeve::simulate
