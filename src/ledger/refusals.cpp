#include "ledger/refusals.hpp"

#include "base/text.hpp"

namespace reeve::ledger {

Error no_project(const std::string& name, const std::vector<std::string>& names) {
    const std::string near = nearest(name, names);
    return {
        ErrorCode::kInvalid,
        "there is no project '" + name + "'" +
            (near.empty() ? "; see `reeve project list`" : "; did you mean '" + near + "'?"),
        {}};
}

Error never_runs(const Hardware& hardware, const model::RequestRecord& request) {
    return {
        ErrorCode::kUnsatisfiable,
        "no node can ever run this: " + why_never(hardware, request),
        {}};
}

Error more_than_quota(const std::string& project, const scheduler::Excess& excess) {
    return {
        ErrorCode::kQuota,
        "project '" + project + "' may hold " + amount_text(excess.what, excess.limit) +
            " at once, and this needs " + amount_text(excess.what, excess.asked),
        {}};
}

Error too_many_pending(
    const model::ProjectRecord& project, std::int64_t pending, std::int64_t more) {
    return {
        ErrorCode::kQuota,
        "project '" + project.name + "' may have " +
            std::to_string(*project.quota.pending_elements) + " elements pending; it has " +
            std::to_string(pending) + " and this adds " + std::to_string(more),
        {}};
}

Error no_job_to_wait_for(JobId job) {
    return {ErrorCode::kInvalid, "after: there is no job " + to_string(job) + " to wait for", {}};
}

Error never_starts_after(JobId job, const model::StateCounts& counts) {
    return {
        ErrorCode::kConflict,
        "after: job " + to_string(job) + " has ended as " +
            std::string(model::word_of(state_of(counts))) + ", so this could never start",
        {}};
}

bool has_happened(model::DependencyKind kind, const model::StateCounts& counts) {
    const bool has_succeeded = counts[model::ElementState::kSucceeded] == counts.ended();
    return kind == model::DependencyKind::kAny ||
           has_succeeded == (kind == model::DependencyKind::kOk);
}

}  // namespace reeve::ledger
