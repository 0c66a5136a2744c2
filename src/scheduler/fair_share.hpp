#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "model/records.hpp"
#include "scheduler/order.hpp"

namespace reeve::scheduler {

/// What a user waits with, at the moment of a submission.
struct Load {
    std::int64_t before = 0;  // Of what was used, and of all that is not over.
    std::int64_t each = 0;    // More with each element of the job.
};

/// Who has used how much of what is theirs. A project's share is divided among its users and the
/// projects below it, as far as they have jobs: among users evenly, among projects by their shares,
/// where a project's own users together count as one share beside those below it. Cost of each
/// call: the depth of the tree.
class FairShare {
  public:
    explicit FairShare(const OrderRules& rules = {}) : rules_(rules) {}

    /// A project, or what became of one. Its parent is known.
    void put_project(const model::ProjectRecord& project);
    void drop_project(ProjectId id);

    /// What a user of a project has used; nothing: the account is no more.
    void put_account(
        ProjectId project, UserId user, const std::optional<model::AccountRecord>& account);

    /// Adds `milli_seconds` of jobs that are not over. Less than nothing takes them away.
    void plan(ProjectId project, UserId user, std::int64_t milli_seconds);

    /// What a job is submitted with whose elements take `milli_seconds` each.
    [[nodiscard]] Load load_of(
        ProjectId project, UserId user, std::int64_t milli_seconds, Instant now) const;

    /// The account with `milli_seconds` more, which were used until now.
    [[nodiscard]] model::AccountRecord charged(
        ProjectId project, UserId user, std::int64_t milli_seconds, Instant now) const;

    /// What is left of what a user has used in the project, or all of its users (not those of the
    /// projects below it): thousandths of a GPU, times seconds. The latter costs the users.
    [[nodiscard]] std::int64_t used(
        ProjectId project, std::optional<UserId> user, Instant now) const;

    [[nodiscard]] const std::optional<model::AccountRecord>& account(
        ProjectId project, UserId user) const;

    /// All of them, by project, then user.
    [[nodiscard]] std::vector<model::AccountRecord> accounts() const;

    [[nodiscard]] const OrderRules& rules() const { return rules_; }

    friend bool operator==(const FairShare&, const FairShare&) = default;

  private:
    /// A part of what others may have.
    struct Part {
        std::int64_t numerator = 1;
        std::int64_t denominator = 1;

        void multiply(std::int64_t by, std::int64_t over);
    };

    struct Project {
        std::optional<ProjectId> parent = {};
        std::int64_t share = 1;
        std::int64_t active_users = 0;   // Of its own.
        std::int64_t active_shares = 0;  // Of the projects right below it.

        [[nodiscard]] bool is_active() const { return active_users + active_shares > 0; }

        friend bool operator==(const Project&, const Project&) = default;
    };

    struct Holder {
        std::optional<model::AccountRecord> account = {};
        std::int64_t planned = 0;

        friend bool operator==(const Holder&, const Holder&) = default;
    };

    void drop_if_empty(ProjectId project, UserId user);
    void activate(ProjectId project, std::int64_t sign);
    [[nodiscard]] Part part_of(ProjectId project, bool is_active) const;
    [[nodiscard]] const Holder& holder(ProjectId project, UserId user) const;

    OrderRules rules_;
    std::map<ProjectId, Project> projects_;
    std::map<std::pair<ProjectId, UserId>, Holder> holders_;
};

}  // namespace reeve::scheduler
