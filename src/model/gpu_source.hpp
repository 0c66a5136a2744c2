#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/task.hpp"

namespace reeve::model {

/// A GPU as its driver describes it: what does not change while the node is up.
struct GpuDescription {
    std::string uuid;             // "GPU-…", never an index.
    std::string model;            // "NVIDIA A30", as the driver says it.
    std::int64_t total_mib = 0;   // What jobs may use: the driver's total less what it reserves.
    std::string pci_bus_id = {};  // "00000000:17:00.0".
    std::int32_t minor = -1;      // /dev/nvidia<minor>; -1 if unknown.
    std::int32_t numa_node = -1;  // -1 if unknown.
    std::int32_t compute_major = 0;
    std::int32_t compute_minor = 0;
    bool is_simulated = false;

    friend bool operator==(const GpuDescription&, const GpuDescription&) = default;
};

/// A process that holds memory of a GPU.
struct GpuProcess {
    std::uint32_t pid = 0;
    std::optional<std::int64_t> memory_mib = {};  // Absent where the driver does not say.
    bool is_graphics = false;                     // It draws, and computes nothing.
    std::string user = {};                        // Who runs it; "" if that cannot be told.
    std::string command = {};                     // Its name, of at most 15 bytes; likewise.
    std::optional<TaskKey> task = {};             // Whose it is, if it is one of ours.

    friend bool operator==(const GpuProcess&, const GpuProcess&) = default;
};

/// What was measured of one GPU at one moment. What a device cannot tell is absent, never 0.
struct GpuSample {
    std::string uuid;
    std::optional<std::int64_t> memory_used_mib = {};
    std::optional<std::int64_t> memory_total_mib = {};
    std::optional<std::int64_t> utilization_percent = {};
    std::optional<std::int64_t> power_milliwatts = {};
    std::optional<std::int64_t> temperature_celsius = {};
    std::optional<std::int64_t> sm_clock_mhz = {};
    std::optional<std::int64_t> memory_clock_mhz = {};
    std::vector<GpuProcess> processes = {};
    std::string trouble =
        {};  // Why the device cannot be used ("fallen off the bus"); "" if it can.
};

/// XID: an error that a driver reports of a device (NVIDIA's catalogue of XID errors).
struct GpuXid {
    std::string uuid;
    std::int64_t xid = 0;
};

/// The GPUs of one machine. gpu/nvml implements it over libnvidia-ml.so.1 (NVIDIA's or the
/// simulated one); tests use a fake. Calls block for as long as the driver does; one thread uses it
/// at a time.
class GpuSource {
  public:
    virtual ~GpuSource() = default;

    /// By UUID. Errors: kUnavailable, saying why (no driver, a version mismatch, …).
    [[nodiscard]] virtual Result<std::vector<GpuDescription>> describe() = 0;

    /// One sample of each GPU that describe() gave, in that order.
    [[nodiscard]] virtual Result<std::vector<GpuSample>> sample() = 0;

    /// The XIDs since the last call; waits for none.
    [[nodiscard]] virtual Result<std::vector<GpuXid>> poll_xids() = 0;

    /// "580.95.05", or "" if unknown.
    [[nodiscard]] virtual std::string driver_version() const = 0;
};

}  // namespace reeve::model
