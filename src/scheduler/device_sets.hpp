#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <variant>
#include <vector>

#include "model/resources.hpp"
#include "scheduler/class_mix.hpp"
#include "scheduler/flat_map.hpp"

namespace reeve::scheduler {

/// Numbers of the order in which things were first seen: names for a memo, never part of an order
/// that decides.
using DeviceSetId = std::uint32_t;
using DemandId = std::uint32_t;
using KindId = std::uint32_t;

/// What matters of a GPU to a placement: not which one it is.
struct DeviceState {
    GpuModelId model = GpuModelId(0);
    std::int64_t total_mib = 0;
    model::GpuAmount free = {};

    friend bool operator==(const DeviceState&, const DeviceState&) = default;
};

[[nodiscard]] DeviceState state_of(const model::Gpu& gpu);

/// GPUs of one model and size.
struct DeviceKind {
    GpuModelId model = GpuModelId(0);
    std::int64_t total_mib = 0;

    friend bool operator==(const DeviceKind&, const DeviceKind&) = default;
};

/// Equal devices of a set. `hole` is what is free in milli, by compute or by memory, whichever is
/// less.
struct DeviceRun {
    KindId kind = 0;
    std::int64_t hole = 0;
    std::int64_t count = 0;
};

/// The GPUs of a node, with nothing of their order.
struct DeviceSet {
    std::vector<DeviceState> devices = {};  // Sorted: model, size, free compute, free memory.
    std::vector<DeviceRun> runs = {};
    std::int64_t free_milli = 0;
    std::int64_t untouched = 0;
};

/// One way of serving a demand from a set.
struct DeviceOption {
    DeviceSetId after = 0;
    DeviceState device = {};      // Of a share: the device, before.
    std::int64_t milli_left = 0;  // On that device; of whole GPUs nothing is left.
};

/// What one GPU of a kind gives to a demand.
struct DemandOfKind {
    bool is_accepted = false;
    std::int64_t milli = 0;  // Of compute or of memory, whichever is the larger part.
};

/// True if the device has all of its compute and memory.
[[nodiscard]] bool is_untouched(const DeviceState& device) noexcept;

/// Numbers device sets and GPU demands, and remembers what a demand makes of a set.
/// Invariant: equal sets have one number, and so have equal demands.
class DeviceSets {
  public:
    using Demand = std::variant<model::WholeGpus, model::GpuShare>;

    [[nodiscard]] DeviceSetId intern(std::vector<DeviceState> devices);
    [[nodiscard]] DemandId intern(const Demand& demand);

    [[nodiscard]] const DeviceSet& set(DeviceSetId id) const { return sets_[id]; }

    [[nodiscard]] const Demand& demand(DemandId id) const { return demands_[id]; }

    /// The smallest hole first; empty if the set cannot serve the demand. Valid until the next
    /// call.
    [[nodiscard]] std::span<const DeviceOption> options(DeviceSetId set, DemandId demand);

    [[nodiscard]] KindId kind_of(const DeviceKind& kind);

    [[nodiscard]] std::size_t kind_count() const noexcept { return kinds_.size(); }

    [[nodiscard]] const DeviceKind& kind(KindId id) const { return kinds_[id]; }

    /// What it remembers, in entries of about 32 bytes.
    [[nodiscard]] std::size_t memo_size() const noexcept {
        constexpr std::size_t kOfSet = 16;  // As large as so many entries.
        constexpr std::size_t kOfRange =
            2;  // The map is half empty at most, and about so at least.
        constexpr std::size_t kOfOption = 2;
        return sets_.size() * kOfSet + ranges_.size() * kOfRange + options_.size() * kOfOption;
    }

    void clear();

  private:
    struct Range {
        std::size_t first = 0;
        std::size_t count = 0;
    };

    [[nodiscard]] std::vector<DeviceOption> compute(DeviceSetId set, const model::WholeGpus& ask);
    [[nodiscard]] std::vector<DeviceOption> compute(DeviceSetId set, const model::GpuShare& ask);

    std::vector<DeviceSet> sets_;
    FlatMap<DeviceSetId> set_ids_;    // By hash, the last with it;
    std::vector<DeviceSetId> older_;  // by set, the one before it with the same hash.
    std::vector<Demand> demands_;
    std::unordered_map<model::Request, DemandId, RequestHash> demand_ids_;  // With no host part.
    std::vector<DeviceKind> kinds_;
    FlatMap<Range> ranges_;  // By set and demand.
    std::vector<DeviceOption> options_;
};

/// What `demand` takes of one GPU of `kind`.
[[nodiscard]] DemandOfKind demand_of_kind(const DeviceSets::Demand& demand, const DeviceKind& kind);

}  // namespace reeve::scheduler
