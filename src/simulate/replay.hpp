#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/instant.hpp"
#include "model/records.hpp"
#include "scheduler/backfill.hpp"
#include "scheduler/forward.hpp"
#include "scheduler/order.hpp"
#include "scheduler/policy.hpp"
#include "scheduler/preemption.hpp"
#include "scheduler/timeline.hpp"
#include "simulate/openb_trace.hpp"
#include "simulate/workload.hpp"

namespace reeve::simulate {

/// Sees a replay while it goes on.
class ReplayObserver {
  public:
    virtual ~ReplayObserver() = default;

    virtual void on_start(std::size_t place, Instant at) = 0;
    virtual void on_end(std::size_t place, Instant at) = 0;

    /// Whether it wants to see how things are, once all that may start at `now` has started.
    [[nodiscard]] virtual bool wants_to_look(Instant now) = 0;
    virtual void look(const scheduler::Situation& situation) = 0;
};

struct ReplayOptions {
    scheduler::Policy policy = scheduler::Policy::kFillValue;
    scheduler::Backfill backfill = scheduler::Backfill::kEasy;
    std::uint64_t seed = 42;  // Of the random policy.

    // As the server's configuration has them.
    scheduler::OrderRules order = {};  // Fair share, ageing.
    scheduler::PreemptionMode preemption = scheduler::PreemptionMode::kProject;
    std::chrono::seconds min_run = std::chrono::minutes(10);

    /// How long what is stopped takes to be gone. If it ends by itself before, it has ended.
    std::chrono::seconds grace = scheduler::kStopTakes;

    /// Told now and then how many of how many jobs have ended; false ends the replay there.
    std::function<bool(std::size_t done, std::size_t all)> progress = {};

    ReplayObserver* observer = nullptr;  // Not owned; null: nobody.
};

/// What became of one job. A job that no node of the cluster could ever hold was refused when it
/// came: it has no start.
struct JobRun {
    Instant started_at = model::kNever;  // Valid if has_started. The last time, if it was stopped.
    Instant ended_at = model::kNever;    // Valid if has_ended.
    NodeId node = NodeId(0);             // The first of a gang's.
    bool has_started = false;
    bool has_ended = false;
    bool is_refused = false;
    bool is_stopped = false;     // It was, and waits again.
    std::uint32_t stops = 0;     // So often others had it stopped.
    bool is_backfilled = false;  // It started while another one before it in order waited.
};

/// The state of the cluster from `at` on, until the next sample.
struct ReplaySample {
    Instant at = model::kNever;
    std::int64_t gpu_milli_used = 0;
    std::int64_t gpu_milli_stranded = 0;  // Free, but on GPUs of which a part is in use.
    std::int64_t cpu_milli_used = 0;
    std::uint64_t running = 0;
    std::uint64_t waiting = 0;
};

/// GPUs of one node that one job holds for a while: a bar of a Gantt chart.
struct NodeSpan {
    NodeId node = NodeId(0);
    std::size_t job = 0;  // A place in the workload.
    std::int64_t gpu_milli = 0;
    std::optional<std::size_t> stop = {};  // It was stopped: a place in ReplayOutcome::stopped.
};

/// A job ran, and was stopped for another one: what it had done was lost.
struct StoppedRun {
    std::size_t job = 0;      // A place in the workload.
    NodeId node = NodeId(0);  // The first of a gang's.
    Instant from = model::kNever;
    Instant until = model::kNever;
    std::size_t for_job = 0;  // Whose room it became: a place in the workload.
};

struct ReplayOutcome {
    std::vector<JobRun> runs = {};           // As Workload::jobs.
    std::vector<ReplaySample> samples = {};  // By time; at most some thousands, evenly spread.
    std::vector<StoppedRun> stopped = {};    // In the order of their ends.
    std::vector<NodeSpan> spans = {};  // Of the nodes 1..16 only, in the order of their starts.
    std::int64_t gpu_milli_total = 0;
    std::int64_t cpu_milli_total = 0;
    std::uint64_t decisions = 0;  // Requests that the policy was asked to place.
    std::uint64_t waiting_max = 0;

    std::int64_t gpu_milli_seconds = 0;  // Used, in thousandths of GPU-seconds.
    Instant first_at = model::kNever;    // Of the first submission.
    Instant last_submission_at = model::kNever;
    Instant last_end_at = model::kNever;
    bool is_complete = true;  // False: `progress` ended it.
};

/// Plays `workload` on `cluster` from its first submission until all has ended, as the live
/// scheduler would: the same core, with a clock that jumps from event to event. Equal arguments,
/// equal outcome.
[[nodiscard]] ReplayOutcome run_replay(
    const Cluster& cluster, const Workload& workload, const ReplayOptions& options);

}  // namespace reeve::simulate
