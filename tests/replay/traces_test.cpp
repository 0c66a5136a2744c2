// Goal: the public traces are read whole, as published; replays and their figures agree.
// Method: the public ones are not part of the source: REEVE_TRACES names their folder (default:
// ../shared/traces beside the source); without it, their tests are skipped. A small one of our own
// always runs.
#include <string>

#include <gtest/gtest.h>

#include "public_traces.hpp"
#include "simulate/openb_trace.hpp"
#include "simulate/replay.hpp"
#include "simulate/summary.hpp"
#include "simulate/trace_format.hpp"

namespace reeve::simulate {
namespace {

class PublicTraces : public testing::Test {
  protected:
    [[nodiscard]] static std::string read(const std::string& name) {
        return read_public_trace(name).value_or("");
    }

    /// Reads `text` in the format that it is in.
    static Workload parse(
        const std::string& name, const std::string& text, const Cluster& cluster) {
        const auto format = detect_trace_format(name, text);
        EXPECT_TRUE(format);
        auto workload = (*format)->parse(name, text, cluster);
        EXPECT_TRUE(workload) << workload.error().message;
        return workload ? std::move(*workload) : Workload();
    }
};

/// Shares, whole GPUs and gangs, by a rule; more than the cluster can run at once.
std::string small_trace() {
    std::string text = "submitted_s,run_s,limit_s,gpus,gpu_mem_mib,nodes,cpu_millicores\n";
    for (int i = 0; i < 80; ++i) {
        const std::string run = std::to_string(i * 37 % 900);
        text += std::to_string(i * 11) + "," + run + "," + (i % 3 == 0 ? "900" : "") + ",";
        text += i % 5 == 0 ? ",3000,," : std::to_string(1 + i * 7 % 8) + ",,";
        text += i % 5 == 0 ? "500\n" : (i % 11 == 0 ? "2," : ",") + std::to_string(i % 4) + "000\n";
    }
    return text;
}

/// The replay counts the use of GPUs as it goes, the summary from what became of each job.
TEST(SmallReplay, SummaryAndReplayAgree) {
    const Cluster cluster = parse_cluster_spec("3x8xA100/10G:32cpu+2x8xT4/20G:16cpu").value();
    const auto workload = find_trace_format("reeve").value()->parse("t", small_trace(), cluster);
    ASSERT_TRUE(workload) << workload.error().message;
    for (const scheduler::PolicyRow& policy : scheduler::kPolicies) {
        for (const scheduler::BackfillRow& backfill : scheduler::kBackfills) {
            SCOPED_TRACE(std::string(policy.name) + ", " + std::string(backfill.name));
            const ReplayOutcome outcome = run_replay(
                cluster, *workload, {.policy = policy.policy, .backfill = backfill.backfill});
            const ReplaySummary summary = summarize(cluster, *workload, outcome);
            EXPECT_EQ(summary.ended, 80U);
            EXPECT_GT(summary.wait_ms.max, 0);
            const double capacity = 40.0 * static_cast<double>(summary.makespan_ms);
            EXPECT_NEAR(
                static_cast<double>(summary.gpu_use_to_end) / 10'000,
                static_cast<double>(outcome.gpu_milli_seconds) / capacity, 0.0001);
            EXPECT_LE(summary.gpu_use_to_end, 10'000);
            const ReplayOutcome again = run_replay(
                cluster, *workload, {.policy = policy.policy, .backfill = backfill.backfill});
            EXPECT_EQ(summarize(cluster, *workload, again), summary);
        }
    }
}

TEST_F(PublicTraces, Philly) {
    const std::string text = read("philly/philly.csv");
    if (text.empty()) {
        GTEST_SKIP() << why_skipped("philly/philly.csv");
    }
    const Workload workload = parse("philly.csv", text, parse_cluster_spec("550x4xP100").value());
    EXPECT_EQ(workload.jobs.size(), 82'247U);
    EXPECT_EQ(workload.projects.size(), 15U);
    EXPECT_EQ(workload.requests.size(), 3U) << "1, 2 or 4 on each node";
    EXPECT_EQ(workload.notes.size(), 1U) << "unsorted, and nothing else";
}

TEST_F(PublicTraces, Lublin) {
    const std::string text = read("swf/lublin_256.swf");
    if (text.empty()) {
        GTEST_SKIP() << why_skipped("swf/lublin_256.swf");
    }
    const Workload workload = parse("lublin.swf", text, parse_cluster_spec("1x256cpu").value());
    EXPECT_EQ(workload.jobs.size(), 10'000U);
    EXPECT_TRUE(workload.notes.empty());
}

TEST_F(PublicTraces, Openb) {
    const std::string nodes = read("openb/openb_node_list_gpu_node.csv");
    const std::string pods = read("openb/openb_pod_list_default.csv");
    if (nodes.empty() || pods.empty()) {
        GTEST_SKIP() << why_skipped("openb/");
    }
    const auto cluster = parse_openb_nodes("nodes.csv", nodes);
    ASSERT_TRUE(cluster);
    const Workload workload = parse("pods.csv", pods, *cluster);
    EXPECT_EQ(workload.jobs.size(), 8152U);
    ASSERT_EQ(workload.notes.size(), 1U) << "sorted";
    EXPECT_EQ(workload.notes[0].substr(0, 24), "897 jobs never scheduled");
    EXPECT_TRUE(is_openb_without_times(read("openb/openb_pod_list_multigpu20.csv")));
}

}  // namespace
}  // namespace reeve::simulate
