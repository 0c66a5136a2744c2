// What projects and users hold, may hold and are guaranteed: the scheduler is told what becomes
// less.
#include "ledger/state.hpp"

namespace reeve::ledger {

/// A guarantee that came, went or changed is one to all below, and binds all others.
void State::retell_dues(const Put<model::ProjectRecord>& put) {
    const auto guaranteed = [](const std::optional<model::ProjectRecord>& record) {
        return record ? record->guaranteed_gpu_milli : 0;
    };
    const ProjectId own = put.after ? put.after->id : put.before->id;
    core_.put_due(own, tree_.due(own));  // A new one shares what is guaranteed above it.
    if (guaranteed(put.before) != guaranteed(put.after)) {
        for (const ProjectId id : tree_.all()) {
            core_.put_due(id, tree_.due(id));
        }
    }
}

/// Less is kept for others than before, of these.
void State::free_guarantees(const std::vector<ProjectId>& projects) {
    for (const ProjectId id : projects) {
        core_.free_quota({.project = id, .is_guarantee = true});
    }
}

/// What the project and all above it hold became less.
void State::free_quota(ProjectId id, UserId user) {
    for (const scheduler::QuotaHolder& holder : tree_.holders_above(id, user)) {
        core_.free_quota(holder);
    }
}

/// If less of the job runs than before.
void State::free_quota(const JobPut& put) {
    const std::uint32_t live = put.after ? put.after->counts.live() : 0;
    if (put.before && live < put.before->counts.live()) {
        free_quota(put.before->project, put.before->user);
    }
}

std::optional<scheduler::QuotaHolder> State::without_quota_for(
    const scheduler::GroupKey& group, const model::Grant& grant) const {
    return tree_.without_quota_for(
        group.project, group.user, scheduler::usage_of(grant), group.is_preemptible);
}

/// Whose what is granted is; 0 of what is no job's.
UserId State::user_of(const model::AllocationRecord& allocation) const {
    const model::JobRecord* owner = job(allocation.task.element.job);
    return owner == nullptr || allocation.owner != model::AllocationOwner::kTask ? UserId(0)
                                                                                 : owner->user;
}

}  // namespace reeve::ledger
