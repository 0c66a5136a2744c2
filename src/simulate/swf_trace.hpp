#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "simulate/cluster.hpp"
#include "simulate/workload.hpp"

namespace reeve::simulate {

/// Reads the Standard Workload Format of the Parallel Workloads Archive: lines of 18 numbers, with
/// -1 for what is not known; lines that begin with ";" are comments. What is read: 1 the job's
/// number, 2 submission, 4 run time, 8 processors asked for (else 5, those used), 9 time asked for
/// (the limit), 12 user, 13 group (the project). A processor is a CPU of 1000 millicores; what one
/// node does not have is taken from several, in equal parts, rounded up. Jobs without a run time or
/// without processors are left out, with a note; so is said if the cluster's CPUs are not the
/// MaxProcs of the comments (where there is no MaxProcs: MaxNodes).
/// Errors: kInvalid "FILE:LINE: …": not 18 fields, a number that is none, below -1 or too large, a
/// job's number twice, a row submitted before the one above it (the format is sorted), a cluster
/// without CPUs.
[[nodiscard]] Result<Workload> parse_swf(
    const std::string& file, std::string_view text, const Cluster& cluster);

/// True if the first line that is not blank is a comment of SWF, or one of its rows.
[[nodiscard]] bool looks_like_swf(std::string_view text);

}  // namespace reeve::simulate
