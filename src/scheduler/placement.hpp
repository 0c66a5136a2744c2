#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "base/strong_id.hpp"
#include "model/resources.hpp"

namespace reeve::scheduler {

/// Whether a node takes new work at all.
enum class Availability : std::uint8_t {
    kReady,
    kDrained,      // By an operator.
    kUnreachable,  // Its agent is silent.
    kGated,        // The pool's availability rule holds it back (requirement 003).
};

struct NodeView {
    NodeId id = NodeId(0);
    Availability availability = Availability::kReady;
    model::Resources free = {};
    model::HostAmount host_total = {};
    NodeClassId node_class = NodeClassId(0);
};

/// Why one node was passed over. A value, not a sentence: model and edges word it.
enum class Reason : std::uint8_t {
    kLabels,  // It is none of the nodes that the request may run on.
    kDrained,
    kUnreachable,
    kGated,
    kTooSmall,  // Empty, it still could not hold the request.
    kCpuShort,
    kMemoryShort,
    kGpuShort,
};

/// One thing that a node lacks for it, or what is in its way there. `asked` and `free` are in the
/// unit of the reason: millicores, MiB, or for kGpuShort whole GPUs (of a share: milli, or MiB when
/// only memory was asked).
struct Refusal {
    NodeId node = NodeId(0);
    Reason reason = Reason::kGpuShort;
    std::int64_t asked = 0;
    std::int64_t free = 0;

    friend bool operator==(const Refusal&, const Refusal&) = default;
};

/// `grant` is what the ledger has to reserve on `node`.
struct Placed {
    NodeId node = NodeId(0);
    model::Grant grant = {};
};

/// No node will do now.
struct NotPlaced {};

using Decision = std::variant<Placed, NotPlaced>;

/// Picks the device that `request` leaves with the least compute, then the node with the fewest
/// untouched GPUs (best fit, twice); ties go to the lowest id.
/// Pure: same arguments, same decision; no clock, no randomness, no I/O, and the order of `nodes`
/// does not matter. Cost: one pass over the GPUs of `nodes`.
[[nodiscard]] Decision place(const model::Request& request, const std::vector<NodeView>& nodes);

/// True if place() would find room on `node` alone.
[[nodiscard]] bool can_take(const NodeView& node, const model::Request& request);

/// Why each node passes `request` over now, ordered by node id; a node that would take it is left
/// out. Labels, else size, else availability, speak alone; else all that is short is there: CPU,
/// memory, GPUs. Cost: one pass over the GPUs of `nodes`.
[[nodiscard]] std::vector<Refusal> explain(
    const model::Request& request, const std::vector<NodeView>& nodes);

/// True if `node`, were it empty and ready, could hold `request`, and is one that it may run on.
/// GPUs that are gone do not count.
[[nodiscard]] bool could_hold(const NodeView& node, const model::Request& request);

}  // namespace reeve::scheduler
