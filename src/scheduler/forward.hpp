#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/instant.hpp"
#include "scheduler/core.hpp"
#include "scheduler/project_tree.hpp"

namespace reeve::scheduler {

/// Something that runs.
struct RunningTask {
    AllocationId id = AllocationId(0);
    JobId job = JobId(0);
    ProjectId project = ProjectId(0);
    UserId user = UserId(0);
    Hold hold = {};
    bool comes_back = false;              // Once it was stopped, it waits again.
    std::optional<Instant> ends_at = {};  // Absent: when its time is over.
    std::uint32_t element = 0;            // Of the job: what has the same ends together.
};

/// A job that waits, with so many elements to place.
struct WaitingJob {
    JobId job = JobId(0);
    GroupKey group = {};
    Instant submitted_at = Instant(std::chrono::microseconds(0));
    std::int64_t fair_load = 0;     // See Standing.
    std::int64_t fair_step = 0;     // What that gains with each start.
    std::chrono::seconds run = {};  // Of each element. 0: what is assumed.
    std::uint32_t elements = 1;
    std::uint32_t running_max = 0;  // At once; 0: any number.
    std::uint32_t live = 0;         // Of its elements, now.
    bool was_preempted = false;
    bool is_partly_held = false;  // It has others that are not placed, so it is never over.
    std::vector<model::Dependency> after = {};
    Instant not_before = Instant(std::chrono::microseconds(0));
};

/// A cluster and its queue at one moment: all that the scheduler decides by.
struct Situation {
    Instant now = Instant(std::chrono::microseconds(0));
    CoreOptions options = {};
    std::vector<NodeView> nodes = {};
    std::vector<std::pair<model::RequestId, model::Request>> requests = {};
    std::vector<RunningTask> running = {};
    std::vector<WaitingJob> waiting = {};
    std::vector<BookingTerm> bookings = {};
    std::vector<JobId> failed = {};  // Ended now and without success, for those that wait for it.
    ProjectTree projects = ProjectTree();
    Core::Mix mix = {};  // What a policy that learns has learnt; null: nothing.

    /// How long an element runs that starts now; empty: for its whole time limit, or as is assumed.
    std::function<std::chrono::seconds(const WaitingJob&)> takes = {};
};

/// A start that follows.
struct Ahead {
    JobId job = JobId(0);
    Instant at = Instant(std::chrono::microseconds(0));
    Instant until = Instant(std::chrono::microseconds(0));
    std::vector<NodeId> nodes = {};
    std::int64_t gpu_milli = 0;  // On all of them.
};

/// When something that runs ends: at its `ends_at`, or if it takes all its time.
[[nodiscard]] Instant end_of(const RunningTask& task, const Situation& situation);

/// What follows from `situation` if nobody submits or stops anything, no node comes or goes, and
/// all runs as long as the situation says (else as its time limit; what has none: as long as is
/// assumed) and succeeds; the core plans with the limits, as it does whatever then happens: each
/// start in order, until `goes_on` says false of one, nothing more can start, or `steps_max`
/// moments at which something ended have gone by, or `is_over` (empty: never), asked at each of
/// these and of each start, says so. The core decides, as it does in the live cluster. Gives
/// whether it came to an end by itself.
bool run_forward(
    const Situation& situation,
    std::size_t steps_max,
    const std::function<bool(const Ahead&)>& goes_on,
    const std::function<bool()>& is_over = {});

}  // namespace reeve::scheduler
