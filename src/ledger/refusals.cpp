#include "ledger/refusals.hpp"

#include <algorithm>
#include <map>
#include <ranges>

#include "base/text.hpp"

namespace reeve::ledger {

Error no_project(const std::string& name, const std::vector<std::string>& names) {
    constexpr std::size_t kNamed = 12;
    const std::string near = nearest(name, names);
    std::string list;
    for (std::size_t i = 0; i < std::min(names.size(), kNamed); ++i) {
        list += (i == 0 ? "" : ", ") + names[i];
    }
    list += names.size() > kNamed ? ", …" : "";
    return {
        ErrorCode::kNotFound,
        "there is no project '" + name + "'" +
            (near.empty() ? "; there are: " + list : "; did you mean '" + near + "'?"),
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

Error more_than_user_quota(const std::string& project, const scheduler::Excess& excess) {
    return {
        ErrorCode::kQuota,
        "each user of project '" + project + "' may hold " +
            amount_text(excess.what, excess.limit) + " at once, and this needs " +
            amount_text(excess.what, excess.asked),
        {}};
}

Error too_many_pending_of_user(
    const model::ProjectRecord& project, std::int64_t pending, std::int64_t more) {
    return {
        ErrorCode::kQuota,
        "each user of project '" + project.name + "' may have " +
            std::to_string(*project.user_quota.pending_elements) + " elements pending; you have " +
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

Error queue_is_full(std::uint64_t pending_max) {
    return {
        ErrorCode::kLimit,
        "the queue is full: it holds " + std::to_string(pending_max) +
            " pending elements; try again when some have started",
        {}};
}

std::string why_nothing(Control control) {
    switch (control) {
        case Control::kStop:
        case Control::kStopForced: return "has already ended";
        case Control::kHold:       return "has nothing that waits, so nothing to hold";
        case Control::kRelease:    return "has nothing that is held";
        case Control::kRequeue:    return "has nothing that runs, so nothing to requeue";
        case Control::kPreempt:       // Nobody asks for it.
        case Control::kAdopt:      break;  // Of a task, not of a job.
    }
    return "cannot do that now";
}

std::string why_ended(Control control) {
    return control == Control::kRequeue
               ? "has already ended, and only what runs is queued again; submit it anew"
               : "has already ended";
}

bool has_happened(model::DependencyKind kind, const model::StateCounts& counts) {
    const bool has_succeeded = counts[model::ElementState::kSucceeded] == counts.ended();
    return kind == model::DependencyKind::kAny ||
           has_succeeded == (kind == model::DependencyKind::kOk);
}

namespace {

std::string in_gpus(std::int64_t milli) {
    return format_milli(milli) + " GPUs";
}

}  // namespace

Result<void> check_guarantee(
    const model::ProjectRecord& project, const std::vector<const model::ProjectRecord*>& others) {
    const auto refuse = [](const std::string& why) {
        return fail(ErrorCode::kInvalid, "guaranteed_gpu_milli: " + why);
    };
    std::map<ProjectId, const model::ProjectRecord*> all;
    for (const model::ProjectRecord* other : others) {
        all.emplace(other->id, other);
    }
    all.insert_or_assign(project.id, &project);
    // Those below a project were made later than it, so that their ids are higher.
    std::map<ProjectId, std::int64_t> parts;
    for (const auto& [id, each] : all | std::views::reverse) {
        if (each->parent) {
            parts[*each->parent] += std::max(each->guaranteed_gpu_milli, parts[id]);
        }
    }
    for (const model::ProjectRecord* at = &project; at != nullptr;) {
        const std::int64_t own = at->guaranteed_gpu_milli;
        const std::int64_t to_parts = parts[at->id];
        const std::int64_t limit = at->quota.gpu_milli.value_or(std::max(own, to_parts));
        const std::string whose = at == &project ? "the project" : "project '" + at->name + "'";
        if (own > 0 && to_parts > own) {
            return refuse(
                whose + " would be guaranteed " + in_gpus(own) + ", and those below it " +
                in_gpus(to_parts) + " of them");
        }
        if (std::max(own, to_parts) > limit) {
            return refuse(
                whose + " would be guaranteed " + in_gpus(std::max(own, to_parts)) +
                ", with all below it, and its limit is " + in_gpus(limit));
        }
        const auto parent = at->parent ? all.find(*at->parent) : all.end();
        at = parent == all.end() ? nullptr : parent->second;
    }
    return {};
}

}  // namespace reeve::ledger
