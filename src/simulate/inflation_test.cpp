#include "simulate/inflation.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace reeve::simulate {
namespace {

/// `nodes` of 4 GPUs and 32 cores.
Cluster cluster_of(std::uint64_t nodes) {
    Cluster cluster;
    for (std::uint64_t id = 1; id <= nodes; ++id) {
        scheduler::NodeView node{
            .id = NodeId(id),
            .free = {.host = {.cpu_millicores = 32000}},
            .host_total = {.cpu_millicores = 32000}};
        for (std::uint64_t gpu = 0; gpu < 4; ++gpu) {
            node.free.gpus.push_back({
                .id = GpuId(id * 10 + gpu),
                .model = GpuModelId(1),
                .total_mib = 1000,
                .free = {.milli = 1000, .memory_mib = 1000}
            });
            ++cluster.gpus;
        }
        cluster.nodes.push_back(node);
    }
    return cluster;
}

TraceTask whole(std::int64_t count) {
    return {
        .request = {.host = {.cpu_millicores = 1000}, .gpus = model::WholeGpus{.count = count}},
        .gpu_milli = count * 1000
    };
}

TraceTask share(std::int64_t milli) {
    return {
        .request = {.host = {.cpu_millicores = 1000}, .gpus = model::GpuShare{.milli = milli}},
        .gpu_milli = milli
    };
}

std::int64_t sum_of(const std::vector<const TraceTask*>& arrivals) {
    std::int64_t sum = 0;
    for (const TraceTask* task : arrivals) {
        sum += task->gpu_milli;
    }
    return sum;
}

TEST(Inflation, FillsUpOrThinsOutToTheLimit) {
    const std::vector<TraceTask> tasks = {whole(1), share(300), share(500), whole(2)};
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        for (const std::int64_t limit : {0, 299, 3000, 3800, 10'000}) {
            SeededRandom random(seed);
            const auto arrivals = arrivals_of(tasks, limit, random);
            EXPECT_LE(sum_of(arrivals), limit);
            if (limit >= 3800) {  // All of the list is in it, and the next drawn was too large.
                EXPECT_GE(arrivals.size(), tasks.size());
                EXPECT_GT(sum_of(arrivals), limit - 2000);
                for (const TraceTask& task : tasks) {
                    EXPECT_TRUE(std::ranges::count(arrivals, &task) > 0);
                }
            }
            SeededRandom again(seed);
            EXPECT_EQ(arrivals_of(tasks, limit, again), arrivals);
        }
    }
}

TEST(Inflation, AddsUpWhatIsUsed) {
    const Cluster cluster = cluster_of(2);
    const std::vector<TraceTask> tasks = {whole(1)};
    const InflationOutcome outcome = run_inflation(
        cluster, tasks, {.policy = scheduler::Policy::kBestFit, .arrived_percent = 150});
    EXPECT_EQ(outcome.placed, 8U);
    EXPECT_EQ(outcome.refused, 4U);
    EXPECT_EQ(outcome.gpu_milli_used, 8000);
    EXPECT_EQ(outcome.cpu_milli_used, 8000);
    ASSERT_EQ(outcome.points.size(), 12U);
    EXPECT_EQ(outcome.points[0].arrived_percent, 13) << "12.5, rounded";
    EXPECT_EQ(outcome.allocated_at(12), std::nullopt);
    EXPECT_EQ(outcome.allocated_at(13), 12.5);
    EXPECT_EQ(outcome.allocated_at(60), 50.0) << "the last before";
    EXPECT_EQ(outcome.allocated_at(150), 100.0);
    EXPECT_TRUE(outcome.is_complete);
}

TEST(Inflation, IsEqualForEqualSeedsWithAnyPolicy) {
    const Cluster cluster = cluster_of(10);
    const std::vector<TraceTask> tasks = {whole(1), share(300), share(500), whole(2), share(190)};
    for (const scheduler::PolicyRow& row : scheduler::kPolicies) {
        SCOPED_TRACE(row.name);
        scheduler::PlacementEngine engine({.policy = row.policy});
        for (const scheduler::NodeView& node : cluster.nodes) {
            engine.put_node(node);
        }
        for (const Knowledge knowledge : {Knowledge::kListed, Knowledge::kLearnt}) {
            const InflationOptions options{.policy = row.policy, .knowledge = knowledge, .seed = 3};
            const InflationOutcome outcome = run_inflation(cluster, tasks, options);
            EXPECT_GT(outcome.refused, 0U);
            EXPECT_EQ(
                run_inflation(cluster, tasks, options).gpu_milli_used, outcome.gpu_milli_used);
            // An engine that was used before, and given all back.
            for (int run = 0; run < 2; ++run) {
                const InflationOutcome again = run_inflation(cluster, tasks, options, engine);
                EXPECT_EQ(again.gpu_milli_used, outcome.gpu_milli_used);
                EXPECT_EQ(again.placed, outcome.placed);
            }
        }
    }
}

TEST(Inflation, EndsWhenToldTo) {
    const Cluster cluster = cluster_of(1);
    const std::vector<TraceTask> tasks = {whole(1)};
    const InflationOutcome outcome =
        run_inflation(cluster, tasks, {.progress = [](std::size_t, std::size_t) { return false; }});
    EXPECT_FALSE(outcome.is_complete);
    EXPECT_TRUE(outcome.points.empty());
}

}  // namespace
}  // namespace reeve::simulate
