#include "ledger/contested.hpp"

#include <algorithm>

namespace reeve::ledger {

std::optional<model::GpuAmount> amount_on(const model::AllocationRecord& allocation, GpuId gpu) {
    const auto& gpus = allocation.grant.gpus;
    const auto found = std::ranges::find(gpus, gpu, &model::GpuGrant::gpu);
    return found == gpus.end() ? std::nullopt : std::optional(found->amount);
}

bool is_contested(
    const model::NodeGpu& gpu, const std::vector<const model::AllocationRecord*>& allocations) {
    bool has_grant = false;
    bool has_outsiders = false;
    model::GpuAmount sum;
    for (const model::AllocationRecord* allocation : allocations) {
        if (const auto amount = amount_on(*allocation, gpu.id)) {
            const bool is_outside = allocation->owner == model::AllocationOwner::kExternal;
            (is_outside ? has_outsiders : has_grant) = true;
            sum.milli += amount->milli;
            sum.memory_mib += amount->memory_mib;
        }
    }
    return has_grant && has_outsiders &&
           (sum.milli > model::kWholeGpuMilli || sum.memory_mib > gpu.total_mib);
}

}  // namespace reeve::ledger
