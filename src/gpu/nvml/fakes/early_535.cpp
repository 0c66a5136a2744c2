// A 535 driver that appends a field to each row of the _v3 lists. Its second device shares the
// host's memory; its third one cannot be reached.
#include <array>
#include <cstdio>

#include "gpu/nvml_abi.hpp"

namespace abi = reeve::gpu::abi;
using abi::Return;

namespace {

constexpr std::uint64_t kMib = 1024ULL * 1024;
constexpr unsigned kProcesses = 100;  // More than anybody has room for at first.

std::array<int, 2> devices;

bool is_first(abi::Device device) {
    return device == reinterpret_cast<abi::Device>(devices.data());
}

Return put_rows(unsigned from, unsigned number, unsigned* count, abi::ProcessProtected* rows) {
    const unsigned room = *count;
    *count = number;
    if (room < number) {
        return Return::kInsufficientSize;
    }
    for (unsigned i = 0; i < number; ++i) {
        rows[i] = {
            .pid = from + i,
            .used_memory = (i + 1) * kMib,
            .gpu_instance = abi::kNoInstance,
            .compute_instance = abi::kNoInstance,
            .protected_memory = 0,
        };
    }
    return Return::kSuccess;
}

}  // namespace

extern "C" {

Return nvmlInit_v2() {
    return Return::kSuccess;
}

Return nvmlShutdown() {
    return Return::kSuccess;
}

Return nvmlSystemGetDriverVersion(char* version, unsigned length) {
    std::snprintf(version, length, "535.98");
    return Return::kSuccess;
}

Return nvmlDeviceGetCount_v2(unsigned* count) {
    *count = 3;
    return Return::kSuccess;
}

Return nvmlDeviceGetHandleByIndex_v2(unsigned index, abi::Device* device) {
    if (index >= devices.size()) {
        return Return::kGpuIsLost;
    }
    *device = reinterpret_cast<abi::Device>(&devices.at(index));
    return Return::kSuccess;
}

Return nvmlDeviceGetUUID(abi::Device device, char* uuid, unsigned length) {
    std::snprintf(uuid, length, is_first(device) ? "GPU-b" : "GPU-a");
    return Return::kSuccess;
}

Return nvmlDeviceGetPciInfo_v3(abi::Device device, abi::PciInfo* info) {
    std::snprintf(
        info->bus_id, sizeof info->bus_id, "%s",
        is_first(device) ? "00000000:3A:00.0" : "00000000:4B:00.0");
    return Return::kSuccess;
}

Return nvmlDeviceGetMemoryInfo_v2(abi::Device device, abi::MemoryV2* memory) {
    if (!is_first(device)) {
        return Return::kNotSupported;
    }
    memory->total = 24576 * kMib;
    memory->reserved = 400 * kMib + 1;
    memory->used = kMib + 1;
    return Return::kSuccess;
}

Return nvmlDeviceGetComputeRunningProcesses_v3(
    abi::Device device, unsigned* count, abi::ProcessProtected* rows) {
    return put_rows(1000, is_first(device) ? kProcesses : 1, count, rows);
}

// The first of them draws, too.
Return nvmlDeviceGetGraphicsRunningProcesses_v3(
    abi::Device /*device*/, unsigned* count, abi::ProcessProtected* rows) {
    return put_rows(1000, 1, count, rows);
}
}
