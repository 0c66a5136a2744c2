#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "simulate/report.hpp"

namespace reeve::simulate {

/// What one project (or user, or several of the smaller ones together) held.
struct HeldShare {
    std::string name = {};
    std::int64_t gpu_milli_seconds = 0;  // In all: thousandths of a GPU, times seconds.

    /// Thousandths of GPUs in each part of the time, a mean.
    std::vector<std::int64_t> gpu_milli = {};
};

/// Who held how much of the GPUs, over a replay: equal parts of the time from the first submission
/// to the end.
struct SharesOverTime {
    double part_s = 1;                     // How long a part is.
    std::vector<HeldShare> projects = {};  // Who held most comes first, "others" last.
    std::vector<HeldShare> users = {};
};

/// Those `most` - 1 that held most, and "others (N)" for the rest, if there are more than `most`.
[[nodiscard]] SharesOverTime shares_over_time(
    const Report& report, const ReportRun& run, std::size_t parts, std::size_t most);

/// A row for each part of the time of each of them, with a header: policy, backfill, kind (project
/// or user), name, from_s (since the first submission), gpus.
[[nodiscard]] std::string shares_csv(const Report& report);

}  // namespace reeve::simulate
