#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "model/allocation_state.hpp"
#include "model/element_state.hpp"
#include "model/job_spec.hpp"
#include "model/node_expression.hpp"
#include "model/resources.hpp"
#include "model/task.hpp"

// What the ledger knows, as plain records: one per thing, each with an id. The store keeps the same
// records; everything else in memory is an index that follows from them.
namespace reeve::model {

using RequestId = StrongId<struct RequestTag>;  // Interned: equal requests share one id.

inline constexpr Instant kNever = Instant(std::chrono::microseconds(0));  // Has not happened yet.

struct UserRecord {
    UserId id = UserId(0);
    std::string name = {};
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;

    friend bool operator==(const UserRecord&, const UserRecord&) = default;
};

/// Limits on what a project and everything below it may hold at once. Absent: no limit.
struct Quota {
    std::optional<std::int64_t> gpu_milli = {};  // 1000 = one whole GPU.
    std::optional<std::int64_t> cpu_millicores = {};
    std::optional<std::int64_t> memory_mib = {};
    std::optional<std::int64_t> running_elements = {};
    std::optional<std::int64_t> pending_elements = {};

    friend bool operator==(const Quota&, const Quota&) = default;
};

/// What a project and everything below it holds now, in the units of Quota.
struct Usage {
    std::int64_t gpu_milli = 0;
    std::int64_t cpu_millicores = 0;
    std::int64_t memory_mib = 0;
    std::int64_t running_elements = 0;
    std::int64_t pending_elements = 0;

    friend bool operator==(const Usage&, const Usage&) = default;
};

inline constexpr std::int32_t kShareMax = 10'000;

struct ProjectRecord {
    ProjectId id = ProjectId(0);
    std::string name = {};
    std::optional<ProjectId> parent = {};
    Quota quota = {};
    Quota user_quota = {};   // Of each of its users, in the project itself.
    std::int32_t share = 1;  // Beside its siblings, for fair share: 1..kShareMax.

    /// So much the project, with all below it, gets back from who borrowed it; 0: nothing.
    std::int64_t guaranteed_gpu_milli = 0;

    friend bool operator==(const ProjectRecord&, const ProjectRecord&) = default;
};

/// What a user of a project has used, for fair share. It decays: see scheduler::decayed().
struct AccountRecord {
    ProjectId project = ProjectId(0);
    UserId user = UserId(0);
    std::int64_t used_milli_s = 0;  // Thousandths of a GPU, times seconds.
    Instant at = kNever;            // It was so much then.

    friend bool operator==(const AccountRecord&, const AccountRecord&) = default;
};

struct GpuModelRecord {
    GpuModelId id = GpuModelId(0);
    std::string name = {};  // As the driver says it: "NVIDIA A30".

    friend bool operator==(const GpuModelRecord&, const GpuModelRecord&) = default;
};

/// What elements of equal needs ask for; text as people wrote it, for the store and for display.
struct RequestRecord {
    RequestId id = RequestId(0);
    GpuAsk gpus = {};
    HostAmount host = {};
    std::string on = {};  // On which nodes: a NodeExpression as it is printed; "": on any.

    friend bool operator==(const RequestRecord&, const RequestRecord&) = default;
};

/// `gpus` and `host` as the scheduler asks for them; `models` are those that gpus.model names.
[[nodiscard]] Request request_of(
    const GpuAsk& gpus, const HostAmount& host, std::optional<std::vector<GpuModelId>> models);

struct NodeGpu {
    GpuId id = GpuId(0);
    std::string uuid = {};
    GpuModelId model = GpuModelId(0);
    std::int64_t total_mib = 0;
    bool is_present = true;  // False once the node no longer reports it; its allocations stay.
    bool is_simulated = false;

    friend bool operator==(const NodeGpu&, const NodeGpu&) = default;
};

struct NodeRecord {
    NodeId id = NodeId(0);
    std::string name = {};
    std::string boot_id = {};
    HostAmount host = {};
    std::vector<NodeGpu> gpus = {};  // By id.
    bool is_drained = false;
    std::string drain_reason = {};
    std::string enforcement = {};                    // See NodeHello.
    std::map<std::string, std::string> labels = {};  // Likewise.

    friend bool operator==(const NodeRecord&, const NodeRecord&) = default;
};

enum class WhichGpus : std::uint8_t {
    kPresent,
    kAll,  // Also those that are lost for the moment.
};

/// What node expressions may ask about `node`.
[[nodiscard]] NodeFacts facts_of(
    const NodeRecord& node,
    WhichGpus which,
    const std::function<std::string(GpuModelId)>& name_of_model);

inline constexpr std::size_t kElementStates = 9;

/// How many elements of a job are in each state. Those that never left the queue are counted, too.
struct StateCounts {
    std::array<std::uint32_t, kElementStates> of = {};

    [[nodiscard]] std::uint32_t& operator[](ElementState state) {
        return of.at(static_cast<std::size_t>(state));
    }

    [[nodiscard]] std::uint32_t operator[](ElementState state) const {
        return of.at(static_cast<std::size_t>(state));
    }

    /// Scheduled, running or stopping: these hold an allocation.
    [[nodiscard]] std::uint32_t live() const;
    [[nodiscard]] std::uint32_t pending() const;  // Queued or held.
    [[nodiscard]] std::uint32_t ended() const;

    friend bool operator==(const StateCounts&, const StateCounts&) = default;
};

/// The state of a whole job: any running → running, else stopping, scheduled, queued, held, else
/// the worst end (failed, timed_out, cancelled, succeeded).
[[nodiscard]] ElementState state_of(const StateCounts& counts);

/// A submission. Elements that have never left the queue have no record of their own: they are the
/// positions from `next` on that are not in `taken`, in the state `waiting_state`.
struct JobRecord {
    JobId id = JobId(0);
    UserId user = UserId(0);
    ProjectId project = ProjectId(0);
    RequestId request = RequestId(0);
    std::int32_t priority = 0;
    std::int32_t retries_max = 0;
    std::int64_t rank = 0;       // In the queue: lower comes first, then the lower id.
    std::int64_t fair_load = 0;  // With which its next element is submitted, for fair share,
    std::int64_t fair_step = 0;  // and what each element adds: scheduler::Load.
    std::int64_t retry_backoff_s = 0;
    std::int64_t time_limit_s = 0;  // 0: none.
    Instant submitted_at = kNever;
    Instant ended_at = kNever;
    ArrayRange range = {};  // Of a job that is no array: index 0 alone.
    bool is_array = false;
    OnNodeLoss on_node_loss = OnNodeLoss::kWait;
    bool is_preemptible = false;
    ElementState waiting_state = ElementState::kQueued;  // Or kHeld.
    std::uint32_t next = 0;                              // Position 0..count-1 in the range.
    std::uint32_t run_name = 0;  // Of its name: jobs with the same run for about as long.
    std::vector<std::uint32_t> taken = {};  // Positions from `next` on with a record, sorted.
    std::vector<Dependency> after = {};     // Not yet settled; once it ended: what never happened.
    StateCounts counts = {};
    Revision rev = Revision(0);  // Of the last change of it, or of what it asks of its elements.

    [[nodiscard]] std::uint32_t index_at(std::uint32_t position) const noexcept {
        return range.first + position * range.step;
    }

    /// How many elements never left the queue.
    [[nodiscard]] std::uint32_t waiting_count() const noexcept {
        return range.count() - next - static_cast<std::uint32_t>(taken.size());
    }

    /// The lowest position that never left the queue; nothing if all have.
    [[nodiscard]] std::optional<std::uint32_t> next_waiting() const;

    friend bool operator==(const JobRecord&, const JobRecord&) = default;
};

/// One attempt of one element that has left the queue, or waits for its next attempt.
struct ElementRecord {
    ElementKey key = {};
    std::uint32_t attempt = 1;
    ElementState state = ElementState::kQueued;
    std::optional<StopIntent> intent = {};
    bool is_forced = false;                    // Stop without grace.
    std::optional<EndReason> end_reason = {};  // Of this attempt, also if another one follows.
    std::int32_t exit_code = 0;
    std::int32_t signal = 0;
    std::int32_t retries_used = 0;
    Instant not_before = kNever;  // Queued, but for its back-off.
    Instant queued_at = kNever;
    Instant scheduled_at = kNever;
    Instant started_at = kNever;
    Instant ended_at = kNever;
    NodeId node = NodeId(0);                    // 0 before it is placed.
    AllocationId allocation = AllocationId(0);  // Likewise.
    std::int64_t pid = 0;
    std::int64_t memory_peak_mib = 0;
    std::int64_t cpu_ms = 0;
    std::int64_t log_bytes = 0;
    std::string message = {};

    friend bool operator==(const ElementRecord&, const ElementRecord&) = default;
};

/// Who holds an amount. Numbers are stored.
enum class AllocationOwner : std::uint8_t {
    kTask = 0,
    kUnknown = 1,   // One of our tasks that the ledger does not know: in quarantine.
    kExternal = 2,  // What is not ours: seen to be in use, and of no task.
};

/// An amount of one node, and who holds it.
struct AllocationRecord {
    AllocationId id = AllocationId(0);
    TaskKey task = {};  // Of a task, in quarantine or not.
    AllocationOwner owner = AllocationOwner::kTask;
    NodeId node = NodeId(0);
    ProjectId project = ProjectId(0);  // 0 of what is external.
    Grant grant = {};
    AllocationState state = AllocationState::kReserved;
    Instant reserved_at = kNever;
    Instant released_at = kNever;

    friend bool operator==(const AllocationRecord&, const AllocationRecord&) = default;
};

enum class JobControl : std::uint8_t {
    kStop,        // Cancel: what waits never starts, what runs is stopped.
    kStopForced,  // Likewise, without grace.
    kHold,
    kRelease,
    kRequeue,
    kPreempt,  // By the scheduler, for another job: the actor.
    kAdopt,    // Out of quarantine.
};

/// What somebody asked of a job, and it did. Kept as long as the job, so that its story says who.
struct ControlRecord {
    JobId job = JobId(0);
    Revision rev = Revision(0);  // Of its own change: orders the controls of a job.
    JobControl control = JobControl::kStop;
    std::optional<std::uint32_t> index = {};  // Of one element; absent: of the whole job.
    std::string actor = {};
    Instant at = kNever;

    friend bool operator==(const ControlRecord&, const ControlRecord&) = default;
};

/// What a repeated request is answered with.
struct IdempotencyRecord {
    UserId user = UserId(0);
    std::string key = {};
    std::uint64_t fingerprint = 0;  // Of the request's body.
    JobId first_job = JobId(0);
    std::uint32_t job_count = 0;
    Instant at = kNever;

    friend bool operator==(const IdempotencyRecord&, const IdempotencyRecord&) = default;
};

/// The words of SEMANTICS 2, used on every wire. One table each; parse_* gives nothing for others.
[[nodiscard]] std::string_view word_of(ElementState state);
[[nodiscard]] std::optional<ElementState> parse_element_state(std::string_view word);
[[nodiscard]] std::string_view word_of(EndReason reason);
[[nodiscard]] std::optional<EndReason> parse_end_reason(std::string_view word);
[[nodiscard]] std::string_view word_of(StopIntent intent);
[[nodiscard]] std::string_view word_of(AllocationState state);
[[nodiscard]] std::string_view word_of(JobControl control);  // Forced or not, a stop is "stop".

/// "1842", or "1842_7" of an array.
[[nodiscard]] std::string to_string(const ElementKey& key, bool is_array);

/// True if `asked` names `model` ("a30" and "NVIDIA A30"; "rtx5090" and "NVIDIA GeForce RTX 5090"):
/// its letters and digits are those of one or more whole words in a row, whatever the case.
[[nodiscard]] bool is_model(std::string_view asked, std::string_view model);

}  // namespace reeve::model
