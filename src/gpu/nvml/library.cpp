#include "gpu/nvml/library.hpp"

#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <system_error>
#include <utility>

#include <dlfcn.h>

namespace reeve::gpu::nvml {

namespace {

/// The first of `names`, newest first, that the library has.
template <class Function>
void resolve(void* handle, Function*& function, std::initializer_list<const char*> names) {
    for (const char* name : names) {
        void* symbol = ::dlsym(handle, name);
        if (symbol != nullptr) {
            // POSIX promises that a function survives its way through void*.
            function = reinterpret_cast<Function*>(symbol);
            return;
        }
    }
}

void resolve_list(void* handle, Functions::ProcessList& list, const std::string& name) {
    resolve(handle, list.v3, {(name + "_v3").c_str()});
    resolve(handle, list.v2, {(name + "_v2").c_str()});
    resolve(handle, list.v1, {name.c_str()});
}

void resolve_devices(void* handle, Functions& to) {
    resolve(handle, to.device_count, {"nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"});
    resolve(
        handle, to.handle_by_index,
        {"nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"});
    resolve(handle, to.handle_by_uuid, {"nvmlDeviceGetHandleByUUID"});
    resolve(handle, to.uuid, {"nvmlDeviceGetUUID"});
    resolve(handle, to.name, {"nvmlDeviceGetName"});
    resolve(handle, to.minor_number, {"nvmlDeviceGetMinorNumber"});
    resolve(handle, to.pci_info, {"nvmlDeviceGetPciInfo_v3"});  // Older ones have other structs.
    resolve(handle, to.compute_capability, {"nvmlDeviceGetCudaComputeCapability"});
    resolve(handle, to.memory_affinity, {"nvmlDeviceGetMemoryAffinity"});
    resolve(handle, to.memory_v2, {"nvmlDeviceGetMemoryInfo_v2"});
    resolve(handle, to.memory_v1, {"nvmlDeviceGetMemoryInfo"});
    resolve(handle, to.utilization, {"nvmlDeviceGetUtilizationRates"});
    resolve(handle, to.power, {"nvmlDeviceGetPowerUsage"});
    resolve(handle, to.temperature_v, {"nvmlDeviceGetTemperatureV"});
    resolve(handle, to.temperature, {"nvmlDeviceGetTemperature"});
    resolve(handle, to.clock, {"nvmlDeviceGetClockInfo"});
    resolve_list(handle, to.compute, "nvmlDeviceGetComputeRunningProcesses");
    resolve_list(handle, to.graphics, "nvmlDeviceGetGraphicsRunningProcesses");
    resolve_list(handle, to.mps, "nvmlDeviceGetMPSComputeRunningProcesses");
}

/// A library that is there and does not load is another trouble than one that is not there.
bool is_missing(const std::string& name, const std::string& why) {
    std::error_code error;
    return name.find('/') == std::string::npos
               ? why.find("cannot open shared object file: No such file") != std::string::npos
               : !std::filesystem::exists(name, error);
}

}  // namespace

void Library::Close::operator()(void* handle) const noexcept {
    ::dlclose(handle);
}

Library::Library(Handle handle) : handle_(std::move(handle)) {
    void* library = handle_.get();
    resolve(library, functions_.init, {"nvmlInit_v2", "nvmlInit"});
    resolve(library, functions_.shutdown, {"nvmlShutdown"});
    resolve(library, functions_.driver_version, {"nvmlSystemGetDriverVersion"});
    resolve(library, functions_.error_text, {"nvmlErrorString"});
    resolve_devices(library, functions_);
    resolve(library, functions_.event_set_create, {"nvmlEventSetCreate"});
    resolve(library, functions_.event_set_free, {"nvmlEventSetFree"});
    resolve(library, functions_.event_set_wait, {"nvmlEventSetWait_v2"});
    resolve(library, functions_.register_events, {"nvmlDeviceRegisterEvents"});
    resolve(library, functions_.supported_events, {"nvmlDeviceGetSupportedEventTypes"});
    resolve(library, functions_.is_simulated, {"reeve_nvml_is_simulated"});
    resolve(library, functions_.simulation_use, {"reeve_nvml_sim_use"});
    resolve(library, functions_.simulation_problem, {"reeve_nvml_sim_problem"});
    resolve(library, functions_.simulation_unified_memory, {"reeve_nvml_sim_unified_memory"});
}

Result<Library> Library::load(const std::string& name) {
    // Local: what the library brings along must not get in the way of our own symbols.
    Handle handle(::dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL));
    if (handle == nullptr) {
        const char* said = ::dlerror();
        const std::string why = said == nullptr ? "no reason given" : said;
        if (is_missing(name, why)) {
            return fail(
                ErrorCode::kUnavailable,
                "no NVIDIA driver: " + name +
                    " is not there. Install it (Debian: apt install nvidia-driver; Ubuntu: "
                    "ubuntu-drivers install), or try Reeve with --gpus-simulated 4xRTX5090",
                why);
        }
        return fail(ErrorCode::kUnavailable, "the NVIDIA library cannot be loaded: " + why, why);
    }
    Library library(std::move(handle));
    const Functions& functions = library.functions();
    if (functions.init == nullptr || functions.device_count == nullptr ||
        functions.handle_by_index == nullptr || functions.uuid == nullptr) {
        return fail(
            ErrorCode::kUnavailable,
            name + " is no NVML library: it cannot name the devices of a machine");
    }
    return library;
}

std::string Library::text_of(abi::Return result) const {
    const std::string number = std::to_string(static_cast<std::int32_t>(result));
    const char* text = functions_.error_text == nullptr ? nullptr : functions_.error_text(result);
    return text == nullptr ? "NVML error " + number : std::string(text) + " (NVML " + number + ")";
}

}  // namespace reeve::gpu::nvml
