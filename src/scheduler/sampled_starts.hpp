#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/instant.hpp"
#include "scheduler/forward.hpp"
#include "scheduler/run_history.hpp"

namespace reeve::scheduler {

struct SamplingOptions {
    std::size_t samples = 40;
    std::uint64_t seed = 42;
    std::chrono::seconds horizon = std::chrono::days(60);  // A start after that is none.
    std::size_t steps_max = 50'000;                        // Of one sample: see run_forward().
};

/// The core run forward over run times that are drawn from what is known of earlier ones: each
/// sample is one course that things may take. Equal arguments, equal samples, in whatever order the
/// situation has what runs and waits. Of each job and element the samples take evenly spread parts
/// of its run times (a Latin hypercube), so that few tell much.
class StartSampler {
  public:
    using KeyOf = std::function<RunKey(JobId)>;

    /// `history` outlives it.
    StartSampler(
        Situation situation,
        const RunHistory& history,
        KeyOf key_of,
        const SamplingOptions& options);

    /// Runs sample number `number`, 0..samples-1: the first start of each job that starts in it.
    /// Nothing if `is_over` (empty: never), asked often, said so.
    [[nodiscard]] std::optional<std::map<JobId, Instant>> sample(
        std::size_t number, const std::function<bool()>& is_over = {}) const;

  private:
    [[nodiscard]] std::int64_t drawn(
        std::size_t number, JobId job, std::uint64_t element, const RunHistory::Query& query) const;

    Situation situation_;
    const RunHistory& history_;
    KeyOf key_of_;
    SamplingOptions options_;
};

}  // namespace reeve::scheduler
