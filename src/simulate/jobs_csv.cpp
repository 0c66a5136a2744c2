#include <algorithm>

#include "simulate/report.hpp"

namespace reeve::simulate {
namespace {

/// As RFC 4180 has it: in quotation marks where it needs them.
void append_field(std::string& text, std::string_view field) {
    if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
        text += field;
        return;
    }
    text += '"';
    for (const char c : field) {
        text += c;
        if (c == '"') {
            text += '"';
        }
    }
    text += '"';
}

/// Seconds, with a fraction only where there is one.
std::string seconds_text(std::chrono::microseconds time) {
    constexpr std::int64_t kMsOfSecond = 1000;
    const std::int64_t ms = std::chrono::floor<std::chrono::milliseconds>(time).count();
    return ms % kMsOfSecond == 0 ? std::to_string(ms / kMsOfSecond) : fixed_text(ms, 3);
}

void append_row(
    std::string& text,
    const std::string& head,
    const Report& report,
    std::size_t job,
    const JobRun& run) {
    const TraceJob& traced = report.workload.jobs[job];
    text += head;
    append_field(text, traced.name);
    text += "," + seconds_text(traced.submitted_at.since_epoch()) + ",";
    text += run.has_started ? seconds_text(run.started_at.since_epoch()) : "";
    text += ",";
    text += run.has_ended ? seconds_text(run.ended_at.since_epoch()) : "";
    text += ",";
    text += run.has_started ? seconds_text(run.started_at - traced.submitted_at) : "";
    text += ",";
    const std::uint64_t node = run.node.value();
    if (run.has_started && node >= 1 && node <= report.machines.names.size()) {
        append_field(text, report.machines.names[node - 1]);
    }
    text += run.is_refused ? ",true" : ",false";
    text += run.is_backfilled ? ",true\n" : ",false\n";
}

}  // namespace

std::string jobs_csv(const Report& report) {
    std::string text =
        "policy,backfill,name,submitted_s,started_s,ended_s,wait_s,node,refused,backfilled\n";
    for (const ReportRun& run : report.runs) {
        const std::string head = std::string(scheduler::name_of(run.policy)) + "," +
                                 std::string(scheduler::name_of(run.backfill)) + ",";
        for (std::size_t job = 0; job < run.outcome.runs.size(); ++job) {
            append_row(text, head, report, job, run.outcome.runs[job]);
        }
    }
    return text;
}

}  // namespace reeve::simulate
