#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "scheduler/scorer.hpp"

namespace reeve::scheduler {

/// Fragmentation gradient descent (Weng et al., USENIX ATC'23), with best fit where it ties. The
/// fragmentation of a node is what of its free GPUs a request drawn from the typical ones could not
/// use; a placement is as good as it keeps that low.
class FragmentationGradient final : public Scorer {
  public:
    explicit FragmentationGradient(const DeviceSets& sets) noexcept : sets_(sets) {}

    [[nodiscard]] Choice best(const Move& move, std::span<const DeviceOption> options) override;
    [[nodiscard]] bool learn(const Lesson& lesson) override;

    [[nodiscard]] std::size_t memo_size() const noexcept override { return memo_.size(); }

    void forget() override;

    /// The fragmentation, in milli-GPU times 2^20.
    [[nodiscard]] std::int64_t value(DeviceSetId set, std::int64_t cpu) override;

  private:
    struct TypicalClass {
        DeviceSets::Demand demand = {};
        std::int64_t cpu = 0;
        std::int64_t gpus = 0;
        std::int64_t weight = 0;  // Of 2^20 for all together.

        friend bool operator==(const TypicalClass&, const TypicalClass&) = default;
    };

    [[nodiscard]] std::int64_t compute(DeviceSetId set, std::int64_t cpu) const;
    [[nodiscard]] std::int64_t unusable(const TypicalClass& each, const DeviceSet& set) const;

    const DeviceSets& sets_;
    std::vector<TypicalClass> classes_;
    std::int64_t cpu_max_ = 1;
    std::int64_t milli_max_ = 1;
    FlatMap<std::int64_t> memo_;  // By set and CPU.
};

}  // namespace reeve::scheduler
