#pragma once

#include <cstdint>
#include <span>

#include "scheduler/scorer.hpp"

namespace reeve::scheduler {

/// What is free of something, and the most that any node has of it.
struct Portion {
    std::int64_t free = 0;
    std::int64_t most = 1;
};

/// 2^30 for a full node, less what is free of CPU and GPU in equal parts. 0 at the least.
[[nodiscard]] std::int64_t packing_of(const Portion& cpu, const Portion& milli);

/// Leaves the least on the node: packing_of() in whole percent, as published with FGD.
class BestFit final : public Scorer {
  public:
    explicit BestFit(const DeviceSets& sets) noexcept : sets_(sets) {}

    [[nodiscard]] Choice best(const Move& move, std::span<const DeviceOption> options) override;
    [[nodiscard]] bool learn(const Lesson& lesson) override;

  private:
    const DeviceSets& sets_;
    std::int64_t cpu_max_ = 1;
    std::int64_t milli_max_ = 1;
};

/// Leaves the least on the device, then takes the node with the fewest untouched GPUs.
class Tightest final : public Scorer {
  public:
    explicit Tightest(const DeviceSets& sets) noexcept : sets_(sets) {}

    [[nodiscard]] Choice best(const Move& move, std::span<const DeviceOption> options) override;

    [[nodiscard]] bool learn(const Lesson& /*lesson*/) override { return false; }

  private:
    const DeviceSets& sets_;
};

/// Leaves the most: GPUs first, then CPU; on the node, the emptiest device.
class Spread final : public Scorer {
  public:
    explicit Spread(const DeviceSets& sets) noexcept : sets_(sets) {}

    [[nodiscard]] Choice best(const Move& move, std::span<const DeviceOption> options) override;

    [[nodiscard]] bool learn(const Lesson& /*lesson*/) override { return false; }

  private:
    const DeviceSets& sets_;
};

}  // namespace reeve::scheduler
