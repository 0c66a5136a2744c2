#include "scheduler/class_mix.hpp"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "scheduler/flat_map.hpp"

namespace reeve::scheduler {
namespace {

model::Request share(std::int64_t milli, std::int64_t memory_mib) {
    return {.host = {.memory_mib = memory_mib}, .gpus = model::GpuShare{.milli = milli}};
}

TEST(ClassMix, CountsRequestsThatDifferInHostMemoryAsOne) {
    ClassMix mix;
    mix.observe(share(500, 10));
    mix.observe(share(300, 10));
    mix.observe(share(500, 20));
    const std::vector<ClassCount> wanted = {
        {.request = share(500, 0), .count = 2},
        {.request = share(300, 0), .count = 1}
    };
    EXPECT_EQ(mix.counts(), wanted);
}

TEST(ClassMix, CountsRequestsForOtherNodesAsOne) {
    ClassMix mix;
    model::Request there = share(500, 10);
    there.node_classes = std::vector{NodeClassId(1)};
    mix.observe(there);
    mix.observe(share(500, 10));
    const std::vector<ClassCount> wanted = {
        {.request = share(500, 0), .count = 2}
    };
    EXPECT_EQ(mix.counts(), wanted);
    EXPECT_NE(hash_of(there), hash_of(share(500, 10)));
}

TEST(ClassMix, ForgetsTheRarestOfVeryMany) {
    ClassMix mix;
    for (std::int64_t milli = 1; milli <= 1024; ++milli) {
        mix.observe(share(milli, 0), milli % 2 == 0 ? 3 : 2);
    }
    mix.taken();
    EXPECT_EQ(mix.counts().size(), 1024U);
    mix.observe(share(5000, 0));
    mix.taken();
    EXPECT_EQ(mix.counts().size(), 768U);
    const auto often = [](const ClassCount& each) { return each.count == 3; };
    EXPECT_EQ(std::ranges::count_if(mix.counts(), often), 512);
    EXPECT_EQ(mix.counts().front().request, share(1, 0)) << "of equals, those that came first stay";
    EXPECT_EQ(mix.counts().back().request, share(1024, 0));
    mix.observe(share(1024, 0), 4);
    EXPECT_EQ(mix.counts().back().count, 7U);
    mix.observe(share(1023, 0));
    EXPECT_EQ(mix.counts().back().request, share(1023, 0)) << "forgotten, and here again";
}

TEST(ClassMix, IsDueOftenAtFirstAndThenEvery500) {
    ClassMix mix;
    std::vector<int> due;
    for (int i = 1; i <= 2000; ++i) {
        mix.observe(share(500, 0));
        if (mix.is_due()) {
            due.push_back(i);
            mix.taken();
        }
    }
    EXPECT_EQ(due, (std::vector<int>{50, 100, 250, 500, 1000, 1500, 2000}));
}

TEST(ClassMix, IsDueLessOftenWhenMuchIsKnown) {
    ClassMix mix;
    std::vector<int> gaps;
    int last = 0;
    for (int i = 1; i <= 400'000; ++i) {
        mix.observe(share(500, 0));
        if (mix.is_due()) {
            mix.taken();
            gaps.push_back(i - last);
            last = i;
        }
    }
    EXPECT_EQ(*std::ranges::max_element(gaps), 10'000);
    EXPECT_LT(gaps.size(), 150U);
}

TEST(ClassMix, OrdersRequestsByWhatTheyAsk) {
    const model::Request whole{.gpus = model::WholeGpus{.count = 1}};
    const model::Request of_model{
        .gpus = model::WholeGpus{.count = 1, .models = std::vector{GpuModelId(1)}}
    };
    EXPECT_TRUE(goes_before(whole, of_model));
    EXPECT_FALSE(goes_before(of_model, whole));
    EXPECT_FALSE(goes_before(whole, whole));
    EXPECT_TRUE(goes_before(share(300, 0), share(500, 0)));
    EXPECT_TRUE(goes_before(whole, share(300, 0)));
    EXPECT_NE(hash_of(whole), hash_of(of_model));
    EXPECT_NE(hash_of(share(300, 0)), hash_of(share(500, 0)));
}

TEST(FlatMap, FindsWhatWasInserted) {
    SeededRandom random(1);
    FlatMap<std::uint64_t> map;
    std::unordered_map<std::uint64_t, std::uint64_t> wanted;
    EXPECT_EQ(map.find(7), nullptr);
    for (std::uint64_t i = 0; i < 20000; ++i) {
        const std::uint64_t key = key_of(
            static_cast<std::uint32_t>(random.below(300)),
            static_cast<std::uint32_t>(random.below(300) * 1000));
        if (wanted.emplace(key, i).second) {
            ASSERT_EQ(map.find(key), nullptr);
            map.insert(key, i);
        }
        ASSERT_EQ(*map.find(key), wanted.at(key));
    }
    EXPECT_EQ(map.size(), wanted.size());
    map.clear();
    EXPECT_EQ(map.size(), 0U);
    EXPECT_EQ(map.find(0), nullptr);
}

}  // namespace
}  // namespace reeve::scheduler
