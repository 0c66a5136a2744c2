#include "scheduler/project_tree.hpp"

#include "scheduler/quota.hpp"

namespace reeve::scheduler {
namespace {

void add_to(model::Usage& usage, const model::Usage& amount, std::int64_t sign) {
    usage.gpu_milli += sign * amount.gpu_milli;
    usage.cpu_millicores += sign * amount.cpu_millicores;
    usage.memory_mib += sign * amount.memory_mib;
    usage.running_elements += sign * amount.running_elements;
    usage.pending_elements += sign * amount.pending_elements;
}

}  // namespace

void ProjectTree::put(const model::ProjectRecord& project) {
    Holder& holder = projects_[project.id];
    holder.parent = project.parent;
    holder.quota = project.quota;
    holder.user_quota = project.user_quota;
}

const model::Usage& ProjectTree::usage(ProjectId id) const {
    static constexpr model::Usage kNothing = {};
    const auto found = projects_.find(id);
    return found == projects_.end() ? kNothing : found->second.usage;
}

void ProjectTree::put(const model::ProjectRecord& project, const model::Usage& usage) {
    projects_.insert_or_assign(
        project.id, Holder{
                        .parent = project.parent,
                        .quota = project.quota,
                        .usage = usage,
                        .user_quota = project.user_quota});
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

std::vector<QuotaHolder> ProjectTree::holders_above(ProjectId id, UserId user) const {
    std::vector<QuotaHolder> holders = {
        {.project = id, .user = user}
    };
    for (const ProjectId project : above(id)) {
        holders.push_back({.project = project});
    }
    return holders;
}

void ProjectTree::add(ProjectId id, UserId user, const model::Usage& amount, std::int64_t sign) {
    for (const ProjectId at : above(id)) {
        add_to(at == ProjectId(0) ? all_.usage : projects_.at(at).usage, amount, sign);
    }
    if (user == UserId(0) || amount == model::Usage()) {
        return;
    }
    const auto own = users_.try_emplace({id, user}).first;
    add_to(own->second, amount, sign);
    if (own->second == model::Usage()) {
        users_.erase(own);
    }
}

const model::Usage& ProjectTree::usage(ProjectId id, UserId user) const {
    static constexpr model::Usage kNothing = {};
    const auto found = users_.find({id, user});
    return found == users_.end() ? kNothing : found->second;
}

std::optional<QuotaHolder> ProjectTree::without_quota_for(
    ProjectId id, UserId user, const model::Usage& more) const {
    if (!is_within(all_.quota, all_.usage, more)) {
        return QuotaHolder();
    }
    if (const auto own = projects_.find(id);
        own != projects_.end() && !is_within(own->second.user_quota, usage(id, user), more)) {
        return QuotaHolder{.project = id, .user = user};
    }
    for (const ProjectId at : above(id)) {
        if (at == ProjectId(0)) {
            break;
        }
        const Holder& holder = projects_.at(at);
        if (!is_within(holder.quota, holder.usage, more)) {
            return QuotaHolder{.project = at};
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
