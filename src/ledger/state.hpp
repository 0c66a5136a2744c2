#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "ledger/change.hpp"
#include "ledger/foresight.hpp"
#include "ledger/node_classes.hpp"
#include "model/records.hpp"
#include "scheduler/core.hpp"
#include "scheduler/fair_share.hpp"
#include "scheduler/placement.hpp"
#include "scheduler/project_tree.hpp"

namespace reeve::ledger {

/// What was observed of a node and is forgotten at a restart.
/// Processes on a GPU that are no task's.
struct Outsiders {
    std::string user = {};     // Of the one with most memory; "" if it cannot be told.
    std::string process = {};  // "python3 (pid 4711)", "python3 (pid 4711) and 2 more".

    friend bool operator==(const Outsiders&, const Outsiders&) = default;
};

struct NodeLiveness {
    Instant heard_at = model::kNever;
    bool is_reachable = false;
    bool is_gated = false;
    std::string gate_text = {};                 // Why the gate holds it back.
    std::map<GpuId, Outsiders> outsiders = {};  // As last sampled.
};

/// A node as the ledger sees it.
struct NodeState {
    model::NodeRecord record = {};
    NodeLiveness liveness = {};
    model::Resources free = {};
    std::set<AllocationId> allocations = {};  // Not released.
};

/// What jobs ask for. It is there as long as one of them is: it goes with the last that is
/// forgotten.
struct RequestState {
    model::RequestRecord record = {};
    model::Request resolved = {};  // Its GPU models and node classes are those that are known.
    std::size_t jobs = 0;          // In memory, that ask for it.
};

/// The records of everything that lives, and the indexes that follow from them. Every change goes
/// through replace(), which keeps the indexes; undoing is replacing the other way round.
class State {
  public:
    explicit State(const scheduler::CoreOptions& scheduling);

    // ---- Records.
    [[nodiscard]] const model::JobRecord* job(JobId id) const;
    [[nodiscard]] const model::ElementRecord* element(const model::ElementKey& key) const;
    [[nodiscard]] const model::AllocationRecord* allocation(AllocationId id) const;
    [[nodiscard]] const model::UserRecord* user(UserId id) const;
    [[nodiscard]] const model::UserRecord* user_named(const std::string& name) const;
    [[nodiscard]] const model::ProjectRecord* project(ProjectId id) const;
    [[nodiscard]] const model::ProjectRecord* project_named(const std::string& name) const;
    [[nodiscard]] const NodeState* node(NodeId id) const;
    [[nodiscard]] const NodeState* node_named(const std::string& name) const;
    [[nodiscard]] std::optional<GpuId> gpu_of(const std::string& uuid) const;
    [[nodiscard]] const std::string& gpu_model_name(GpuModelId id) const;

    [[nodiscard]] const std::map<JobId, model::JobRecord>& jobs() const { return jobs_; }

    [[nodiscard]] const std::map<model::ElementKey, model::ElementRecord>& elements() const {
        return elements_;
    }

    [[nodiscard]] const std::map<AllocationId, model::AllocationRecord>& allocations() const {
        return allocations_;
    }

    [[nodiscard]] const std::map<NodeId, NodeState>& nodes() const { return nodes_; }

    [[nodiscard]] const std::map<ProjectId, model::ProjectRecord>& projects() const {
        return projects_;
    }

    [[nodiscard]] const std::map<GpuModelId, model::GpuModelRecord>& gpu_models() const {
        return gpu_models_;
    }

    [[nodiscard]] const std::map<UserId, model::UserRecord>& users() const { return users_; }

    [[nodiscard]] const std::map<model::RequestId, RequestState>& requests() const {
        return requests_;
    }

    [[nodiscard]] const std::map<model::BookingId, model::BookingRecord>& bookings() const {
        return bookings_;
    }

    [[nodiscard]] const model::BookingRecord* booking_named(const std::string& name) const;

    /// Another number once anything of bookings() changed, or whom they let in.
    [[nodiscard]] std::uint64_t bookings_version() const { return bookings_version_; }

    /// As the scheduler knows it: it lets in the project with all below it.
    [[nodiscard]] scheduler::Booking booking_of(const model::BookingRecord& record) const;

    [[nodiscard]] const model::RequestRecord* request(model::RequestId id) const;

    [[nodiscard]] const NodeClasses& node_classes() const { return node_classes_; }

    /// The request that asks for what `like` does, whatever its id.
    [[nodiscard]] std::optional<model::RequestId> find_request(
        const model::RequestRecord& like) const;

    // ---- Indexes.

    /// Who waits, and what starts next. Follows every change, also those taken back.
    [[nodiscard]] const scheduler::Core& core() const { return core_; }

    [[nodiscard]] scheduler::Core& core() { return core_; }

    [[nodiscard]] const Foresight& foresight() const { return foresight_; }

    /// What a job's run times are remembered by.
    [[nodiscard]] scheduler::RunKey run_key(const model::JobRecord& job) const;

    /// The cluster's own limits.
    void set_limits(const model::Quota& limits) { tree_.set_limits(limits); }

    /// Who has no quota left for `grant`: the project, one above it, or ProjectId(0) for the
    /// cluster.
    [[nodiscard]] std::optional<scheduler::QuotaHolder> without_quota_for(
        const scheduler::GroupKey& group, const model::Grant& grant) const;

    /// The request with its GPU models and node classes resolved; follows the models and nodes that
    /// are known.
    [[nodiscard]] const model::Request& resolved(model::RequestId id) const;

    /// So many elements that ask for it have come.
    void observe(const model::RequestRecord& request, std::uint64_t elements);

    /// Of a project with all below it. Zero for one that holds nothing.
    [[nodiscard]] const model::Usage& usage(ProjectId id) const { return tree_.usage(id); }

    /// What the user holds of the project itself.
    [[nodiscard]] const model::Usage& usage(ProjectId id, UserId user) const {
        return tree_.usage(id, user);
    }

    /// Likewise of all who hold something.
    [[nodiscard]] const std::map<std::pair<ProjectId, UserId>, model::Usage>& usage_of_users()
        const {
        return tree_.users();
    }

    [[nodiscard]] const model::Usage& usage_of_all() const { return tree_.usage_of_all(); }

    [[nodiscard]] const scheduler::ProjectTree& project_tree() const { return tree_; }

    [[nodiscard]] const scheduler::FairShare& fair_share() const { return fair_share_; }

    [[nodiscard]] bool has_fair_share() const { return fair_share_.rules().half_life.count() > 0; }

    /// Where the job is in the queue by the rules of now.
    [[nodiscard]] std::int64_t rank_of(const model::JobRecord& job) const;

    /// What each element of such a job counts for, for fair share: thousandths of a GPU, times
    /// seconds, if it takes all its time.
    [[nodiscard]] std::int64_t milli_seconds_of(const model::JobRecord& job) const;

    /// The element of `job` to place next: a ready retry before what never left the queue.
    [[nodiscard]] std::optional<model::ElementKey> next_of(JobId job) const;

    /// The live elements on a node (scheduled, running, stopping).
    [[nodiscard]] std::vector<model::ElementKey> live_on(NodeId node) const;

    /// The jobs that wait for `job`.
    [[nodiscard]] std::vector<JobId> dependents_of(JobId job) const;

    /// Elements in each state, of all jobs in memory.
    [[nodiscard]] const std::array<std::uint64_t, model::kElementStates>& element_counts() const {
        return element_counts_;
    }

    [[nodiscard]] scheduler::NodeView view_of(const NodeState& node) const;

    // ---- Changes.

    /// Puts a change in place (or, with before and after swapped, takes it back).
    void replace(const Body& body);
    [[nodiscard]] static Body reversed(const Body& body);

    void set_liveness(NodeId id, NodeLiveness liveness);

    /// Time goes on: back-offs that are over make their elements ready.
    void advance(Instant now);
    [[nodiscard]] std::optional<Instant> next_timer() const;

    [[nodiscard]] Instant now() const { return now_; }

    /// Drops what ended from memory: jobs, elements and released allocations; and the requests that
    /// no job asks for any more, which it names.
    std::vector<model::RequestId> forget_ended();

    [[nodiscard]] std::shared_ptr<const scheduler::FairShare> take_fair_share(
        const std::shared_ptr<const scheduler::FairShare>& last);

    /// Nodes whose view changed since the last call.
    [[nodiscard]] std::set<NodeId> take_dirty_nodes() { return std::exchange(dirty_nodes_, {}); }

  private:
    /// The elements of a job that have a record and wait in the queue.
    struct Waiting {
        std::set<std::uint32_t> ready;  // Indices.

        friend bool operator==(const Waiting&, const Waiting&) = default;
    };

    void apply(const Put<model::UserRecord>& put);
    void apply(const Put<model::RequestRecord>& put);
    void apply(const Put<model::GpuModelRecord>& put);
    void apply(const Put<model::ProjectRecord>& put);
    void apply(const Put<model::NodeRecord>& put);
    void apply(const JobPut& put);
    void apply(const ElementPut& put);
    void apply(const Put<model::AllocationRecord>& put);
    void apply(const Put<model::AccountRecord>& put);
    void apply(const Put<model::ControlRecord>& put);
    void apply(const Put<model::IdempotencyRecord>& put);
    void apply(const Put<model::BookingRecord>& put);

    void apply(const Put<RunStatsRecord>& put) { foresight_.apply(put); }

    void apply(const Put<ForecastRecord>& put) { foresight_.apply(put); }

    void apply(const Put<OutcomeRecord>& put) { foresight_.apply(put); }

    void index_element(const model::ElementRecord& element);
    void unindex_element(const model::ElementRecord& element);
    void refresh_queue(JobId id);
    void refresh_hold(AllocationId id);
    void show(NodeId id);
    void free_quota(ProjectId id, UserId user);
    [[nodiscard]] UserId user_of(const model::AllocationRecord& allocation) const;
    void free_quota(const JobPut& put);
    void retell_dues(const Put<model::ProjectRecord>& put);
    void free_guarantees(const std::vector<ProjectId>& projects);
    [[nodiscard]] bool is_preemptible(const model::AllocationRecord& allocation) const;
    void count_job(const model::JobRecord& job, std::int64_t sign);
    void count_allocation(const model::AllocationRecord& allocation, std::int64_t sign);
    void resolve(RequestState& request);
    [[nodiscard]] model::Request on_hardware(const model::RequestRecord& request) const;
    void drop_request(model::RequestId id);
    void count_requests(const JobPut& put);
    void count_request(model::RequestId id, int sign);
    std::vector<model::RequestId> forget_unused_requests();
    void resolve_bookings();
    void reclassify();
    void rebuild_free(NodeState& node);
    [[nodiscard]] static scheduler::Place place_of(const model::JobRecord& job);
    [[nodiscard]] static scheduler::GroupKey group_of(const model::JobRecord& job);

    std::map<UserId, model::UserRecord> users_;
    std::map<std::string, UserId> user_ids_;
    std::map<model::RequestId, RequestState> requests_;
    std::map<std::string, model::RequestId> request_ids_;
    std::map<std::string, std::set<model::RequestId>> requests_on_;  // By expression.
    std::vector<model::RequestId> maybe_unused_;
    NodeClasses node_classes_;
    std::map<GpuModelId, model::GpuModelRecord> gpu_models_;
    std::map<ProjectId, model::ProjectRecord> projects_;
    std::map<std::string, ProjectId> project_ids_;
    std::map<NodeId, NodeState> nodes_;
    std::map<std::string, NodeId> node_ids_;
    std::map<std::string, GpuId> gpu_ids_;
    std::map<JobId, model::JobRecord> jobs_;
    std::map<model::ElementKey, model::ElementRecord> elements_;
    std::map<AllocationId, model::AllocationRecord> allocations_;
    std::map<model::BookingId, model::BookingRecord> bookings_;
    std::uint64_t bookings_version_ = 0;

    Foresight foresight_;
    scheduler::Core core_;
    scheduler::Policy policy_;      // See CoreOptions.
    std::chrono::seconds min_run_;  // Likewise.
    std::chrono::seconds assumed_run_;
    scheduler::FairShare fair_share_;
    bool is_fair_share_dirty_ = true;
    std::map<JobId, Waiting> waiting_;
    std::set<std::pair<Instant, model::ElementKey>> timers_;
    std::map<NodeId, std::set<model::ElementKey>> live_;
    std::map<JobId, std::set<JobId>> dependents_;
    scheduler::ProjectTree tree_;  // Usage and limits.
    std::array<std::uint64_t, model::kElementStates> element_counts_ = {};
    std::vector<JobId> ended_jobs_;
    std::vector<model::ElementKey> ended_elements_;
    std::vector<AllocationId> released_;

    Instant now_ = model::kNever;
    std::set<NodeId> dirty_nodes_;
};

}  // namespace reeve::ledger
