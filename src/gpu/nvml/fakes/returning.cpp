// A driver whose one device falls off the bus, and comes back under another handle. The old handle
// then stays bad. reeve_fake_lose() and reeve_fake_restore() move it.
#include <cstdio>
#include <cstring>

#include "gpu/nvml_abi.hpp"

namespace abi = reeve::gpu::abi;
using abi::Return;

namespace {

int handles[2] = {};
int current = 0;
bool is_lost = false;
bool is_registered = false;
int event_set = 0;

abi::Device handle() {
    return reinterpret_cast<abi::Device>(&handles[current]);
}

Return state_of(abi::Device device) {
    return is_lost || device != handle() ? Return::kGpuIsLost : Return::kSuccess;
}

}  // namespace

extern "C" {

void reeve_fake_lose() {
    is_lost = true;
    is_registered = false;
}

void reeve_fake_restore() {
    is_lost = false;
    current = 1;
}

Return nvmlInit_v2() {
    return Return::kSuccess;
}

Return nvmlDeviceGetCount_v2(unsigned* count) {
    *count = 1;
    return Return::kSuccess;
}

Return nvmlDeviceGetHandleByIndex_v2(unsigned /*index*/, abi::Device* device) {
    *device = handle();
    return is_lost ? Return::kGpuIsLost : Return::kSuccess;
}

Return nvmlDeviceGetHandleByUUID(const char* uuid, abi::Device* device) {
    if (is_lost || std::strcmp(uuid, "GPU-returning") != 0) {
        return Return::kNotFound;
    }
    *device = handle();
    return Return::kSuccess;
}

Return nvmlDeviceGetUUID(abi::Device device, char* uuid, unsigned length) {
    std::snprintf(uuid, length, "GPU-returning");
    return state_of(device);
}

Return nvmlDeviceGetPowerUsage(abi::Device device, unsigned* milliwatts) {
    *milliwatts = 30'000;
    return state_of(device);
}

Return nvmlEventSetCreate(abi::EventSet* set) {
    *set = reinterpret_cast<abi::EventSet>(&event_set);
    return Return::kSuccess;
}

Return nvmlDeviceGetSupportedEventTypes(abi::Device device, std::uint64_t* types) {
    *types = abi::kEventXidCritical;
    return state_of(device);
}

Return nvmlDeviceRegisterEvents(
    abi::Device device, std::uint64_t /*types*/, abi::EventSet /*set*/) {
    is_registered = true;
    return state_of(device);
}

// One event at each registration.
Return nvmlEventSetWait_v2(abi::EventSet /*set*/, abi::EventData* data, unsigned /*milliseconds*/) {
    if (is_lost) {
        return Return::kGpuIsLost;
    }
    if (!is_registered) {
        return Return::kTimeout;
    }
    is_registered = false;
    *data = {.device = handle(), .type = abi::kEventXidCritical, .data = 45};
    return Return::kSuccess;
}
}
