#include <algorithm>

#include "simulate/report.hpp"

namespace reeve::simulate {
namespace {

/// Seconds, with a fraction only where there is one.
std::string seconds_text(std::chrono::microseconds time) {
    constexpr std::int64_t kMsOfSecond = 1000;
    const std::int64_t ms = std::chrono::floor<std::chrono::milliseconds>(time).count();
    return ms % kMsOfSecond == 0 ? std::to_string(ms / kMsOfSecond) : fixed_text(ms, 3);
}

/// What became of a job.
struct Ran {
    const JobRun& run;
    Instant first_started_at = model::kNever;
    std::int64_t lost_gpu_milli_s = 0;
};

void append_row(
    std::string& text,
    const std::string& head,
    const Report& report,
    std::size_t job,
    const Ran& ran) {
    const JobRun& run = ran.run;
    const TraceJob& traced = report.workload.jobs[job];
    text += head;
    append_csv_field(text, traced.name);
    text += "," + seconds_text(traced.submitted_at.since_epoch()) + ",";
    text += run.has_started ? seconds_text(run.started_at.since_epoch()) : "";
    text += ",";
    text += run.has_ended ? seconds_text(run.ended_at.since_epoch()) : "";
    text += ",";
    text += run.has_started ? seconds_text(ran.first_started_at - traced.submitted_at) : "";
    text += ",";
    const std::uint64_t node = run.node.value();
    if (run.has_started && node >= 1 && node <= report.machines.names.size()) {
        append_csv_field(text, report.machines.names[node - 1]);
    }
    text += run.is_refused ? ",true" : ",false";
    text += run.is_backfilled ? ",true," : ",false,";
    append_csv_field(text, report.workload.users[traced.user]);
    text += ",";
    append_csv_field(text, report.workload.projects[traced.project]);
    text += "," + std::to_string(run.stops) + "," + fixed_text(ran.lost_gpu_milli_s, 3) + "\n";
}

}  // namespace

void append_csv_field(std::string& text, std::string_view field) {
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

std::string jobs_csv(const Report& report) {
    std::string text =
        "policy,backfill,name,submitted_s,started_s,ended_s,wait_s,node,refused,backfilled,user,"
        "project,stops,lost_gpu_s\n";
    for (const ReportRun& run : report.runs) {
        const std::string head = std::string(scheduler::name_of(run.policy)) + "," +
                                 std::string(scheduler::name_of(run.backfill)) + ",";
        const std::vector<Instant> starts = first_starts(run.outcome);
        const std::vector<std::int64_t> lost =
            lost_gpu_milli_s(report.machines, report.workload, run.outcome);
        for (std::size_t job = 0; job < run.outcome.runs.size(); ++job) {
            append_row(
                text, head, report, job,
                {.run = run.outcome.runs[job],
                 .first_started_at = starts[job],
                 .lost_gpu_milli_s = lost[job]});
        }
    }
    return text;
}

}  // namespace reeve::simulate
