// What is due to a project by its guarantee comes before all else.
#include <algorithm>
#include <utility>
#include <variant>

#include "scheduler/core.hpp"

namespace reeve::scheduler {
namespace {

/// What a task takes of GPUs at least, in thousandths: what a share of so much memory comes to is
/// known of a GPU alone.
std::int64_t least_gpu_milli(const model::Request& request) {
    if (const auto* whole = std::get_if<model::WholeGpus>(&request.gpus)) {
        return whole->count * model::kWholeGpuMilli;
    }
    const auto* share = std::get_if<model::GpuShare>(&request.gpus);
    return share == nullptr ? 0 : std::max<std::int64_t>(share->milli.value_or(1), 1);
}

}  // namespace

/// Puts a new group where it belongs by what is due to its project.
void Core::join_due(Group& group) {
    group.gpu_milli = group.key.nodes * least_gpu_milli(requests_.at(group.key.request));
    const auto due = dues_.find(group.key.project);
    if (due == dues_.end()) {
        return;
    }
    due->second.groups.insert({group.gpu_milli, group.key});
    const bool is_due = group.gpu_milli > 0 && group.gpu_milli <= due->second.gpu_milli;
    group.tier = is_due ? Place::Tier::kDue : Place::Tier::kOther;
}

void Core::set_tier(Group& group, Place::Tier tier) {
    remove_head(group);
    group.tier = tier;
    add_head(group);
}

void Core::put_due(ProjectId project, std::int64_t gpu_milli) {
    if (gpu_milli == 0 && !dues_.contains(project)) {
        return;
    }
    const auto [found, is_new] = dues_.try_emplace(project);
    Due& due = found->second;
    if (is_new) {
        for (auto& [key, group] : groups_) {
            if (key.project == project) {
                due.groups.insert({group.gpu_milli, key});
            }
        }
    }
    const std::int64_t before = std::exchange(due.gpu_milli, gpu_milli);
    open_dues_ += static_cast<std::size_t>(gpu_milli > 0);
    open_dues_ -= static_cast<std::size_t>(before > 0);
    const auto tier = gpu_milli > before ? Place::Tier::kDue : Place::Tier::kOther;
    const std::int64_t less = std::min(before, gpu_milli);
    const std::int64_t more = std::max(before, gpu_milli);
    for (auto at = due.groups.lower_bound({less + 1, GroupKey{.priority = INT32_MIN}});
         at != due.groups.end() && at->first <= more; ++at) {
        set_tier(groups_.at(at->second), tier);
    }
    is_preemption_due_ = true;
}

}  // namespace reeve::scheduler
