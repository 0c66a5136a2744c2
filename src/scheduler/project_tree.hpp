#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/strong_id.hpp"
#include "model/records.hpp"

namespace reeve::scheduler {

/// Whose quota: that of a project, of each user of one, or (neither) of the cluster.
struct QuotaHolder {
    ProjectId project = ProjectId(0);
    UserId user = UserId(0);

    friend auto operator<=>(const QuotaHolder&, const QuotaHolder&) = default;
};

/// What projects may hold and do hold: what one takes counts for all above it and for the cluster.
/// Cost of each call: the depth of the tree.
class ProjectTree {
  public:
    explicit ProjectTree(const model::Quota& limits = {}, const model::Usage& used = {})
        : all_{.quota = limits, .usage = used} {}

    void set_limits(const model::Quota& limits) { all_.quota = limits; }

    /// A project, or what became of one; what it holds stays. Its parent is known.
    void put(const model::ProjectRecord& project);

    /// Likewise, with what it and all below it hold.
    void put(const model::ProjectRecord& project, const model::Usage& usage);

    /// What the user holds of the project, which has it counted.
    void put(ProjectId id, UserId user, const model::Usage& usage) {
        users_.insert_or_assign({id, user}, usage);
    }

    void drop(ProjectId id) { projects_.erase(id); }

    /// Adds `amount` times `sign` to the project and all above it, and to what the user holds in
    /// it. Without a user: to the projects alone.
    void add(ProjectId id, UserId user, const model::Usage& amount, std::int64_t sign);

    /// What the user holds of the project itself.
    [[nodiscard]] const model::Usage& usage(ProjectId id, UserId user) const;

    /// Likewise of all who hold something.
    [[nodiscard]] const std::map<std::pair<ProjectId, UserId>, model::Usage>& users() const {
        return users_;
    }

    /// Of a project with all below it. Zero for one that is not known.
    [[nodiscard]] const model::Usage& usage(ProjectId id) const;

    [[nodiscard]] const model::Usage& usage_of_all() const { return all_.usage; }

    /// The first with no quota left for `more`: the cluster, the user, or the lowest project.
    [[nodiscard]] std::optional<QuotaHolder> without_quota_for(
        ProjectId id, UserId user, const model::Usage& more) const;

    /// The project and all above it, then ProjectId(0): who is affected by what it holds.
    [[nodiscard]] std::vector<ProjectId> above(ProjectId id) const;

    /// Whose quotas what the user holds there counts for.
    [[nodiscard]] std::vector<QuotaHolder> holders_above(ProjectId id, UserId user) const;

  private:
    struct Holder {
        std::optional<ProjectId> parent = {};
        model::Quota quota = {};
        model::Usage usage = {};
        model::Quota user_quota = {};  // Of each user.
    };

    Holder all_;
    std::map<ProjectId, Holder> projects_;
    std::map<std::pair<ProjectId, UserId>, model::Usage> users_;  // Who holds nothing is not in it.
};

/// What one task counts for.
[[nodiscard]] model::Usage usage_of(const model::Grant& grant);

}  // namespace reeve::scheduler
