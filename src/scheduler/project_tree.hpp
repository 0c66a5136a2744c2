#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/strong_id.hpp"
#include "model/records.hpp"

namespace reeve::scheduler {

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

    void drop(ProjectId id) { projects_.erase(id); }

    /// Adds `amount` times `sign` to the project and all above it.
    void add(ProjectId id, const model::Usage& amount, std::int64_t sign);

    /// Of a project with all below it. Zero for one that is not known.
    [[nodiscard]] const model::Usage& usage(ProjectId id) const;

    [[nodiscard]] const model::Usage& usage_of_all() const { return all_.usage; }

    /// The first with no quota left for `more`: ProjectId(0) for the cluster, else the lowest.
    [[nodiscard]] std::optional<ProjectId> without_quota_for(
        ProjectId id, const model::Usage& more) const;

    /// The project and all above it, then ProjectId(0): who is affected by what it holds.
    [[nodiscard]] std::vector<ProjectId> above(ProjectId id) const;

  private:
    struct Holder {
        std::optional<ProjectId> parent = {};
        model::Quota quota = {};
        model::Usage usage = {};
    };

    Holder all_;
    std::map<ProjectId, Holder> projects_;
};

/// What one task counts for.
[[nodiscard]] model::Usage usage_of(const model::Grant& grant);

}  // namespace reeve::scheduler
