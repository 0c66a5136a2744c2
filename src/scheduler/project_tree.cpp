#include "scheduler/project_tree.hpp"

#include <algorithm>
#include <ranges>

#include "scheduler/core.hpp"
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
    above_of(holder).children.insert(project.id);
    guarantee(holder, project.guaranteed_gpu_milli);
}

void ProjectTree::put(const model::ProjectRecord& project, const model::Usage& usage) {
    put(project);
    projects_.at(project.id).usage = usage;
}

void ProjectTree::drop(ProjectId id) {
    const auto found = projects_.find(id);
    if (found == projects_.end()) {
        return;
    }
    guarantee(found->second, 0);
    above_of(found->second).children.erase(id);
    projects_.erase(found);
}

const model::Usage& ProjectTree::usage(ProjectId id) const {
    static constexpr model::Usage kNothing = {};
    const auto found = projects_.find(id);
    return found == projects_.end() ? kNothing : found->second.usage;
}

std::vector<ProjectId> ProjectTree::all() const {
    std::vector<ProjectId> ids;
    ids.reserve(projects_.size());
    for (const auto& [id, holder] : projects_) {
        ids.push_back(id);
    }
    return ids;
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
        if (has_guarantees()) {
            holders.push_back({.project = project, .is_guarantee = true});
        }
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
    ProjectId id, UserId user, const model::Usage& more, bool is_preemptible) const {
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
    return is_preemptible ? std::nullopt : without_guarantees_for(id, more.gpu_milli);
}

ProjectTree ProjectTree::without_users() const {
    ProjectTree copy;
    copy.all_ = all_;
    copy.capacity_milli_ = capacity_milli_;
    copy.projects_ = projects_;
    return copy;
}

// ---- Guarantees.

std::int64_t ProjectTree::guaranteed_of(const Holder& holder) {
    return std::max(holder.guaranteed_milli, holder.inner_guaranteed_milli);
}

/// What has to be left so that it, and all below it, have what they hold firmly and what is
/// guaranteed to them.
std::int64_t ProjectTree::need_of(const Holder& holder) {
    return std::max(guaranteed_of(holder), holder.inner_need_milli);
}

ProjectTree::Holder& ProjectTree::above_of(const Holder& holder) {
    const auto parent = holder.parent ? projects_.find(*holder.parent) : projects_.end();
    return parent == projects_.end() ? all_ : parent->second;
}

void ProjectTree::change_inner(
    Holder& holder, std::int64_t need_milli, std::int64_t guaranteed_milli) {
    for (Holder* at = &holder; need_milli != 0 || guaranteed_milli != 0; at = &above_of(*at)) {
        const std::int64_t need = need_of(*at);
        const std::int64_t guaranteed = guaranteed_of(*at);
        at->inner_need_milli += need_milli;
        at->inner_guaranteed_milli += guaranteed_milli;
        if (at == &all_) {
            return;
        }
        need_milli = need_of(*at) - need;
        guaranteed_milli = guaranteed_of(*at) - guaranteed;
    }
}

void ProjectTree::guarantee(Holder& holder, std::int64_t gpu_milli) {
    const std::int64_t need = need_of(holder);
    const std::int64_t guaranteed = guaranteed_of(holder);
    holder.guaranteed_milli = gpu_milli;
    change_inner(above_of(holder), need_of(holder) - need, guaranteed_of(holder) - guaranteed);
}

void ProjectTree::add_firm(ProjectId id, std::int64_t gpu_milli) {
    const auto found = projects_.find(id);
    change_inner(found == projects_.end() ? all_ : found->second, gpu_milli, 0);
}

std::int64_t ProjectTree::guaranteed(ProjectId id) const {
    const auto found = projects_.find(id);
    return found == projects_.end() ? 0 : guaranteed_of(found->second);
}

std::int64_t ProjectTree::due(ProjectId id) const {
    std::int64_t most = 0;
    for (const ProjectId at : above(id)) {
        if (const std::int64_t guaranteed = own_guarantee(at); guaranteed > 0) {
            most = std::max(most, guaranteed - usage(at).gpu_milli);
        }
    }
    return most;
}

/// What is guaranteed to the project itself: none, if only to those below it.
std::int64_t ProjectTree::own_guarantee(ProjectId id) const {
    const auto found = projects_.find(id);
    return found == projects_.end() || found->second.guaranteed_milli == 0
               ? 0
               : guaranteed_of(found->second);
}

std::optional<ProjectId> ProjectTree::guarantor(ProjectId id, std::int64_t gpu_milli) const {
    const std::vector<ProjectId> chain = above(id);
    const auto found = std::ranges::find_if(chain, [&](ProjectId at) {
        const std::int64_t guaranteed = own_guarantee(at);
        return guaranteed > 0 && usage(at).gpu_milli + gpu_milli <= guaranteed;
    });
    return found == chain.end() ? std::nullopt : std::optional(*found);
}

std::vector<ProjectId> ProjectTree::due_with(ProjectId id) const {
    std::vector<ProjectId> heirs;
    for (const ProjectId at : above(id)) {
        if (own_guarantee(at) > 0) {
            heirs = {at};
        }
    }
    // A list that grows as it is read and no recursion: a tree may be deep.
    for (std::size_t next = 0; next < heirs.size(); ++next) {
        const std::set<ProjectId>& children = projects_.at(heirs[next]).children;
        heirs.insert(heirs.end(), children.begin(), children.end());
    }
    return heirs;
}

std::optional<QuotaHolder> ProjectTree::without_guarantees_for(
    ProjectId id, std::int64_t firm_milli) const {
    std::int64_t more = has_guarantees() ? firm_milli : 0;
    for (const ProjectId at : above(id)) {
        if (at == ProjectId(0) || more == 0) {
            break;
        }
        const Holder& holder = projects_.at(at);
        const std::int64_t need = std::max(guaranteed_of(holder), holder.inner_need_milli + more);
        more = need - need_of(holder);
        const bool is_guaranteed_inside = holder.inner_guaranteed_milli > 0;
        if (more > 0 && is_guaranteed_inside && need > holder.quota.gpu_milli.value_or(need)) {
            return QuotaHolder{.project = at, .is_guarantee = true};
        }
    }
    return more > 0 && all_.inner_need_milli + more > capacity_milli_
               ? std::optional(QuotaHolder{.is_guarantee = true})
               : std::nullopt;
}

std::int64_t ProjectTree::firm_room(ProjectId id, std::int64_t gpu_milli) const {
    const auto amounts = std::views::iota(std::int64_t{0}, gpu_milli + 1);
    const auto first_too_much = std::ranges::partition_point(
        amounts, [&](std::int64_t amount) { return !without_guarantees_for(id, amount); });
    return first_too_much == amounts.begin() ? 0 : *std::ranges::prev(first_too_much);
}

void tell_dues(Core& core, const ProjectTree& projects, ProjectId changed) {
    for (const ProjectId id : projects.due_with(changed)) {
        core.put_due(id, projects.due(id));
    }
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
