#include "scheduler/calibration.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

/// 40 of them, from `first` on.
std::vector<seconds> spread(seconds first, seconds step) {
    std::vector<seconds> waits(40);
    for (int i = 0; i < 40; ++i) {
        waits.at(static_cast<std::size_t>(i)) = first + i * step;
    }
    return waits;
}

void learn(Calibration& calibration, const Outcome& outcome) {
    calibration.put(calibration.next(), outcome);
}

TEST(Calibration, KnowingNothingIsWiderThanTheSamples) {
    const std::vector<seconds> waits = spread(hours(10), seconds(600));
    const Said said = Calibration().say(waits);
    EXPECT_EQ(said.of_class, class_of_wait(hours(13)));
    EXPECT_NEAR(static_cast<double>(said.sampled.from.count()), 10 * 3600 + 3.9 * 600, 60);
    EXPECT_NEAR(static_cast<double>(said.sampled.until.count()), 10 * 3600 + 35.1 * 600, 60);
    EXPECT_LT(said.interval.from, said.sampled.from * 4 / 5);
    EXPECT_GT(said.interval.from, said.sampled.from / 2);
    EXPECT_GT(said.interval.until, said.sampled.until * 5 / 4);
    EXPECT_LT(said.interval.until, said.sampled.until * 2);
}

/// Forecasts that are far too sure of themselves, and a little early.
double share_inside(Calibration& calibration, int forecasts, SeededRandom& random) {
    int inside = 0;
    for (int i = 0; i < forecasts; ++i) {
        const seconds middle(7200 + static_cast<std::int64_t>(random.below(7200)));
        const Said said = calibration.say(spread(middle, seconds(1)));
        const auto off = static_cast<std::int64_t>(random.below(6000)) - 2000;
        const Outcome outcome = outcome_of(said, middle + seconds(off));
        inside += outcome.verdict == Verdict::kInside ? 1 : 0;
        learn(calibration, outcome);
    }
    return static_cast<double>(inside) / forecasts;
}

TEST(CalibrationProperty, EightOfTenComeOutInsideWhateverTheSamplesAreLike) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        Calibration calibration;
        (void)share_inside(calibration, 100, random);
        EXPECT_NEAR(share_inside(calibration, 1000, random), 0.8, 0.04);
    }
}

/// A burst of misses does not make all that follows useless.
TEST(Calibration, ReachesNoFartherThanWhatWasSeen) {
    Calibration calibration;
    const std::vector<seconds> waits = spread(hours(2), seconds(1));
    for (int i = 0; i < 200; ++i) {
        learn(calibration, outcome_of(calibration.say(waits), hours(3)));
    }
    EXPECT_LE(calibration.say(waits).interval.until, hours(3) + seconds(2));
    EXPECT_GE(calibration.say(waits).interval.until, hours(3) - seconds(2));
}

TEST(Calibration, WhatWasMissedTooOftenReachesFarther) {
    const std::vector<seconds> waits = spread(hours(2), seconds(1));
    const auto from_if = [&](std::uint64_t misses) {
        Calibration calibration;
        for (std::uint64_t i = 0; i < 1000; ++i) {
            learn(
                calibration,
                {.of_class = class_of_wait(hours(2)),
                 .verdict = i * misses % 1000 < misses ? Verdict::kBefore : Verdict::kInside,
                 .past_from = -static_cast<std::int32_t>(100 * i)});
        }
        return calibration.say(waits).interval.from;
    };
    EXPECT_LT(from_if(200), from_if(100));
    EXPECT_LT(from_if(100), from_if(50));
    EXPECT_LT(from_if(500) - from_if(900), seconds(10)) << "there is a bound";
}

TEST(Calibration, ClassesLearnApart) {
    Calibration calibration;
    const std::vector<seconds> shorter = spread(seconds(60), seconds(1));
    const std::vector<seconds> longer = spread(hours(100), seconds(1));
    const Said before = calibration.say(longer);
    for (int i = 0; i < 50; ++i) {
        learn(calibration, outcome_of(calibration.say(shorter), seconds(900)));
    }
    EXPECT_EQ(calibration.say(longer), before);
    EXPECT_GT(calibration.say(shorter).interval.until, seconds(600));
}

TEST(Calibration, KeepsTheLastOnesAndTheirHitRate) {
    Calibration calibration;
    for (std::size_t i = 0; i < Calibration::kKept; ++i) {
        learn(calibration, {.verdict = Verdict::kBefore});
    }
    EXPECT_EQ(calibration.inside(), 0U);
    for (int i = 0; i < 10; ++i) {
        learn(calibration, {.verdict = Verdict::kInside});
    }
    EXPECT_EQ(calibration.known(), Calibration::kKept);
    EXPECT_EQ(calibration.inside(), 10U);
    for (std::size_t i = 0; i < Calibration::kKept; ++i) {
        learn(calibration, {.verdict = Verdict::kAfter});
    }
    EXPECT_EQ(calibration.inside(), 0U);
}

TEST(Calibration, TakingBackIsAsIfItHadNotBeen) {
    Calibration calibration;
    for (std::uint64_t i = 0; i < Calibration::kKept + 5; ++i) {
        const Calibration before = calibration;
        const Outcome* old = before.at(i);
        calibration.put(i, {.past_from = static_cast<std::int32_t>(i)});
        Calibration undone = calibration;
        undone.take_back(i, old);
        ASSERT_EQ(undone, before);
    }
}

TEST(Calibration, ComesBackFromWhatIsKept) {
    Calibration calibration;
    const auto outcome = [](std::uint64_t number) {
        return Outcome{.past_from = static_cast<std::int32_t>(number)};
    };
    constexpr std::uint64_t kLast = Calibration::kKept + 5;
    for (std::uint64_t i = 0; i <= kLast; ++i) {
        calibration.put(i, outcome(i));
    }
    Calibration again;
    for (std::uint64_t i = kLast + 1 - Calibration::kKept; i <= kLast; ++i) {
        again.put(i, outcome(i));
    }
    EXPECT_EQ(again, calibration);
}

/// Forty in a row have the same fate, so that those before say little of the next.
TEST(Calibration, MissesAsManyAsAreAskedThoughTheyComeInBursts) {
    SeededRandom random(7);
    const std::vector<seconds> waits = spread(hours(2), seconds(600));
    Calibration calibration;
    std::size_t before = 0;
    std::size_t after = 0;
    constexpr int kRuns = 4000;
    constexpr int kBurst = 40;
    std::int64_t kind = 0;
    for (int i = 0; i < kRuns; ++i) {
        if (i % kBurst == 0) {
            kind = static_cast<std::int64_t>(random.below(7200));
        }
        const Outcome outcome = outcome_of(
            calibration.say(waits),
            seconds(3600 + kind + static_cast<std::int64_t>(random.below(600))));
        before += outcome.verdict == Verdict::kBefore ? 1U : 0U;
        after += outcome.verdict == Verdict::kAfter ? 1U : 0U;
        learn(calibration, outcome);
    }
    EXPECT_NEAR(static_cast<double>(before) / kRuns, 0.1, 0.02);
    EXPECT_NEAR(static_cast<double>(after) / kRuns, 0.1, 0.02);
}

TEST(Outcome, TheEndsAreInside) {
    const Said said{
        .interval = {.from = seconds(10), .until = seconds(20)}
    };
    const auto verdict = [&](int wait) { return outcome_of(said, seconds(wait)).verdict; };
    EXPECT_EQ(verdict(9), Verdict::kBefore);
    EXPECT_EQ(verdict(10), Verdict::kInside);
    EXPECT_EQ(verdict(20), Verdict::kInside);
    EXPECT_EQ(verdict(21), Verdict::kAfter);
}

TEST(Outcome, IsMeasuredInDoublings) {
    const Said said{
        .sampled = {.from = seconds(64), .until = seconds(192)}
    };
    EXPECT_EQ(outcome_of(said, seconds(192)).past_from, 1 << 16) << "128 and 256 with the minute";
    EXPECT_EQ(outcome_of(said, seconds(64)).past_until, -(1 << 16));
}

}  // namespace
}  // namespace reeve::scheduler
