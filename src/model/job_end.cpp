#include "model/job_end.hpp"

#include <algorithm>
#include <cstddef>

namespace reeve::model {

std::string never_text(const std::vector<Dependency>& after) {
    std::string text;
    for (std::size_t i = 0; i < after.size(); ++i) {
        const Dependency& dependency = after[i];
        const auto own = after.begin() + static_cast<std::ptrdiff_t>(i);
        if (std::find(after.begin(), own, dependency) != own) {
            continue;  // Asked for twice.
        }
        text.append(text.empty() ? "" : "; ").append("job ").append(to_string(dependency.job));
        text += dependency.kind == DependencyKind::kNotOk ? " succeeded" : " did not succeed";
    }
    return text;
}

std::optional<JobEnd> end_of(const JobRecord& job) {
    if (job.ended_at == kNever) {
        return std::nullopt;
    }
    if (!job.after.empty()) {
        return JobEnd{.reason = EndReason::kDependencyNever, .message = never_text(job.after)};
    }
    const bool is_cancelled = state_of(job.counts) == ElementState::kCancelled;
    return is_cancelled ? std::optional(JobEnd{.reason = EndReason::kCancelled}) : std::nullopt;
}

std::optional<JobEnd> end_of_never_started(const JobRecord& job) {
    const bool has_failed = job.ended_at != kNever && state_of(job.counts) == ElementState::kFailed;
    return has_failed && job.after.empty()
               ? std::optional(JobEnd{.reason = EndReason::kDependencyNever})
               : end_of(job);
}

}  // namespace reeve::model
