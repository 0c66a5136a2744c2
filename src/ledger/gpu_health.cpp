#include <algorithm>
#include <string>

#include "base/assert.hpp"
#include "ledger/ledger.hpp"
#include "model/gpu_xid.hpp"

// What happens to GPUs, as their nodes see it: each is a change of its own, and an event.
namespace reeve::ledger {

/// `is_present` changes the record along with it; absent: that stays.
void Ledger::put_incident(NodeId id, GpuIncident incident, std::optional<bool> is_present) {
    const model::NodeRecord& record = state_.node(id)->record;
    NodePut change{
        {.before = record, .after = record},
        std::move(incident)
    };
    if (is_present) {
        const auto gpu =
            std::ranges::find(change.after->gpus, change.incident->uuid, &model::NodeGpu::uuid);
        REEVE_ASSERT(gpu != change.after->gpus.end(), "an incident is of one of the node's GPUs");
        gpu->is_present = *is_present;
    }
    put(std::move(change));
}

/// A node says its newest XIDs again and again. What it said before a restart of the controller
/// alone is told once more.
bool Ledger::is_news(NodeId node, Instant at) const {
    const auto is_after = [&](const std::map<NodeId, Instant>& until) {
        const auto found = until.find(node);
        return found == until.end() || at > found->second;
    };
    return is_after(xids_until_) && is_after(xids_until_of_turn_);
}

/// XIDs first: they are mostly why it is lost. They alone do not keep work away from a GPU.
void Ledger::note_health(NodeId id, const model::NodeSample& sample) {
    const std::vector<model::NodeGpu> gpus = state_.node(id)->record.gpus;
    const auto known = [&](const std::string& uuid) {
        const auto found = std::ranges::find(gpus, uuid, &model::NodeGpu::uuid);
        return found == gpus.end() ? nullptr : &*found;
    };
    for (const model::ReportedXid& reported : sample.xids) {
        if (!is_news(id, reported.at)) {
            continue;
        }
        xids_until_of_turn_.insert_or_assign(id, reported.at);
        if (known(reported.uuid) != nullptr) {
            put_incident(
                id, {.kind = GpuIncidentKind::kXid,
                     .uuid = reported.uuid,
                     .xid = reported.xid,
                     .text = std::string(model::meaning_of_xid(reported.xid))});
        }
    }
    for (const model::GpuSample& measured : sample.gpus) {
        const model::NodeGpu* gpu = known(measured.uuid);
        const bool is_present = measured.trouble.empty();
        if (gpu != nullptr && gpu->is_present != is_present) {
            put_incident(
                id,
                {.kind = is_present ? GpuIncidentKind::kRestored : GpuIncidentKind::kLost,
                 .uuid = measured.uuid,
                 .text = measured.trouble},
                is_present);
        }
    }
}

}  // namespace reeve::ledger
