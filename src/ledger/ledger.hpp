#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "ledger/change.hpp"
#include "ledger/command.hpp"
#include "ledger/priorities.hpp"
#include "ledger/state.hpp"
#include "ledger/store.hpp"
#include "model/records.hpp"

namespace reeve::ledger {

/// A node's availability rule (requirement 003): it takes new work only while all of this holds.
struct Gate {
    std::int64_t gpu_memory_free_mib_above = 2048;  // Of all its GPUs together.
    std::int64_t gpu_utilization_below = 80;        // Percent, the mean of its GPUs.
    std::int64_t cpu_permille_below = 900;
    std::int64_t memory_permille_below = 850;
};

struct LedgerOptions {
    scheduler::CoreOptions scheduling = {};  // Placement and backfill.
    model::Quota limits = {};                // Of the whole cluster.
    std::shared_ptr<const Priorities> priorities = std::make_shared<const Priorities>();
    std::uint64_t pending_elements_max = 10'000'000;              // Queue length, always in force.
    std::size_t requests_max = 200'000;                           // That differ at once. Likewise.
    std::size_t expressions_max = 10'000;                         // Of `on`, that do. Likewise.
    std::optional<Gate> gate = {};                                // Off by default.
    std::chrono::seconds silence_max = std::chrono::seconds(10);  // Then a node is unreachable.
    bool allows_root_jobs = false;
    std::optional<std::chrono::hours> ended_jobs_kept = {};  // Then they are deleted; else never.
};

/// A job that left memory.
struct EndedJob {
    UserId user = UserId(0);
    model::StateCounts counts = {};
};

/// What the writer looked up in the store before it applied a command: jobs that left memory.
struct Lookups {
    std::map<JobId, EndedJob> ended_jobs = {};
    std::optional<model::IdempotencyRecord> earlier_request = {};
    std::set<model::TaskKey> ended_attempts = {};  // Of tasks in a report.
};

/// The one writer's state. A command is applied whole or not at all; what it changed is in
/// changes() until committed() or undo(). Pure: no clock, no file; one thread has it.
class Ledger {
  public:
    Ledger(const LedgerOptions& options, const StoreHeader& header);

    /// Puts a record from the store in place, before the first command, in the order of Recovered.
    void restore(Recovered&& record);

    /// Called once all is restored: makes the root project if it is missing.
    void begin(Instant now);

    /// Once it has begun: puts jobs where the rules say, if they were submitted under others; so
    /// many at most. False if there are no more.
    [[nodiscard]] bool rank_anew(std::size_t jobs_max);

    /// Errors: kInvalid, kForbidden, kNotFound, kConflict, kUnsatisfiable, kQuota, kLimit; then
    /// nothing has changed.
    [[nodiscard]] Result<Reply> apply(Command command, const Lookups& lookups, Instant now);

    /// What came before the start, as Store::arrivals() says; the GPU models are known.
    void remember(const model::RequestRecord& request, std::uint64_t elements) {
        state_.observe(request, elements);
    }

    /// One scheduling step: places what fits, in order, `placements_max` at most, looking at
    /// `groups_max` groups of equal jobs at most. True if it ran out of budget and has more to do.
    [[nodiscard]] bool schedule(std::size_t placements_max, std::size_t groups_max);

    [[nodiscard]] const std::vector<Change>& changes() const { return changes_; }

    /// The changes are durable: forget them, and what ended.
    void committed();

    /// The commit failed: take every change back, newest first.
    void undo();

    [[nodiscard]] const State& state() const { return state_; }

    [[nodiscard]] Revision last_rev() const { return last_rev_; }

    /// What must be looked up in the store before `command` can be applied: jobs and attempts that
    /// are not in memory.
    [[nodiscard]] std::set<JobId> unknown_jobs(const Command& command) const;
    [[nodiscard]] std::set<model::TaskKey> unknown_tasks(const Command& command) const;

    /// When a tick has something to do, if nothing else happens before.
    [[nodiscard]] std::optional<Instant> next_wakeup() const;

    /// What jobs are put in order by, or `last` if that is it still; null without fair share.
    [[nodiscard]] std::shared_ptr<const scheduler::FairShare> take_fair_share(
        const std::shared_ptr<const scheduler::FairShare>& last) {
        return state_.take_fair_share(last);
    }

    [[nodiscard]] std::set<NodeId> take_dirty_nodes() { return state_.take_dirty_nodes(); }

    /// What runs in quarantine, as its node said at its last hello. Null if it has not since the
    /// start, or does no more.
    [[nodiscard]] const model::KnownTask* quarantined_task(const model::TaskKey& task) const {
        const auto known = quarantined_tasks_.find(task);
        return known == quarantined_tasks_.end() ? nullptr : &known->second;
    }

    [[nodiscard]] const LedgerOptions& options() const { return options_; }

    /// When a booking is released unless somebody uses it before; nothing if it never is, or was
    /// used. While the server was down nobody could come: that time does not count.
    [[nodiscard]] std::optional<Instant> release_at(const model::BookingRecord& booking) const;

    using NodeTask = std::pair<NodeId, model::TaskKey>;

    /// Tasks that an agent reported, ours, which the ledger does not want: to be stopped now. Taken
    /// by the controller after each commit; a report that is repeated names them again.
    [[nodiscard]] std::vector<NodeTask> take_unwanted() { return std::exchange(unwanted_, {}); }

    /// Tasks whose end is durable after this commit: their agents need not say so again.
    [[nodiscard]] std::vector<NodeTask> take_acknowledged() {
        return std::exchange(acknowledged_, {});
    }

    /// Nodes that said hello: they are told again what the ledger wants of them.
    [[nodiscard]] std::set<NodeId> take_greeted() { return std::exchange(greeted_, {}); }

  private:
    // apply_submit.cpp
    [[nodiscard]] Result<Reply> submit(SubmitJobs& command, const Lookups& lookups);
    [[nodiscard]] std::optional<Result<Reply>> earlier(
        const SubmitJobs& command, const Lookups& lookups) const;
    [[nodiscard]] Result<void> check_admission(const SubmitJobs& command) const;
    [[nodiscard]] Result<void> check_pending(
        ProjectId project, UserId user, std::int64_t more) const;
    [[nodiscard]] Result<void> check_can_ever_run(model::RequestId request);
    [[nodiscard]] Result<void> check_quota_of_one(
        ProjectId project, model::RequestId request) const;
    [[nodiscard]] std::string owner_of(JobId job, const Lookups& lookups) const;
    [[nodiscard]] Result<std::vector<model::Dependency>> unsettled(
        const Actor& actor, const model::JobTerms& terms, const Lookups& lookups) const;
    [[nodiscard]] Result<void> submit_one(
        const Actor& actor, UserId user, NewJob& job, const Lookups& lookups);
    UserId intern_user(const model::Identity& identity);
    [[nodiscard]] Result<model::RequestId> intern_request(const model::JobTerms& terms);
    [[nodiscard]] Result<void> check_is_room(const model::RequestRecord& request) const;

    // apply_control.cpp
    [[nodiscard]] Result<Reply> control(const ControlJobs& command, const Lookups& lookups);
    [[nodiscard]] Result<std::uint32_t> control_one(
        const ControlJobs& command, const Target& target, const Lookups& lookups);
    [[nodiscard]] Result<std::uint32_t> change_target(
        Control control, const Target& target, const model::JobRecord& job);
    [[nodiscard]] bool is_so_already(
        Control control, const Target& target, const model::JobRecord& job) const;
    [[nodiscard]] bool is_so_without_record(
        Control control, const Target& target, const model::JobRecord& job) const;
    [[nodiscard]] Result<model::ElementKey> element_named(
        Control control, const Target& target, const model::JobRecord& job);
    std::uint32_t control_whole(Control control, JobId job);
    std::uint32_t hold_waiting(Control control, model::JobRecord job);
    [[nodiscard]] std::vector<model::ElementKey> elements_of(JobId job) const;
    std::uint32_t control_element(Control control, const model::ElementKey& key);
    void put_control(const Target& target, Control control, const std::string& actor);
    void request_stop(model::ElementRecord element, model::StopIntent intent, Control how);
    [[nodiscard]] Result<Reply> put_project(const PutProject& command);
    [[nodiscard]] Result<Reply> control_node(const ControlNode& command);
    [[nodiscard]] Result<Reply> control_quarantine(
        const ControlQuarantine& command, const Lookups& lookups);
    [[nodiscard]] Result<void> check_is_gone(const model::AllocationRecord& allocation) const;

    // bookings.cpp
    [[nodiscard]] Result<Reply> put_booking(const PutBooking& command);
    [[nodiscard]] Result<Reply> drop_booking(const DropBooking& command);
    void turn_bookings();
    void use_bookings(const model::AllocationRecord& allocation);
    [[nodiscard]] bool is_in_use(const scheduler::Booking& booking) const;
    void mark_used(const model::BookingRecord& booking);
    [[nodiscard]] std::optional<Instant> next_booking_turn() const;

    // apply_report.cpp
    void report(const model::NodeHello& hello, const Lookups& lookups);
    void report(const model::TaskStarted& started, const Lookups& lookups);
    void report(const model::TaskOverdue& overdue, const Lookups& lookups);
    void report(const model::TaskEnded& ended, const Lookups& lookups);
    void report(const model::NodeSample& sample, const Lookups& lookups);
    NodeId put_node(const model::NodeHello& hello);
    GpuModelId intern_model(const std::string& name);
    void reconcile(NodeId node, const model::KnownTask& task, const Lookups& lookups);
    void reconcile_live(model::ElementRecord element, NodeId node, const model::KnownTask& task);
    void lose_all_but(const std::set<model::TaskKey>& seen, NodeId node);
    [[nodiscard]] bool is_over(const model::TaskKey& task, const Lookups& lookups) const;
    void quarantine(NodeId node, const model::KnownTask& task);
    // gpu_health.cpp
    [[nodiscard]] bool is_news(NodeId node, Instant at) const;
    void note_health(NodeId node, const model::NodeSample& sample);
    void put_incident(NodeId node, GpuIncident incident, std::optional<bool> is_present = {});
    // external.cpp
    void note_external(NodeId node, const model::NodeSample& sample);
    void hold_external(
        NodeId node, const model::NodeGpu& gpu, const std::optional<model::GpuAmount>& use);
    [[nodiscard]] std::vector<const model::AllocationRecord*> allocations_on(NodeId node) const;
    void note_contested(NodeId node, const model::NodeGpu& gpu);
    [[nodiscard]] model::AllocationRecord allocation_of(
        NodeId node, const model::KnownTask& task) const;
    [[nodiscard]] const model::AllocationRecord* quarantined(
        NodeId node, const model::TaskKey& task) const;
    void heard_from(const std::string& node);
    void tick();

    // adoption.cpp: tasks that run though the ledger did not start them.
    [[nodiscard]] std::optional<model::ElementRecord> waiting_for(const model::TaskKey& task);
    void adopt_wanted(model::ElementRecord element, NodeId node, const model::KnownTask& task);
    void adopt(model::ElementRecord element, model::AllocationRecord allocation, Instant since);
    [[nodiscard]] Result<Reply> adopt_quarantined(
        const model::AllocationRecord& held, const Lookups& lookups);
    [[nodiscard]] Result<model::ElementRecord> put_adopted_job(
        const model::TaskOrder& order, Instant submitted_at);

    void start_adopted(const model::ElementKey& key, const model::KnownTask& task);
    [[nodiscard]] Instant start_of(const model::KnownTask& task) const;

    // life.cpp: how elements and allocations move, whoever asks.
    void start_attempt(model::ElementRecord element, std::int64_t pid);
    [[nodiscard]] model::ElementRecord with_outcome(
        model::ElementRecord element, const model::TaskOutcome& outcome);
    void pass_through_stopping(model::ElementRecord& element);
    void end_attempt(model::ElementRecord element, const model::TaskOutcome& outcome);
    void note_end(model::ElementRecord& element) const;
    void lose_attempt(const model::ElementKey& key, const std::string& why);
    void end_by_stop(model::ElementRecord element, model::EndReason requeued_by);
    void put_moved(const model::ElementRecord& element, model::ElementState from);
    void finish(model::ElementRecord element, model::ElementEvent event, model::EndReason reason);
    void fail_or_retry(model::ElementRecord element, model::EndReason reason);
    void requeue(
        model::ElementRecord element, model::EndReason reason, std::chrono::microseconds delay);
    void release(AllocationId id);
    void charge(const model::AllocationRecord& allocation);
    void settle_dependents();
    std::uint32_t end_waiting(JobId job, model::ElementEvent event);
    void move(model::ElementRecord& element, model::ElementEvent event);
    model::ElementRecord materialise(JobId job, std::uint32_t position);

    // schedule.cpp
    void place(const scheduler::Start& start);
    void preempt(const scheduler::Preemption& preemption);

    // foresee.cpp
    void learn_run(const model::ElementRecord& element, scheduler::RunEnd end);
    void settle_forecast(JobId job);
    void drop_forecast(JobId job);
    [[nodiscard]] Result<Reply> note_forecasts(const NoteForecasts& command);

    void act_for_nobody();

    // Every change goes through these.
    void put(Body body);
    void put_job(model::JobRecord job, std::optional<JobTexts> texts = {});
    void put_element(const model::ElementRecord& element);
    void put_allocation(const model::AllocationRecord& allocation);
    void undo_to(std::size_t mark);

    LedgerOptions options_;
    std::string cluster_id_;
    State state_;
    std::vector<Change> changes_;
    std::vector<NodeTask> unwanted_;
    std::vector<NodeTask> acknowledged_;
    std::set<NodeId> greeted_;
    std::map<model::TaskKey, model::KnownTask> quarantined_tasks_;  // At the last hello.
    std::map<std::pair<UserId, std::string>, model::IdempotencyRecord> requests_of_turn_;
    std::map<NodeId, Instant> xids_until_;          // XIDs of later times are news.
    std::map<NodeId, Instant> xids_until_of_turn_;  // Likewise, once the turn is committed.
    Instant began_at_ = model::kNever;
    Instant bookings_turned_at_ = model::kNever;  // What began later was not looked at yet.
    std::vector<JobId> to_settle_;
    bool is_settling_ = false;
    std::set<model::RequestId>
        known_to_fit_;  // Some node could hold them; cleared as nodes change.

    Revision last_rev_;
    JobId last_job_;
    model::RequestId last_request_;  // Not given again, be it that of a job that was refused.
    AllocationId last_allocation_;
    std::string actor_;
    std::string source_;
    std::string request_id_;
};

}  // namespace reeve::ledger
