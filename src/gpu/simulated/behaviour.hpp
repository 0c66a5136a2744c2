#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "gpu/simulated/topology.hpp"
#include "model/gpu_source.hpp"

namespace reeve::gpu::simulated {

/// What a simulated device shows, as plain functions of what runs on it: the same use, the same
/// figures. `processes` are those that are alive.

[[nodiscard]] std::int64_t memory_used_mib(const std::vector<ProcessUse>& processes);

/// The sum over the processes, at most 100.
[[nodiscard]] std::int64_t utilization_percent(const std::vector<ProcessUse>& processes);

/// Share of time in which memory is read or written: three fifths of the utilisation.
[[nodiscard]] std::int64_t memory_utilization_percent(std::int64_t utilization);

/// From idle to the limit, in proportion.
[[nodiscard]] std::int64_t power_milliwatts(const GpuModel& model, std::int64_t utilization);

/// 34 °C idle, 76 °C at full use.
[[nodiscard]] std::int64_t temperature_celsius(std::int64_t utilization);

/// 210 MHz idle; a device that works runs at its highest clock, less up to a tenth as it warms up.
[[nodiscard]] std::int64_t sm_clock_mhz(const GpuModel& model, std::int64_t utilization);

/// A desktop's memory slows down to 405 MHz when idle; a server's does not.
/// Absent where the model has no clock of its own (unified memory).
[[nodiscard]] std::optional<std::int64_t> memory_clock_mhz(
    const GpuModel& model, std::int64_t utilization);

/// Percent of the highest speed, 0 idle. Absent without a fan.
[[nodiscard]] std::optional<std::int64_t> fan_percent(
    const GpuModel& model, std::int64_t utilization);

/// P8 for an idle desktop, else P0.
[[nodiscard]] std::int64_t performance_state(const GpuModel& model, std::int64_t utilization);

[[nodiscard]] model::GpuDescription description_of(const Topology& topology, const Gpu& gpu);

/// A lost device has trouble and nothing else.
[[nodiscard]] model::GpuSample sample_of(
    const Topology& topology, const Gpu& gpu, const std::vector<ProcessUse>& processes);

}  // namespace reeve::gpu::simulated
