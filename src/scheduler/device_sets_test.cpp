#include "scheduler/device_sets.hpp"

#include <gtest/gtest.h>

namespace reeve::scheduler {
namespace {

TEST(DeviceSets, WhatDemandsMakeOfASetTakesMemoryToo) {
    constexpr std::int64_t kMib = 24000;
    DeviceSets sets;
    const DeviceState whole{
        .model = GpuModelId(1), .total_mib = kMib, .free = {.milli = 1000, .memory_mib = kMib}
    };
    const DeviceSetId set = sets.intern({whole});
    const std::size_t of_set = sets.memo_size();
    EXPECT_GT(of_set, 0U);
    const DemandId too_much = sets.intern(model::WholeGpus{.count = 2});
    EXPECT_TRUE(sets.options(set, too_much).empty());
    const std::size_t with_answer = sets.memo_size();
    EXPECT_GT(with_answer, of_set) << "that it cannot be is remembered as well";
    EXPECT_TRUE(sets.options(set, too_much).empty());
    EXPECT_EQ(sets.memo_size(), with_answer) << "it is known";
    EXPECT_EQ(sets.options(set, sets.intern(model::WholeGpus{.count = 1})).size(), 1U);
    EXPECT_GT(sets.memo_size(), with_answer + of_set) << "and the set that it leaves";
    sets.clear();
    EXPECT_EQ(sets.memo_size(), 0U);
}

}  // namespace
}  // namespace reeve::scheduler
