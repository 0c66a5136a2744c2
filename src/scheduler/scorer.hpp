#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "scheduler/class_mix.hpp"
#include "scheduler/device_sets.hpp"
#include "scheduler/policy.hpp"

namespace reeve::scheduler {

/// What a placement does to a node, but for its GPUs after it.
struct Move {
    DeviceSetId before = 0;
    std::int64_t cpu_after = 0;     // Free millicores.
    std::int64_t value_before = 0;  // The scorer's value() of the node as it is.
};

/// The option that a node would be served with, and how good that is.
struct Choice {
    std::int64_t score = 0;
    std::size_t option = 0;
};

/// Nodes that are alike.
struct ShapeCount {
    DeviceSetId set = 0;
    std::int64_t cpu = 0;  // Free millicores.
    std::int64_t nodes = 0;
};

/// GPUs of one kind that there are, used or not.
struct KindCount {
    KindId kind = 0;
    std::int64_t gpus = 0;
};

/// What a scorer learns from: what arrives, what there is, what is free now.
struct Lesson {
    std::span<const ClassCount> mix = {};
    std::span<const KindCount> kinds = {};
    std::span<const ShapeCount> shapes = {};
    std::int64_t cpu_max = 1;    // Of the largest node, in millicores.
    std::int64_t milli_max = 1;  // Likewise of its GPUs.
};

/// A placement policy: how good it is to change one node in one way. Integers throughout, so that
/// sums come out the same in any order. Nothing but the last lesson and the move counts.
class Scorer {
  public:
    virtual ~Scorer() = default;

    /// What a node is worth with so much left, if the policy compares such values. A value may be
    /// kept until learn() says otherwise.
    [[nodiscard]] virtual std::int64_t value(DeviceSetId /*set*/, std::int64_t /*cpu*/) {
        return 0;
    }

    /// The best of `options` (one at least, the smallest hole first). Higher scores are better, and
    /// compare between nodes.
    [[nodiscard]] virtual Choice best(const Move& move, std::span<const DeviceOption> options) = 0;

    /// True if a score may differ from before.
    [[nodiscard]] virtual bool learn(const Lesson& lesson) = 0;

    /// Entries of its memo.
    [[nodiscard]] virtual std::size_t memo_size() const noexcept { return 0; }

    /// Drops what names device sets by number: those are void. What was learnt stays.
    virtual void forget() {}
};

/// The scorer of `policy`, which looks sets up in `sets`. Null for kRandom, which scores nothing.
[[nodiscard]] std::unique_ptr<Scorer> make_scorer(Policy policy, const DeviceSets& sets);

}  // namespace reeve::scheduler
