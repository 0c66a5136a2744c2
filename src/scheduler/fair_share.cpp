#include "scheduler/fair_share.hpp"

#include <algorithm>
#include <numeric>

namespace reeve::scheduler {
namespace {

/// value * numerator / denominator, kLoadMax at most. None is negative.
std::int64_t part_of_load(std::int64_t value, std::int64_t numerator, std::int64_t denominator) {
    const std::int64_t whole = value / denominator;
    if (whole >= kLoadMax / numerator) {
        return kLoadMax;
    }
    return whole * numerator + value % denominator * numerator / denominator;
}

}  // namespace

void FairShare::Part::multiply(std::int64_t by, std::int64_t over) {
    numerator *= by;
    denominator *= over;
    const std::int64_t common = std::gcd(numerator, denominator);
    numerator /= common;
    denominator /= common;
    constexpr std::int64_t kMost = std::int64_t{1} << 24;  // So that the next product has room.
    while (std::max(numerator, denominator) > kMost) {
        numerator = std::max<std::int64_t>(numerator / 2, 1);
        denominator = std::max<std::int64_t>(denominator / 2, 1);
    }
}

void FairShare::put_project(const model::ProjectRecord& record) {
    const auto found = projects_.find(record.id);
    const bool was_active = found != projects_.end() && found->second.is_active();
    if (was_active) {
        activate(record.id, -1);
    }
    Project& project = projects_[record.id];
    project.parent = record.parent;
    project.share = record.share;
    if (was_active) {
        activate(record.id, 1);
    }
}

void FairShare::drop_project(ProjectId id) {
    projects_.erase(id);
}

void FairShare::put_account(
    ProjectId project, UserId user, const std::optional<model::AccountRecord>& account) {
    holders_[{project, user}].account = account;
    drop_if_empty(project, user);
}

void FairShare::drop_if_empty(ProjectId project, UserId user) {
    const auto found = holders_.find({project, user});
    if (found != holders_.end() && found->second == Holder()) {
        holders_.erase(found);
    }
}

std::vector<model::AccountRecord> FairShare::accounts() const {
    std::vector<model::AccountRecord> all;
    for (const auto& [key, holder] : holders_) {
        if (holder.account) {
            all.push_back(*holder.account);
        }
    }
    return all;
}

/// A project is active from now on (1), or no more (-1): it counts where it competes.
void FairShare::activate(ProjectId id, std::int64_t sign) {
    for (;;) {
        const auto project = projects_.find(id);
        if (project == projects_.end() || !project->second.parent) {
            return;
        }
        const auto parent = projects_.find(*project->second.parent);
        if (parent == projects_.end()) {
            return;
        }
        const bool was_active = parent->second.is_active();
        parent->second.active_shares += sign * project->second.share;
        if (parent->second.is_active() == was_active) {
            return;
        }
        id = parent->first;
    }
}

void FairShare::plan(ProjectId project_id, UserId user, std::int64_t milli_seconds) {
    if (milli_seconds == 0) {
        return;
    }
    Holder& holder = holders_[{project_id, user}];
    const bool was_active = holder.planned > 0;
    holder.planned += milli_seconds;
    const bool is_active = holder.planned > 0;
    drop_if_empty(project_id, user);
    const auto project = projects_.find(project_id);
    if (was_active == is_active || project == projects_.end()) {
        return;
    }
    const bool project_was_active = project->second.is_active();
    project->second.active_users += is_active ? 1 : -1;
    if (project->second.is_active() != project_was_active) {
        activate(project_id, is_active ? 1 : -1);
    }
}

/// What a user of the project may have, who has jobs already or not. Projects without a parent and
/// those right below them compete by their shares alone: whoever has jobs there, it is the same.
FairShare::Part FairShare::part_of(ProjectId id, bool is_active) const {
    Part part;
    auto at = projects_.find(id);
    if (at == projects_.end()) {
        return part;
    }
    const Project& own = at->second;
    part.multiply(1, own.active_users + (is_active ? 0 : 1));
    bool below_is_active = own.is_active();
    if (own.parent && own.active_shares > 0) {
        part.multiply(1, own.active_shares + 1);
    }
    while (at->second.parent) {
        const Project& project = at->second;
        const auto parent = projects_.find(*project.parent);
        if (parent == projects_.end()) {
            break;
        }
        std::int64_t over = 1;
        if (parent->second.parent) {
            over = parent->second.active_shares + (below_is_active ? 0 : project.share) +
                   (parent->second.active_users > 0 ? 1 : 0);
        }
        part.multiply(project.share, over);
        below_is_active = parent->second.is_active();
        at = parent;
    }
    return part;
}

const FairShare::Holder& FairShare::holder(ProjectId project, UserId user) const {
    static const Holder nobody = {};
    const auto found = holders_.find({project, user});
    return found == holders_.end() ? nobody : found->second;
}

const std::optional<model::AccountRecord>& FairShare::account(
    ProjectId project, UserId user) const {
    return holder(project, user).account;
}

std::int64_t FairShare::used(ProjectId project, std::optional<UserId> user, Instant now) const {
    const auto left_of = [&](const Holder& holder) {
        return holder.account
                   ? decayed(rules_, holder.account->used_milli_s, holder.account->at, now)
                   : 0;
    };
    if (user) {
        return left_of(holder(project, *user));
    }
    std::int64_t sum = 0;
    for (auto at = holders_.lower_bound({project, UserId(0)});
         at != holders_.end() && at->first.first == project; ++at) {
        sum += left_of(at->second);
    }
    return sum;
}

Load FairShare::load_of(
    ProjectId project, UserId user, std::int64_t milli_seconds, Instant now) const {
    const Holder& who = holder(project, user);
    const Part part = part_of(project, who.planned > 0);
    const std::int64_t before = std::min(used(project, user, now) + who.planned, kLoadMax);
    return {
        .before = part_of_load(before, part.denominator, part.numerator),
        .each = part_of_load(milli_seconds, part.denominator, part.numerator)};
}

model::AccountRecord FairShare::charged(
    ProjectId project, UserId user, std::int64_t milli_seconds, Instant now) const {
    return {
        .project = project,
        .user = user,
        .used_milli_s = std::min(used(project, user, now) + milli_seconds, kLoadMax),
        .at = now};
}

}  // namespace reeve::scheduler
