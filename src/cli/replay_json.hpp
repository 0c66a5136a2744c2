#pragma once

#include "cli/json.hpp"
#include "cli/render.hpp"
#include "simulate/report.hpp"

namespace reeve::cli {

/// The report as a list answer: an item for each run with its options, summary and series, and what
/// it is of beside them (trace, cluster, notes, complete). With `has_jobs` each run has all its
/// jobs in it, too.
[[nodiscard]] Json to_json(const simulate::Report& report, bool has_jobs);

/// How it is shown as a table.
[[nodiscard]] Listing replay_listing(bool has_gpus);

}  // namespace reeve::cli
