#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "model/gpu_source.hpp"

namespace reeve::gpu::nvml {

struct NvmlOptions {
    /// A name that the dynamic loader finds, or a path such as that of libreeve-nvml-sim.so.
    std::string library = "libnvidia-ml.so.1";

    /// The state file of the simulation; "" leaves it to REEVE_NVML_SIM. Only with the simulation:
    /// any other library is refused, so that nobody takes real GPUs for simulated ones.
    std::string simulation_state = {};

    /// Where devices say their NUMA node when the driver does not.
    std::string sysfs_root = "/sys";

    /// Whose memory a device with unified memory (GB10) shares.
    std::string meminfo = "/proc/meminfo";

    /// Told, in words, of what is left out: a device that was lost before it could be described.
    /// Called on the thread that uses the source. May be empty.
    std::function<void(const std::string&)> on_warning = {};
};

/// The GPUs behind an NVML library. Loads and initialises it; the source's end shuts it down. Every
/// function is looked up by itself, newest version first, so that an old driver only leaves fields
/// absent. Two sources of the same library in one process share its state, as NVML's do: one
/// simulation per process (gpu/simulated has a source of its own for more).
/// Errors: kUnavailable: no library (what to install), no driver loaded, a library that does not
/// match the kernel module, no permission, a simulation without a valid state file.
[[nodiscard]] Result<std::unique_ptr<model::GpuSource>> open_nvml(const NvmlOptions& options);

}  // namespace reeve::gpu::nvml
