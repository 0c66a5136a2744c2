#include "scheduler/loans.hpp"

#include <algorithm>

namespace reeve::scheduler {

Loans::Loans(const ProjectTree& projects, ProjectId project) {
    if (projects.has_guarantees()) {
        projects_ = &projects;
        gainers_ = projects.above(project);
    }
}

/// Who has less when something of `from` is stopped.
std::vector<ProjectId> Loans::losers(ProjectId from) const {
    std::vector<ProjectId> chain = projects_->above(from);
    std::erase_if(
        chain, [&](ProjectId at) { return std::ranges::find(gainers_, at) != gainers_.end(); });
    return chain;
}

bool Loans::may_take(ProjectId from, std::int64_t gpu_milli) const {
    if (projects_ == nullptr) {
        return true;
    }
    return std::ranges::all_of(losers(from), [&](ProjectId at) {
        const auto taken = taken_.find(at);
        const std::int64_t left = projects_->usage(at).gpu_milli -
                                  (taken == taken_.end() ? 0 : taken->second) - gpu_milli;
        return left >= projects_->guaranteed(at);
    });
}

void Loans::take(ProjectId from, std::int64_t gpu_milli) {
    if (projects_ == nullptr) {
        return;
    }
    for (const ProjectId at : losers(from)) {
        taken_[at] += gpu_milli;
    }
}

}  // namespace reeve::scheduler
