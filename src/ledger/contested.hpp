#pragma once

#include <optional>
#include <vector>

#include "model/records.hpp"

namespace reeve::ledger {

/// What an allocation has of a GPU; nothing if it has none of it.
[[nodiscard]] std::optional<model::GpuAmount> amount_on(
    const model::AllocationRecord& allocation, GpuId gpu);

/// True if `gpu` is granted, and used from outside the queue so much that both together are more
/// than it has. `allocations` are those of its node.
[[nodiscard]] bool is_contested(
    const model::NodeGpu& gpu, const std::vector<const model::AllocationRecord*>& allocations);

}  // namespace reeve::ledger
