#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ledger/command.hpp"
#include "ledger/fit.hpp"
#include "model/job_spec.hpp"
#include "model/records.hpp"
#include "scheduler/quota.hpp"

// What is refused, in words, whoever asks: when it is done, and when it is only tried.
namespace reeve::ledger {

/// `names` are those that there are.
[[nodiscard]] Error no_project(const std::string& name, const std::vector<std::string>& names);

/// One element is more than any node has.
[[nodiscard]] Error never_runs(const Hardware& hardware, const model::RequestRecord& request);

/// One element is more than the project may hold at once.
[[nodiscard]] Error more_than_quota(const std::string& project, const scheduler::Excess& excess);

[[nodiscard]] Error too_many_pending(
    const model::ProjectRecord& project, std::int64_t pending, std::int64_t more);

/// Likewise of what each user of the project may hold and have pending.
[[nodiscard]] Error more_than_user_quota(
    const std::string& project, const scheduler::Excess& excess);

[[nodiscard]] Error too_many_pending_of_user(
    const model::ProjectRecord& project, std::int64_t pending, std::int64_t more);

[[nodiscard]] Error no_job_to_wait_for(JobId job);

/// `job` ended with these, and not as it should.
[[nodiscard]] Error never_starts_after(JobId job, const model::StateCounts& counts);

/// The cluster may hold `pending_max` pending elements, and does.
[[nodiscard]] Error queue_is_full(std::uint64_t pending_max);

/// What a control that changed nothing is refused with, after the job's name: "has already ended".
[[nodiscard]] std::string why_nothing(Control control);

/// Of a job, or an element, that is being stopped for good.
[[nodiscard]] std::string why_not_while_stopping(Control control);

/// What any control of what has ended is refused with, likewise.
[[nodiscard]] std::string why_ended(Control control);

/// True if a job that ended with `counts` is what was waited for.
[[nodiscard]] bool has_happened(model::DependencyKind kind, const model::StateCounts& counts);

/// What a project and those below it are guaranteed, it may hold, as may all above it; and it is a
/// part of what the one above is guaranteed, if that is. `others` are all that there are, itself as
/// it was or not. Errors: kInvalid.
[[nodiscard]] Result<void> check_guarantee(
    const model::ProjectRecord& project, const std::vector<const model::ProjectRecord*>& others);

}  // namespace reeve::ledger
