// Who uses a device, and its modes.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "gpu/simulated/library/session.hpp"

namespace abi = reeve::gpu::abi;
using abi::Device;
using abi::Return;
using namespace reeve::gpu::simulated;
using namespace reeve::gpu::simulated::library;

namespace {

constexpr std::uint64_t kMib = 1024ULL * 1024;

/// The protocol of every list: `count` is the room on the way in, what there is on the way out.
template <class Row, class MakeRow>
Return put_rows(
    const std::vector<ProcessUse>& from, std::uint32_t* count, Row* rows, const MakeRow& make) {
    if (count == nullptr) {
        return Return::kInvalidArgument;
    }
    const std::uint32_t room = *count;
    *count = static_cast<std::uint32_t>(from.size());
    if (from.empty()) {
        return Return::kSuccess;
    }
    if (room < from.size()) {
        return Return::kInsufficientSize;
    }
    if (rows == nullptr) {
        return Return::kInvalidArgument;
    }
    std::ranges::transform(from, rows, make);
    return Return::kSuccess;
}

abi::Process row_of(const ProcessUse& process) {
    return {
        .pid = process.pid,
        .used_memory = static_cast<std::uint64_t>(process.memory_mib) * kMib,
        .gpu_instance = abi::kNoInstance,
        .compute_instance = abi::kNoInstance,
    };
}

/// All work is compute: nothing draws, nothing runs under MPS.
template <class Row>
Return put_none(Device device, std::uint32_t* count, Row* rows) {
    return with_device(device, [&](const View&) {
        return put_rows({}, count, rows, [](const ProcessUse&) { return Row{}; });
    });
}

}  // namespace

REEVE_NVML_EXPORT Return
nvmlDeviceGetComputeRunningProcesses_v3(Device device, unsigned* count, abi::Process* rows) {
    return with_device(
        device, [&](const View& view) { return put_rows(view.processes(), count, rows, row_of); });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetComputeRunningProcesses_v2(Device device, unsigned* count, abi::Process* rows) {
    return nvmlDeviceGetComputeRunningProcesses_v3(device, count, rows);
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetComputeRunningProcesses(Device device, unsigned* count, abi::ProcessV1* rows) {
    return with_device(device, [&](const View& view) {
        return put_rows(view.processes(), count, rows, [](const ProcessUse& process) {
            const abi::Process row = row_of(process);
            return abi::ProcessV1{.pid = row.pid, .used_memory = row.used_memory};
        });
    });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetGraphicsRunningProcesses_v3(Device device, unsigned* count, abi::Process* rows) {
    return put_none(device, count, rows);
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetGraphicsRunningProcesses_v2(Device device, unsigned* count, abi::Process* rows) {
    return put_none(device, count, rows);
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetGraphicsRunningProcesses(Device device, unsigned* count, abi::ProcessV1* rows) {
    return put_none(device, count, rows);
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetMPSComputeRunningProcesses_v3(Device device, unsigned* count, abi::Process* rows) {
    return put_none(device, count, rows);
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetMPSComputeRunningProcesses_v2(Device device, unsigned* count, abi::Process* rows) {
    return put_none(device, count, rows);
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetMPSComputeRunningProcesses(Device device, unsigned* count, abi::ProcessV1* rows) {
    return put_none(device, count, rows);
}

REEVE_NVML_EXPORT Return nvmlDeviceGetProcessUtilization(
    Device device, abi::ProcessUtilization* rows, unsigned* count, std::uint64_t last_seen_us) {
    return with_device(device, [&](const View& view) {
        // A driver always has a sample newer than the last one seen; so has this one, without a
        // clock.
        return put_rows(view.processes(), count, rows, [&](const ProcessUse& process) {
            return abi::ProcessUtilization{
                .pid = process.pid,
                .timestamp_us = last_seen_us + 1,
                .sm = static_cast<std::uint32_t>(process.utilization_percent),
                .memory = static_cast<std::uint32_t>(
                    memory_utilization_percent(process.utilization_percent)),
            };
        });
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetAccountingMode(Device device, unsigned* mode) {
    return with_device(device, [&](const View&) { return put(mode, 0); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetComputeMode(Device device, unsigned* mode) {
    return with_device(device, [&](const View&) { return put(mode, 0); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetPersistenceMode(Device device, unsigned* mode) {
    return with_device(device, [&](const View&) { return put(mode, 1); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetDisplayMode(Device device, unsigned* mode) {
    return with_device(device, [&](const View&) { return put(mode, 0); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetDisplayActive(Device device, unsigned* mode) {
    return with_device(device, [&](const View&) { return put(mode, 0); });
}

// ECC: on where the model has it, and without an error.

REEVE_NVML_EXPORT Return nvmlDeviceGetEccMode(Device device, unsigned* current, unsigned* pending) {
    return with_device(device, [&](const View& view) {
        if (!view.model.has_ecc) {
            return Return::kNotSupported;
        }
        const Return first = put(current, 1);
        return first == Return::kSuccess ? put(pending, 1) : first;
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetTotalEccErrors(
    Device device, unsigned /*type*/, unsigned /*counter*/, std::uint64_t* count) {
    return with_device(device, [&](const View& view) {
        return view.model.has_ecc ? put(count, 0) : Return::kNotSupported;
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetMemoryErrorCounter(
    Device device, unsigned type, unsigned counter, unsigned /*location*/, std::uint64_t* count) {
    return nvmlDeviceGetTotalEccErrors(device, type, counter, count);
}

REEVE_NVML_EXPORT Return nvmlDeviceGetRemappedRows(
    Device device,
    unsigned* correctable,
    unsigned* uncorrectable,
    unsigned* pending,
    unsigned* failed) {
    return with_device(device, [&](const View& view) {
        if (!view.model.has_ecc) {
            return Return::kNotSupported;
        }
        for (unsigned* out : {correctable, uncorrectable, pending, failed}) {
            if (const Return result = put(out, 0); result != Return::kSuccess) {
                return result;
            }
        }
        return Return::kSuccess;
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetMigMode(Device device, unsigned* current, unsigned* pending) {
    return with_device(device, [&](const View& view) {
        if (!view.model.has_mig) {
            return Return::kNotSupported;
        }
        const Return first = put(current, 0);
        return first == Return::kSuccess ? put(pending, 0) : first;
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetMaxMigDeviceCount(Device device, unsigned* count) {
    return with_device(device, [&](const View&) { return put(count, 0); });
}

REEVE_NVML_EXPORT Return nvmlDeviceIsMigDeviceHandle(Device device, unsigned* is_mig) {
    return with_device(device, [&](const View&) { return put(is_mig, 0); });
}
