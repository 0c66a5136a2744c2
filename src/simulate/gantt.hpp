#pragma once

#include <string>

#include "simulate/report.hpp"

namespace reeve::simulate {

/// Seconds after the first submission up to which Gantt charts of the report's runs go: all the
/// way, or as far as the bars of the fullest one are not too many to draw.
[[nodiscard]] double gantt_seconds(const Report& report);

/// The first nodes of the cluster, a row for each, with a bar for each job that held GPUs of it, as
/// high as the part it held.
[[nodiscard]] std::string gantt_html(const Report& report, const ReportRun& run, double seconds);

}  // namespace reeve::simulate
