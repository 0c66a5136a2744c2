#include "controller/forecast_sheet.hpp"

#include <chrono>
#include <vector>

#include <gtest/gtest.h>

#include "controller/view_world.hpp"

namespace reeve::controller {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

bool always(bool /*is_sample_done*/) {
    return true;
}

/// Of job 4, which holds a GPU, and of all that waiting_job() makes.
scheduler::RunKey key_of_ann(std::int64_t gpus) {
    return {
        .project = ProjectId(1),
        .user = UserId(3),
        .name = 9,
        .size = scheduler::run_size({.gpus = model::WholeGpus{.count = gpus}}, 1)};
}

/// Job 4 has a limit of 10 hours, and such jobs take 10 minutes.
View view_with_history() {
    View view = half_used_view(hours(10));
    auto node = std::make_shared<NodeStatus>(*view.nodes.front());
    node->holdings.front().run_key = key_of_ann(1);
    view.nodes.front() = node;
    view.rev = Revision(77);
    for (std::uint64_t i = 1; i <= 100; ++i) {
        for (const auto& put : view.runs.learn(key_of_ann(1), {.run_s = 600}, i)) {
            view.runs.put(put);
        }
    }
    return view;
}

std::vector<ledger::JobRow> queue_of_two() {
    std::vector<ledger::JobRow> queue = {
        waiting_job(5, 2, hours(10)), waiting_job(6, 2, hours(10))};
    for (ledger::JobRow& job : queue) {
        job.record.user = UserId(3);
        job.record.run_name = 9;
    }
    return queue;
}

scheduler::RunHistory history_of(const View& view) {
    scheduler::RunHistory history;
    history.update(view.runs);
    return history;
}

TEST(ForecastSheet, SaysWhatRunTimesSayAndWhatLimitsSay) {
    const View view = view_with_history();
    const auto sheet =
        make_forecast_sheet(view, kViewNow, queue_of_two(), history_of(view), always);
    ASSERT_TRUE(sheet);
    EXPECT_EQ(sheet->rev, Revision(77));
    EXPECT_EQ(sheet->at, kViewNow);
    EXPECT_EQ(sheet->samples, kForecastSamples);
    const Outlook& first = sheet->jobs.at(JobId(5));
    EXPECT_EQ(first.by_limits.at, kViewNow + hours(10));
    ASSERT_TRUE(first.said);
    EXPECT_GT(first.said->sampled.from, seconds(570));
    EXPECT_LT(first.said->sampled.until, seconds(660));
    const Outlook& second = sheet->jobs.at(JobId(6));
    EXPECT_EQ(second.by_limits.at, kViewNow + hours(20));
    EXPECT_EQ(second.by_limits.starts_before, 1U);
    EXPECT_GT(second.said->sampled.from, seconds(600));
}

TEST(ForecastSheet, IsTheSameForTheSameRevision) {
    const View view = view_with_history();
    const auto one = make_forecast_sheet(view, kViewNow, queue_of_two(), history_of(view), always);
    std::vector<ledger::JobRow> turned = queue_of_two();
    std::swap(turned[0], turned[1]);
    const auto other = make_forecast_sheet(view, kViewNow, turned, history_of(view), always);
    EXPECT_EQ(one->jobs.at(JobId(6)).said, other->jobs.at(JobId(6)).said);
    EXPECT_EQ(records_of(*one), records_of(*other));
    EXPECT_EQ(records_of(*one).size(), 2U);
}

/// What has run for longer than all before is not over at once.
TEST(ForecastSheet, KnowsHowLongThingsRanUntilNow) {
    const View view = view_with_history();
    const Instant later = kViewNow + hours(2);
    const auto sheet = make_forecast_sheet(view, later, queue_of_two(), history_of(view), always);
    EXPECT_EQ(sheet->at, later);
    EXPECT_EQ(sheet->jobs.at(JobId(5)).by_limits.at, kViewNow + hours(10));
    EXPECT_GT(sheet->jobs.at(JobId(5)).said->sampled.from, seconds(0));
}

TEST(ForecastSheet, EndsWhenItIsTold) {
    const View view = view_with_history();
    std::size_t done = 0;
    const auto until = [&](std::size_t samples) {
        done = 0;
        return make_forecast_sheet(
            view, kViewNow, queue_of_two(), history_of(view),
            [&done, samples](bool is_sample_done) {
                done += is_sample_done ? 1U : 0U;
                return done < samples;
            });
    };
    EXPECT_FALSE(until(kForecastSamplesMin - 1)) << "too few to say anything";
    ASSERT_TRUE(until(kForecastSamplesMin));
    EXPECT_EQ(until(kForecastSamplesMin)->samples, kForecastSamplesMin);
}

TEST(ForecastSheet, ReachesAsFarAsEarlierOnesHadTo) {
    View view = view_with_history();
    const auto before =
        make_forecast_sheet(view, kViewNow, queue_of_two(), history_of(view), always);
    scheduler::Calibration past;
    const scheduler::Said said = *before->jobs.at(JobId(5)).said;
    for (std::uint64_t i = 0; i < 100; ++i) {
        past.put(i, scheduler::outcome_of(said, hours(2)));
    }
    view.calibration = std::make_shared<const scheduler::Calibration>(past);
    const auto after =
        make_forecast_sheet(view, kViewNow, queue_of_two(), history_of(view), always);
    EXPECT_GE(after->jobs.at(JobId(5)).said->interval.until, hours(2) - seconds(60));
}

TEST(ForecastSheet, OfAnEmptyQueueNothingIsSampled) {
    const View view = view_with_history();
    const auto sheet = make_forecast_sheet(view, kViewNow, {}, history_of(view), [](bool) {
        ADD_FAILURE();
        return true;
    });
    ASSERT_TRUE(sheet);
    EXPECT_TRUE(sheet->jobs.empty());
}

TEST(ForecastSheet, WhatNeverStartsIsLeftOut) {
    const View view = view_with_history();
    const ledger::JobRow large = waiting_job(7, 3, hours(1));
    const auto sheet = make_forecast_sheet(view, kViewNow, {large}, history_of(view), always);
    ASSERT_TRUE(sheet);
    EXPECT_FALSE(sheet->jobs.contains(JobId(7)));
}

}  // namespace
}  // namespace reeve::controller
