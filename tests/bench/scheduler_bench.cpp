// What placement reaches, and what a decision costs: `reeve_scheduler_bench TRACES [FIGURE]`.
// TRACES is the folder with openb/. One line a figure: name, tab, number, tab, unit;
// tests/bench/bench.py says what each has to reach.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/resource.h>

#include "platform/files.hpp"
#include "simulate/inflation.hpp"
#include "simulate/scaling.hpp"
#include "simulate/summary.hpp"

namespace reeve {
namespace {

using scheduler::PlacementEngine;
using scheduler::Policy;
using simulate::Cluster;
using simulate::InflationOutcome;
using simulate::Knowledge;
using simulate::TraceTask;

constexpr std::uint64_t kFirstSeed = 42;
constexpr std::uint64_t kSeeds = 10;
constexpr std::int64_t kArrivedPercent = 130;

template <class T>
T must(Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "%s\n", result.error().message.c_str());
        std::exit(1);
    }
    return std::move(*result);
}

void print(const std::string& name, double value, const char* unit) {
    std::printf("%s\t%.4f\t%s\n", name.c_str(), value, unit);
    std::fflush(stdout);
}

/// Processor time of this process, in user: what other programs do counts little.
double cpu_seconds() {
    rusage usage = {};
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        std::perror("getrusage");
        std::exit(1);
    }
    constexpr double kMicro = 1e-6;
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           kMicro * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

struct Trace {
    Cluster cluster = {};
    std::vector<TraceTask> tasks = {};
};

Trace read_openb(const std::string& traces, const std::string& workload) {
    constexpr std::size_t kBytesMax = std::size_t{1} << 28U;
    const std::string nodes = traces + "/openb/openb_node_list_gpu_node.csv";
    const std::string pods = traces + "/openb/openb_pod_list_" + workload + ".csv";
    Trace trace;
    trace.cluster =
        must(simulate::parse_openb_nodes(nodes, must(platform::read_file(nodes, kBytesMax))));
    trace.tasks = must(simulate::parse_openb_tasks(
        pods, must(platform::read_file(pods, kBytesMax)), trace.cluster));
    return trace;
}

PlacementEngine engine_of(const Cluster& cluster, Policy policy) {
    PlacementEngine engine({.policy = policy});
    for (const scheduler::NodeView& node : cluster.nodes) {
        engine.put_node(node);
    }
    return engine;
}

void print_allocation(const Trace& trace, const std::string& workload, Policy policy) {
    double sum = 0;
    for (std::uint64_t seed = kFirstSeed; seed < kFirstSeed + kSeeds; ++seed) {
        const InflationOutcome outcome = simulate::run_inflation(
            trace.cluster, trace.tasks,
            {.policy = policy,
             .knowledge = policy == Policy::kFgd ? Knowledge::kListed : Knowledge::kLearnt,
             .seed = seed,
             .arrived_percent = kArrivedPercent});
        sum += outcome.allocated_at(kArrivedPercent).value_or(0);
    }
    print(
        "allocated/" + std::string(name_of(policy)) + "/" + workload,
        sum / static_cast<double>(kSeeds), "%");
}

void print_allocations(const std::string& traces) {
    for (const char* workload : {"default", "cpu050", "gpushare40", "gpuspec10", "multigpu20"}) {
        const Trace trace = read_openb(traces, workload);
        for (const Policy policy :
             {Policy::kFillValue, Policy::kFgd, Policy::kBestFit, Policy::kRandom}) {
            print_allocation(trace, workload, policy);
        }
    }
}

/// The cluster `times` over, or a part of it, with ids of its own.
Cluster scaled(const Cluster& cluster, std::size_t nodes) {
    Cluster scaled{.models = cluster.models};
    for (std::size_t i = 0; i < nodes; ++i) {
        // Spread over the list: the kinds of nodes keep their shares.
        const std::size_t from = i < cluster.nodes.size() && nodes <= cluster.nodes.size()
                                     ? i * cluster.nodes.size() / nodes
                                     : i % cluster.nodes.size();
        scheduler::NodeView node = cluster.nodes[from];
        node.id = NodeId(i + 1);
        for (model::Gpu& gpu : node.free.gpus) {
            ++scaled.gpus;
            gpu.id = GpuId(static_cast<std::uint64_t>(scaled.gpus));
        }
        scaled.nodes.push_back(std::move(node));
    }
    return scaled;
}

/// `nodes` alike, of 8 GPUs and 96 cores, of a model that any task may use.
Cluster uniform(const Cluster& cluster, std::size_t nodes) {
    const auto largest = std::ranges::find_if(cluster.nodes, [&](const scheduler::NodeView& node) {
        return node.free.gpus.size() == 8 && node.free.gpus[0].model == cluster.models.at("G2");
    });
    Cluster one{.nodes = {*largest}, .models = cluster.models};
    return scaled(one, nodes);
}

struct Rates {
    double cold = 0;  // A new engine, whose classes are learnt as they come.
    double warm = 0;  // The same once more: memos and weights are there.
    double scores = 0;
};

/// Decisions per second of processor time, learning and taking included, from an empty cluster to
/// 130 % arrived.
Rates rates_of(const Cluster& cluster, const std::vector<TraceTask>& tasks, std::uint64_t seeds) {
    double cold_s = 0;
    double warm_s = 0;
    double decisions = 0;
    double scores = 0;
    for (std::uint64_t seed = kFirstSeed; seed < kFirstSeed + seeds; ++seed) {
        const auto run = [&](PlacementEngine& engine, Knowledge knowledge, double& seconds) {
            const double begin = cpu_seconds();
            const InflationOutcome outcome = simulate::run_inflation(
                cluster, tasks,
                {.knowledge = knowledge, .seed = seed, .arrived_percent = kArrivedPercent}, engine);
            seconds += cpu_seconds() - begin;
            return static_cast<double>(outcome.placed + outcome.refused);
        };
        PlacementEngine engine = engine_of(cluster, Policy::kFillValue);
        decisions += run(engine, Knowledge::kLearnt, cold_s);
        scores += static_cast<double>(engine.counts().scores);
        PlacementEngine known = engine_of(cluster, Policy::kFillValue);
        double unused = 0;
        (void)run(known, Knowledge::kListed, unused);
        (void)run(known, Knowledge::kListed, warm_s);
    }
    return {.cold = decisions / cold_s, .warm = decisions / warm_s, .scores = scores / decisions};
}

void print_rates(const std::string& name, const Rates& rates) {
    print("cold/" + name, rates.cold, "/s");
    print("warm/" + name, rates.warm, "/s");
    print("scores/" + name, rates.scores, "");
}

void print_all_rates(const std::string& traces) {
    constexpr std::size_t kLargeNodes = 10'000;
    const Trace trace = read_openb(traces, "default");
    print_rates("openb", rates_of(trace.cluster, trace.tasks, kSeeds));
    const std::vector<TraceTask> any_model = trace.tasks;
    print_rates("10000x8", rates_of(uniform(trace.cluster, kLargeNodes), any_model, 1));
}

/// How the cost of a decision grows with nodes, and with kinds of requests.
void print_curve(const std::string& traces) {
    const Trace trace = read_openb(traces, "default");
    for (const std::size_t nodes : {150U, 300U, 600U, 1213U, 2426U, 4852U, 9704U}) {
        print_rates(
            std::to_string(nodes) + "-nodes",
            rates_of(scaled(trace.cluster, nodes), trace.tasks, 1));
    }
    // Memory makes requests distinct that are alike to the policy.
    for (const std::size_t times : {2U, 4U, 8U}) {
        std::vector<TraceTask> tasks = trace.tasks;
        for (std::size_t i = 0; i < tasks.size(); ++i) {
            tasks[i].request.host.memory_mib += static_cast<std::int64_t>(i % times);
        }
        print_rates(std::to_string(times) + "-times-requests", rates_of(trace.cluster, tasks, 1));
    }
}

/// openb as it came and went, on a quarter of its nodes, where it is made to queue: the mean of
/// some orders of the jobs. `backfill` as the server has it.
void print_departures(
    const std::string& traces, const std::string& workload, std::int64_t factor, Policy policy) {
    constexpr std::size_t kBytesMax = std::size_t{1} << 28U;
    constexpr std::int64_t kNodesOf = 4;
    constexpr double kMsOfMinute = 60'000;
    constexpr double kHundred = 100;
    const Cluster cluster =
        simulate::every_nth_node(read_openb(traces, workload).cluster, kNodesOf);
    const std::string pods = traces + "/openb/openb_pod_list_" + workload + ".csv";
    const simulate::Workload listed = must(
        simulate::parse_openb_workload(pods, must(platform::read_file(pods, kBytesMax)), cluster));
    std::map<std::string, double> sums;
    for (std::uint64_t seed = kFirstSeed; seed < kFirstSeed + kSeeds; ++seed) {
        simulate::Workload jobs = listed;
        simulate::shuffle_jobs(jobs, seed);
        simulate::speed_up(jobs, factor);
        const simulate::ReplaySummary summary = simulate::summarize(
            cluster, jobs, simulate::run_replay(cluster, jobs, {.policy = policy, .seed = seed}));
        const auto add = [&](const char* name, std::int64_t value, double unit) {
            sums[name] += static_cast<double>(value) / unit / static_cast<double>(kSeeds);
        };
        add("wait-mean", summary.wait_ms.mean, kMsOfMinute);
        add("wait-median", summary.wait_ms.median, kMsOfMinute);
        add("wait-p95", summary.wait_ms.p95, kMsOfMinute);
        add("use", summary.gpu_use_to_last_submission, kHundred);
        add("stranded", summary.gpu_stranded_to_last_submission, kHundred);
    }
    std::string head = "departures/";
    head.append(workload).append("/").append(std::to_string(factor)).append("/");
    head.append(name_of(policy)).append("/");
    for (const auto& [name, value] : sums) {
        print(head + name, value, name.starts_with("wait") ? "min" : "%");
    }
}

void print_all_departures(const std::string& traces) {
    for (const char* workload : {"default", "cpu050", "gpushare40"}) {
        for (const std::int64_t factor : {400, 800, 1600}) {
            for (const Policy policy :
                 {Policy::kFillValue, Policy::kFgd, Policy::kBestFit, Policy::kTightest,
                  Policy::kRandom}) {
                print_departures(traces, workload, factor, policy);
            }
        }
    }
}

int run(const std::string& traces, std::string_view figure) {
    if (figure.empty() || figure == "allocated") {
        print_allocations(traces);
    }
    if (figure.empty() || figure == "rates") {
        print_all_rates(traces);
    }
    if (figure.empty() || figure == "curve") {
        print_curve(traces);
    }
    if (figure == "departures") {  // Minutes: only if it is asked for.
        print_all_departures(traces);
    }
    return 0;
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
    if (argc < 2 || argc > 3) {
        std::fprintf(
            stderr, "usage: reeve_scheduler_bench TRACES [allocated|rates|curve|departures]\n");
        return 2;
    }
    return reeve::run(argv[1], argc == 3 ? argv[2] : "");
}
