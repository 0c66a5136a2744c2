#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/records.hpp"

namespace reeve::model {

/// What never happened of `after`, in words: "job 12 succeeded", "job 12 did not succeed".
[[nodiscard]] std::string never_text(const std::vector<Dependency>& after);

struct JobEnd {
    EndReason reason = EndReason::kCancelled;
    std::string message = {};
};

/// How a job ended whose elements never left the queue: nothing has a record but the job. Nothing
/// if it has not ended, or if it ended by what its elements did.
[[nodiscard]] std::optional<JobEnd> end_of(const JobRecord& job);

/// The same of a job of which it is known that no element has a record. If it failed, then because
/// of what it waited for, also where it was written before jobs kept what that was.
[[nodiscard]] std::optional<JobEnd> end_of_never_started(const JobRecord& job);

}  // namespace reeve::model
