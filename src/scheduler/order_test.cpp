// Goal: a job is where the rules say, whatever else waits. Method: tables for the ranks, and the
// logarithm and the decay against real numbers.
#include "scheduler/order.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::int64_t kGpuHour = 3'600'000;

Instant at(std::int64_t s) {
    return Instant(seconds(s));
}

TEST(Order, WithoutRulesAHigherPriorityComesFirstAndNothingElseCounts) {
    const OrderRules rules;
    EXPECT_EQ(rank_of(rules, {.priority = 7, .submitted_at = at(99), .load = kGpuHour}), -7);
    EXPECT_EQ(rank_of(rules, {.priority = -3}), 3);
    EXPECT_EQ(rank_of(rules, {}), 0);
}

TEST(Order, WithFairShareAJobIsDueLaterByAHalfLifeForEachDoubling) {
    const OrderRules rules{.half_life = hours(24)};
    const auto rank = [&](std::int32_t priority, std::int64_t submitted, std::int64_t load) {
        return rank_of(rules, {.priority = priority, .submitted_at = at(submitted), .load = load});
    };
    EXPECT_EQ(rank(0, 1000, 0), 1000);
    EXPECT_EQ(rank(0, 1000, kGpuHour), 1000 + 86'400);
    EXPECT_EQ(rank(0, 1000, 3 * kGpuHour), 1000 + 2 * 86'400);
    EXPECT_LT(rank(1, 1000, 1000 * kGpuHour), rank(0, 0, 0));
    EXPECT_LT(rank(1000, 1000, 0), rank(999, 0, 0));
    EXPECT_LT(rank(-999, 1'800'000'000, std::int64_t{1} << 56), rank(-1000, 0, 0));
}

TEST(Order, WithAgeingAPriorityIsWorthSoMuchWaiting) {
    const OrderRules rules{.ageing = hours(1)};
    const auto rank = [&](std::int32_t priority, std::int64_t submitted) {
        return rank_of(rules, {.priority = priority, .submitted_at = at(submitted)});
    };
    EXPECT_LT(rank(1, 3599), rank(0, 0));
    EXPECT_EQ(rank(1, 3600), rank(0, 0));
    EXPECT_GT(rank(1, 3601), rank(0, 0));
    EXPECT_LT(rank(0, 10), rank(0, 11));
}

TEST(Order, TheDelayIsTheLogarithm) {
    const OrderRules rules{.half_life = hours(24 * 7)};
    SeededRandom random(5);
    for (int i = 0; i < 10'000; ++i) {
        const auto bits = static_cast<unsigned>(random.below(56));
        const auto load = static_cast<std::int64_t>(random.below((std::uint64_t{1} << bits) + 1));
        const double want = 604'800.0 * std::log2(1.0 + static_cast<double>(load) / kGpuHour);
        EXPECT_NEAR(static_cast<double>(delay_of(rules, load).count()), want, 25.0) << load;
    }
    EXPECT_EQ(delay_of({}, kGpuHour).count(), 0);
}

TEST(Order, WhatWasUsedHalvesEveryHalfLife) {
    const OrderRules rules{.half_life = hours(24)};
    SeededRandom random(6);
    for (int i = 0; i < 10'000; ++i) {
        const auto used = static_cast<std::int64_t>(random.below(std::uint64_t{1} << 40));
        const auto from = static_cast<std::int64_t>(random.below(2'000'000'000));
        const auto more = static_cast<std::int64_t>(random.below(2'000'000));
        const std::int64_t left = decayed(rules, used, at(from), at(from + more));
        const double want =
            static_cast<double>(used) * std::exp2(-static_cast<double>(more) / 86'400.0);
        EXPECT_NEAR(static_cast<double>(left), want, static_cast<double>(used) / 1024.0 + 12);
        // In two steps it is the same, to the rounding.
        const auto part =
            static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(more) + 1));
        const std::int64_t there = decayed(rules, used, at(from), at(from + part));
        EXPECT_NEAR(
            static_cast<double>(decayed(rules, there, at(from + part), at(from + more))),
            static_cast<double>(left), 12 + static_cast<double>(used) * 1e-7);
    }
    EXPECT_EQ(decayed(rules, 1000, at(0), at(86'400LL * 400)), 0);
    EXPECT_EQ(decayed(rules, 1000, at(86'400), at(0)), 1000);
}

TEST(Order, TheDominantPartCounts) {
    const OrderRules rules;
    const seconds run(10);
    EXPECT_EQ(cost_of(rules, {.gpu_milli = 2000, .cpu_millicores = 1000}, run), 20'000);
    EXPECT_EQ(cost_of(rules, {.gpu_milli = 500, .cpu_millicores = 32'000}, run), 20'000);
    EXPECT_EQ(cost_of(rules, {.memory_mib = 65'536}, run), 5000);
    EXPECT_EQ(cost_of(rules, {}, run), 0);
}

TEST(Order, NothingIsTooLargeToCount) {
    const OrderRules rules{.half_life = hours(24), .cpu_millicores_per_gpu = 1};
    const seconds ten_years(10LL * 366 * 86'400);
    const std::int64_t most = cost_of(rules, {.cpu_millicores = 1'000'000'000'000}, ten_years);
    EXPECT_EQ(most, std::int64_t{1} << 39);
    EXPECT_EQ(cost_of(rules, {.gpu_milli = 64'000}, ten_years), most);
    constexpr std::int64_t kJobsMax = 10'000'000;
    EXPECT_LT(most, std::numeric_limits<std::int64_t>::max() / kJobsMax - kLoadMax / kJobsMax);
    EXPECT_EQ(next_load(kLoadMax, kLoadMax), kLoadMax);
    EXPECT_EQ(next_load(kLoadMax - 5, 4), kLoadMax - 1);
    EXPECT_GT(delay_of(rules, kLoadMax), delay_of(rules, kLoadMax / 4));
}

}  // namespace
}  // namespace reeve::scheduler
