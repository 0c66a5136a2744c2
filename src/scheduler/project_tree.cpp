#include "scheduler/project_tree.hpp"

#include "scheduler/quota.hpp"

namespace reeve::scheduler {

void ProjectTree::put(const model::ProjectRecord& project) {
    Holder& holder = projects_[project.id];
    holder.parent = project.parent;
    holder.quota = project.quota;
}

const model::Usage& ProjectTree::usage(ProjectId id) const {
    static constexpr model::Usage kNothing = {};
    const auto found = projects_.find(id);
    return found == projects_.end() ? kNothing : found->second.usage;
}

void ProjectTree::put(const model::ProjectRecord& project, const model::Usage& usage) {
    projects_.insert_or_assign(
        project.id, Holder{.parent = project.parent, .quota = project.quota, .usage = usage});
}

std::vector<ProjectId> ProjectTree::above(ProjectId id) const {
    std::vector<ProjectId> chain;
    for (auto at = projects_.find(id); at != projects_.end();
         at = at->second.parent ? projects_.find(*at->second.parent) : projects_.end()) {
        chain.push_back(at->first);
    }
    chain.emplace_back(0);
    return chain;
}

void ProjectTree::add(ProjectId id, const model::Usage& amount, std::int64_t sign) {
    for (const ProjectId at : above(id)) {
        model::Usage& usage = at == ProjectId(0) ? all_.usage : projects_.at(at).usage;
        usage.gpu_milli += sign * amount.gpu_milli;
        usage.cpu_millicores += sign * amount.cpu_millicores;
        usage.memory_mib += sign * amount.memory_mib;
        usage.running_elements += sign * amount.running_elements;
        usage.pending_elements += sign * amount.pending_elements;
    }
}

std::optional<ProjectId> ProjectTree::without_quota_for(
    ProjectId id, const model::Usage& more) const {
    if (!is_within(all_.quota, all_.usage, more)) {
        return ProjectId(0);
    }
    for (const ProjectId at : above(id)) {
        if (at == ProjectId(0)) {
            break;
        }
        const Holder& holder = projects_.at(at);
        if (!is_within(holder.quota, holder.usage, more)) {
            return at;
        }
    }
    return std::nullopt;
}

model::Usage usage_of(const model::Grant& grant) {
    model::Usage usage{
        .cpu_millicores = grant.host.cpu_millicores,
        .memory_mib = grant.host.memory_mib,
        .running_elements = 1};
    for (const model::GpuGrant& granted : grant.gpus) {
        usage.gpu_milli += granted.amount.milli;
    }
    return usage;
}

}  // namespace reeve::scheduler
