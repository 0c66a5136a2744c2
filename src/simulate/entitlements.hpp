#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/instant.hpp"
#include "scheduler/core.hpp"
#include "scheduler/fair_share.hpp"
#include "scheduler/order.hpp"
#include "scheduler/project_tree.hpp"
#include "simulate/cluster.hpp"
#include "simulate/workload.hpp"

namespace reeve::simulate {

/// Who may have what in a replay, and who has used how much: the projects of a workload with what
/// is said of them, and fair share among their users. The books that the ledger keeps of the live
/// cluster, by the same classes.
class Entitlements {
  public:
    /// `assumed_run`: for what has no time limit. `core` is told what is due to whom, now and with
    /// each change.
    Entitlements(
        const Cluster& cluster,
        const Workload& workload,
        const scheduler::OrderRules& rules,
        std::chrono::seconds assumed_run,
        scheduler::Core& core);

    /// False: nobody is held to anything, and a core need not ask.
    [[nodiscard]] bool has_quotas() const noexcept { return has_quotas_; }

    [[nodiscard]] const scheduler::ProjectTree& projects() const noexcept { return tree_; }

    /// Whether a job could start if nothing else ran: its project, and all above, may have so much.
    [[nodiscard]] bool may_ever_have(const TraceJob& job) const;

    [[nodiscard]] std::optional<scheduler::QuotaHolder> without_quota_for(
        const scheduler::GroupKey& group, const std::vector<scheduler::Placed>& parts) const;

    /// A job comes. Gives its load, for Standing: it never changes.
    [[nodiscard]] std::int64_t submit(const TraceJob& job, Instant now);

    /// It has `part` from now on.
    void start(const TraceJob& job, const scheduler::Placed& part);

    /// It has it no more, since `held` ago.
    void stop(
        const TraceJob& job, const scheduler::Placed& part, std::chrono::seconds held, Instant now);

    /// It is over, and will not ask for anything again.
    void end(const TraceJob& job);

  private:
    [[nodiscard]] std::int64_t cost_of(const TraceJob& job) const;
    void count(const TraceJob& job, const model::Usage& amount, std::int64_t sign);

    const Workload& workload_;
    std::chrono::seconds assumed_run_;
    scheduler::Core& core_;
    bool has_fair_share_ = false;
    bool has_quotas_ = false;
    scheduler::FairShare shares_;
    scheduler::ProjectTree tree_;
    scheduler::ProjectTree empty_;  // As it was before anything ran.
};

/// The ids that a replay knows the project and the user of a job by.
[[nodiscard]] inline ProjectId project_of(const TraceJob& job) {
    return ProjectId(job.project + 1);
}

[[nodiscard]] inline UserId user_of(const TraceJob& job) {
    return UserId(job.user + 1);
}

}  // namespace reeve::simulate
