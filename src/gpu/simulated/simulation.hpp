#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/gpu_source.hpp"

/// Simulated GPUs: a state file says which there are and what runs on them; everything that loads
/// libreeve-nvml-sim.so, in any process, sees it as NVML would show it. Times of calls: one read
/// and one rename of a small file.
namespace reeve::gpu::simulated {

/// The environment variable that tells the library its state file.
constexpr const char* kStateVariable = "REEVE_NVML_SIM";

/// Beside it: the UUIDs of the GPUs that this process may see, separated by commas; "": none. All,
/// if it is not set.
constexpr const char* kShownVariable = "REEVE_NVML_SIM_GPUS";

/// One simulated GPU, and what it shows now.
struct GpuStatus {
    std::size_t index = 0;
    model::GpuDescription description = {};
    model::GpuSample sample = {};
};

/// What a process shall take of a GPU.
struct Use {
    std::uint32_t pid = 0;
    std::int64_t memory_mib = 0;
    std::int64_t utilization_percent = 0;  // 0..100.
};

/// "A30", "RTX5090", …: what a preset may name.
[[nodiscard]] std::vector<std::string> known_models();

/// Makes the state file of a preset ("4xRTX5090", "A30", "2xA30,1xH100"), unless it is there
/// already from the same preset and seed: then it is left with what runs in it. The seed, such as a
/// node's name, decides the UUIDs. Errors: kInvalid: the preset; kUnavailable: the file cannot be
/// written.
[[nodiscard]] Result<void> ensure_simulation(
    const std::string& path, std::string_view preset, std::string_view seed);

/// The same from a topology of one's own, as docs/gpu-simulation.md describes it; `name` says where
/// it is from. Errors: kInvalid, naming the field; kUnavailable.
[[nodiscard]] Result<void> ensure_topology(
    const std::string& path, std::string_view topology_json, std::string_view name);

/// In the order of their index.
/// Errors (as of every function below): kUnavailable, kInvalid: the file, by name.
[[nodiscard]] Result<std::vector<GpuStatus>> list_gpus(const std::string& path);

/// In all below, `gpu` is an index ("0"), a UUID, or the beginning of just one UUID, with or
/// without its "GPU-". Errors: kNotFound: no such GPU; kInvalid: the beginning of several. All
/// return the GPU as it is afterwards.

/// Lets a process take memory and time of the GPU, in place of what it took before; nothing of
/// either ends its use. The use ends by itself with the process.
/// Errors: kNotFound: no such process; kInvalid: the percentage, a negative size; kLimit: more
/// memory than is free; kConflict: the GPU is lost.
[[nodiscard]] Result<GpuStatus> set_use(
    const std::string& path, std::string_view gpu, const Use& use);

/// Lets the driver report an XID (1..999) of the GPU to whoever listens.
[[nodiscard]] Result<GpuStatus> report_xid(
    const std::string& path, std::string_view gpu, std::int64_t xid);

/// Takes the GPU off the bus: XID 79, and from then on every question is answered "GPU is lost".
/// What ran on it no longer does, as far as the driver can tell.
/// Errors: kConflict: it is lost already.
[[nodiscard]] Result<GpuStatus> lose_gpu(const std::string& path, std::string_view gpu);

/// Brings a lost GPU back, with nothing on it. Errors: kConflict: it is not lost.
[[nodiscard]] Result<GpuStatus> restore_gpu(const std::string& path, std::string_view gpu);

/// The GPUs of a state file without the library and its loader: any number of machines in one
/// process. Shows the same as NVML over the library. XIDs: those reported after this call.
[[nodiscard]] Result<std::unique_ptr<model::GpuSource>> open_simulated(const std::string& path);

/// Where libreeve-nvml-sim.so is, for an executable in this folder: beside it, in lib/ beside it,
/// in
/// ../lib/reeve (installed), or up to three folders up in lib/ (a build tree).
/// Errors: kNotFound, saying where it was looked for.
[[nodiscard]] Result<std::string> find_library(const std::string& executable_folder);

}  // namespace reeve::gpu::simulated
