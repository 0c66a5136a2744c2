// A driver from before every _v2: half of the functions are not there.
#include <cstdio>

#include "gpu/nvml_abi.hpp"

namespace abi = reeve::gpu::abi;
using abi::Return;

namespace {

constexpr std::uint64_t kMib = 1024ULL * 1024;

}  // namespace

extern "C" {

Return nvmlInit() {
    return Return::kSuccess;
}

Return nvmlDeviceGetCount(unsigned* count) {
    *count = 1;
    return Return::kSuccess;
}

Return nvmlDeviceGetHandleByIndex(unsigned index, abi::Device* device) {
    static int only = 0;
    *device = reinterpret_cast<abi::Device>(&only);
    return index == 0 ? Return::kSuccess : Return::kInvalidArgument;
}

Return nvmlDeviceGetUUID(abi::Device /*device*/, char* uuid, unsigned length) {
    std::snprintf(uuid, length, "GPU-old");
    return Return::kSuccess;
}

Return nvmlDeviceGetName(abi::Device /*device*/, char* name, unsigned length) {
    std::snprintf(name, length, "Tesla K80");
    return Return::kSuccess;
}

Return nvmlDeviceGetMemoryInfo(abi::Device /*device*/, abi::MemoryV1* memory) {
    *memory = {.total = 11441 * kMib, .free = 11341 * kMib, .used = 100 * kMib};
    return Return::kSuccess;
}

Return nvmlDeviceGetTemperature(
    abi::Device /*device*/, abi::TemperatureSensor /*sensor*/, unsigned* c) {
    *c = 41;
    return Return::kSuccess;
}

Return nvmlDeviceGetPowerUsage(abi::Device /*device*/, unsigned* /*milliwatts*/) {
    return Return::kNotSupported;
}

Return nvmlDeviceGetComputeRunningProcesses(
    abi::Device /*device*/, unsigned* count, abi::ProcessV1* rows) {
    const unsigned room = *count;
    *count = 2;
    if (room < 2) {
        return Return::kInsufficientSize;
    }
    rows[0] = {.pid = 11, .used_memory = 60 * kMib};
    rows[1] = {.pid = 12, .used_memory = abi::kMemoryNotAvailable};
    return Return::kSuccess;
}
}
