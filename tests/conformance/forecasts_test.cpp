// What forecasts are made from comes back as it was.
#include <memory>
#include <vector>

#include "store_fixture.hpp"

namespace reeve::conformance {
namespace {

using Forecasts = StoreSuite;

ledger::RunStatsRecord stats_of(std::uint64_t user, int runs, std::uint64_t told) {
    auto stats = std::make_shared<scheduler::RunStats>();
    for (int i = 0; i < runs; ++i) {
        stats->add(
            {.run_s = std::int64_t{100} * i * i,
             .limit_s = i % 2 == 0 ? 0 : 1'000'000,
             .end = i % 3 == 0 ? scheduler::RunEnd::kCut : scheduler::RunEnd::kEnded});
    }
    return {
        .key = {.project = ProjectId(1), .user = UserId(user), .name = 0xFFFFFFFF, .size = 3},
        .stats = std::move(stats),
        .told = told
    };
}

TEST_P(Forecasts, RunTimesAreRemembered) {
    const ledger::RunStatsRecord first = stats_of(1, 3, 7);
    const ledger::RunStatsRecord then = stats_of(1, 40, 9);
    const ledger::RunStatsRecord other = stats_of(2, 1, 8);
    Script changes(header);
    changes.put(first).put(other);
    changes.add(ledger::Put<ledger::RunStatsRecord>{.before = first, .after = then});
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(
        of_kind<ledger::RunStatsRecord>(recovered(store())),
        (std::vector<ledger::RunStatsRecord>{then, other}));
    changes.add(ledger::Put<ledger::RunStatsRecord>{.before = then});
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(of_kind<ledger::RunStatsRecord>(recovered(store())), std::vector{other});
}

TEST_P(Forecasts, WhatWasSaidIsRemembered) {
    const ledger::ForecastRecord said{
        .job = JobId(7),
        .at = kStart,
        .said = {
                 .of_class = 3,
                 .sampled = {.from = std::chrono::seconds(10), .until = std::chrono::seconds(20)},
                 .interval = {.from = std::chrono::seconds(5), .until = std::chrono::hours(9000)}}
    };
    Script changes(header);
    changes.put(said);
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(of_kind<ledger::ForecastRecord>(recovered(store())), std::vector{said});
    changes.add(ledger::Put<ledger::ForecastRecord>{.before = said});
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_TRUE(of_kind<ledger::ForecastRecord>(recovered(store())).empty());
}

TEST_P(Forecasts, OfOutcomesTheLastAreRememberedInTheirOrder) {
    constexpr std::uint64_t kKept = scheduler::Calibration::kKept;
    const auto outcome = [](std::uint64_t number) {
        return ledger::OutcomeRecord{
            .number = number,
            .outcome = {
                        .of_class = 2,
                        .verdict = scheduler::Verdict::kAfter,
                        .past_from = -static_cast<std::int32_t>(number),
                        .past_until = static_cast<std::int32_t>(number)}
        };
    };
    Script changes(header);
    for (std::uint64_t number = 0; number < kKept + 2; ++number) {
        ledger::Put<ledger::OutcomeRecord> put{.after = outcome(number)};
        if (number >= kKept) {
            put.before = outcome(number - kKept);
        }
        changes.add(put);
    }
    ASSERT_TRUE(changes.commit(store()));
    const auto kept = of_kind<ledger::OutcomeRecord>(recovered(store()));
    ASSERT_EQ(kept.size(), kKept);
    EXPECT_EQ(kept.front(), outcome(2));
    EXPECT_EQ(kept.back(), outcome(kKept + 1));
    EXPECT_EQ(kept[500], outcome(502));
}

TEST_P(Forecasts, WhatAJobIsCalledIsKeptWithIt) {
    model::JobRecord job = job_in(1, model::ElementState::kQueued);
    job.run_name = 0xFFFFFFFE;
    Script changes(header);
    add_people(changes);
    changes.submit(job);
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(of_kind<model::JobRecord>(recovered(store())).front().run_name, 0xFFFFFFFE);
    EXPECT_EQ(reader()->job(JobId(1))->record.run_name, 0xFFFFFFFE);
}

INSTANTIATE_TEST_SUITE_P(
    All, Forecasts, testing::ValuesIn(implementations()), [](const auto& about) {
        return about.param.name;
    });

}  // namespace
}  // namespace reeve::conformance
