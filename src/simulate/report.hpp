#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/backfill.hpp"
#include "scheduler/policy.hpp"
#include "simulate/cluster.hpp"
#include "simulate/replay.hpp"
#include "simulate/summary.hpp"
#include "simulate/workload.hpp"

namespace reeve::simulate {

/// One replay of a report.
struct ReportRun {
    scheduler::Policy policy = scheduler::Policy::kFillValue;
    scheduler::Backfill backfill = scheduler::Backfill::kEasy;
    std::uint64_t seed = 0;
    ReplayOutcome outcome;
    ReplaySummary summary = {};
};

/// Replays of one workload on one cluster, to be compared.
struct Report {
    std::string trace = {};    // As the user named it.
    std::string format = {};   // Its name in the table of formats.
    std::string cluster = {};  // As the user named it.
    const Cluster& machines;
    const Workload& workload;
    std::vector<ReportRun> runs = {};
    bool is_complete = true;  // False: it was stopped; the last run may be a part.
};

/// One row for each job of each run, with a header: policy, backfill, name, submitted_s, started_s
/// (the last time), ended_s, wait_s (to the first start), node (the first of a gang's), refused,
/// backfilled, user, project, stops, lost_gpu_s. Times are those of the trace, in seconds; what did
/// not happen is empty.
[[nodiscard]] std::string jobs_csv(const Report& report);

/// Appends `field` as RFC 4180 has it: in quotation marks where it needs them.
void append_csv_field(std::string& text, std::string_view field);

/// One page with pictures, which needs nothing from elsewhere: no script, no font, no style.
[[nodiscard]] std::string report_html(const Report& report);

}  // namespace reeve::simulate
