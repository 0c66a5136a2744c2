#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "model/records.hpp"
#include "scheduler/backfill.hpp"
#include "scheduler/booking.hpp"
#include "scheduler/order.hpp"
#include "scheduler/placement_engine.hpp"
#include "scheduler/policy.hpp"
#include "scheduler/preemption.hpp"
#include "scheduler/project_tree.hpp"
#include "scheduler/timeline.hpp"

namespace reeve::scheduler {

/// Jobs whose next element would be placed alike: all of a group fit now, or none does.
struct GroupKey {
    std::int32_t priority = 0;
    ProjectId project = ProjectId(0);
    UserId user = UserId(0);
    model::RequestId request = model::RequestId(0);  // Of each node.
    std::int32_t nodes = 1;                          // More than 1: a gang, one task on each.
    std::chrono::seconds limit = {};                 // As planning_limit() rounds it; 0: none.
    bool is_preemptible = false;

    friend auto operator<=>(const GroupKey&, const GroupKey&) = default;
};

/// `limit` rounded up to one of 64 values for each doubling. Planning with it is safe, one part in
/// 64 too long at most, and keeps the number of groups small whatever limits people think of.
[[nodiscard]] std::chrono::seconds planning_limit(std::chrono::seconds limit) noexcept;

/// The longest limit that planning_limit() takes to be no longer than `run`.
[[nodiscard]] std::chrono::seconds longest_limit(std::chrono::seconds run) noexcept;

/// A place in the queue. Lower comes first.
struct Place {
    /// The core's own: what is due to a project by its guarantee comes before all else.
    enum class Tier : std::int8_t { kDue, kOther };

    Tier tier = Tier::kOther;
    std::int64_t rank = 0;  // See rank_of().
    JobId job = JobId(0);

    friend auto operator<=>(const Place&, const Place&) = default;
};

/// The place of a job where a higher priority comes first, and nothing else counts.
[[nodiscard]] inline Place strict_place(const GroupKey& group, JobId job) {
    return {.rank = -std::int64_t{group.priority}, .job = job};
}

struct CoreOptions {
    Policy policy = Policy::kTightest;
    Backfill backfill = Backfill::kEasy;
    OrderRules order = {};  // For its owner to heed, who says at which place a job is.

    /// How long what has no time limit is taken to run.
    std::chrono::seconds assumed_run = std::chrono::hours(24);

    /// Without reservations (Backfill::kNone) nothing is preempted.
    PreemptionMode preemption = PreemptionMode::kProject;

    /// What is preemptible and starts again is left alone for so long. For the owner to heed, who
    /// says what is protected.
    std::chrono::seconds min_run = std::chrono::minutes(10);

    std::size_t promises_max = 100;  // Of kConservative; kEasy has one.
    std::uint64_t seed = 42;         // Of kRandom.
};

/// What a job gets now: an amount of each of its nodes.
struct Start {
    Place place = {};
    GroupKey group = {};
    std::vector<Placed> parts = {};
    bool is_backfilled = false;  // Another one before it in order goes on waiting.
};

/// When and where a job that waits for room will start at the latest.
struct Reservation {
    JobId job = JobId(0);
    std::int64_t rank = 0;  // Of its place.
    GroupKey group = {};
    Instant at = Instant(std::chrono::microseconds(0));
    std::vector<Placed> parts = {};
    bool is_worth_a_look = false;  // Its nodes have more free than when it was made.
};

/// What has to be stopped so that a job may start.
struct Preemption {
    JobId job = JobId(0);
    GroupKey group = {};
    std::vector<AllocationId> victims = {};  // Sorted.
};

/// Decides what starts next, and where: the same for the live cluster, forecasts and replays. A
/// function of what it was told: nodes, what they hold, who waits; no clock, no randomness. Its
/// owner tells it of every change, takes one decision at a time with next(), makes it true, and
/// asks again.
///
/// Order is by place. Who does not fit is passed by those behind, as far as
/// the backfill mode lets them. Jobs that differ in nothing that matters are a group that is looked
/// at once, and a group that did not fit is not looked at again before some node has room for it:
/// the cost of an event grows with the requests that differ, not with the jobs that wait.
class Core {
  public:
    /// Who has no quota left for what jobs of the group are to get; nothing if all have. Empty:
    /// there are no quotas.
    using QuotaCheck = std::function<std::optional<QuotaHolder>(
        const GroupKey& group, const std::vector<Placed>& parts)>;

    explicit Core(const CoreOptions& options);

    /// A core that decides the same from here on. Cost: all that there is.
    Core(const Core& other);
    Core(Core&&) = default;
    Core& operator=(const Core& other);
    Core& operator=(Core&&) = default;
    ~Core() = default;

    // ---- What there is. Undoing is telling it as it was.

    /// A node with what is free on it now, or what became of it.
    void put_node(const NodeView& view);
    void drop_node(NodeId id);

    /// What something that runs holds, and until when. What is free now is put_node()'s to say.
    void put_hold(AllocationId id, const Hold& hold);
    void drop_hold(AllocationId id);

    /// What a request means on the hardware that is known.
    void put_request(model::RequestId id, const model::Request& request);

    /// Nobody waits for it any more. Its id may come again, for another one.
    void drop_request(model::RequestId id);

    /// Nodes are sorted otherwise than before, but each request may run on the same ones as ever,
    /// once this was said of all of both: nobody is looked at again for it. Both are known.
    void reclassify(NodeId id, NodeClassId node_class);
    void reclassify(model::RequestId id, std::vector<NodeClassId> node_classes);

    /// What is booked, until its owner drops it: once it is over, or nobody came. Putting it again
    /// replaces it.
    void put_booking(const Booking& booking);
    void drop_booking(BookingId id);

    // ---- Who waits.

    /// A job has something to place. Inserting twice is inserting once. The request is known.
    void put_waiting(const Place& place, const GroupKey& group);
    void drop_waiting(const Place& place, const GroupKey& group);

    /// What `holder` holds became less, or what it may hold more.
    void free_quota(const QuotaHolder& holder);

    /// So much, in thousandths of a GPU, is due to a project: what waits in it and asks for no more
    /// comes before all else. Cost: the groups of the project that what is due is enough for now
    /// and was not before, or the other way round.
    void put_due(ProjectId project, std::int64_t gpu_milli);

    /// Counts arrivals for the policies that learn what comes.
    void observe(const model::Request& request, std::uint64_t times = 1);

    /// What they have learnt last; null before. learn() says it to another core.
    using Mix = std::shared_ptr<const std::vector<ClassCount>>;

    [[nodiscard]] const Mix& learnt() const noexcept { return learnt_; }

    void learn(Mix mix);

    // ---- What follows.

    /// The next start, or nothing. Looks at `looks` groups at most, which it counts down: at 0
    /// there may be more to find.
    [[nodiscard]] std::optional<Start> next(
        Instant now, std::size_t& looks, const QuotaCheck& quota_check);

    /// Once next() says nothing more starts: what is to be stopped for the first that waits, if
    /// that is preemptible, of a lower priority, and no longer protected. Chosen is what has the
    /// lowest priority, then as few as possible, the least GPU-seconds of work, the newest. That is
    /// exact where each holds on one node, and no node has more than kVictimSetsMax sets to try.
    /// Nothing if the job has room in kStopTakes anyway. Its owner tells each to stop, says so with
    /// put_hold(), and asks next() again.
    /// Guarantees: what is due to a project is had back from those who hold more than is guaranteed
    /// to them, whatever the priorities, and never so much that they come below it.
    [[nodiscard]] std::optional<Preemption> preempt(
        Instant now, const ProjectTree& projects = ProjectTree());

    /// When to ask again though nothing changed: a reservation fell due, and what should have made
    /// room goes on; or what could be stopped no longer is protected.
    [[nodiscard]] std::optional<Instant> next_wakeup() const;

    [[nodiscard]] const std::vector<Reservation>& reservations() const { return reservations_; }

    [[nodiscard]] const std::map<BookingId, std::shared_ptr<const Booking>>& bookings() const {
        return bookings_;
    }

    /// As it was told. Of a node that is known.
    [[nodiscard]] const Hold& hold_with(AllocationId id) const;

    [[nodiscard]] std::size_t group_count() const noexcept { return groups_.size(); }

    [[nodiscard]] std::size_t request_count() const noexcept { return requests_.size(); }

    [[nodiscard]] std::uint64_t decisions() const noexcept { return decisions_; }

    /// True if both know the same of what is free, what is held, and who waits.
    [[nodiscard]] bool was_told_the_same(const Core& other) const;

  private:
    /// What one look decides for: groups of any project, priority and limit that ask for the same,
    /// and may use the same of what is booked.
    struct AskKey {
        model::RequestId request = model::RequestId(0);
        std::int32_t nodes = 1;
        ProjectId guest = ProjectId(0);  // Something is booked for it; 0: for none of them.

        friend auto operator<=>(const AskKey&, const AskKey&) = default;
    };

    struct Group;
    using Heads = std::map<Place, Group*>;

    struct Ask {
        AskKey key = {};
        const model::Request* request = nullptr;
        std::size_t groups = 0;
        Heads heads = {};  // Of its groups that have quota, as far as is known.
        std::map<std::chrono::seconds, Heads> heads_by_run = {};  // The same.

        /// No room on nodes that nothing is promised of: not looked at before one has more.
        bool is_blocked = false;

        /// Then, if promises leave room on the others: for jobs that run no longer than this.
        std::chrono::seconds passing_run = {};

        std::optional<Place> active_at = {};  // Its key in active_.
        bool is_hopeless = false;             // No node could ever do: its heads are not in order_.
    };

    struct Group {
        GroupKey key = {};
        Ask* ask = nullptr;
        std::set<Place> jobs = {};
        std::optional<QuotaHolder> waits_for_quota_of = {};
        std::int64_t gpu_milli = 0;  // What a job of it takes at least.
        Place::Tier tier = Place::Tier::kOther;

        /// In the order of all groups.
        [[nodiscard]] Place in_order(const Place& place) const {
            return {.tier = tier, .rank = place.rank, .job = place.job};
        }
    };

    /// What is due to a project, and its groups by what they ask for.
    struct Due {
        std::int64_t gpu_milli = 0;
        std::set<std::pair<std::int64_t, GroupKey>> groups = {};
    };

    struct Node {
        Timeline timeline;
        bool is_kept_back = false;      // Has promises: the engine does not see it.
        std::size_t bookings_near = 0;  // Likewise, if some are.

        [[nodiscard]] bool is_hidden() const { return is_kept_back || bookings_near > 0; }
    };

    [[nodiscard]] Group& group_with(const GroupKey& key);
    void add_head(Group& group);
    void remove_head(Group& group);
    void drop_group(Group& group);
    void join_due(Group& group);
    void set_tier(Group& group, Place::Tier tier);
    [[nodiscard]] const Heads::value_type* eligible(const Ask& ask) const;
    void refresh(Ask& ask);
    void set_hopeless(Ask& ask, bool is_hopeless);
    void change_hardware();
    [[nodiscard]] std::map<AskKey, Ask>::iterator first_ask_for(model::RequestId id);
    void block(Ask& ask, std::chrono::seconds passing_run);
    void unblock(Ask& ask);
    [[nodiscard]] std::optional<Start> look(Instant now, const QuotaCheck& quota_check);
    [[nodiscard]] std::optional<Start> try_start(
        const Place& place, Group& group, Instant now, const QuotaCheck& quota_check);
    [[nodiscard]] bool lacks_quota(
        Group& group, const std::vector<Placed>& parts, const QuotaCheck& quota_check);
    void put_aside(Group& group, const QuotaHolder& over);
    void settle(Instant now, const QuotaCheck& quota_check);
    void reconsider(const Node& node, Instant now);
    void show(const Node& node);

    [[nodiscard]] std::vector<Placed> find(const Group& group, JobId job, Instant now);
    [[nodiscard]] std::vector<Placed> find_booked(const Group& group, JobId job, Instant now) const;
    [[nodiscard]] std::vector<Placed> find_unpromised(const Ask& ask, JobId job, std::size_t count);
    [[nodiscard]] std::optional<Placed> find_beside_promises(
        const Node& node, const Group& group, JobId job, Instant now) const;
    [[nodiscard]] std::chrono::seconds passing_run_of(
        const Ask& ask, std::size_t parts_found, Instant now) const;
    [[nodiscard]] std::chrono::seconds run_of(const GroupKey& key) const;

    // core_bookings.cpp
    void join_ask(Group& group);
    void leave_ask(Group& group);
    void tell_bookings(Node& node) const;
    void count_guests(const Booking& booking, int sign);
    void regroup(ProjectId project);
    void bring_near(BookingId id, int sign);
    void look_ahead(Instant now);

    // reservations.cpp
    struct Candidate;
    class Walk;
    [[nodiscard]] std::size_t reservations_max() const noexcept;
    [[nodiscard]] std::vector<Heads::value_type> first_waiting() const;
    [[nodiscard]] std::size_t reservations_in_order(
        const std::vector<Heads::value_type>& wanted) const;
    [[nodiscard]] bool is_owner_active() const;
    [[nodiscard]] std::vector<std::pair<Instant, const Node*>> bounds_of(
        const Group& group, Instant now) const;
    void recheck_quotas(const QuotaCheck& quota_check);
    void ensure_reservations(Instant now, const QuotaCheck& quota_check);
    [[nodiscard]] bool reserve(
        const Place& place, Group& group, Instant now, const QuotaCheck& quota_check);
    [[nodiscard]] std::vector<Candidate> earliest_slots(const Group& group, Instant now) const;
    void promise(Reservation reservation);
    void drop_reservations();
    void take_over_reservations(const Core& other);
    void reconsider_reservations(NodeId grown, Instant now);

    // preemption.cpp
    struct Scene;
    struct Choice;
    class Wish;

    /// Whose jobs may have it stopped (any's: ProjectId(0)), and its priority.
    using PreemptibleKey = std::pair<ProjectId, std::int32_t>;

    [[nodiscard]] PreemptibleKey key_of(ProjectId project, std::int32_t priority) const;
    [[nodiscard]] bool has_stoppable(const Group& group) const;
    void count_preemptible(const Hold& hold, int sign);
    [[nodiscard]] bool may_stop(const Hold& hold, const Wish& wish) const;
    [[nodiscard]] std::vector<Scene> scenes_for(const Group& group, const Wish& wish, Instant now);
    [[nodiscard]] Scene scene_of(const Node& node, const Wish& wish, Instant now);
    [[nodiscard]] static std::vector<std::int32_t> priorities_to_stop(
        const std::vector<Scene>& scenes, const model::Request& request, std::size_t count);
    [[nodiscard]] static std::optional<std::vector<AllocationId>> victims_up_to(
        std::int32_t priority,
        const std::vector<Scene>& scenes,
        const Wish& wish,
        std::size_t count,
        Instant now);
    [[nodiscard]] std::vector<AllocationId> with_gangs(
        const std::vector<AllocationId>& victims) const;

    CoreOptions options_;
    PlacementEngine engine_;
    ClassMix mix_;
    Mix learnt_;
    std::map<NodeId, Node> nodes_;
    std::map<NodeId, const Node*> hidden_;  // From the engine: has promises, or a booking is near.
    std::map<AllocationId, NodeId> hold_nodes_;
    std::map<model::RequestId, model::Request> requests_;
    std::map<AskKey, Ask> asks_;
    std::map<GroupKey, Group> groups_;
    Heads order_;  // Heads of all groups that have quota and some node that could ever do.
    std::map<Place, Ask*> active_;  // By the first of each ask that is worth a look.
    std::set<AskKey> blocked_;      // With someone waiting.
    std::map<QuotaHolder, std::set<GroupKey>> without_quota_;
    std::map<ProjectId, Due> dues_;  // Of projects that something was ever due to.
    std::size_t open_dues_ = 0;      // To so many of them something is.
    std::set<NodeId> grown_;         // Have more free than at the last look.
    std::set<NodeId> let_go_;        // What was promised of them no longer is.
    std::set<AskKey> hopeless_;      // Until nodes come, go, or change what they could hold.
    std::map<BookingId, std::shared_ptr<const Booking>> bookings_;
    std::set<std::pair<Instant, BookingId>> near_;  // By their beginning: somebody who waits could
    std::set<std::pair<Instant, BookingId>> far_;   // run into it; nobody could.
    std::map<ProjectId, std::size_t> guests_;       // How many bookings let them in.
    std::map<std::chrono::seconds, std::size_t> runs_;  // Of the groups.
    std::vector<Reservation> reservations_;
    bool are_reservations_stale_ = false;
    bool are_quotas_checked_ = false;  // Of reservations_, since somebody took some.
    std::map<PreemptibleKey, std::size_t> preemptible_;  // Holds that go on.
    bool is_preemption_due_ = false;                     // Something changed that it depends on.
    std::optional<Instant> protected_until_;  // The first of those that were passed over.
    std::uint64_t decisions_ = 0;
};

}  // namespace reeve::scheduler
