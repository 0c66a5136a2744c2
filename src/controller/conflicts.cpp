#include "controller/conflicts.hpp"

#include "ledger/contested.hpp"

namespace reeve::controller {

void add_conflicts(const NodeStatus& node, std::vector<Blocker>& blockers) {
    std::vector<const model::AllocationRecord*> allocations;
    allocations.reserve(node.holdings.size());
    for (const Holding& holding : node.holdings) {
        allocations.push_back(&holding.allocation);
    }
    for (const model::NodeGpu& gpu : node.record.gpus) {
        if (ledger::is_contested(gpu, allocations)) {
            blockers.push_back(
                {.kind = BlockerKind::kNode,
                 .text = "a conflict on " + node.record.name + ": " + gpu.uuid +
                         " is granted, and used outside the queue, too; it is free once both have "
                         "ended",
                 .node = node.record.name,
                 .what = "conflict"});
        }
    }
}

}  // namespace reeve::controller
