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

std::string why_not_while_stopping(Control control) {
    return control == Control::kRequeue
               ? "is being stopped, and is not queued again; submit it anew when it has ended"
               : "is being stopped";
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

using Projects = std::map<ProjectId, const model::ProjectRecord*>;

/// What all right below each project are guaranteed, with all below them.
std::map<ProjectId, std::int64_t> guaranteed_below(const Projects& projects) {
    std::map<ProjectId, std::int64_t> parts;
    // Those below a project were made later than it, so that their ids are higher.
    for (const auto& [id, each] : projects | std::views::reverse) {
        if (each->parent) {
            parts[*each->parent] += std::max(each->guaranteed_gpu_milli, parts[id]);
        }
    }
    return parts;
}

/// Why a project cannot be guaranteed what it is to be, with so much to those below it; "" if it
/// can.
std::string fault_of_guarantee(const model::ProjectRecord& project, std::int64_t to_parts) {
    const std::int64_t own = project.guaranteed_gpu_milli;
    const std::int64_t all = std::max(own, to_parts);
    if (own > 0 && to_parts > own) {
        return " would be guaranteed " + in_gpus(own) + ", and those below it " +
               in_gpus(to_parts) + " of them";
    }
    if (project.quota.gpu_milli && all > *project.quota.gpu_milli) {
        return " would be guaranteed " + in_gpus(all) + ", with all below it, and its limit is " +
               in_gpus(*project.quota.gpu_milli);
    }
    return "";
}

}  // namespace

Result<void> check_guarantee(
    const model::ProjectRecord& project, const std::vector<const model::ProjectRecord*>& others) {
    Projects projects;
    for (const model::ProjectRecord* other : others) {
        projects.emplace(other->id, other);
    }
    projects.insert_or_assign(project.id, &project);
    std::map<ProjectId, std::int64_t> parts = guaranteed_below(projects);
    for (const model::ProjectRecord* at = &project; at != nullptr;) {
        if (const std::string fault = fault_of_guarantee(*at, parts[at->id]); !fault.empty()) {
            std::string whose = "guaranteed_gpu_milli: ";
            whose += at == &project ? "the project" : "project '" + at->name + "'";
            return fail(ErrorCode::kInvalid, whose + fault);
        }
        const auto parent = at->parent ? projects.find(*at->parent) : projects.end();
        at = parent == projects.end() ? nullptr : parent->second;
    }
    return {};
}

}  // namespace reeve::ledger
