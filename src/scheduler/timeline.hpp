#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "scheduler/booking.hpp"
#include "scheduler/placement.hpp"

namespace reeve::scheduler {

/// What may be stopped for a job of a higher priority, and queued again.
struct Preemptible {
    std::int32_t priority = 0;
    ProjectId project = ProjectId(0);
    Instant protected_until = Instant(std::chrono::microseconds(0));  // Not to be stopped before.
    JobId gang = JobId(0);  // All that holds for it is stopped together; 0: this alone.

    friend bool operator==(const Preemptible&, const Preemptible&) = default;
};

/// An amount of a node that something running holds.
struct Hold {
    NodeId node = NodeId(0);
    model::Grant grant = {};
    Instant since = Instant(std::chrono::microseconds(0));
    std::chrono::seconds limit = {};              // From `since` on; 0: nobody said.
    bool is_ending = false;                       // It was told to stop.
    std::optional<Preemptible> preemptible = {};  // Absent: nobody may have it stopped.

    friend bool operator==(const Hold&, const Hold&) = default;
};

/// What was told to stop is taken to be gone so much later.
inline constexpr auto kStopTakes = std::chrono::seconds(60);

/// An amount of a node that is kept for a job that waits, from `at` on for its run time.
struct Promise {
    JobId job = JobId(0);
    model::Grant grant = {};
    Instant at = Instant(std::chrono::microseconds(0));
    std::chrono::seconds run = {};
};

/// What is free on one node now and later, if every hold ends when it must. Nothing starts in it
/// but what was promised. What is booked is free for jobs of the projects that it lets in; who asks
/// for ProjectId(0) is let in nowhere.
class Timeline {
  public:
    /// `assumed_run` stands in where nobody said how long something runs.
    Timeline(NodeView view, std::chrono::seconds assumed_run)
        : view_(std::move(view)), assumed_run_(assumed_run) {}

    void put_view(NodeView view);
    void put_hold(AllocationId id, const Hold& hold);
    void drop_hold(AllocationId id);

    void put_promise(const Promise& promise);
    void drop_promises();

    [[nodiscard]] const NodeView& view() const { return view_; }

    [[nodiscard]] const std::map<AllocationId, Hold>& holds() const { return holds_; }

    [[nodiscard]] bool has_promises() const { return !promises_.empty(); }

    /// Keeps what is booked of this node, if anything is. Each booking once.
    void put_booking(std::shared_ptr<const Booking> booking);
    void drop_booking(BookingId id);

    [[nodiscard]] bool has_bookings() const { return !bookings_.empty(); }

    /// True if something here is booked for `project` and others now.
    [[nodiscard]] bool is_open_for(ProjectId project, Instant now) const;

    /// True if something here is booked for others at some time from `from` for `run`.
    [[nodiscard]] bool is_for_others(
        Instant from, std::chrono::seconds run, ProjectId project) const;

    /// The earliest time, not before `from`, from which the whole node is booked for nobody else
    /// for `run`.
    [[nodiscard]] Instant clear_from(
        Instant from, std::chrono::seconds run, ProjectId project) const;

    /// The node with only that free which is free all the time from `from` for `run`; what is
    /// promised to `owner` counts as free.
    [[nodiscard]] NodeView view_during(
        Instant now,
        Instant from,
        std::chrono::seconds run,
        JobId owner,
        ProjectId project = ProjectId(0)) const;

    /// The longest run for which `request` fits if it starts now, no promise is broken and nothing
    /// is used that is booked for others: 0 if not at all, max() if for ever.
    [[nodiscard]] std::chrono::seconds longest_run(
        const model::Request& request, Instant now, ProjectId project = ProjectId(0)) const;

    struct Slot {
        Instant at = Instant(std::chrono::microseconds(0));
        model::Grant grant = {};
    };

    /// The earliest time, not before `now`, from which `request` fits for `run`. Nothing if the
    /// node takes no work or could never hold it.
    [[nodiscard]] std::optional<Slot> earliest(
        const model::Request& request,
        std::chrono::seconds run,
        Instant now,
        ProjectId project = ProjectId(0)) const;

    /// No earlier can so many whole GPUs be free here, promises left aside; nothing if it has
    /// fewer.
    [[nodiscard]] std::optional<Instant> gpus_free_at(std::int64_t count) const;

    /// No hold ends earlier, if none ends before its time; nothing if there is none.
    [[nodiscard]] std::optional<Instant> first_end() const;

    /// When a hold ends at the latest. One that is over its time, or that nobody knows a time of,
    /// is taken to go on for as long as it already has; one that was told to stop, for kStopTakes.
    [[nodiscard]] Instant end_of(const Hold& hold, Instant now) const;

  private:
    struct Step;
    struct Kept;

    /// What is free from a time on, until the next state begins.
    struct State {
        Instant from = Instant(std::chrono::microseconds(0));
        model::Resources free = {};
    };

    void learn_ends() const;
    void forget_what_follows();

    /// What is promised to `owner` counts as free; JobId(0): all is kept.
    [[nodiscard]] std::vector<Step> steps(Instant now, JobId owner) const;
    [[nodiscard]] std::vector<State> states(Instant now, JobId owner, ProjectId project) const;
    [[nodiscard]] const std::vector<State>& profile(Instant now, ProjectId project) const;
    [[nodiscard]] std::size_t split_profile(Instant at);
    [[nodiscard]] std::optional<Slot> earliest_unpromised(
        const model::Request& request, Instant now) const;

    // timeline_bookings.cpp
    [[nodiscard]] std::vector<Kept> kept_from(ProjectId project) const;
    static void add_turns(const std::vector<Kept>& kept, Instant now, std::vector<Step>& steps);
    [[nodiscard]] std::vector<State> states_beside_bookings(
        std::vector<Step> steps, Instant now, ProjectId project) const;
    [[nodiscard]] bool has_whole_bookings_alone() const;
    [[nodiscard]] std::chrono::seconds run_before_others(Instant now, ProjectId project) const;

    NodeView view_;
    std::chrono::seconds assumed_run_;
    std::map<AllocationId, Hold> holds_;
    std::vector<Promise> promises_;
    std::vector<std::shared_ptr<const Booking>> bookings_;  // Of this node, by their beginning.
    mutable std::optional<Instant> first_end_;
    mutable std::vector<Instant> gpu_ends_;  // When each GPU is free, sorted; see gpus_free_at().
    mutable bool are_ends_known_ = false;
    mutable std::vector<State> profile_;  // states() for nobody, kept; empty: not known.
    mutable ProjectId profile_project_ = ProjectId(0);
};

}  // namespace reeve::scheduler
