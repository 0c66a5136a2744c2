// Life cycle, versions, errors, and the way to a device.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <string>

#include "gpu/simulated/library/session.hpp"
#include "platform/files.hpp"

using reeve::gpu::abi::Device;
using reeve::gpu::abi::Return;
using namespace reeve::gpu::simulated;
using namespace reeve::gpu::simulated::library;

namespace {

constexpr std::size_t kCommandLineBytesMax = 1U << 20U;

/// "0000:3a:00.0" and "00000000:3A:00.0" are the same place.
bool is_bus_id_of(const std::string& bus_id, std::string_view asked) {
    std::string full(asked);
    std::ranges::transform(full, full.begin(), [](unsigned char c) { return std::toupper(c); });
    if (full.find(':') == 4) {
        full.insert(0, "0000");
    }
    return bus_id == full;
}

/// The handle of the first GPU that `is_it`; a lost one has none.
template <class Predicate>
Return put_handle(const Predicate& is_it, Device* device) {
    return with_topology([&](const Topology& topology) {
        const auto gpu = std::ranges::find_if(topology.gpus, is_it);
        if (gpu == topology.gpus.end()) {
            return Return::kNotFound;
        }
        return gpu->is_lost ? Return::kGpuIsLost : put(device, Session::get().handle_of(gpu->uuid));
    });
}

}  // namespace

// For Reeve itself: what tells the simulation from a driver, and points it to a file.

REEVE_NVML_EXPORT int reeve_nvml_is_simulated() {
    return 1;
}

REEVE_NVML_EXPORT Return reeve_nvml_sim_use(const char* path) {
    return path == nullptr ? Return::kInvalidArgument : Session::get().use(path);
}

REEVE_NVML_EXPORT const char* reeve_nvml_sim_problem() {
    return Session::get().problem();
}

REEVE_NVML_EXPORT Return nvmlInit_v2() {
    return Session::get().init();
}

REEVE_NVML_EXPORT Return nvmlInit() {
    return Session::get().init();
}

REEVE_NVML_EXPORT Return nvmlInitWithFlags(unsigned /*flags*/) {
    return Session::get().init();
}

REEVE_NVML_EXPORT Return nvmlShutdown() {
    return Session::get().shutdown();
}

REEVE_NVML_EXPORT Return nvmlSystemGetDriverVersion(char* version, unsigned length) {
    return with_topology([&](const Topology& topology) {
        return put_text(topology.driver_version, version, length);
    });
}

REEVE_NVML_EXPORT Return nvmlSystemGetNVMLVersion(char* version, unsigned length) {
    return with_topology([&](const Topology& topology) {
        const std::string major = std::to_string(topology.cuda_version / 1000);
        return put_text(major + "." + topology.driver_version, version, length);
    });
}

REEVE_NVML_EXPORT Return nvmlSystemGetCudaDriverVersion_v2(int* version) {
    return with_topology(
        [&](const Topology& topology) { return put(version, topology.cuda_version); });
}

REEVE_NVML_EXPORT Return nvmlSystemGetCudaDriverVersion(int* version) {
    return nvmlSystemGetCudaDriverVersion_v2(version);
}

REEVE_NVML_EXPORT Return nvmlSystemGetProcessName(unsigned pid, char* name, unsigned length) {
    return with_topology([&](const Topology&) {
        const auto line = reeve::platform::read_file(
            "/proc/" + std::to_string(pid) + "/cmdline", kCommandLineBytesMax);
        if (!line) {
            return Return::kNotFound;
        }
        // The command alone, cut to what fits, as the driver does.
        const std::string_view command = std::string_view(*line).substr(0, line->find('\0'));
        return put_text(command.substr(0, length == 0 ? 0 : length - 1), name, length);
    });
}

REEVE_NVML_EXPORT const char* nvmlErrorString(Return result) {
    switch (result) {
        case Return::kSuccess:                 return "success";
        case Return::kUninitialized:           return "not initialised";
        case Return::kInvalidArgument:         return "invalid argument";
        case Return::kNotSupported:            return "not supported";
        case Return::kNoPermission:            return "no permission";
        case Return::kNotFound:                return "not found";
        case Return::kInsufficientSize:        return "buffer too small";
        case Return::kDriverNotLoaded:         return "driver not loaded";
        case Return::kTimeout:                 return "time-out";
        case Return::kIrqIssue:                return "interrupt trouble";
        case Return::kLibraryNotFound:         return "library not found";
        case Return::kFunctionNotFound:        return "function not found";
        case Return::kCorruptedInforom:        return "corrupted infoROM";
        case Return::kGpuIsLost:               return "GPU is lost";
        case Return::kResetRequired:           return "GPU needs a reset";
        case Return::kOperatingSystem:         return "operating system refused";
        case Return::kVersionMismatch:         return "library and driver do not match";
        case Return::kInUse:                   return "in use";
        case Return::kMemory:                  return "out of memory";
        case Return::kNoData:                  return "no data";
        case Return::kArgumentVersionMismatch: return "unknown version of an argument";
        case Return::kNotReady:                return "not ready";
        case Return::kGpuNotFound:             return "no GPU";
        case Return::kInvalidState:            return "invalid state";
        case Return::kUnknown:                 return "unknown error";
    }
    return "unknown error";
}

REEVE_NVML_EXPORT Return nvmlDeviceGetCount_v2(unsigned* count) {
    return with_topology(
        [&](const Topology& topology) { return put(count, topology.gpus.size()); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetCount(unsigned* count) {
    return nvmlDeviceGetCount_v2(count);
}

REEVE_NVML_EXPORT Return nvmlDeviceGetHandleByIndex_v2(unsigned index, Device* device) {
    return with_topology([&](const Topology& topology) {
        if (index >= topology.gpus.size()) {
            return Return::kInvalidArgument;
        }
        const std::string& uuid = topology.gpus[index].uuid;
        return put_handle([&](const Gpu& gpu) { return gpu.uuid == uuid; }, device);
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetHandleByIndex(unsigned index, Device* device) {
    return nvmlDeviceGetHandleByIndex_v2(index, device);
}

REEVE_NVML_EXPORT Return nvmlDeviceGetHandleByUUID(const char* uuid, Device* device) {
    if (uuid == nullptr) {
        return Return::kInvalidArgument;
    }
    return put_handle([&](const Gpu& gpu) { return gpu.uuid == uuid; }, device);
}

REEVE_NVML_EXPORT Return nvmlDeviceGetHandleByPciBusId_v2(const char* bus_id, Device* device) {
    if (bus_id == nullptr) {
        return Return::kInvalidArgument;
    }
    return put_handle([&](const Gpu& gpu) { return is_bus_id_of(gpu.pci_bus_id, bus_id); }, device);
}

REEVE_NVML_EXPORT Return nvmlDeviceGetHandleByPciBusId(const char* bus_id, Device* device) {
    return nvmlDeviceGetHandleByPciBusId_v2(bus_id, device);
}
