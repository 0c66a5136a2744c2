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

    /// A class as GPUs of one kind see it. `milli` 0: they do not serve it.
    struct KindDemand {
        std::uint32_t milli = 0;
        std::uint32_t inverse = 0;  // 2^20 / milli, rounded up.
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

    /// What the value of a set of devices is made of, but for the CPU beside them: the classes of
    /// which it holds a copy, by the CPU that they need. The numbers are in pools, for millions of
    /// sums run over them.
    struct Profile {
        std::size_t numbers_at = 0;  // In numbers_, see columns_of().
        std::size_t cpus_at = 0;     // In cpus_of_copies_, one for each class.
        std::size_t classes = 0;
        std::size_t holes = 0;
        std::uint64_t cpu_full = 0;   // With so much CPU, more adds nothing.
        std::int64_t value_full = 0;  // The value then.
        bool is_known = false;
    };

    /// The numbers of a profile, by class; the last two by hole, then by class.
    struct Columns {
        std::uint32_t* counts;   // By hole: devices that have it.
        std::uint32_t* cpus;     // What one needs.
        std::uint32_t* weights;  // Of the class.
        std::uint32_t* fills;    // Milli-GPU of the copies in one device.
        std::uint32_t* chances;  // That this class or one before it fits.
        std::uint64_t* cpus_of_copies;
    };

    [[nodiscard]] std::vector<Share> shares_of(const Lesson& lesson) const;
    void use(const std::vector<Share>& shares);
    /// By class of several GPUs.
    [[nodiscard]] std::vector<std::int64_t> scarcities_of(const Lesson& lesson);
    [[nodiscard]] bool is_near(const std::vector<Share>& shares) const;
    void table_kinds();
    void forget_tables();
    void forget_profiles();
    [[nodiscard]] std::int64_t value_of_singles(DeviceSetId set, std::int64_t cpu);
    [[nodiscard]] const Profile& profile_of(DeviceSetId set);
    [[nodiscard]] Profile compute_profile(DeviceSetId set);
    [[nodiscard]] Columns columns_of(const Profile& profile);
    [[nodiscard]] std::int64_t compute_singles(const Profile& profile, std::uint64_t cpu);
    [[nodiscard]] std::int64_t value_of_multis(DeviceSetId set, std::int64_t cpu);
    [[nodiscard]] std::int64_t compute_multis(DeviceSetId set, std::int64_t cpu);

    const DeviceSets& sets_;
    std::unordered_map<model::Request, std::uint64_t, RequestHash> used_;  // Shares in use.
    std::vector<SingleClass> singles_;                                     // By CPU.
    std::vector<MultiClass> multis_;
    std::vector<std::vector<KindDemand>> kinds_;  // By kind, then as singles_.
    FlatMap<std::int64_t> single_values_;         // By set and CPU.
    FlatMap<std::int64_t> multi_values_;
    std::vector<Profile> profiles_;  // By set.
    std::vector<std::uint32_t> numbers_;
    std::vector<std::uint64_t> cpus_of_copies_;
    // Scratch.
    std::vector<std::uint32_t> affordable_;  // Weights of what there is CPU for.
    std::vector<std::size_t> fitting_;
};

}  // namespace reeve::scheduler
