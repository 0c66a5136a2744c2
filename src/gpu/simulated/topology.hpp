#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace reeve::gpu::simulated {

/// What is the same for every GPU of a model.
struct GpuModel {
    std::string name = {};        // "NVIDIA A30", as the driver says it.
    std::int64_t memory_mib = 0;  // All of it, with what the driver reserves.
    std::int64_t reserved_mib = 0;
    std::int64_t compute_major = 0;
    std::int64_t compute_minor = 0;
    std::int64_t architecture = 0;   // NVML's number: 7 Ampere, 8 Ada, 9 Hopper, 10 Blackwell.
    std::int64_t brand = 0;          // NVML's number: 5 GeForce, 14 NVIDIA.
    std::int64_t pci_device_id = 0;  // Without the vendor: 0x20b7.
    std::int64_t cores = 0;
    std::int64_t power_idle_watts = 0;
    std::int64_t power_min_watts = 0;    // Of the limit; 0: the device has no power limit.
    std::int64_t power_limit_watts = 0;  // Default and highest.
    std::int64_t sm_clock_mhz = 0;       // Highest.
    std::int64_t memory_clock_mhz = 0;   // Highest.
    std::int64_t pcie_generation = 0;
    std::int64_t nvlinks = 0;
    std::int64_t nvlink_version = 0;
    bool has_fan = false;
    bool has_ecc = false;
    bool has_mig = false;             // Could be cut; the simulation never is.
    bool has_unified_memory = false;  // Shares the host's: NVML tells no amounts of its own.

    friend bool operator==(const GpuModel&, const GpuModel&) = default;
};

/// What one process takes of one GPU.
struct ProcessUse {
    std::uint32_t pid = 0;
    std::int64_t memory_mib = 0;
    std::int64_t utilization_percent = 0;  // 0..100.
    std::uint64_t start_ticks = 0;  // When the process began, as /proc says it: pids are reused.

    friend bool operator==(const ProcessUse&, const ProcessUse&) = default;
};

struct Gpu {
    std::string uuid = {};
    std::string model = {};       // A key of Topology::models.
    std::string pci_bus_id = {};  // "00000000:17:00.0".
    std::int64_t minor = 0;
    std::int64_t numa_node = 0;
    bool has_nvswitch = false;  // All of its links go to NVSwitches that reach every such GPU.
    bool is_lost = false;
    std::vector<ProcessUse> processes = {};

    friend bool operator==(const Gpu&, const Gpu&) = default;
};

struct Xid {
    std::uint64_t sequence = 0;  // Counts up from 1 over the life of the file.
    std::string uuid = {};
    std::int64_t xid = 0;

    friend bool operator==(const Xid&, const Xid&) = default;
};

/// A simulated machine's GPUs: what the state file says.
/// Invariant (parse_topology refuses the rest): every GPU's model is known, UUIDs and bus ids are
/// unique, amounts are in range, XIDs are in order of their sequence.
struct Topology {
    std::string preset = {};  // What it was made from.
    std::string seed = {};
    std::string driver_version = {};
    std::int64_t cuda_version = 0;  // 13000 is 13.0.
    std::map<std::string, GpuModel> models = {};
    std::vector<Gpu> gpus = {};  // In order of their index.
    std::uint64_t next_xid = 1;
    std::vector<Xid> xids = {};  // The newest kXidsKept.

    friend bool operator==(const Topology&, const Topology&) = default;
};

constexpr std::size_t kGpusMax = 64;
constexpr std::size_t kXidsKept = 64;
constexpr std::size_t kProcessesMax = 4096;  // Of one GPU.

}  // namespace reeve::gpu::simulated
