#include "gpu/simulated/behaviour.hpp"

#include <algorithm>

namespace reeve::gpu::simulated {

namespace {

constexpr std::int64_t kIdleSmMhz = 210;
constexpr std::int64_t kIdleMemoryMhz = 405;

}  // namespace

std::int64_t memory_used_mib(const std::vector<ProcessUse>& processes) {
    std::int64_t used = 0;
    for (const ProcessUse& process : processes) {
        used += process.memory_mib;
    }
    return used;
}

std::int64_t utilization_percent(const std::vector<ProcessUse>& processes) {
    std::int64_t sum = 0;
    for (const ProcessUse& process : processes) {
        sum += process.utilization_percent;
    }
    return std::min<std::int64_t>(sum, 100);
}

std::int64_t memory_utilization_percent(std::int64_t utilization) {
    return utilization * 3 / 5;
}

std::int64_t power_milliwatts(const GpuModel& model, std::int64_t utilization) {
    return model.power_idle_watts * 1000 +
           (model.power_limit_watts - model.power_idle_watts) * 10 * utilization;
}

std::int64_t temperature_celsius(std::int64_t utilization) {
    return 34 + utilization * 42 / 100;
}

std::int64_t sm_clock_mhz(const GpuModel& model, std::int64_t utilization) {
    if (utilization == 0) {
        return std::min(kIdleSmMhz, model.sm_clock_mhz);
    }
    return model.sm_clock_mhz - model.sm_clock_mhz * utilization / 1000;
}

std::optional<std::int64_t> memory_clock_mhz(const GpuModel& model, std::int64_t utilization) {
    if (model.memory_clock_mhz == 0) {
        return std::nullopt;
    }
    const bool is_slow = model.has_fan && utilization == 0;
    return is_slow ? std::min(kIdleMemoryMhz, model.memory_clock_mhz) : model.memory_clock_mhz;
}

std::optional<std::int64_t> fan_percent(const GpuModel& model, std::int64_t utilization) {
    if (!model.has_fan) {
        return std::nullopt;
    }
    return utilization == 0 ? 0 : 30 + utilization / 2;
}

std::int64_t performance_state(const GpuModel& model, std::int64_t utilization) {
    return model.has_fan && utilization == 0 ? 8 : 0;
}

model::GpuDescription description_of(const Topology& topology, const Gpu& gpu) {
    const GpuModel& model = topology.models.at(gpu.model);
    return {
        .uuid = gpu.uuid,
        .model = model.name,
        .total_mib = model.memory_mib - model.reserved_mib,
        .pci_bus_id = gpu.pci_bus_id,
        .minor = static_cast<std::int32_t>(gpu.minor),
        .numa_node = static_cast<std::int32_t>(gpu.numa_node),
        .compute_major = static_cast<std::int32_t>(model.compute_major),
        .compute_minor = static_cast<std::int32_t>(model.compute_minor),
        .is_simulated = true,
    };
}

model::GpuSample sample_of(
    const Topology& topology, const Gpu& gpu, const std::vector<ProcessUse>& processes) {
    const GpuModel& model = topology.models.at(gpu.model);
    model::GpuSample sample;
    sample.uuid = gpu.uuid;
    if (gpu.is_lost) {
        sample.trouble = "the GPU has fallen off the bus";
        return sample;
    }
    const std::int64_t utilization = utilization_percent(processes);
    sample.memory_used_mib = memory_used_mib(processes);
    sample.memory_total_mib = model.memory_mib - model.reserved_mib;
    sample.utilization_percent = utilization;
    sample.power_milliwatts = power_milliwatts(model, utilization);
    sample.temperature_celsius = temperature_celsius(utilization);
    sample.sm_clock_mhz = sm_clock_mhz(model, utilization);
    sample.memory_clock_mhz = memory_clock_mhz(model, utilization);
    for (const ProcessUse& process : processes) {
        sample.processes.push_back({.pid = process.pid, .memory_mib = process.memory_mib});
    }
    return sample;
}

}  // namespace reeve::gpu::simulated
