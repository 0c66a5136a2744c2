#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "gpu/nvml/functions.hpp"
#include "model/gpu_source.hpp"

namespace reeve::gpu::nvml {

/// What read_processes() fills a buffer with before the driver writes into it.
constexpr std::byte kUntouched{0xA5};

/// Bytes from one row of a _v3 (or _v2) list to the next: 24, or 32 where an early 535 driver
/// appended a field. `buffer` held kUntouched throughout before the driver wrote `count` rows to
/// its beginning, and has room for as many of 32 bytes. Absent if the rows make no sense either
/// way.
[[nodiscard]] std::optional<std::size_t> stride_of(
    std::span<const std::byte> buffer, std::size_t count);

/// The processes of one list, by the newest version of it that can be read. An empty list where the
/// driver has none of this kind.
/// What the driver said goes to `result`: kSuccess, or why there is nothing.
[[nodiscard]] std::vector<model::GpuProcess> read_processes(
    const Functions::ProcessList& list, abi::Device device, abi::Return& result);

/// One process may be in several lists, with the same memory each time: it is counted once.
/// By pid.
[[nodiscard]] std::vector<model::GpuProcess> merge_processes(
    std::vector<model::GpuProcess> processes);

}  // namespace reeve::gpu::nvml
