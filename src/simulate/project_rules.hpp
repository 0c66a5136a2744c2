#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "simulate/workload.hpp"

namespace reeve::simulate {

/// Takes what `text`, a CSV, says of projects into the workload: the columns project, and, as far
/// as they are there, parent, share, guaranteed_gpus, gpus (its limit), preemptible (1: so is every
/// job of it). `file` is for messages.
/// Errors: kInvalid "FILE:LINE: …": the workload is as it was.
[[nodiscard]] Result<void> read_project_rules(
    const std::string& file, std::string_view text, Workload& workload);

}  // namespace reeve::simulate
