#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.hpp"
#include "base/result.hpp"
#include "controller/view.hpp"
#include "ledger/reader.hpp"
#include "scheduler/forward.hpp"

namespace reeve::controller {

/// What can be said of when a job starts.
enum class WhenKind : std::uint8_t {
    kNotPending,  // It runs, or has ended.
    kExpected,
    kHeld,        // Not before somebody releases it.
    kDependency,  // Not before another job ended.
    kNever,       // Not as the nodes and quotas are now.
    kTooFar,      // More is before it than is looked at.
};

struct When {
    WhenKind kind = WhenKind::kNotPending;
    Instant at = model::kNever;           // Of kExpected: its first element.
    std::vector<std::string> nodes = {};  // Likewise.
    std::uint64_t starts_before = 0;      // Of others, until then.
    std::uint64_t without_limit = 0;      // So much that runs or starts before has no time limit.
    JobId after = JobId(0);               // Of kDependency.
};

/// So many jobs of the queue are looked at, from its beginning.
inline constexpr std::size_t kWhenJobsMax = 2000;

/// The first jobs of the queue, as they are looked at: kWhenJobsMax at most. Errors: the reader's.
[[nodiscard]] Result<std::vector<ledger::JobRow>> read_queue(ledger::Reader& reader);

/// What can be said of `job` without a look at others: nothing if it is in the queue and may start.
[[nodiscard]] std::optional<When> when_alone(const ledger::JobRow& job);

/// As when_starts(), of each job of `situation` that starts; those that do not are left out. Ends
/// with what it has once `is_over` (empty: never) says so.
[[nodiscard]] std::map<JobId, When> when_each_starts(
    const scheduler::Situation& situation,
    const View& view,
    const std::function<bool()>& is_over = {});

/// When `job` starts if nobody submits or stops anything, no node comes or goes, and all that runs
/// or starts before takes its whole time limit (what has none: as long as is assumed). `queue` are
/// the first pending jobs in their order, up to kWhenJobsMax; `job` is among them unless it is
/// farther back. Costs a pass of the scheduler over what starts before it.
[[nodiscard]] When when_starts(
    const ledger::JobRow& job, const std::vector<ledger::JobRow>& queue, const View& view);

/// "not_pending", "expected", ….
[[nodiscard]] std::string_view word_of(WhenKind kind);

}  // namespace reeve::controller
