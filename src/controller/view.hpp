#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "ledger/priorities.hpp"
#include "model/booking.hpp"
#include "model/records.hpp"
#include "scheduler/booking.hpp"
#include "scheduler/calibration.hpp"
#include "scheduler/core.hpp"
#include "scheduler/fair_share.hpp"
#include "scheduler/placement.hpp"
#include "scheduler/run_stats.hpp"

namespace reeve::controller {

/// What holds a part of a node.
struct Holding {
    model::AllocationRecord allocation = {};
    UserId user_id = UserId(0);  // Of a task's job.
    std::string user = {};  // Of a task in quarantine, or outside, as its node says; "" before.
    std::string name =
        {};  // Of a task in quarantine: of its job. Of what is external: its process.
    std::string project = {};
    model::ElementState state = model::ElementState::kScheduled;
    bool is_array = false;
    Instant started_at = model::kNever;
    std::optional<Instant> until = {};  // Start and time limit; absent without a limit.
    std::chrono::seconds limit = {};    // 0: none.
    std::optional<scheduler::Preemptible> preemptible = {};
    scheduler::RunKey run_key = {};  // By which its run time is remembered.
};

/// The same as the scheduler knows it.
[[nodiscard]] inline scheduler::Hold hold_of(const Holding& holding) {
    const bool has_started = holding.started_at != model::kNever;
    return {
        .node = holding.allocation.node,
        .grant = holding.allocation.grant,
        .since = has_started ? holding.started_at : holding.allocation.reserved_at,
        .limit = holding.limit,
        .is_ending = holding.state == model::ElementState::kStopping,
        .preemptible = holding.preemptible};
}

/// A node as it was at one revision.
struct NodeStatus {
    model::NodeRecord record = {};
    scheduler::NodeView view = {};
    Instant heard_at = model::kNever;
    std::string gate_text = {};
    std::vector<Holding> holdings = {};  // By allocation.
};

using UsageOfUsers = std::map<std::pair<ProjectId, UserId>, model::Usage>;

struct ProjectStatus {
    model::ProjectRecord record = {};
    std::string parent = {};
    model::Usage usage = {};  // With all below it.
};

/// Room that is kept for a job that waits.
struct KeptRoom {
    scheduler::Reservation reservation = {};
    std::string user = {};
    std::chrono::seconds run = {};  // Its time limit, or what is assumed.
};

/// What is booked.
struct BookingStatus {
    model::BookingRecord record = {};
    std::string project = {};                                // "": nobody, for maintenance.
    std::shared_ptr<const scheduler::Booking> booking = {};  // The same. Never null.
    std::optional<Instant> release_at = {};                  // If nobody uses it before.
};

using Bookings = std::vector<BookingStatus>;

/// What the cluster looked like after one commit. Immutable; readers share it, and parts that did
/// not change are shared with the view before. Publishing costs the nodes that changed, never the
/// jobs.
struct View {
    std::string cluster_id = {};
    std::uint64_t incarnation = 1;
    Revision rev = Revision(0);
    Instant at = model::kNever;
    std::vector<std::shared_ptr<const NodeStatus>> nodes = {};  // By id.
    std::vector<ProjectStatus> projects = {};                   // By id.
    std::vector<KeptRoom> kept = {};                            // By place in the queue.
    std::shared_ptr<const Bookings> bookings = std::make_shared<const Bookings>();  // By id.
    scheduler::CoreOptions scheduling = {};
    scheduler::Core::Mix mix = {};  // What the placement policy has learnt of what comes.
    std::shared_ptr<const scheduler::FairShare> fair_share = {};  // Null if it is off.
    /// What is guaranteed to whom, and how much of it is lent; null where nothing is.
    std::shared_ptr<const scheduler::ProjectTree> guarantees = {};

    /// Who holds what of which project; null where no project has quotas of users.
    std::shared_ptr<const UsageOfUsers> usage_of_users = {};
    /// By name; null if both of these are.
    std::shared_ptr<const std::map<std::string, UserId>> user_ids = {};
    std::map<GpuModelId, std::string> gpu_models = {};
    std::array<std::uint64_t, model::kElementStates> element_counts =
        {};  // In memory, so not ended.
    model::Quota limits = {};
    std::shared_ptr<const ledger::Priorities> priorities = {};
    model::Usage usage = {};
    scheduler::RunLeaves runs = {};                                  // How long things ran.
    std::shared_ptr<const scheduler::Calibration> calibration = {};  // Null: nothing is known.
    std::string storage_trouble = {};  // Why nothing can be made durable; "" if all is well.
};

/// True if jobs of `project` may use what is booked.
[[nodiscard]] inline bool lets_in(
    const BookingStatus& booking, const View& view, std::string_view project) {
    const auto known = std::ranges::find_if(
        view.projects, [&](const ProjectStatus& each) { return each.record.name == project; });
    return known != view.projects.end() && booking.booking->lets_in(known->record.id);
}

/// What the user holds of the project. Nothing where no project has quotas of users.
[[nodiscard]] inline const model::Usage& usage_of_user(
    const View& view, ProjectId project, UserId user) {
    static constexpr model::Usage kNothing = {};
    const auto found = view.usage_of_users ? view.usage_of_users->find({project, user})
                                           : UsageOfUsers::const_iterator();
    return !view.usage_of_users || found == view.usage_of_users->end() ? kNothing : found->second;
}

}  // namespace reeve::controller
