#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/reactor.hpp"
#include "model/gpu_source.hpp"
#include "platform/host.hpp"

namespace reeve::agent {

/// Measures one node: its machine's processors and memory, and its GPUs. Calls take as long as the
/// driver does, so they are made on a thread of their own.
class Sampler {
  public:
    /// `gpus` may be null: a node without any. It outlives this.
    explicit Sampler(model::GpuSource* gpus) noexcept : gpus_(gpus) {}

    /// Asks the driver what GPUs there are. If it does not say, those it said last are kept.
    [[nodiscard]] MachineDescribed describe();

    /// What describe() found last.
    [[nodiscard]] const MachineDescribed& machine() const noexcept { return machine_; }

    /// Load since the last call; 0 at the first. A driver that fails becomes each GPU's `trouble`.
    /// Processes have the names of their users and commands, and no tasks yet. XIDs that were told
    /// before are told again, as long as they are of the newest.
    [[nodiscard]] Sampled sample();

  private:
    void collect_xids();
    void name_processes(std::vector<model::GpuSample>& gpus);
    [[nodiscard]] std::string user_name(std::uint32_t uid) const;

    model::GpuSource* gpus_;
    MachineDescribed machine_ = {};
    std::optional<platform::CpuTimes> cpu_before_ = {};
    std::deque<model::ReportedXid> xids_ = {};              // The newest, the oldest of them first.
    std::map<std::uint32_t, std::string> user_names_ = {};  // By uid, as long as it is seen.
};

}  // namespace reeve::agent
