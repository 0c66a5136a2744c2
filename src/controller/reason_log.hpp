#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "ledger/reader.hpp"
#include "model/records.hpp"

namespace reeve::controller {

/// For so long a job waited for one reason.
struct ReasonSpan {
    Instant since = model::kNever;
    Instant seen = model::kNever;  // When it was last found.
    std::string reason = {};       // As in the list of jobs: "gpu_short", "quota", "behind", ….

    friend bool operator==(const ReasonSpan&, const ReasonSpan&) = default;
};

inline constexpr std::size_t kReasonSpansMax = 32;     // Of one job; the oldest go.
inline constexpr std::size_t kReasonJobsMax = 20'000;  // Those that waited the longest ago go.

/// What jobs waited for, as it was found from time to time: since this server started, of the jobs
/// that were looked at, and without what came and went between two looks. Jobs that no longer wait
/// keep theirs until there are too many.
class ReasonLog {
  public:
    /// Why a job waits that has so many before it; "" if that cannot be told.
    using Reason = std::function<std::string(const ledger::JobRow& job, std::uint64_t position)>;

    /// Notes why the jobs of `queue`, in its order, wait at `at`. Jobs that ask for the same on the
    /// same terms, of one user and project, wait for the same: `reason` is asked of the first of
    /// them. It costs a pass over the nodes, so no more are noted once `goes_on` is false.
    void look(
        const std::vector<ledger::JobRow>& queue,
        Instant at,
        const Reason& reason,
        const std::function<bool()>& goes_on);

    /// The oldest first. Of any thread.
    [[nodiscard]] std::vector<ReasonSpan> of(JobId job) const;

  private:
    void forget(Instant now);
    void note(JobId job, Instant at, const std::string& reason);

    mutable std::mutex mutex_;
    std::map<JobId, std::vector<ReasonSpan>> jobs_;
};

}  // namespace reeve::controller
