#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/instant.hpp"
#include "controller/view.hpp"
#include "ledger/reader.hpp"

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

/// When `job` starts if nobody submits or stops anything, no node comes or goes, and all that runs
/// or starts before takes its whole time limit (what has none: as long as is assumed). `queue` are
/// the first pending jobs in their order, up to kWhenJobsMax; `job` is among them unless it is
/// farther back. Costs a pass of the scheduler over what starts before it.
[[nodiscard]] When when_starts(
    const ledger::JobRow& job, const std::vector<ledger::JobRow>& queue, const View& view);

/// "not_pending", "expected", ….
[[nodiscard]] std::string_view word_of(WhenKind kind);

}  // namespace reeve::controller
