#include "gpu/nvml/process_list.hpp"

#include <algorithm>
#include <cstring>

namespace reeve::gpu::nvml {

namespace {

constexpr std::uint64_t kMib = 1024ULL * 1024;
constexpr std::uint32_t kPidMax = 4'194'304;  // proc(5): the highest pid_max of 64-bit Linux.
constexpr std::uint32_t kInstancesMax = 64;   // More MIG instances than any GPU has.
constexpr unsigned kRoomAtFirst = 64;
constexpr unsigned kRoomMost = 65'536;

template <class Row>
Row row_at(std::span<const std::byte> buffer, std::size_t offset) {
    Row row;
    std::memcpy(&row, buffer.data() + offset, sizeof row);
    return row;
}

bool is_instance(std::uint32_t id) {
    return id == abi::kNoInstance || id < kInstancesMax;
}

/// Every row, read at this stride, is one that a driver could have written.
bool makes_sense(std::span<const std::byte> buffer, std::size_t count, std::size_t stride) {
    for (std::size_t i = 0; i < count; ++i) {
        const auto row = row_at<abi::Process>(buffer, i * stride);
        if (row.pid == 0 || row.pid > kPidMax || !is_instance(row.gpu_instance) ||
            !is_instance(row.compute_instance)) {
            return false;
        }
    }
    return true;
}

model::GpuProcess process_of(std::uint32_t pid, std::uint64_t memory) {
    model::GpuProcess process{.pid = pid, .memory_mib = std::nullopt};
    if (memory != abi::kMemoryNotAvailable) {
        process.memory_mib = static_cast<std::int64_t>((memory + kMib - 1) / kMib);
    }
    return process;
}

struct Rows {
    std::vector<std::byte> buffer;
    std::size_t count = 0;
};

using ListFunction = abi::Return (*)(abi::Device, unsigned*, void*);

/// Asks with more and more room: processes start between two calls.
abi::Return read_rows(ListFunction function, abi::Device device, Rows& rows) {
    unsigned room = kRoomAtFirst;
    for (;;) {
        rows.buffer.assign(room * sizeof(abi::ProcessProtected), kUntouched);
        unsigned count = room;
        const abi::Return result = call(function, device, &count, rows.buffer.data());
        if (result == abi::Return::kInsufficientSize && room < kRoomMost) {
            room = std::min(std::max(count, room), kRoomMost / 2) * 2;
            continue;
        }
        rows.count = result == abi::Return::kSuccess ? std::min(count, room) : 0;
        return result;
    }
}

/// Absent if the rows make no sense: then an older version of the list is asked.
std::optional<std::vector<model::GpuProcess>> decode(const Rows& rows) {
    const std::optional<std::size_t> stride = stride_of(rows.buffer, rows.count);
    if (!stride) {
        return std::nullopt;
    }
    std::vector<model::GpuProcess> processes;
    for (std::size_t i = 0; i < rows.count; ++i) {
        const auto row = row_at<abi::Process>(rows.buffer, i * *stride);
        processes.push_back(process_of(row.pid, row.used_memory));
    }
    return processes;
}

}  // namespace

std::optional<std::size_t> stride_of(std::span<const std::byte> buffer, std::size_t count) {
    constexpr std::size_t kShort = sizeof(abi::Process);
    constexpr std::size_t kLong = sizeof(abi::ProcessProtected);
    if (count == 0) {
        return kShort;
    }
    const auto past_short = buffer.subspan(count * kShort, count * (kLong - kShort));
    const bool is_short =
        std::ranges::all_of(past_short, [](std::byte b) { return b == kUntouched; });
    // A driver that clears the rest of the buffer leaves no trace to tell by; then it must make
    // sense.
    for (const std::size_t stride : {is_short ? kShort : kLong, is_short ? kLong : kShort}) {
        if (makes_sense(buffer, count, stride)) {
            return stride;
        }
    }
    return std::nullopt;
}

std::vector<model::GpuProcess> read_processes(
    const Functions::ProcessList& list, abi::Device device, abi::Return& result) {
    Rows rows;
    for (const ListFunction function : {list.v3, list.v2}) {
        result = read_rows(function, device, rows);
        if (result == abi::Return::kFunctionNotFound) {
            continue;
        }
        if (result != abi::Return::kSuccess) {
            return {};
        }
        if (auto processes = decode(rows)) {
            return *std::move(processes);
        }
    }
    result = read_rows(list.v1, device, rows);
    std::vector<model::GpuProcess> processes;
    for (std::size_t i = 0; i < rows.count; ++i) {
        const auto row = row_at<abi::ProcessV1>(rows.buffer, i * sizeof(abi::ProcessV1));
        processes.push_back(process_of(row.pid, row.used_memory));
    }
    return processes;
}

std::vector<model::GpuProcess> merge_processes(std::vector<model::GpuProcess> processes) {
    std::ranges::sort(processes, [](const model::GpuProcess& a, const model::GpuProcess& b) {
        return a.pid < b.pid;
    });
    std::vector<model::GpuProcess> merged;
    merged.reserve(processes.size());
    for (model::GpuProcess& process : processes) {
        if (merged.empty() || merged.back().pid != process.pid) {
            merged.push_back(std::move(process));
            continue;
        }
        merged.back().memory_mib = std::max(merged.back().memory_mib, process.memory_mib);
        merged.back().is_graphics = merged.back().is_graphics && process.is_graphics;
    }
    return merged;
}

}  // namespace reeve::gpu::nvml
