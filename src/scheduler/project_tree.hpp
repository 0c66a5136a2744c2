#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/strong_id.hpp"
#include "model/records.hpp"

namespace reeve::scheduler {

/// Whose quota: that of a project, of each user of one, or (neither) of the cluster.
struct QuotaHolder {
    ProjectId project = ProjectId(0);
    UserId user = UserId(0);

    /// Of what is guaranteed to others, in the project or the cluster, and may be lent only to what
    /// can be stopped.
    bool is_guarantee = false;

    friend auto operator<=>(const QuotaHolder&, const QuotaHolder&) = default;
};

/// What projects may hold and do hold: what one takes counts for all above it and for the cluster.
/// Cost of each call: the depth of the tree.
///
/// Guarantees: a project may always have so many GPUs, with all below it. What of them is idle is
/// lent, but to preemptible jobs alone, so that it can be had back. So others, above what is
/// guaranteed to themselves, may have no more that is firm (not preemptible) than is left when
/// every guarantee is kept. Only counted, not placed: whether a gang finds its nodes is another
/// question.
class ProjectTree {
  public:
    explicit ProjectTree(const model::Quota& limits = {}, const model::Usage& used = {})
        : all_{.quota = limits, .usage = used} {}

    void set_limits(const model::Quota& limits) { all_.quota = limits; }

    /// A copy that knows projects alone.
    [[nodiscard]] ProjectTree without_users() const;

    /// What there is to guarantee: thousandths of GPUs of all nodes.
    void set_capacity(std::int64_t gpu_milli) { capacity_milli_ = gpu_milli; }

    [[nodiscard]] std::int64_t capacity() const { return capacity_milli_; }

    /// A project, or what became of one; what it holds stays. Its parent is known.
    void put(const model::ProjectRecord& project);

    /// Likewise, with what it and all below it hold.
    void put(const model::ProjectRecord& project, const model::Usage& usage);

    /// What the user holds of the project, which has it counted.
    void put(ProjectId id, UserId user, const model::Usage& usage) {
        users_.insert_or_assign({id, user}, usage);
    }

    void drop(ProjectId id);

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

    /// Adds to what of the project's usage is firm, in thousandths of GPUs; for ProjectId(0): to
    /// what is in nobody's usage, and cannot be had either.
    void add_firm(ProjectId id, std::int64_t gpu_milli);

    /// True if something is guaranteed to somebody.
    [[nodiscard]] bool has_guarantees() const { return all_.inner_guaranteed_milli > 0; }

    /// What is guaranteed to the project, or to all below it together, if that is more.
    [[nodiscard]] std::int64_t guaranteed(ProjectId id) const;

    /// How much more is due to the project: what is guaranteed to it, or one above it, and is not
    /// used. 0 if nothing is guaranteed.
    [[nodiscard]] std::int64_t due(ProjectId id) const;

    /// The projects whose due() depends on what `id` holds: those below the highest project above
    /// it to which something is guaranteed.
    [[nodiscard]] std::vector<ProjectId> due_with(ProjectId id) const;

    /// The lowest that is guaranteed so much more than it holds that `gpu_milli` is due to `id`.
    [[nodiscard]] std::optional<ProjectId> guarantor(ProjectId id, std::int64_t gpu_milli) const;

    /// The first with no quota left for `more`: the cluster, the user, or the lowest project.
    [[nodiscard]] std::optional<QuotaHolder> without_quota_for(
        ProjectId id, UserId user, const model::Usage& more, bool is_preemptible) const;

    [[nodiscard]] std::vector<ProjectId> all() const;

    /// Whose other guarantees could not be kept if the project held so much more that is firm.
    [[nodiscard]] std::optional<QuotaHolder> without_guarantees_for(
        ProjectId id, std::int64_t firm_milli) const;

    /// The most for which that gives nobody: at most `gpu_milli`.
    [[nodiscard]] std::int64_t firm_room(ProjectId id, std::int64_t gpu_milli) const;

    /// The project and all above it, then ProjectId(0): who is affected by what it holds.
    [[nodiscard]] std::vector<ProjectId> above(ProjectId id) const;

    /// Whose quotas, and which guarantees, what the user holds there counts for.
    [[nodiscard]] std::vector<QuotaHolder> holders_above(ProjectId id, UserId user) const;

  private:
    struct Holder {
        std::optional<ProjectId> parent = {};
        model::Quota quota = {};
        model::Usage usage = {};
        model::Quota user_quota = {};  // Of each user.
        std::set<ProjectId> children = {};
        std::int64_t guaranteed_milli = 0;
        std::int64_t inner_guaranteed_milli = 0;  // To all right below.
        std::int64_t inner_need_milli = 0;  // Its own firm use, and need_of() all right below.
    };

    [[nodiscard]] static std::int64_t need_of(const Holder& holder);
    [[nodiscard]] static std::int64_t guaranteed_of(const Holder& holder);
    [[nodiscard]] Holder& above_of(const Holder& holder);
    void change_inner(Holder& holder, std::int64_t need_milli, std::int64_t guaranteed_milli);
    void guarantee(Holder& holder, std::int64_t gpu_milli);
    [[nodiscard]] std::int64_t own_guarantee(ProjectId id) const;
    Holder all_;
    std::int64_t capacity_milli_ = 0;
    std::map<ProjectId, Holder> projects_;
    std::map<std::pair<ProjectId, UserId>, model::Usage> users_;  // Who holds nothing is not in it.
};

class Core;

/// Tells the core what is due to all for whom it depends on what `changed` holds.
void tell_dues(Core& core, const ProjectTree& projects, ProjectId changed);

/// What one task counts for.
[[nodiscard]] model::Usage usage_of(const model::Grant& grant);

}  // namespace reeve::scheduler
