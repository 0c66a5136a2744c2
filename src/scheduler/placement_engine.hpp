#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/strong_id.hpp"
#include "model/resources.hpp"
#include "scheduler/class_mix.hpp"
#include "scheduler/device_sets.hpp"
#include "scheduler/placement.hpp"
#include "scheduler/policy.hpp"
#include "scheduler/scorer.hpp"

namespace reeve::scheduler {

struct EngineOptions {
    Policy policy = Policy::kFillValue;
    /// What the memos may hold together, in entries of about 32 bytes. Above it, all of them are
    /// dropped and built anew; decisions do not depend on them.
    std::size_t memo_max = 4'000'000;
};

/// What work it did, for benchmarks.
struct EngineCounts {
    std::uint64_t scores = 0;    // Of a node shape for a request.
    std::uint64_t rebuilds = 0;  // Of the order of shapes for a request.
};

/// Places requests on the nodes it was shown, one decision after the other.
///
/// Nodes that are alike are scored once. Each request that was asked for keeps the shapes in order
/// of their score; what changed since is all that a later question looks at. Whoever owns it tells
/// it each change of a node; it never changes one by itself: place() decides, take() applies.
///
/// Derived state: it can be dropped and built again from the nodes and the last counts learnt. The
/// order in which nodes were shown, and what was asked before, change no decision. Ties go to the
/// lowest node id. One thread at a time.
class PlacementEngine {
  public:
    explicit PlacementEngine(EngineOptions options = {});

    /// Shows a node, or what became of it: any field may differ from before. To undo, show it as it
    /// was.
    void put_node(const NodeView& node);
    void remove_node(NodeId id);

    /// How often each class of request came, from now on and until the next call.
    /// kFillValue and kFgd weigh by it; a class that is not in it counts for nothing. kFillValue
    /// keeps what it has while the new counts say nearly the same.
    void learn(std::span<const ClassCount> mix);

    /// Where `request` should go; what it takes stays free until take(). `draw` is a random number
    /// of the caller, which kRandom alone uses.
    [[nodiscard]] Decision place(const model::Request& request, std::uint64_t draw = 0);

    /// `grant` is taken of the node `id`, which is known and has that much free.
    void take(NodeId id, const model::Grant& grant);

    /// What was taken is free again. A node or GPU that is gone is left out.
    void give_back(NodeId id, const model::Grant& grant);

    /// How good the node is for the request, or nothing if it cannot take it now.
    [[nodiscard]] std::optional<std::int64_t> score(NodeId id, const model::Request& request);

    /// What is free on the node now. Null if it is not known.
    [[nodiscard]] const model::Resources* free_of(NodeId id) const;

    [[nodiscard]] Policy policy() const noexcept { return options_.policy; }

    [[nodiscard]] const EngineCounts& counts() const noexcept { return counts_; }

    /// Shapes that nodes have now.
    [[nodiscard]] std::size_t shape_count();

  private:
    using SlotId = std::uint32_t;   // In the order of node ids.
    using ShapeId = std::uint32_t;  // Reused.

    static constexpr ShapeId kNoShape = UINT32_MAX;

    struct Slot {
        NodeView view = {};
        ShapeId shape = kNoShape;  // None while it takes no work.
    };

    struct ShapeKey {
        DeviceSetId set = 0;
        model::HostAmount host = {};
        NodeClassId node_class = NodeClassId(0);

        friend bool operator==(const ShapeKey&, const ShapeKey&) = default;
    };

    struct ShapeKeyHash {
        std::size_t operator()(const ShapeKey& key) const noexcept;
    };

    /// Nodes that are alike. `members` is a heap, lowest first, of those that were put in: one that
    /// left is still in it until it comes up. Its first is a true one while there is any.
    struct Shape {
        ShapeKey key = {};
        std::vector<SlotId> members = {};
        SlotId lowest = 0;            // The first of them.
        std::size_t count = 0;        // Of true members. 0: the number waits for reuse.
        std::size_t live_at = 0;      // Place in live_.
        std::uint64_t logged_at = 0;  // Its last place in the log.
        std::uint64_t epoch = 0;      // The one that `value` is of. 0: none.
        std::int64_t value = 0;       // As the scorer says.
    };

    /// A shape as one request ranks it, named by what was its lowest node. Void once that node has
    /// another stamp; while it has not, it is in the shape, and a lower one has an entry of its
    /// own.
    struct Ranked {
        std::int64_t score = 0;
        SlotId slot = 0;
        std::uint32_t stamp = 0;
    };

    /// Requests that were asked for and differ in host memory at most, `memory_mib` being the
    /// least: shapes with less are not ranked.
    struct Ask {
        std::int64_t cpu = 0;
        std::int64_t memory_mib = 0;
        DemandId demand = 0;
        std::optional<std::vector<NodeClassId>> node_classes = {};
        std::uint64_t epoch = 0;          // The one that `ranked` is of. 0: none.
        std::uint64_t log_at = 0;         // How far it read the log.
        std::vector<Ranked> ranked = {};  // A heap, best first.
    };

    [[nodiscard]] Slot* find(NodeId id);
    [[nodiscard]] const Slot* find(NodeId id) const;
    void change(Slot& slot);
    void join(SlotId slot);
    void leave(SlotId slot);
    void drop_departed(Shape& shape, ShapeId id);
    void log(ShapeId id);
    void prepare();
    void reindex();
    void count_hardware();
    void relearn();
    [[nodiscard]] std::size_t memo_size() const;
    [[nodiscard]] Ask*& ask_of(const model::Request& request);
    [[nodiscard]] Ask& ask_with(const model::Request& request);
    void catch_up(Ask& ask);
    void rebuild(Ask& ask);
    [[nodiscard]] static bool is_worse(const Ranked& left, const Ranked& right) noexcept;
    [[nodiscard]] bool rank(Ask& ask, ShapeId id);
    [[nodiscard]] std::span<const DeviceOption> options_of(const Shape& shape, const Ask& ask);
    [[nodiscard]] Choice choose(
        Shape& shape, const Ask& ask, std::span<const DeviceOption> options);
    [[nodiscard]] Decision place_best(Ask*& ask, const model::Request& request);
    void drop_void(Ask& ask);
    [[nodiscard]] Decision place_at_random(
        const Ask& ask, const model::Request& request, std::uint64_t draw);

    EngineOptions options_;
    EngineCounts counts_;
    std::unique_ptr<DeviceSets> sets_ = std::make_unique<DeviceSets>();  // The scorer refers to it.
    std::unique_ptr<Scorer> scorer_;
    std::vector<ClassCount> mix_;

    std::vector<Slot> slots_;  // Sorted by node id.
    /// By slot: counts its changes.
    std::vector<std::uint32_t> stamps_;
    std::vector<KindCount> kinds_;  // GPUs of all nodes; and the largest node's CPU and GPUs.
    std::int64_t cpu_max_ = 1;
    std::int64_t milli_max_ = 1;
    bool is_stale_ = true;  // Nodes came or went: all that follows is built anew.

    std::vector<Shape> shapes_;
    std::vector<ShapeId> unused_;
    std::vector<ShapeId> live_;
    std::unordered_map<ShapeKey, ShapeId, ShapeKeyHash> shape_ids_;
    std::vector<ShapeId> log_;     // Shapes that came up, or got another lowest node.
    std::uint64_t log_begin_ = 1;  // The number of its first entry.

    /// By request, with host memory 0 or (see place_best()) its own.
    std::unordered_map<model::Request, Ask, RequestHash> asks_;
    std::unordered_map<model::Request, Ask*, RequestHash> routes_;  // Into asks_.
    std::vector<Ranked> passed_over_;                               // Scratch.
    std::uint64_t epoch_ = 1;  // Counts when all scores became void.
    std::size_t ranked_ = 0;   // Entries of all asks, about.
};

}  // namespace reeve::scheduler
