#include "simulate/report.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "simulate/gantt.hpp"
#include "simulate/svg_chart.hpp"

namespace reeve::simulate {
namespace {

Instant at(std::int64_t seconds) {
    return Instant(std::chrono::seconds(seconds));
}

std::size_t count_of(const std::string& text, std::string_view word) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += word.size()) {
        ++count;
    }
    return count;
}

/// Two runs of three jobs on one node of two GPUs.
struct Sample {
    Cluster cluster = parse_cluster_spec("1x2xA100").value();
    Workload workload = {};
    Report report = {
        .trace = "t.csv",
        .format = "reeve",
        .cluster = "1x2xA100",
        .machines = cluster,
        .workload = workload};

    Sample() {
        workload.users = {"ann"};
        workload.projects = {"vision"};
        workload.requests = {
            {.gpus = model::WholeGpus{.count = 1}}, {.gpus = model::GpuShare{.milli = 500}}};
        workload.jobs = {
            {.name = "a", .submitted_at = at(0), .run_s = 100, .request = 0},
            {.name = "b", .submitted_at = at(5), .run_s = 60, .request = 1},
            {.name = "c", .submitted_at = at(6), .run_s = 60, .request = 0, .nodes = 7},
        };
        add(scheduler::Policy::kFillValue, at(5));
        add(scheduler::Policy::kFgd, at(100) + std::chrono::milliseconds(250));
    }

    void add(scheduler::Policy policy, Instant start) {
        ReplayOutcome outcome{
            .first_at = at(0),
            .last_submission_at = at(6),
            .last_end_at = start + std::chrono::seconds(60)};
        outcome.runs = {
            {.started_at = at(0),
             .ended_at = at(100),
             .node = NodeId(1),
             .has_started = true,
             .has_ended = true},
            {.started_at = start,
             .ended_at = start + std::chrono::seconds(60),
             .node = NodeId(1),
             .has_started = true,
             .has_ended = true,
             .is_backfilled = true},
            {.started_at = at(0), .ended_at = at(0), .is_refused = true}
        };
        outcome.samples = {
            {.at = at(0), .gpu_milli_used = 1000},
            {.at = start, .gpu_milli_used = 1500, .gpu_milli_stranded = 500}
        };
        outcome.spans = {
            {.node = NodeId(1), .job = 0, .gpu_milli = 1000},
            {.node = NodeId(1), .job = 1, .gpu_milli = 500 }
        };
        outcome.gpu_milli_total = 2000;
        outcome.cpu_milli_total = 32000;
        report.runs.push_back(
            {.policy = policy,
             .outcome = outcome,
             .summary = summarize(cluster, workload, outcome)});
    }
};

TEST(JobsCsv, HasARowForEachJobOfEachRun) {
    Sample sample;
    sample.workload.jobs[0].name = "a \"quoted\", odd\nname";
    sample.report.runs[1].outcome.runs[0].has_ended = false;
    EXPECT_EQ(
        jobs_csv(sample.report),
        "policy,backfill,name,submitted_s,started_s,ended_s,wait_s,node,refused,backfilled,user,"
        "project,stops,lost_gpu_s\n"
        "fill-value,easy,\"a \"\"quoted\"\", "
        "odd\nname\",0,0,100,0,n1,false,false,ann,vision,0,0.000\n"
        "fill-value,easy,b,5,5,65,0,n1,false,true,ann,vision,0,0.000\n"
        "fill-value,easy,c,6,,,,,true,false,ann,vision,0,0.000\n"
        "fgd,easy,\"a \"\"quoted\"\", odd\nname\",0,0,,0,n1,false,false,ann,vision,0,0.000\n"
        "fgd,easy,b,5,100.250,160.250,95.250,n1,false,true,ann,vision,0,0.000\n"
        "fgd,easy,c,6,,,,,true,false,ann,vision,0,0.000\n");
}

TEST(HtmlReport, IsOnePageThatNeedsNothingElse) {
    const Sample sample;
    const std::string html = report_html(sample.report);
    EXPECT_EQ(html.substr(0, 15), "<!doctype html>");
    EXPECT_EQ(html.substr(html.size() - 8), "</html>\n");
    for (const std::string_view elsewhere :
         {"<script", "http://", "https://", "@import", "url(", "<link", "<img", "src="}) {
        EXPECT_EQ(html.find(elsewhere), std::string::npos) << elsewhere;
    }
    EXPECT_NE(html.find("prefers-color-scheme: dark"), std::string::npos);
    EXPECT_EQ(count_of(html, "<figure>"), 7U) << "five charts and a Gantt chart of each run";
    EXPECT_EQ(count_of(html, "<figure>"), count_of(html, "</figure>"));
    EXPECT_EQ(count_of(html, "<svg"), count_of(html, "</svg>"));
    EXPECT_EQ(count_of(html, "<g"), count_of(html, "</g>"));
    EXPECT_EQ(count_of(html, "class=\"line c0\""), 6U) << "five charts and the legend";
    EXPECT_NE(html.find("3 jobs (reeve) on 1 node with 2 GPUs"), std::string::npos);
    EXPECT_NE(html.find("<td class=\"n best\">0s</td>"), std::string::npos) << "the better wait";
    EXPECT_EQ(html.find("partial report"), std::string::npos);
    EXPECT_EQ(report_html(sample.report), html);
}

TEST(HtmlReport, TellsWhoHeldHowMuchWhereThereAreSeveral) {
    Sample sample;
    sample.workload.users.emplace_back("bob, jr");
    sample.workload.jobs[1].user = 1;
    const std::string html = report_html(sample.report);
    EXPECT_NE(html.find("Who held how much"), std::string::npos);
    EXPECT_NE(html.find("bob, jr"), std::string::npos);
    sample.workload.users.pop_back();
    sample.workload.jobs[1].user = 0;
    EXPECT_EQ(report_html(sample.report).find("Who held how much"), std::string::npos);
}

TEST(JobsCsv, HasWhatWasLost) {
    Sample sample;
    ReplayOutcome& outcome = sample.report.runs[0].outcome;
    outcome.runs[1].stops = 1;
    outcome.stopped = {
        {.job = 1, .node = NodeId(1), .from = at(10), .until = at(12)}
    };
    const std::string csv = jobs_csv(sample.report);
    EXPECT_NE(csv.find(",b,5,5,65,5,n1,false,true,ann,vision,1,1.000\n"), std::string::npos) << csv;
}

TEST(HtmlReport, EscapesAllThatComesFromATrace) {
    Sample sample;
    constexpr std::string_view kEvil = "<b onclick=\"x\">&'\x01\xFF";
    sample.workload.users = {std::string(kEvil), "bob"};
    sample.workload.jobs[0].name = kEvil;
    sample.workload.notes = {std::string(kEvil)};
    sample.report.trace = kEvil;
    sample.report.cluster = kEvil;
    sample.cluster.names[0] = "<i>";
    const std::string html = report_html(sample.report);
    EXPECT_EQ(html.find("<b onclick"), std::string::npos);
    EXPECT_EQ(html.find("<i>"), std::string::npos);
    EXPECT_EQ(html.find('\x01'), std::string::npos);
    EXPECT_EQ(html.find('\xFF'), std::string::npos);
    EXPECT_GE(count_of(html, "&lt;b onclick=&quot;x&quot;&gt;&amp;&#39;??"), 6U)
        << "title, heading, cluster, note, and a bar of each run";
    EXPECT_EQ(escaped("Straße"), "Straße");
}

TEST(HtmlReport, SaysThatItIsPartial) {
    Sample sample;
    sample.report.is_complete = false;
    sample.report.runs[1].summary.is_complete = false;
    const std::string html = report_html(sample.report);
    EXPECT_NE(html.find("A partial report"), std::string::npos);
    EXPECT_NE(html.find("easy (stopped)"), std::string::npos);
    sample.report.runs.clear();
    EXPECT_NE(report_html(sample.report).find("A partial report"), std::string::npos);
}

TEST(HtmlReport, ComparesBackfillsByColourOrByDashes) {
    Sample sample;
    sample.report.runs[1].backfill = scheduler::Backfill::kNone;
    EXPECT_NE(report_html(sample.report).find("class=\"line c1 d0\""), std::string::npos);
    sample.report.runs[1].policy = scheduler::Policy::kFillValue;
    const std::string html = report_html(sample.report);
    EXPECT_NE(html.find("class=\"line c0\""), std::string::npos);
    EXPECT_NE(html.find("class=\"line c1\""), std::string::npos);
    EXPECT_EQ(html.find("class=\"line c0 d"), std::string::npos);
}

TEST(HtmlReport, ShowsCpusWhereThereAreNoGpus) {
    Sample sample;
    sample.cluster = parse_cluster_spec("2x4cpu").value();
    const std::string html = report_html(sample.report);
    EXPECT_NE(html.find("CPUs in use"), std::string::npos);
    EXPECT_EQ(html.find("GPUs in use"), std::string::npos);
    EXPECT_EQ(html.find("The first nodes"), std::string::npos);
}

TEST(Gantt, DrawsAPartAsHighAsItIs) {
    const Sample sample;
    const std::string svg = gantt_html(sample.report, sample.report.runs[0], 100);
    // The row is 12 high: a GPU is 6, half of the second one 3.
    EXPECT_NE(
        svg.find("<g class=\"one\"><title>a: 1 GPU, from 0s to 1m40s</title><rect x=\"110\" "
                 "y=\"6\" width=\"836\" height=\"6\"/>"),
        std::string::npos)
        << svg;
    EXPECT_NE(
        svg.find("<g class=\"share\"><title>b: 0.5 GPU, from 5s to 1m5s</title><rect "
                 "x=\"151.8\" y=\"12\" width=\"501.6\" height=\"3\"/>"),
        std::string::npos)
        << svg;
}

TEST(Gantt, PutsABarIntoTheHolesThatThereAre) {
    Sample sample;
    sample.workload.requests.push_back({.gpus = model::GpuShare{.milli = 900}});
    const auto add = [&](std::int64_t start, std::int64_t end, std::int64_t milli) {
        ReplayOutcome& outcome = sample.report.runs[0].outcome;
        outcome.spans.push_back(
            {.node = NodeId(1), .job = outcome.runs.size(), .gpu_milli = milli});
        outcome.runs.push_back(
            {.started_at = at(start),
             .ended_at = at(end),
             .node = NodeId(1),
             .has_started = true,
             .has_ended = true});
        sample.workload.jobs.push_back({.name = "x", .submitted_at = at(start), .request = 1});
    };
    ReplayOutcome& outcome = sample.report.runs[0].outcome;
    outcome.runs.clear();
    outcome.spans.clear();
    sample.workload.jobs.clear();
    add(0, 10, 500);
    add(0, 99, 500);
    add(0, 10, 500);
    add(20, 99, 1500);
    const std::string svg = gantt_html(sample.report, sample.report.runs[0], 100);
    const std::size_t last = svg.rfind("<g class");
    EXPECT_EQ(count_of(svg.substr(last), "<rect"), 2U) << "below and above the one that is there";
}

TEST(Gantt, StopsWhereThereAreTooManyBars) {
    Sample sample;
    EXPECT_EQ(gantt_seconds(sample.report), 160.25);
    sample.report.runs.pop_back();
    ReplayOutcome& outcome = sample.report.runs[0].outcome;
    for (std::int64_t i = 0; i < 3500; ++i) {
        outcome.spans.push_back({.node = NodeId(1), .job = outcome.runs.size(), .gpu_milli = 500});
        outcome.runs.push_back(
            {.started_at = at(10 + i / 20),
             .ended_at = at(200 + i),
             .node = NodeId(1),
             .has_started = true,
             .has_ended = true});
        sample.workload.jobs.push_back({.name = "x", .submitted_at = at(9), .request = 1});
    }
    outcome.last_end_at = at(4200);
    EXPECT_EQ(gantt_seconds(sample.report), 159.0) << "where bar 3001 begins";
    const std::string html = report_html(sample.report);
    EXPECT_NE(html.find("Only up to 2m39s"), std::string::npos);
}

TEST(Axis, HasRoundTicks) {
    const auto labels = [](const Axis& axis) {
        std::string text;
        for (const Tick& tick : axis.ticks) {
            text += (text.empty() ? "" : " ") + tick.label;
        }
        return text;
    };
    EXPECT_EQ(labels(linear_axis(100, "%")), "0% 20% 40% 60% 80% 100%");
    EXPECT_EQ(labels(linear_axis(0, "")), "0 0.2 0.4 0.6 0.8 1");
    EXPECT_EQ(labels(linear_axis(8200, "")), "0 2,000 4,000 6,000 8,000 10,000");
    EXPECT_EQ(labels(linear_axis(1.3, "")), "0 0.5 1 1.5");
    EXPECT_EQ(labels(time_axis(0)), "0s 1s");
    EXPECT_EQ(labels(time_axis(3600)), "0s 10m 20m 30m 40m 50m 1h");
    EXPECT_EQ(labels(time_axis(12'902'960)), "0s 20d 40d 60d 80d 100d 120d 140d");
    EXPECT_EQ(time_axis(1e12).ticks.size(), 8U);
    EXPECT_EQ(labels(log_axis(1, 950)), "1 10 100 1k");
    EXPECT_EQ(labels(log_axis(1, 1)), "1 10");
    EXPECT_EQ(labels(log_time_axis(0)), "1s 10s");
    EXPECT_EQ(labels(log_time_axis(90'000)), "1s 10s 1m 10m 1h 10h 1d");
    EXPECT_EQ(log_axis(1, 100).place_of(10), 0.5);
    EXPECT_EQ(log_axis(1, 100).place_of(0), 0.0);
    EXPECT_EQ(linear_axis(100, "").place_of(250), 1.0);
}

TEST(Pixels, AreTenths) {
    EXPECT_EQ(pixels(1), "1");
    EXPECT_EQ(pixels(1.04), "1");
    EXPECT_EQ(pixels(-0.25), "-0.3");
    EXPECT_EQ(pixels(0.05), "0.1");
    EXPECT_EQ(pixels(-12.34), "-12.3");
}

}  // namespace
}  // namespace reeve::simulate
