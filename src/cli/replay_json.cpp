#include "cli/replay_json.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "simulate/shares.hpp"

namespace reeve::cli {
namespace {

using simulate::ReplaySample;
using simulate::ReplaySummary;
using simulate::Report;
using simulate::ReportRun;

/// Adds members to an object of a document.
class Members {
  public:
    Members(JsonValue& object, Json& json) : object_(object), json_(json) {}

    template <class Value>
    void add(const char* name, Value value) {
        object_.AddMember(rapidjson::StringRef(name), value, json_.GetAllocator());
    }

    /// What is no UTF-8 becomes '?': a trace may say anything, JSON may not.
    void add(const char* name, std::string_view text) {
        constexpr unsigned char kFirstOfMany = 0x80;
        std::string safe(text);
        if (!is_utf8(safe)) {
            std::ranges::replace_if(
                safe, [](char c) { return static_cast<unsigned char>(c) >= kFirstOfMany; }, '?');
        }
        add(name,
            JsonValue(
                safe.data(), static_cast<rapidjson::SizeType>(safe.size()), json_.GetAllocator()));
    }

    /// Seconds of milliseconds, and so on: `value` / 10^`digits`, which prints with as many digits.
    void add_fixed(const char* name, std::int64_t value, int digits) {
        constexpr double kTen = 10;
        add(name, static_cast<double>(value) / std::pow(kTen, digits));
    }

  private:
    JsonValue& object_;
    Json& json_;
};

constexpr int kThousandths = 3;
constexpr int kHundredths = 2;

/// Of thousandths of a GPU, times seconds.
double gpu_hours(std::int64_t milli_seconds) {
    constexpr double kMilliSecondsOfHour = 3'600'000;
    constexpr double kMilli = 1000;
    return std::round(static_cast<double>(milli_seconds) / kMilliSecondsOfHour * kMilli) / kMilli;
}

/// Who held how much over time, of the largest.
JsonValue shares_json(const Report& report, const ReportRun& run, Json& json) {
    constexpr std::size_t kParts = 100;
    constexpr std::size_t kMost = 50;
    constexpr double kMilli = 1000;
    const simulate::SharesOverTime shares = simulate::shares_over_time(report, run, kParts, kMost);
    JsonValue object(rapidjson::kObjectType);
    Members members(object, json);
    members.add("part_s", shares.part_s);
    const auto add = [&](const char* name, const std::vector<simulate::HeldShare>& all) {
        JsonValue items(rapidjson::kArrayType);
        for (const simulate::HeldShare& share : all) {
            JsonValue item(rapidjson::kObjectType);
            Members of_item(item, json);
            of_item.add("name", std::string_view(share.name));
            of_item.add("gpu_hours", gpu_hours(share.gpu_milli_seconds));
            JsonValue gpus(rapidjson::kArrayType);
            for (const std::int64_t milli : share.gpu_milli) {
                gpus.PushBack(static_cast<double>(milli) / kMilli, json.GetAllocator());
            }
            of_item.add("gpus", std::move(gpus));
            items.PushBack(std::move(item), json.GetAllocator());
        }
        members.add(name, std::move(items));
    };
    add("projects", shares.projects);
    add("users", shares.users);
    return object;
}

JsonValue summary_json(const ReplaySummary& summary, Json& json) {
    JsonValue object(rapidjson::kObjectType);
    Members members(object, json);
    members.add("jobs", static_cast<std::uint64_t>(summary.jobs));
    members.add("started", static_cast<std::uint64_t>(summary.started));
    members.add("ended", static_cast<std::uint64_t>(summary.ended));
    members.add("refused", static_cast<std::uint64_t>(summary.refused));
    members.add("backfilled", static_cast<std::uint64_t>(summary.backfilled));
    members.add_fixed("wait_mean_s", summary.wait_ms.mean, kThousandths);
    members.add_fixed("wait_median_s", summary.wait_ms.median, kThousandths);
    members.add_fixed("wait_p90_s", summary.wait_ms.p90, kThousandths);
    members.add_fixed("wait_p95_s", summary.wait_ms.p95, kThousandths);
    members.add_fixed("wait_p99_s", summary.wait_ms.p99, kThousandths);
    members.add_fixed("wait_max_s", summary.wait_ms.max, kThousandths);
    members.add_fixed("slowdown_mean", summary.slowdown_milli.mean, kThousandths);
    members.add_fixed("slowdown_median", summary.slowdown_milli.median, kThousandths);
    members.add_fixed("slowdown_p90", summary.slowdown_milli.p90, kThousandths);
    members.add_fixed("slowdown_p95", summary.slowdown_milli.p95, kThousandths);
    members.add_fixed("slowdown_p99", summary.slowdown_milli.p99, kThousandths);
    members.add_fixed("slowdown_max", summary.slowdown_milli.max, kThousandths);
    members.add_fixed("gpu_use_percent", summary.gpu_use_to_last_submission, kHundredths);
    members.add_fixed("gpu_use_to_end_percent", summary.gpu_use_to_end, kHundredths);
    members.add_fixed("cpu_use_percent", summary.cpu_use_to_last_submission, kHundredths);
    members.add_fixed("cpu_use_to_end_percent", summary.cpu_use_to_end, kHundredths);
    members.add_fixed(
        "gpu_stranded_to_last_submission_percent", summary.gpu_stranded_to_last_submission,
        kHundredths);
    members.add_fixed("gpu_stranded_percent", summary.gpu_stranded, kHundredths);
    members.add_fixed("makespan_s", summary.makespan_ms, kThousandths);
    members.add("waiting_max", summary.waiting_max);
    members.add("decisions", summary.decisions);
    members.add("stopped", static_cast<std::uint64_t>(summary.stopped));
    members.add("stops", static_cast<std::uint64_t>(summary.stops));
    members.add("lost_gpu_hours", gpu_hours(summary.lost_gpu_milli_s));
    return object;
}

JsonValue series_json(const ReportRun& run, Json& json) {
    JsonValue object(rapidjson::kObjectType);
    Members members(object, json);
    const auto add = [&](const char* name, const auto& value) {
        JsonValue column(rapidjson::kArrayType);
        for (const ReplaySample& sample : run.outcome.samples) {
            column.PushBack(value(sample), json.GetAllocator());
        }
        members.add(name, std::move(column));
    };
    add("at_s", [&](const ReplaySample& sample) {
        constexpr double kMsOfSecond = 1000;
        return static_cast<double>(simulate::ms_between(run.outcome.first_at, sample.at)) /
               kMsOfSecond;
    });
    add("gpu_milli_used", [](const ReplaySample& sample) { return sample.gpu_milli_used; });
    add("gpu_milli_stranded", [](const ReplaySample& sample) { return sample.gpu_milli_stranded; });
    add("cpu_millicores_used", [](const ReplaySample& sample) { return sample.cpu_milli_used; });
    add("running", [](const ReplaySample& sample) { return sample.running; });
    add("waiting", [](const ReplaySample& sample) { return sample.waiting; });
    return object;
}

JsonValue job_json(
    const Report& report,
    const ReportRun& run,
    std::size_t job,
    Instant first_started_at,
    Json& json) {
    const simulate::TraceJob& traced = report.workload.jobs[job];
    const simulate::JobRun& what = run.outcome.runs[job];
    JsonValue object(rapidjson::kObjectType);
    Members members(object, json);
    const auto ms = [](std::chrono::microseconds time) {
        return std::chrono::floor<std::chrono::milliseconds>(time).count();
    };
    members.add("name", std::string_view(traced.name));
    members.add_fixed("submitted_s", ms(traced.submitted_at.since_epoch()), kThousandths);
    if (what.has_started) {
        members.add_fixed("started_s", ms(what.started_at.since_epoch()), kThousandths);
        members.add_fixed("wait_s", ms(first_started_at - traced.submitted_at), kThousandths);
        members.add("node", std::string_view(report.machines.names.at(what.node.value() - 1)));
    }
    if (what.has_ended) {
        members.add_fixed("ended_s", ms(what.ended_at.since_epoch()), kThousandths);
    }
    members.add("refused", what.is_refused);
    members.add("backfilled", what.is_backfilled);
    members.add("user", std::string_view(report.workload.users[traced.user]));
    members.add("project", std::string_view(report.workload.projects[traced.project]));
    members.add("stops", static_cast<std::uint64_t>(what.stops));
    return object;
}

JsonValue run_json(const Report& report, const ReportRun& run, bool has_jobs, Json& json) {
    JsonValue object(rapidjson::kObjectType);
    Members members(object, json);
    members.add("policy", scheduler::name_of(run.policy));
    members.add("backfill", scheduler::name_of(run.backfill));
    members.add("seed", run.seed);
    members.add("complete", run.summary.is_complete);
    members.add("summary", summary_json(run.summary, json));
    members.add("series", series_json(run, json));
    members.add("shares", shares_json(report, run, json));
    if (has_jobs) {
        JsonValue jobs(rapidjson::kArrayType);
        const std::vector<Instant> starts = first_starts(run.outcome);
        for (std::size_t job = 0; job < run.outcome.runs.size(); ++job) {
            jobs.PushBack(job_json(report, run, job, starts[job], json), json.GetAllocator());
        }
        members.add("jobs", std::move(jobs));
    }
    return object;
}

/// A duration in the words of people; exact in csv.
Column duration_column(std::string title, const std::string& path) {
    Column column = plain(std::move(title), path);
    column.cell = [path](const JsonValue& row, const Look& /*look*/) {
        const JsonValue* value = find(row, path);
        return value == nullptr || !value->IsNumber()
                   ? std::string()
                   : format_duration(
                         std::chrono::seconds(static_cast<std::int64_t>(value->GetDouble())));
    };
    return column;
}

}  // namespace

Json to_json(const Report& report, bool has_jobs) {
    Json json(rapidjson::kObjectType);
    Members members(json, json);
    members.add("trace", std::string_view(report.trace));
    members.add("format", std::string_view(report.format));
    members.add("cluster", std::string_view(report.cluster));
    members.add("nodes", static_cast<std::uint64_t>(report.machines.nodes.size()));
    members.add("gpus", report.machines.gpus);
    JsonValue notes(rapidjson::kArrayType);
    for (const std::string& note : report.workload.notes) {
        notes.PushBack(JsonValue(note.c_str(), json.GetAllocator()), json.GetAllocator());
    }
    members.add("notes", std::move(notes));
    JsonValue items(rapidjson::kArrayType);
    for (const ReportRun& run : report.runs) {
        items.PushBack(run_json(report, run, has_jobs, json), json.GetAllocator());
    }
    members.add("items", std::move(items));
    members.add("complete", report.is_complete);
    return json;
}

Listing replay_listing(bool has_gpus) {
    Listing listing;
    listing.kind = "replay-run";
    listing.columns = {plain("POLICY", "policy"), plain("BACKFILL", "backfill")};
    const auto add = [&](Column column) { listing.columns.push_back(std::move(column)); };
    if (has_gpus) {
        add(plain("GPU USE %", "summary.gpu_use_percent"));
        add(wide(plain("TO END %", "summary.gpu_use_to_end_percent")));
        add(plain("STRANDED %", "summary.gpu_stranded_percent"));
        add(wide(plain("CPU USE %", "summary.cpu_use_percent")));
    } else {
        add(plain("CPU USE %", "summary.cpu_use_percent"));
        add(wide(plain("TO END %", "summary.cpu_use_to_end_percent")));
    }
    add(duration_column("WAIT", "summary.wait_mean_s"));
    add(wide(duration_column("MEDIAN", "summary.wait_median_s")));
    add(wide(duration_column("P90", "summary.wait_p90_s")));
    add(wide(duration_column("P95", "summary.wait_p95_s")));
    add(duration_column("P99", "summary.wait_p99_s"));
    add(wide(duration_column("MAX", "summary.wait_max_s")));
    add(plain("SLOWDOWN", "summary.slowdown_mean"));
    add(duration_column("MAKESPAN", "summary.makespan_s"));
    add(wide(plain("ENDED", "summary.ended")));
    add(wide(plain("REFUSED", "summary.refused")));
    add(wide(plain("BACKFILLED", "summary.backfilled")));
    add(wide(plain("STOPS", "summary.stops")));
    add(wide(plain("LOST GPU H", "summary.lost_gpu_hours")));
    listing.name = [](const JsonValue& row) {
        return text_at(row, "policy") + "," + text_at(row, "backfill");
    };
    return listing;
}

}  // namespace reeve::cli
