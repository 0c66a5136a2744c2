#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "base/text.hpp"
#include "simulate/gantt.hpp"
#include "simulate/html_style.hpp"
#include "simulate/report.hpp"
#include "simulate/shares.hpp"
#include "simulate/svg_chart.hpp"

namespace reeve::simulate {
namespace {

constexpr double kHalfWidth = 470;
constexpr std::size_t kShareParts = 120;
constexpr std::size_t kColours = 6;  // c0 to c5 of the style sheet.

std::string duration_of(std::int64_t ms) {
    return format_duration(std::chrono::floor<std::chrono::seconds>(std::chrono::milliseconds(ms)));
}

std::string slowdown_of(std::int64_t milli) {
    constexpr std::int64_t kHundred = 100;
    return fixed_text((milli + kHundred / 2) / kHundred, 1);
}

std::string percent_of(std::int64_t hundredths) {
    return fixed_text(hundredths, 2);
}

/// Of thousandths of a GPU, times seconds.
std::string gpu_hours_of(std::int64_t milli_seconds) {
    constexpr std::int64_t kTenthOfHour = 360'000;
    return fixed_text((milli_seconds + kTenthOfHour / 2) / kTenthOfHour, 1);
}

/// Rows of a table of policies or backfills: the place of one.
template <class Rows, class Value>
std::size_t place_in(const Rows& rows, Value value) {
    const auto name = scheduler::name_of(value);
    return static_cast<std::size_t>(
        std::ranges::find_if(rows, [&](const auto& row) { return row.name == name; }) -
        rows.begin());
}

class Page {
  public:
    explicit Page(const Report& report) : report_(report) {
        const auto differs = [&](const ReportRun& run) {
            return run.policy != report.runs.front().policy;
        };
        has_policies_ = std::ranges::any_of(report.runs, differs);
        has_backfills_ = std::ranges::any_of(report.runs, [&](const ReportRun& run) {
            return run.backfill != report.runs.front().backfill;
        });
        for (const ReportRun& run : report.runs) {
            const auto ms = ms_between(run.outcome.first_at, horizon_of(run.outcome));
            seconds_ = std::max(seconds_, static_cast<double>(ms) / kMsOfSecond);
        }
    }

    [[nodiscard]] std::string html() const {
        std::string html =
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width\">\n<title>" +
            escaped("Replay of " + report_.trace) + "</title>\n<style>" +
            std::string(kReportStyle) + "</style></head>\n<body><main>\n";
        html += heading();
        if (!report_.runs.empty()) {
            html +=
                summary_table() + legend() + over_time() + distributions() + shares() + gantts();
        }
        return html + "</main></body></html>\n";
    }

  private:
    static constexpr double kMsOfSecond = 1000;

    /// Classes of a run's lines: colour and dashes.
    [[nodiscard]] std::string style_of(const ReportRun& run) const {
        const std::size_t backfill = place_in(scheduler::kBackfills, run.backfill);
        if (!has_policies_) {
            return "c" + std::to_string(backfill);
        }
        return "c" + std::to_string(place_in(scheduler::kPolicies, run.policy)) +
               (has_backfills_ ? " d" + std::to_string(backfill) : "");
    }

    [[nodiscard]] std::string name_of_run(const ReportRun& run) const {
        std::string policy(scheduler::name_of(run.policy));
        std::string backfill(scheduler::name_of(run.backfill));
        if (!has_policies_ && has_backfills_) {
            return backfill;
        }
        return policy + (has_backfills_ ? ", " + backfill : "");
    }

    [[nodiscard]] std::string heading() const {
        const Cluster& machines = report_.machines;
        std::int64_t cpu_milli = 0;
        for (const scheduler::NodeView& node : machines.nodes) {
            cpu_milli += node.host_total.cpu_millicores;
        }
        std::string html =
            "<h1>Replay of " + escaped(report_.trace) + "</h1>\n<p class=\"facts\">" +
            std::to_string(report_.workload.jobs.size()) + " jobs (" + escaped(report_.format) +
            ") on " + std::to_string(machines.nodes.size()) +
            (machines.nodes.size() == 1 ? " node" : " nodes") + " with " +
            std::to_string(machines.gpus) + " GPUs and " + format_milli(cpu_milli) + " CPUs (" +
            escaped(report_.cluster) + ")</p>\n";
        if (!report_.is_complete) {
            html +=
                "<p class=\"partial\"><b>A partial report:</b> the replay was stopped before "
                "its end. Figures are of what was played.</p>\n";
        }
        if (!report_.workload.notes.empty()) {
            html += "<ul class=\"notes\">";
            for (const std::string& note : report_.workload.notes) {
                html += "<li>" + escaped(note) + "</li>";
            }
            html += "</ul>\n";
        }
        return html;
    }

    /// A column of the summary: what it is called, what a run has there, and how to rank it.
    struct Column {
        std::string_view title;
        std::string (*cell)(const ReplaySummary&);
        std::int64_t (*rank)(const ReplaySummary&);  // Less is better; null: no best one.
        bool is_of_gpus = false;
    };

    [[nodiscard]] std::string summary_table() const {
        using S = ReplaySummary;
        static constexpr auto kColumns = std::to_array<Column>({
            {"GPU use %", [](const S& s) { return percent_of(s.gpu_use_to_last_submission); },
             [](const S& s) { return -s.gpu_use_to_last_submission; }, true},
            {"to the end %", [](const S& s) { return percent_of(s.gpu_use_to_end); },
             [](const S& s) { return -s.gpu_use_to_end; }, true},
            {"CPU use %", [](const S& s) { return percent_of(s.cpu_use_to_last_submission); },
             [](const S& s) { return -s.cpu_use_to_last_submission; }},
            {"stranded %", [](const S& s) { return percent_of(s.gpu_stranded); },
             [](const S& s) { return s.gpu_stranded; }, true},
            {"wait, mean", [](const S& s) { return duration_of(s.wait_ms.mean); },
             [](const S& s) { return s.wait_ms.mean; }},
            {"median", [](const S& s) { return duration_of(s.wait_ms.median); },
             [](const S& s) { return s.wait_ms.median; }},
            {"p90", [](const S& s) { return duration_of(s.wait_ms.p90); },
             [](const S& s) { return s.wait_ms.p90; }},
            {"p95", [](const S& s) { return duration_of(s.wait_ms.p95); },
             [](const S& s) { return s.wait_ms.p95; }},
            {"p99", [](const S& s) { return duration_of(s.wait_ms.p99); },
             [](const S& s) { return s.wait_ms.p99; }},
            {"max", [](const S& s) { return duration_of(s.wait_ms.max); },
             [](const S& s) { return s.wait_ms.max; }},
            {"slowdown, mean", [](const S& s) { return slowdown_of(s.slowdown_milli.mean); },
             [](const S& s) { return s.slowdown_milli.mean; }},
            {"p99", [](const S& s) { return slowdown_of(s.slowdown_milli.p99); },
             [](const S& s) { return s.slowdown_milli.p99; }},
            {"makespan", [](const S& s) { return duration_of(s.makespan_ms); },
             [](const S& s) { return s.makespan_ms; }},
            {"backfilled", [](const S& s) { return std::to_string(s.backfilled); }, nullptr},
            {"refused", [](const S& s) { return std::to_string(s.refused); }, nullptr},
            {"ended", [](const S& s) { return std::to_string(s.ended); }, nullptr},
            {"stops", [](const S& s) { return std::to_string(s.stops); },
             [](const S& s) { return static_cast<std::int64_t>(s.stops); }},
            {"lost GPU h", [](const S& s) { return gpu_hours_of(s.lost_gpu_milli_s); },
             [](const S& s) { return s.lost_gpu_milli_s; }, true},
        });
        std::string html =
            "<div class=\"table\"><table><thead><tr><th>policy</th><th>backfill</th>";
        std::vector<Column> columns(kColumns.begin(), kColumns.end());
        std::erase_if(columns, [&](const Column& column) {
            return column.is_of_gpus && report_.machines.gpus == 0;
        });
        for (const Column& column : columns) {
            html += "<th class=\"n\">" + std::string(column.title) + "</th>";
        }
        html += "</tr></thead><tbody>\n";
        for (const ReportRun& run : report_.runs) {
            html += "<tr><td>" + std::string(scheduler::name_of(run.policy)) + "</td><td>" +
                    std::string(scheduler::name_of(run.backfill)) +
                    (run.summary.is_complete ? "" : " (stopped)") + "</td>";
            for (const Column& column : columns) {
                html +=
                    (is_best(column, run.summary) ? "<td class=\"n best\">" : "<td class=\"n\">") +
                    column.cell(run.summary) + "</td>";
            }
            html += "</tr>\n";
        }
        return html +
               "</tbody></table></div>\n<p class=\"small\">Use of GPUs and CPUs is of the whole "
               "cluster, from the first submission to the last one or to the end. Stranded: free, "
               "but on GPUs of which a part is in use. Slowdown is bounded: (wait + run) / "
               "max(run, 10 s). In bold the best of each column.</p>\n";
    }

    /// Only if runs differ there.
    [[nodiscard]] bool is_best(const Column& column, const ReplaySummary& summary) const {
        if (column.rank == nullptr) {
            return false;
        }
        bool has_worse = false;
        for (const ReportRun& run : report_.runs) {
            if (column.rank(run.summary) < column.rank(summary)) {
                return false;
            }
            has_worse = has_worse || column.rank(run.summary) > column.rank(summary);
        }
        return has_worse;
    }

    [[nodiscard]] std::string legend() const {
        std::string html = "<div class=\"legend\">";
        for (const ReportRun& run : report_.runs) {
            html +=
                "<span><svg viewBox=\"0 0 26 10\" width=\"26\" height=\"10\"><path class=\"line " +
                style_of(run) + "\" d=\"M1 5H25\"/></svg>" + name_of_run(run) + "</span>";
        }
        return html + "</div>\n";
    }

    /// Means of `value` over equal parts of the time, weighted by how long each sample holds.
    template <class Value>
    [[nodiscard]] Line series_of(const ReportRun& run, const Value& value) const {
        constexpr std::size_t kParts = 240;
        const std::vector<ReplaySample>& samples = run.outcome.samples;
        std::vector<double> sums(kParts, 0);
        std::vector<double> weights(kParts, 0);
        const double part = seconds_ / static_cast<double>(kParts);
        const auto seconds_at = [&](Instant at) {
            return static_cast<double>(ms_between(run.outcome.first_at, at)) / kMsOfSecond;
        };
        for (std::size_t i = 0; i < samples.size(); ++i) {
            const double from = seconds_at(samples[i].at);
            const double to =
                seconds_at(i + 1 < samples.size() ? samples[i + 1].at : horizon_of(run.outcome));
            const auto first = static_cast<std::size_t>(std::max(from / part, 0.0));
            for (std::size_t k = first; k < kParts && static_cast<double>(k) * part < to; ++k) {
                const double begin = std::max(from, static_cast<double>(k) * part);
                const double end = std::min(to, static_cast<double>(k + 1) * part);
                sums[k] += std::max(end - begin, 0.0) * value(samples[i]);
                weights[k] += std::max(end - begin, 0.0);
            }
        }
        Line line{.style = style_of(run), .title = name_of_run(run)};
        for (std::size_t k = 0; k < kParts; ++k) {
            if (weights[k] > 0) {
                line.points.emplace_back(
                    (static_cast<double>(k) + 0.5) * part, sums[k] / weights[k]);
            }
        }
        return line;
    }

    /// A chart with a line of each run, as high as they go and at least to `least`.
    template <class Value>
    [[nodiscard]] std::string time_chart(
        Chart chart, double least, std::string_view unit, const Value& value) const {
        double max = least;
        for (const ReportRun& run : report_.runs) {
            chart.lines.push_back(series_of(
                run, [&](const ReplaySample& sample) { return value(run.outcome, sample); }));
        }
        for (const Line& line : chart.lines) {
            for (const auto& point : line.points) {
                max = std::max(max, point.second);
            }
        }
        chart.x = time_axis(seconds_);
        chart.y = linear_axis(max, unit);
        return chart_html(chart);
    }

    [[nodiscard]] std::string over_time() const {
        constexpr double kHundred = 100;
        constexpr double kJobsLeast = 5;  // Whole numbers on the axis.
        const auto percent = [](std::int64_t part, std::int64_t whole) {
            return whole > 0 ? kHundred * static_cast<double>(part) / static_cast<double>(whole)
                             : 0;
        };
        std::string html = "<h2>Over time</h2>\n";
        if (report_.machines.gpus > 0) {
            html += time_chart(
                {.title = "GPUs in use", .subtitle = "% of the cluster's"}, 1, "%",
                [&](const ReplayOutcome& outcome, const ReplaySample& sample) {
                    return percent(sample.gpu_milli_used, outcome.gpu_milli_total);
                });
            if (std::ranges::any_of(report_.runs, [](const ReportRun& run) {
                    return run.summary.gpu_stranded > 0;
                })) {
                html += time_chart(
                    {.title = "GPUs stranded",
                     .subtitle = "free, but on GPUs of which a part is in use; % of the cluster's",
                     .height = 180},
                    1, "%", [&](const ReplayOutcome& outcome, const ReplaySample& sample) {
                        return percent(sample.gpu_milli_stranded, outcome.gpu_milli_total);
                    });
            }
        } else {
            html += time_chart(
                {.title = "CPUs in use", .subtitle = "% of the cluster's"}, 1, "%",
                [&](const ReplayOutcome& outcome, const ReplaySample& sample) {
                    return percent(sample.cpu_milli_used, outcome.cpu_milli_total);
                });
        }
        return html + time_chart(
                          {.title = "Jobs waiting", .height = 180}, kJobsLeast, "",
                          [](const ReplayOutcome&, const ReplaySample& sample) {
                              return static_cast<double>(sample.waiting);
                          });
    }

    /// How many percent of `values` are at or below each place of the axis.
    static std::vector<std::pair<double, double>> cumulated(
        std::vector<std::int64_t> values, const Axis& axis) {
        constexpr std::size_t kParts = 240;
        constexpr double kHundred = 100;
        constexpr double kUnit = 1000;  // Values are in thousandths.
        std::ranges::sort(values);
        std::vector<std::pair<double, double>> points;
        for (std::size_t k = 0; k <= kParts && !values.empty(); ++k) {
            const double place = static_cast<double>(k) / static_cast<double>(kParts);
            const double x = axis.min * std::pow(axis.max / axis.min, place);
            const auto limit = static_cast<std::int64_t>(std::llround(x * kUnit));
            const auto below = std::ranges::upper_bound(values, limit) - values.begin();
            points.emplace_back(
                x, kHundred * static_cast<double>(below) / static_cast<double>(values.size()));
        }
        return points;
    }

    template <class Values>
    [[nodiscard]] std::string distribution_chart(
        Chart chart, const Axis& axis, const Values& values) const {
        constexpr double kHundred = 100;
        for (const ReportRun& run : report_.runs) {
            chart.lines.push_back(
                {.style = style_of(run),
                 .title = name_of_run(run),
                 .points = cumulated(values(report_.workload, run.outcome), axis)});
        }
        chart.x = axis;
        chart.y = linear_axis(kHundred, "%");
        chart.width = kHalfWidth;
        return chart_html(chart);
    }

    [[nodiscard]] std::string distributions() const {
        double wait_s = 0;
        double slowdown = 1;
        for (const ReportRun& run : report_.runs) {
            wait_s = std::max(wait_s, static_cast<double>(run.summary.wait_ms.max) / kMsOfSecond);
            slowdown = std::max(
                slowdown, static_cast<double>(run.summary.slowdown_milli.max) / kMsOfSecond);
        }
        return "<h2>Distributions</h2>\n<div class=\"two\">" +
               distribution_chart(
                   {.title = "Wait", .subtitle = "% of jobs that started within"},
                   log_time_axis(wait_s), waits_ms) +
               distribution_chart(
                   {.title = "Bounded slowdown", .subtitle = "% of jobs at or below"},
                   log_axis(1, slowdown), slowdowns_milli) +
               "</div>\n";
    }

    /// Nothing if all is one's.
    [[nodiscard]] std::string shares() const {
        if (report_.machines.gpus == 0 ||
            std::max(report_.workload.users.size(), report_.workload.projects.size()) < 2) {
            return "";
        }
        std::string html = "<h2>Who held how much</h2>\n";
        for (const ReportRun& run : report_.runs) {
            const SharesOverTime shares = shares_over_time(report_, run, kShareParts, kColours);
            html += std::string("<details") + (&run == &report_.runs.front() ? " open" : "") +
                    "><summary>" + std::string(scheduler::name_of(run.policy)) + ", " +
                    std::string(scheduler::name_of(run.backfill)) +
                    "</summary>\n<div class=\"two\">" +
                    share_chart("Projects", shares.part_s, shares.projects) +
                    share_chart("Users", shares.part_s, shares.users) + "</div></details>\n";
        }
        return html;
    }

    static std::string share_chart(
        const std::string& title, double part_s, const std::vector<HeldShare>& shares) {
        constexpr double kMilli = 1000;
        Chart chart{.title = title, .subtitle = "GPUs held"};
        std::string legend = "<div class=\"legend\">";
        double max = 1;
        for (std::size_t i = 0; i < shares.size(); ++i) {
            Line line{.style = "c" + std::to_string(i), .title = shares[i].name};
            for (std::size_t k = 0; k < shares[i].gpu_milli.size(); ++k) {
                const double gpus = static_cast<double>(shares[i].gpu_milli[k]) / kMilli;
                max = std::max(max, gpus);
                line.points.emplace_back((static_cast<double>(k) + 0.5) * part_s, gpus);
            }
            legend +=
                "<span><svg viewBox=\"0 0 26 10\" width=\"26\" height=\"10\"><path class=\"line " +
                line.style + "\" d=\"M1 5H25\"/></svg>" + escaped(shares[i].name) + " " +
                gpu_hours_of(shares[i].gpu_milli_seconds) + " h</span>";
            chart.lines.push_back(std::move(line));
        }
        chart.x = time_axis(part_s * static_cast<double>(kShareParts));
        chart.y = linear_axis(max, "");
        chart.width = kHalfWidth;
        return "<div>" + chart_html(chart) + legend + "</div></div>";
    }

    [[nodiscard]] std::string gantts() const {
        const bool has_any = std::ranges::any_of(
            report_.runs, [](const ReportRun& run) { return !run.outcome.spans.empty(); });
        if (!has_any || report_.machines.gpus == 0) {
            return "";
        }
        const double seconds = gantt_seconds(report_);
        std::string html =
            "<h2>The first nodes</h2>\n<div class=\"legend\">"
            "<span><i class=\"gang\"></i>several nodes</span>"
            "<span><i class=\"many\"></i>several GPUs</span>"
            "<span><i class=\"one\"></i>one GPU</span>"
            "<span><i class=\"share\"></i>a part of one</span></div>\n"
            "<p class=\"small\">A row for each node, as high as its GPUs; the pointer on a bar "
            "shows "
            "the job.";
        if (seconds < seconds_) {
            html +=
                " Only up to " +
                escaped(format_duration(std::chrono::seconds(static_cast<std::int64_t>(seconds)))) +
                ": what follows are too many bars to draw.";
        }
        html += "</p>\n";
        for (const ReportRun& run : report_.runs) {
            html += std::string("<details") + (&run == &report_.runs.front() ? " open" : "") +
                    "><summary>" + std::string(scheduler::name_of(run.policy)) + ", " +
                    std::string(scheduler::name_of(run.backfill)) + "</summary>\n<figure>" +
                    gantt_html(report_, run, seconds) + "</figure></details>\n";
        }
        return html;
    }

    const Report& report_;
    bool has_policies_ = false;
    bool has_backfills_ = false;
    double seconds_ = 1;
};

}  // namespace

std::string report_html(const Report& report) {
    return Page(report).html();
}

}  // namespace reeve::simulate
