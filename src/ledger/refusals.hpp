#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ledger/fit.hpp"
#include "model/job_spec.hpp"
#include "model/records.hpp"
#include "scheduler/quota.hpp"

// What is said of a job that cannot be accepted, whoever asks: at submission, and before one.
namespace reeve::ledger {

/// `names` are those that there are.
[[nodiscard]] Error no_project(const std::string& name, const std::vector<std::string>& names);

/// One element is more than any node has.
[[nodiscard]] Error never_runs(const Hardware& hardware, const model::RequestRecord& request);

/// One element is more than the project may hold at once.
[[nodiscard]] Error more_than_quota(const std::string& project, const scheduler::Excess& excess);

[[nodiscard]] Error too_many_pending(
    const model::ProjectRecord& project, std::int64_t pending, std::int64_t more);

[[nodiscard]] Error no_job_to_wait_for(JobId job);

/// `job` ended with these, and not as it should.
[[nodiscard]] Error never_starts_after(JobId job, const model::StateCounts& counts);

/// True if a job that ended with `counts` is what was waited for.
[[nodiscard]] bool has_happened(model::DependencyKind kind, const model::StateCounts& counts);

}  // namespace reeve::ledger
