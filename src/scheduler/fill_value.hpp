#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "scheduler/scorer.hpp"

namespace reeve::scheduler {

/// The policy "fill value". The value of a node is the GPU time that the requests likely to come
/// would still fill of it; a placement is as good as what it leaves of that value.
///
/// For requests of one GPU, each device with a hole counts (fill by a request that fits it) times
/// (chance that one of the next kHorizon requests fits it). For requests of several GPUs, the
/// copies that the node still holds count, more so where the cluster has little room for them left.
/// A class that only some GPU models serve weighs more on those, for they see it more often.
/// docs/scheduler.md has the formulas.
class FillValue final : public Scorer {
  public:
    explicit FillValue(const DeviceSets& sets) noexcept : sets_(sets) {}

    [[nodiscard]] Choice best(const Move& move, std::span<const DeviceOption> options) override;
    [[nodiscard]] bool learn(const Lesson& lesson) override;
    [[nodiscard]] std::size_t memo_size() const noexcept override;
    void forget() override;

    /// Of a node with this much left, in milli-GPU times 2^20.
    [[nodiscard]] std::int64_t value(DeviceSetId set, std::int64_t cpu) override;

  private:
    /// Requests of one GPU, whole or shared.
    struct SingleClass {
        DeviceSets::Demand demand = {};
        std::int64_t cpu = 0;
        std::uint64_t weight = 0;  // Of 2^30 for all classes together.
    };

    struct MultiClass {
        DeviceSets::Demand demand = {};
        std::int64_t cpu = 0;
        std::int64_t gpus = 0;
        std::uint64_t weight = 0;
        std::int64_t scarcity = 0;           // Of 256.
        std::vector<bool> is_accepted = {};  // By kind, of those tabled.
    };

    /// A class and its share of what fills GPUs here, of 2^30.
    struct Share {
        model::Request request = {};
        std::uint64_t weight = 0;
    };

    /// What a hole in a device of some kind is to each class, as singles_.
    struct Hole {
        std::vector<std::uint32_t> copies = {};  // That it holds.
        std::vector<std::uint32_t> fills = {};   // What they take together, in milli-GPU.
        std::vector<std::uint32_t> chances =
            {};  // Weights of this class and those before it that fit.
    };

    [[nodiscard]] std::vector<Share> shares_of(const Lesson& lesson) const;
    void use(const std::vector<Share>& shares);
    /// By class of several GPUs.
    [[nodiscard]] std::vector<std::int64_t> scarcities_of(const Lesson& lesson);
    [[nodiscard]] bool is_near(const std::vector<Share>& shares) const;
    void table_kinds();
    void forget_tables();
    void forget_holes();
    [[nodiscard]] std::int64_t value_of_singles(DeviceSetId set, std::int64_t cpu);
    [[nodiscard]] const Hole& hole_of(const DeviceRun& run);
    [[nodiscard]] Hole compute_hole(const DeviceRun& run) const;
    [[nodiscard]] std::int64_t compute_singles(DeviceSetId set, std::uint64_t cpu);
    [[nodiscard]] std::int64_t value_of_multis(DeviceSetId set, std::int64_t cpu);
    [[nodiscard]] std::int64_t compute_multis(DeviceSetId set, std::int64_t cpu);

    const DeviceSets& sets_;
    std::unordered_map<model::Request, std::uint64_t, RequestHash> used_;  // Shares in use.
    std::vector<SingleClass> singles_;                                     // By CPU.
    std::vector<MultiClass> multis_;
    /// What a class takes of a GPU, in milli; 0: it is not served. By kind, then as singles_.
    std::vector<std::vector<std::uint32_t>> kinds_;
    FlatMap<std::int64_t> single_values_;  // By set and CPU.
    FlatMap<std::int64_t> multi_values_;
    std::vector<std::uint32_t> cpus_;      // Of singles_, once more, for sums run over them.
    std::vector<std::uint32_t> weights_;   // Likewise.
    FlatMap<std::uint32_t> hole_numbers_;  // By kind and size.
    std::vector<Hole> holes_;
    // Scratch.
    std::vector<std::uint32_t> copies_;
    std::vector<std::uint32_t> affordable_;  // Weights of what there is CPU for.
};

}  // namespace reeve::scheduler
