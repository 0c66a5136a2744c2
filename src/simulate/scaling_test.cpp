#include "simulate/scaling.hpp"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

namespace reeve::simulate {
namespace {

Instant at(std::int64_t seconds) {
    return Instant(std::chrono::seconds(seconds));
}

Workload three_jobs() {
    return {
        .jobs = {
                 {.name = "a", .submitted_at = at(100), .run_s = 1},
                 {.name = "b", .submitted_at = at(109), .run_s = 2},
                 {.name = "c", .submitted_at = at(200), .run_s = 3},
                 }
    };
}

TEST(EveryNthNode, KeepsKindsAndNames) {
    const Cluster whole = parse_cluster_spec("4x2xA100+4x1xH100").value();
    const Cluster half = every_nth_node(whole, 2);
    ASSERT_EQ(half.nodes.size(), 4U);
    EXPECT_EQ(half.gpus, 6);
    EXPECT_EQ(half.names, (std::vector<std::string>{"n1", "n3", "n5", "n7"}));
    EXPECT_EQ(half.models, whole.models);
    std::int64_t gpus = 0;
    for (std::size_t i = 0; i < half.nodes.size(); ++i) {
        EXPECT_EQ(half.nodes[i].id, NodeId(i + 1)) << "the place of its name";
        for (const model::Gpu& gpu : half.nodes[i].free.gpus) {
            EXPECT_EQ(gpu.id, GpuId(static_cast<std::uint64_t>(++gpus)));
        }
    }
    EXPECT_EQ(every_nth_node(whole, 1).names, whole.names);
    EXPECT_EQ(every_nth_node(whole, 100).nodes.size(), 1U);
}

TEST(SpeedUp, DividesTheTimesAndNothingElse) {
    Workload workload = three_jobs();
    speed_up(workload, 10);
    EXPECT_EQ(workload.jobs[0].submitted_at, at(100));
    EXPECT_EQ(workload.jobs[1].submitted_at, at(100)) << "0.9 s is rounded down";
    EXPECT_EQ(workload.jobs[2].submitted_at, at(110));
    EXPECT_EQ(workload.jobs[2].run_s, 3);
    Workload none;
    speed_up(none, 10);
}

TEST(ShuffleJobs, KeepsTheTimesAndTheJobs) {
    std::map<std::string, int> first;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Workload workload = three_jobs();
        shuffle_jobs(workload, seed);
        ASSERT_EQ(workload.jobs.size(), 3U);
        EXPECT_EQ(workload.jobs[0].submitted_at, at(100));
        EXPECT_EQ(workload.jobs[1].submitted_at, at(109));
        EXPECT_EQ(workload.jobs[2].submitted_at, at(200));
        for (const TraceJob& job : workload.jobs) {
            EXPECT_EQ(job.run_s, job.name == "a" ? 1 : job.name == "b" ? 2 : 3);
        }
        ++first[workload.jobs[0].name];
    }
    EXPECT_EQ(first.size(), 3U);
    EXPECT_TRUE(std::ranges::all_of(first, [](const auto& each) { return each.second > 70; }));
}

}  // namespace
}  // namespace reeve::simulate
