// Memory, utilisation, power, temperature, clocks.
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "gpu/simulated/library/session.hpp"

namespace abi = reeve::gpu::abi;
using abi::Device;
using abi::Return;
using namespace reeve::gpu::simulated;
using namespace reeve::gpu::simulated::library;

namespace {

constexpr std::uint64_t kMib = 1024ULL * 1024;
constexpr std::uint64_t kReasonIdle = 0x1;
constexpr std::uint64_t kReasonPowerCap = 0x4;
constexpr unsigned kVideoPeriodUs = 167'000;

struct Bytes {
    std::uint64_t total = 0;
    std::uint64_t reserved = 0;
    std::uint64_t used = 0;

    [[nodiscard]] std::uint64_t free() const { return total - std::min(total, reserved + used); }
};

Bytes memory_of(const View& view) {
    return {
        .total = static_cast<std::uint64_t>(view.model.memory_mib) * kMib,
        .reserved = static_cast<std::uint64_t>(view.model.reserved_mib) * kMib,
        .used = static_cast<std::uint64_t>(memory_used_mib(view.processes())) * kMib,
    };
}

std::optional<std::int64_t> clock_of(const View& view, abi::Clock clock, std::int64_t utilization) {
    switch (clock) {
        case abi::Clock::kGraphics:
        case abi::Clock::kSm:       return sm_clock_mhz(view.model, utilization);
        case abi::Clock::kMemory:   return memory_clock_mhz(view.model, utilization);
        case abi::Clock::kVideo:    return sm_clock_mhz(view.model, utilization) * 9 / 10;
    }
    return std::nullopt;
}

std::optional<std::int64_t> max_clock_of(const GpuModel& model, abi::Clock clock) {
    switch (clock) {
        case abi::Clock::kGraphics:
        case abi::Clock::kSm:       return model.sm_clock_mhz;
        case abi::Clock::kVideo:    return model.sm_clock_mhz * 9 / 10;
        case abi::Clock::kMemory:   break;
    }
    return model.memory_clock_mhz == 0 ? std::nullopt : std::optional(model.memory_clock_mhz);
}

/// The limit cannot be changed: default, enforced and highest are one. Some devices have none.
std::optional<std::int64_t> power_limit(const GpuModel& model) {
    return model.power_min_watts == 0 ? std::nullopt
                                      : std::optional(model.power_limit_watts * 1000);
}

std::optional<std::int64_t> power_min(const GpuModel& model) {
    return model.power_min_watts == 0 ? std::nullopt : std::optional(model.power_min_watts * 1000);
}

std::optional<std::int64_t> when(bool is_there, std::int64_t value) {
    return is_there ? std::optional(value) : std::nullopt;
}

/// The fields of nvmlDeviceGetFieldValues that are simulated, by NVML's number.
std::optional<std::int64_t> field_of(const View& view, std::uint32_t field) {
    switch (field) {
        case 1:
        case 2:  return when(view.model.has_ecc, 1);  // ECC, now and after the next reboot.
        case 3:
        case 4:
        case 5:
        case 6:  return when(view.model.has_ecc, 0);  // ECC errors.
        case 82: return when(view.model.has_ecc, temperature_celsius(view.utilization()) + 6);
        case 91:
            return when(view.model.nvlinks > 0, view.gpu.has_nvswitch ? view.model.nvlinks : 0);
        case 94:  return 0;  // PCIe replays.
        case 142:
        case 143:
        case 144:
        case 145: return when(view.model.has_ecc, 0);  // Rows remapped.
        case 185:
        case 186: return power_milliwatts(view.model, view.utilization());
        case 187: return power_min(view.model);
        case 188:
        case 189:
        case 190: return power_limit(view.model);
        case 230: return 0;  // Recovery action: none.
        default:  return std::nullopt;
    }
}

}  // namespace

/// What the simulated machine's own memory is, for a device that shares it: in place of
/// /proc/meminfo, which is that of the real one.
REEVE_NVML_EXPORT Return
reeve_nvml_sim_unified_memory(Device device, std::uint64_t* total, std::uint64_t* used) {
    return with_device(device, [&](const View& view) {
        if (!view.model.has_unified_memory) {
            return Return::kNotSupported;
        }
        const Bytes bytes = memory_of(view);
        const Return first = put(total, bytes.total - bytes.reserved);
        return first == Return::kSuccess ? put(used, bytes.used) : first;
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetMemoryInfo(Device device, abi::MemoryV1* memory) {
    return with_device(device, [&](const View& view) {
        if (view.model.has_unified_memory) {
            return Return::kNotSupported;
        }
        const Bytes bytes = memory_of(view);
        return put(
            memory,
            abi::MemoryV1{
                .total = bytes.total, .free = bytes.free(), .used = bytes.used + bytes.reserved});
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetMemoryInfo_v2(Device device, abi::MemoryV2* memory) {
    return with_device(device, [&](const View& view) {
        if (memory == nullptr) {
            return Return::kInvalidArgument;
        }
        if (memory->version != abi::version_of<abi::MemoryV2>(2)) {
            return Return::kArgumentVersionMismatch;
        }
        if (view.model.has_unified_memory) {
            return Return::kNotSupported;
        }
        const Bytes bytes = memory_of(view);
        memory->total = bytes.total;
        memory->reserved = bytes.reserved;
        memory->free = bytes.free();
        memory->used = bytes.used;
        return Return::kSuccess;
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetUtilizationRates(Device device, abi::Utilization* rates) {
    return with_device(device, [&](const View& view) {
        const std::int64_t gpu = view.utilization();
        return put(
            rates, abi::Utilization{
                       .gpu = static_cast<std::uint32_t>(gpu),
                       .memory = static_cast<std::uint32_t>(memory_utilization_percent(gpu))});
    });
}

// Nothing encodes or decodes.
REEVE_NVML_EXPORT Return
nvmlDeviceGetEncoderUtilization(Device device, unsigned* utilization, unsigned* period_us) {
    return with_device(device, [&](const View&) {
        const Return first = put(utilization, 0);
        return first == Return::kSuccess ? put(period_us, kVideoPeriodUs) : first;
    });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetDecoderUtilization(Device device, unsigned* utilization, unsigned* period_us) {
    return nvmlDeviceGetEncoderUtilization(device, utilization, period_us);
}

REEVE_NVML_EXPORT Return nvmlDeviceGetPowerUsage(Device device, unsigned* milliwatts) {
    return with_device(device, [&](const View& view) {
        return put(milliwatts, power_milliwatts(view.model, view.utilization()));
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetEnforcedPowerLimit(Device device, unsigned* milliwatts) {
    return with_device(
        device, [&](const View& view) { return put(milliwatts, power_limit(view.model)); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetPowerManagementLimit(Device device, unsigned* milliwatts) {
    return nvmlDeviceGetEnforcedPowerLimit(device, milliwatts);
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetPowerManagementDefaultLimit(Device device, unsigned* milliwatts) {
    return nvmlDeviceGetEnforcedPowerLimit(device, milliwatts);
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetPowerManagementLimitConstraints(Device device, unsigned* min, unsigned* max) {
    return with_device(device, [&](const View& view) {
        const Return first = put(min, power_min(view.model));
        return first == Return::kSuccess ? put(max, power_limit(view.model)) : first;
    });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetTemperature(Device device, abi::TemperatureSensor sensor, unsigned* celsius) {
    return with_device(device, [&](const View& view) {
        return sensor == abi::TemperatureSensor::kGpu
                   ? put(celsius, temperature_celsius(view.utilization()))
                   : Return::kInvalidArgument;
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetTemperatureV(Device device, abi::Temperature* temperature) {
    return with_device(device, [&](const View& view) {
        if (temperature == nullptr || temperature->sensor != abi::TemperatureSensor::kGpu) {
            return Return::kInvalidArgument;
        }
        if (temperature->version != abi::version_of<abi::Temperature>(1)) {
            return Return::kArgumentVersionMismatch;
        }
        return put(&temperature->celsius, temperature_celsius(view.utilization()));
    });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetTemperatureThreshold(Device device, unsigned threshold, unsigned* celsius) {
    // By NVML's number: shutdown, slowdown, highest of the memory (not simulated), of the GPU.
    constexpr std::array<std::int64_t, 4> kCelsius = {96, 91, 0, 87};
    return with_device(device, [&](const View&) {
        const bool is_known = threshold < kCelsius.size() && kCelsius.at(threshold) > 0;
        return is_known ? put(celsius, kCelsius.at(threshold)) : Return::kNotSupported;
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetFanSpeed(Device device, unsigned* percent) {
    return with_device(device, [&](const View& view) {
        return put(percent, fan_percent(view.model, view.utilization()));
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetClockInfo(Device device, abi::Clock clock, unsigned* mhz) {
    return with_device(device, [&](const View& view) {
        return put(mhz, clock_of(view, clock, view.utilization()));
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetMaxClockInfo(Device device, abi::Clock clock, unsigned* mhz) {
    return with_device(
        device, [&](const View& view) { return put(mhz, max_clock_of(view.model, clock)); });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetApplicationsClock(Device device, abi::Clock clock, unsigned* mhz) {
    return nvmlDeviceGetMaxClockInfo(device, clock, mhz);
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetCurrentClocksEventReasons(Device device, std::uint64_t* reasons) {
    return with_device(device, [&](const View& view) {
        const std::int64_t utilization = view.utilization();
        const std::uint64_t busy = utilization == 100 ? kReasonPowerCap : 0;
        return put(reasons, utilization == 0 ? kReasonIdle : busy);
    });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetCurrentClocksThrottleReasons(Device device, std::uint64_t* reasons) {
    return nvmlDeviceGetCurrentClocksEventReasons(device, reasons);
}

REEVE_NVML_EXPORT Return nvmlDeviceGetPerformanceState(Device device, unsigned* state) {
    return with_device(device, [&](const View& view) {
        return put(state, performance_state(view.model, view.utilization()));
    });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetFieldValues(Device device, int count, abi::FieldValue* values) {
    return with_device(device, [&](const View& view) {
        if (values == nullptr || count < 1) {
            return Return::kInvalidArgument;
        }
        for (int i = 0; i < count; ++i) {
            const std::optional<std::int64_t> value = field_of(view, values[i].field);
            values[i].result = value ? Return::kSuccess : Return::kNotSupported;
            values[i].type = abi::FieldType::kUnsignedLongLong;
            values[i].timestamp_us = 0;
            values[i].latency_us = 0;
            values[i].value.unsigned_long = static_cast<std::uint64_t>(value.value_or(0));
        }
        return Return::kSuccess;
    });
}
