// Goal: what is said of when jobs start comes true as often as is said, and says more than time
// limits do.
// Method: Microsoft's Philly trace, with time limits as people might have given them, is replayed;
// now and then the starts of some jobs that wait are forecast from what was over by then, and
// compared with what the replay does (docs/forecast.md). `./bench forecast` does it with more.
// REEVE_TRACES names the folder of the trace; a workload of our own is in forecast_trial_test.cpp.
#include <cstdio>

#include <gtest/gtest.h>

#include "public_traces.hpp"
#include "simulate/forecast_trial.hpp"
#include "simulate/philly_trace.hpp"

namespace reeve::simulate {
namespace {

TEST(PhillyForecast, IsRightInFourOfFiveAndAThirdAsWideAsTimeLimitsSay) {
    const auto text = read_public_trace("philly/philly.csv");
    if (!text) {
        GTEST_SKIP() << why_skipped("philly/philly.csv");
    }
    const Cluster cluster = parse_cluster_spec("80x8xP100").value();
    auto workload = parse_philly("philly.csv", *text, cluster);
    ASSERT_TRUE(workload) << workload.error().message;
    invent_limits(*workload, 42);
    const TrialSummary summary = summarize(run_forecast_trial(
        cluster, *workload,
        {.samples = 20, .every = std::chrono::hours(12), .jobs_per_look = 20, .looks_before = 20}));
    ASSERT_GT(summary.forecasts, 400U);
    const double inside =
        100.0 * static_cast<double>(summary.inside) / static_cast<double>(summary.forecasts);
    std::printf(
        "%zu forecasts, %.1f %% inside; %lld s wide, %lld s by time limits\n", summary.forecasts,
        inside, static_cast<long long>(summary.width), static_cast<long long>(summary.by_limits));
    EXPECT_NEAR(inside, 80, 6) << "half as many looks as in the figure, which has to be within 4";
    EXPECT_LE(summary.width * 3, summary.by_limits);
}

}  // namespace
}  // namespace reeve::simulate
