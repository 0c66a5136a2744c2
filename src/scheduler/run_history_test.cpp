#include "scheduler/run_history.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace reeve::scheduler {
namespace {

constexpr std::uint64_t kHalfOfAll = RunHistogram::kCertain / 2;

TEST(RunHistogram, BinsFollowEachOtherAndAreAnEighthWide) {
    for (std::int64_t bin = 0; bin < 256; ++bin) {
        const std::int64_t begin = RunHistogram::begin_of(bin);
        const std::int64_t end = RunHistogram::begin_of(bin + 1);
        ASSERT_LT(begin, end);
        EXPECT_EQ(RunHistogram::bin_of(begin), bin);
        EXPECT_EQ(RunHistogram::bin_of(end - 1), bin);
        EXPECT_LE(end - begin, std::max<std::int64_t>(begin / 8, 1));
    }
    EXPECT_EQ(RunHistogram::bin_of(INT64_MAX), 255);
    EXPECT_EQ(RunHistogram::bin_of(0), 0);
}

RunHistogram random_histogram(Random& random, std::uint64_t runs) {
    RunHistogram histogram;
    for (std::uint64_t i = 0; i < runs; ++i) {
        const std::uint64_t length = random.below(std::uint64_t{1} << random.below(20));
        histogram.add(
            static_cast<std::int64_t>(length),
            random.below(4) == 0 ? RunEnd::kCut : RunEnd::kEnded);
    }
    return histogram;
}

TEST(RunHistogramProperty, MergingIsAddingAndSubtractingTakesItBack) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        const RunHistogram a = random_histogram(random, random.below(50));
        const RunHistogram b = random_histogram(random, random.below(50));
        RunHistogram ab = a;
        ab.merge(b);
        RunHistogram ba = b;
        ba.merge(a);
        EXPECT_EQ(ab, ba);
        EXPECT_EQ(ab.weight(), a.weight() + b.weight());
        ab.subtract(b);
        EXPECT_EQ(ab, a);
        EXPECT_EQ(RunHistogram(a.bins()), a) << "the bins are all there is";
    }
}

TEST(RunHistogramProperty, QuantilesGrowAndStayBehindWhatIsOver) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        const RunHistogram histogram = random_histogram(random, 1 + random.below(60));
        const auto after = static_cast<std::int64_t>(random.below(1U << random.below(18)));
        std::optional<std::int64_t> before = after;
        for (std::uint64_t step = 0; step < 64; ++step) {
            const auto at = histogram.quantile(after, step * (RunHistogram::kCertain / 64));
            if (!at) {
                before.reset();
                continue;
            }
            ASSERT_TRUE(before) << "what is unknown is longer than all that is known";
            EXPECT_GE(*at, *before);
            EXPECT_GT(*at, after);
            before = at;
        }
    }
}

TEST(RunHistogram, TheMedianIsInTheMiddle) {
    RunHistogram histogram;
    for (const std::int64_t length : {10, 100, 1000, 10'000}) {
        histogram.add(length, RunEnd::kEnded);
    }
    const std::int64_t median = histogram.quantile(0, kHalfOfAll).value();
    EXPECT_GE(median, 960) << "two of four are not above 104";
    EXPECT_LT(median, 1024 + 128);
    EXPECT_LT(histogram.quantile(0, kHalfOfAll - 2).value(), 104);
    EXPECT_GE(histogram.quantile(2000, 0).value(), 9216) << "of what ran for so long, one is left";
}

/// Kaplan and Meier: two of four ended at 10; of the two that were alive at 100, one was cut there.
/// So all that is left ends at 1000.
TEST(RunHistogram, WhatWasCutWouldHaveGoneOn) {
    RunHistogram histogram;
    histogram.add(10, RunEnd::kEnded);
    histogram.add(10, RunEnd::kEnded);
    histogram.add(100, RunEnd::kCut);
    histogram.add(1000, RunEnd::kEnded);
    EXPECT_GE(histogram.quantile(0, kHalfOfAll).value(), 960);
    EXPECT_TRUE(histogram.quantile(0, RunHistogram::kCertain - 1)) << "it has left what is alive";
    RunHistogram cut;
    cut.add(100, RunEnd::kCut);
    EXPECT_EQ(cut.quantile(0, 0), std::nullopt);
}

RunKey key_of(std::uint64_t project, std::uint64_t user, std::uint32_t name, std::uint32_t size) {
    return {.project = ProjectId(project), .user = UserId(user), .name = name, .size = size};
}

void learn(RunLeaves& leaves, const RunKey& key, const ObservedRun& run, std::uint64_t told) {
    for (const RunLeaves::Put& put : leaves.learn(key, run, told)) {
        leaves.put(put);
    }
}

double median_of(const RunHistory& history, const RunHistory::Query& query) {
    SeededRandom random(7);
    std::vector<std::int64_t> drawn(400);
    for (std::int64_t& each : drawn) {
        each = history.draw(query, random.next());
    }
    std::ranges::sort(drawn);
    return static_cast<double>(drawn[drawn.size() / 2]);
}

TEST(RunNames, DifferInMoreThanNumbers) {
    EXPECT_EQ(run_name("train-17"), run_name("train-8"));
    EXPECT_NE(run_name("train-17"), run_name("eval-17"));
    EXPECT_NE(run_name("train"), run_name("train-1"));
    EXPECT_NE(run_name(""), 0U);
}

TEST(RunSizes, GoByDoublings) {
    const auto size = [](std::int64_t count, std::int64_t nodes) {
        return run_size({.gpus = model::WholeGpus{.count = count}}, nodes);
    };
    EXPECT_EQ(size(3, 1), size(4, 1));
    EXPECT_EQ(size(8, 2), size(4, 4));
    EXPECT_LT(size(2, 1), size(3, 1));
    EXPECT_LT(size(0, 1), size(1, 1));
    EXPECT_NE(size(1, 1), run_size({.gpus = model::GpuShare{.milli = 500}}, 1));
}

TEST(RunHistory, GoesByTheFinestKeyThatHasEnough) {
    RunLeaves leaves;
    for (std::uint64_t i = 0; i < 60; ++i) {
        learn(leaves, key_of(1, 1, 5, 3), {.run_s = 1000}, 3 * i + 1);
        learn(leaves, key_of(1, 1, 6, 3), {.run_s = 50}, 3 * i + 2);
        learn(leaves, key_of(2, 2, 7, 3), {.run_s = 90'000}, 3 * i + 3);
    }
    RunHistory history;
    history.update(leaves);
    EXPECT_NEAR(median_of(history, {.key = key_of(1, 1, 5, 3)}), 1000, 130);
    EXPECT_NEAR(median_of(history, {.key = key_of(1, 1, 6, 3)}), 50, 8);
    EXPECT_NEAR(median_of(history, {.key = key_of(2, 9, 9, 3)}), 90'000, 9000) << "another user's";
    EXPECT_GE(median_of(history, {.key = key_of(1, 1, 6, 3), .after_s = 400}), 900)
        << "it runs for longer than any of its name";
}

/// Many of its name ended sooner: they tell nothing of it, and the one that did not tells little.
TEST(RunHistory, BelievesThoseAloneThatRanForSoLong) {
    RunLeaves leaves;
    learn(leaves, key_of(1, 1, 6, 3), {.run_s = 100'000}, 1);
    for (std::uint64_t i = 1; i <= 60; ++i) {
        learn(leaves, key_of(1, 1, 6, 3), {.run_s = 50}, 2 * i);
        learn(leaves, key_of(1, 1, 5, 3), {.run_s = 1000}, 2 * i + 1);
    }
    RunHistory history;
    history.update(leaves);
    EXPECT_NEAR(median_of(history, {.key = key_of(1, 1, 6, 3), .after_s = 400}), 1000, 130);
}

TEST(RunHistory, LearnsWhetherTimeLimitsTellMore) {
    RunLeaves leaves;
    SeededRandom random(3);
    for (std::uint64_t i = 0; i < 300; ++i) {
        const auto limit = std::int64_t{600} << random.below(8);
        learn(leaves, key_of(1, 1, 5, 3), {.run_s = limit / 2, .limit_s = limit}, i + 1);
        learn(leaves, key_of(1, 1, 6, 3), {.run_s = 3000, .limit_s = 3600 + limit}, i + 1);
    }
    RunHistory history;
    history.update(leaves);
    EXPECT_NEAR(median_of(history, {.key = key_of(1, 1, 5, 3), .limit_s = 7200}), 3600, 460);
    EXPECT_NEAR(median_of(history, {.key = key_of(1, 1, 5, 3), .limit_s = 900}), 450, 60);
    EXPECT_NEAR(median_of(history, {.key = key_of(1, 1, 6, 3), .limit_s = 100'000}), 3000, 380);
}

TEST(RunHistoryProperty, DrawsLieBetweenWhatIsOverAndTheLimit) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        RunLeaves leaves;
        for (std::uint64_t i = 0; i < random.below(60); ++i) {
            learn(
                leaves, key_of(1 + random.below(2), 1 + random.below(3), 1, 3),
                {.run_s = static_cast<std::int64_t>(random.below(100'000)),
                 .limit_s = static_cast<std::int64_t>(random.below(2) * 120'000)},
                i + 1);
        }
        RunHistory history;
        history.update(leaves);
        for (int i = 0; i < 50; ++i) {
            const RunHistory::Query query{
                .key = key_of(1 + random.below(3), 1 + random.below(3), 1, 3),
                .limit_s = static_cast<std::int64_t>(random.below(2) * (1 + random.below(200'000))),
                .after_s = static_cast<std::int64_t>(random.below(2) * random.below(200'000)),
                .assumed_s = 86'400};
            const std::uint64_t number = random.next();
            const std::int64_t run = history.draw(query, number);
            EXPECT_EQ(run, history.draw(query, number));
            EXPECT_GT(run, query.after_s);
            if (query.limit_s > query.after_s) {
                EXPECT_LE(run, query.limit_s);
            }
        }
    }
}

TEST(RunHistory, WithoutAnyKnowsNothingButTheLimit) {
    const RunHistory history;
    EXPECT_NEAR(median_of(history, {.limit_s = 1000}), 500, 60);
    EXPECT_NEAR(median_of(history, {.limit_s = 1000, .after_s = 600}), 800, 30);
    EXPECT_NEAR(median_of(history, {.assumed_s = 86'400}), 86'400, 9000);
    EXPECT_NEAR(median_of(history, {.after_s = 100'000, .assumed_s = 60}), 200'000, 20'000)
        << "as long again";
}

/// Whatever the order in which it learnt of changes, and however many at once.
TEST(RunHistoryProperty, IsTheSumOfWhatIsRemembered) {
    SeededRandom random(11);
    RunLeaves leaves;
    RunHistory followed;
    for (std::uint64_t i = 1; i <= 3000; ++i) {
        learn(
            leaves,
            key_of(
                1 + random.below(5), 1 + random.below(9),
                1 + static_cast<std::uint32_t>(random.below(7)), 3),
            {.run_s = static_cast<std::int64_t>(random.below(5000))}, i);
        if (random.below(30) == 0) {
            followed.update(leaves);
        }
    }
    followed.update(leaves);
    RunHistory fresh;
    fresh.update(leaves);
    for (std::size_t level = 0; level < kCoarserLevels; ++level) {
        for (std::uint64_t project = 1; project <= 5; ++project) {
            const RunKey key = key_of(project, 3, 1, 3);
            ASSERT_NE(fresh.sum(key, level), nullptr);
            EXPECT_EQ(*fresh.sum(key, level), *followed.sum(key, level));
        }
    }
}

TEST(RunLeaves, RemembersAtMostSoManyAndForgetsNoneOfTheRuns) {
    RunLeaves leaves;
    std::uint64_t told = 0;
    for (std::uint32_t name = 1; name <= RunLeaves::kMax + 300; ++name) {
        learn(leaves, key_of(1, 1 + name % 3, name, 3), {.run_s = 77}, ++told);
        ASSERT_LE(leaves.size(), RunLeaves::kMax);
    }
    EXPECT_EQ(leaves.leaf(key_of(1, 2, 1, 3)).stats, nullptr) << "told of longest ago";
    EXPECT_NE(leaves.leaf(key_of(1, 2, 4000, 3)).stats, nullptr);
    ASSERT_NE(leaves.leaf(RunKey()).stats, nullptr) << "what the forgotten ones knew";
    const std::uint64_t forgotten = told - (leaves.size() - 1);
    EXPECT_EQ(leaves.leaf(RunKey()).stats->runs.weight(), forgotten * RunHistogram::kOne);
    RunHistory history;
    history.update(leaves);
    EXPECT_NEAR(median_of(history, {.key = key_of(1, 2, 1, 3)}), 77, 10);
}

TEST(RunLeaves, OldRunsWeighLessThanNewOnes) {
    RunLeaves leaves;
    const RunKey key = key_of(1, 1, 1, 3);
    for (std::uint64_t i = 0; i < 2000; ++i) {
        learn(leaves, key, {.run_s = i < 1000 ? 100 : 9000}, i + 1);
    }
    RunHistory history;
    history.update(leaves);
    EXPECT_NEAR(median_of(history, {.key = key}), 9000, 1000);
    EXPECT_LE(leaves.leaf(key).stats->runs.weight(), 512U * RunHistogram::kOne);
}

TEST(RunLeaves, CopiesAreTheirOwn) {
    RunLeaves leaves;
    learn(leaves, key_of(1, 1, 1, 3), {.run_s = 5}, 1);
    const RunLeaves before = leaves;
    EXPECT_TRUE(before.knows_the_same(leaves));
    learn(leaves, key_of(1, 1, 1, 3), {.run_s = 6}, 2);
    EXPECT_FALSE(before.knows_the_same(leaves));
    EXPECT_EQ(before.leaf(key_of(1, 1, 1, 3)).told, 1U);
}

}  // namespace
}  // namespace reeve::scheduler
