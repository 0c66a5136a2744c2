#include "gpu/nvml/process_list.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#include <gtest/gtest.h>

namespace reeve::gpu::nvml {
namespace {

constexpr std::uint64_t kMib = 1024ULL * 1024;

/// A buffer with room for more rows than there are, as a driver leaves it.
template <class Row>
std::vector<std::byte> written(const std::vector<Row>& rows, std::byte rest = kUntouched) {
    std::vector<std::byte> buffer((rows.size() + 3) * sizeof(abi::ProcessProtected), rest);
    std::ranges::copy(std::as_bytes(std::span(rows)), buffer.begin());
    return buffer;
}

std::vector<abi::Process> short_rows(const std::vector<std::uint64_t>& memory) {
    std::vector<abi::Process> rows;
    rows.reserve(memory.size());
    for (const std::uint64_t bytes : memory) {
        rows.push_back(
            {.pid = 100 + static_cast<std::uint32_t>(rows.size()), .used_memory = bytes});
    }
    return rows;
}

std::vector<abi::ProcessProtected> long_rows(const std::vector<std::uint64_t>& protected_memory) {
    std::vector<abi::ProcessProtected> rows;
    rows.reserve(protected_memory.size());
    for (const std::uint64_t bytes : protected_memory) {
        rows.push_back(
            {.pid = 100 + static_cast<std::uint32_t>(rows.size()),
             .used_memory = 512 * kMib,
             .protected_memory = bytes});
    }
    return rows;
}

TEST(ProcessList, TheStrideIsThatOfTheDriver) {
    constexpr std::byte kCleared{0};
    std::vector<abi::Process> mig = short_rows({kMib, kMib});
    mig[1].gpu_instance = 3;
    mig[1].compute_instance = 0;

    struct Case {
        const char* name;
        std::vector<std::byte> buffer;
        std::size_t count;
        std::size_t want;
    };

    const std::vector<Case> cases = {
        {"none", written(short_rows({})), 0, 24},
        {"one short", written(short_rows({kMib})), 1, 24},
        {"one long", written(long_rows({0})), 1, 32},
        {"short", written(short_rows({kMib, 2 * kMib, 3 * kMib})), 3, 24},
        {"long", written(long_rows({0, 0, 0})), 3, 32},
        {"long, protected not told",
         written(long_rows({abi::kMemoryNotAvailable, abi::kMemoryNotAvailable})), 2, 32},
        {"long, protected like pids", written(long_rows({kMib, 2 * kMib, 3 * kMib})), 3, 32},
        {"short, memory not told",
         written(short_rows({abi::kMemoryNotAvailable, abi::kMemoryNotAvailable})), 2, 24},
        {"short, MIG", written(mig), 2, 24},
        {"short, rest cleared", written(short_rows({kMib, kMib, kMib}), kCleared), 3, 24},
        {"long, rest cleared", written(long_rows({0, 0, 0}), kCleared), 3, 32},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        const std::optional<std::size_t> stride = stride_of(c.buffer, c.count);
        ASSERT_TRUE(stride);
        EXPECT_EQ(*stride, c.want);
    }
}

TEST(ProcessList, RowsThatMakeNoSenseAreNotBelieved) {
    const std::vector<std::byte> noise(320, std::byte{0x77});
    EXPECT_FALSE(stride_of(noise, 5));
    const std::vector<std::byte> zeros(320, std::byte{0});
    EXPECT_FALSE(stride_of(zeros, 2));
}

TEST(ProcessList, AProcessOfSeveralListsCountsOnce) {
    const std::vector<model::GpuProcess> merged = merge_processes({
        {.pid = 9, .memory_mib = 5           },
        {.pid = 3, .memory_mib = std::nullopt},
        {.pid = 9, .memory_mib = 5           },
        {.pid = 3, .memory_mib = 7           }
    });
    const std::vector<model::GpuProcess> want = {
        {.pid = 3, .memory_mib = 7},
        {.pid = 9, .memory_mib = 5}
    };
    EXPECT_EQ(merged, want);
}

TEST(ProcessList, WhoDrawsAndComputesComputes) {
    const std::vector<model::GpuProcess> merged = merge_processes({
        {.pid = 9},
        {.pid = 3, .is_graphics = true},
        {.pid = 9, .memory_mib = 5, .is_graphics = true}
    });
    const std::vector<model::GpuProcess> want = {
        {.pid = 3, .is_graphics = true},
        {.pid = 9, .memory_mib = 5    }
    };
    EXPECT_EQ(merged, want);
}

abi::Return nonsense(abi::Device /*device*/, unsigned* count, void* rows) {
    *count = 2;
    std::memset(rows, 0x77, 64);
    return abi::Return::kSuccess;
}

abi::Return one_short(abi::Device /*device*/, unsigned* count, void* rows) {
    *count = 1;
    const abi::Process row{.pid = 5, .used_memory = kMib + 1};
    std::memcpy(rows, &row, sizeof row);
    return abi::Return::kSuccess;
}

abi::Return lost(abi::Device /*device*/, unsigned* /*count*/, void* /*rows*/) {
    return abi::Return::kGpuIsLost;
}

abi::Return never_enough(abi::Device /*device*/, unsigned* count, void* /*rows*/) {
    *count += 1;
    return abi::Return::kInsufficientSize;
}

TEST(ProcessList, TheNewestListThatCanBeReadIsTaken) {
    struct Case {
        const char* name;
        Functions::ProcessList list;
        abi::Return want;
        std::size_t processes;
    };

    const std::vector<Case> cases = {
        {"_v3",               {one_short, lost, lost},          abi::Return::kSuccess,          1},
        {"no _v3",            {nullptr, one_short, lost},       abi::Return::kSuccess,          1},
        {"a _v3 of nonsense", {nonsense, one_short, lost},      abi::Return::kSuccess,          1},
        {"a lost device",     {lost, one_short, one_short},     abi::Return::kGpuIsLost,        0},
        {"none",              {nullptr, nullptr, nullptr},      abi::Return::kFunctionNotFound, 0},
        {"without an end",    {never_enough, nullptr, nullptr}, abi::Return::kInsufficientSize, 0},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        abi::Return result = abi::Return::kUnknown;
        const std::vector<model::GpuProcess> processes = read_processes(c.list, nullptr, result);
        EXPECT_EQ(result, c.want);
        ASSERT_EQ(processes.size(), c.processes);
        if (c.processes > 0) {
            EXPECT_EQ(processes[0], (model::GpuProcess{.pid = 5, .memory_mib = 2}));
        }
    }
}

}  // namespace
}  // namespace reeve::gpu::nvml
