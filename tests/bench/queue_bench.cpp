// What a decision costs with a long queue, and how fast a year goes by: `reeve_queue_bench
// [FIGURE]`. One line a figure: name, tab, number, tab, unit; tests/bench/bench.py says what each
// has to reach.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <sys/resource.h>

#include "base/random.hpp"
#include "scheduler/core.hpp"
#include "simulate/replay.hpp"

namespace reeve {
namespace {

using scheduler::Core;
using scheduler::GroupKey;
using scheduler::NodeView;
using Clock = std::chrono::steady_clock;

constexpr auto kNow = Instant(std::chrono::seconds(1'800'000'000));
constexpr std::uint64_t kGpusOfANode = 8;
constexpr std::int64_t kCpuOfAHold = 16'000;
constexpr std::int64_t kMemoryOfAHold = 131'072;

void print(const std::string& name, double value, const char* unit) {
    std::printf("%s\t%.4f\t%s\n", name.c_str(), value, unit);
    std::fflush(stdout);
}

double milliseconds_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

NodeView node_of(std::uint64_t id) {
    NodeView node{
        .id = NodeId(id),
        .free = {.host = {.cpu_millicores = 128'000, .memory_mib = 1'048'576}},
        .host_total = {.cpu_millicores = 128'000, .memory_mib = 1'048'576}
    };
    for (std::uint64_t gpu = 0; gpu < kGpusOfANode; ++gpu) {
        node.free.gpus.push_back({
            .id = GpuId(id * 100 + gpu),
            .model = GpuModelId(1),
            .total_mib = 81'920,
            .free = {.milli = model::kWholeGpuMilli, .memory_mib = 81'920}
        });
    }
    return node;
}

/// A cluster that is full: each GPU is held by a job of its own, for some hours more.
class FullCluster {
  public:
    FullCluster(std::uint64_t nodes, Random& random) {
        for (std::uint64_t id = 1; id <= nodes; ++id) {
            NodeView node = node_of(id);
            for (const model::Gpu& gpu : std::vector<model::Gpu>(node.free.gpus)) {
                hold(node, gpu.id, std::chrono::seconds(3600 + random.below(360'000)));
            }
            nodes_.push_back(node);
        }
        for (const NodeView& node : nodes_) {
            core_.put_node(node);
        }
    }

    Core& core() { return core_; }

    /// `requests` requests, of which each is asked for by up to `projects` projects; `jobs` jobs.
    /// Gives the number of groups.
    std::size_t fill_queue(
        std::size_t jobs, std::size_t requests, std::size_t groups, Random& random) {
        for (std::size_t i = 1; i <= requests; ++i) {
            model::Request request{
                .host = {
                         .cpu_millicores = static_cast<std::int64_t>(1 + i % 7) * 1000,
                         .memory_mib = static_cast<std::int64_t>(i) * 16}
            };
            if (i % 3 == 0) {
                request.gpus = model::GpuShare{.milli = static_cast<std::int64_t>(1 + i % 9) * 100};
            } else {
                request.gpus =
                    model::WholeGpus{.count = std::int64_t{1} << static_cast<unsigned>(i % 4)};
            }
            core_.put_request(model::RequestId(i), request);
        }
        constexpr std::int64_t kLimits[] = {3600, 14'400, 86'400, 172'800};
        std::vector<GroupKey> keys;
        keys.reserve(groups);
        for (std::size_t i = 0; i < groups; ++i) {
            keys.push_back(
                {.project = ProjectId(1 + random.below(500)),
                 .request = model::RequestId(1 + random.below(requests)),
                 .limit =
                     scheduler::planning_limit(std::chrono::seconds(kLimits[random.below(4)]))});
        }
        for (std::size_t i = 1; i <= jobs; ++i) {
            const GroupKey& key = keys[random.below(keys.size())];
            core_.put_waiting(scheduler::strict_place(key, JobId(i)), key);
        }
        return core_.group_count();
    }

    /// One GPU becomes free; what runs on it until then ends.
    void end_one(Random& random) {
        NodeView& node = nodes_[random.below(nodes_.size())];
        const GpuId gpu = node.free.gpus[random.below(kGpusOfANode)].id;
        core_.drop_hold(AllocationId(gpu.value()));
        const auto held = std::ranges::find(node.free.gpus, gpu, &model::Gpu::id);
        held->free = {.milli = model::kWholeGpuMilli, .memory_mib = held->total_mib};
        model::HostAmount& host = node.free.host;
        const model::HostAmount& total = node.host_total;
        host.cpu_millicores = std::min(host.cpu_millicores + kCpuOfAHold, total.cpu_millicores);
        host.memory_mib = std::min(host.memory_mib + kMemoryOfAHold, total.memory_mib);
        core_.put_node(node);
    }

    void take(const scheduler::Start& start) {
        core_.drop_waiting(start.place, start.group);
        for (const scheduler::Placed& part : start.parts) {
            NodeView& node = nodes_[part.node.value() - 1];
            node.free = *model::take(node.free, part.grant);
            for (const model::GpuGrant& gpu : part.grant.gpus) {
                core_.put_hold(
                    AllocationId(gpu.gpu.value()), {.node = part.node,
                                                    .grant = part.grant,
                                                    .since = kNow,
                                                    .limit = start.group.limit});
            }
            core_.put_node(node);
        }
    }

  private:
    void hold(NodeView& node, GpuId gpu, std::chrono::seconds limit) {
        const model::Grant grant{
            .host = {.cpu_millicores = kCpuOfAHold, .memory_mib = kMemoryOfAHold},
            .gpus = {
                     {.gpu = gpu, .amount = {.milli = model::kWholeGpuMilli, .memory_mib = 81'920}}}
        };
        node.free = *model::take(node.free, grant);
        core_.put_node(node);
        core_.put_hold(
            AllocationId(gpu.value()),
            {.node = node.id,
             .grant = grant,
             .since = kNow,
             .limit = limit,
             .preemptible =
                 scheduler::Preemptible{.priority = static_cast<std::int32_t>(gpu.value() % 5)}});
    }

    Core core_{{}};
    std::vector<NodeView> nodes_;
};

/// A pass over a queue of which nothing can start, in steps of so many looks.
void print_pass(
    const std::string& name, std::size_t jobs, std::size_t requests, std::size_t groups) {
    constexpr std::size_t kLooks = 1000;
    SeededRandom random(1);
    FullCluster cluster(1000, random);
    const std::size_t made = cluster.fill_queue(jobs, requests, groups, random);
    double all = 0;
    double longest = 0;
    for (bool goes_on = true; goes_on;) {
        std::size_t looks = kLooks;
        const auto begin = Clock::now();
        const auto start = cluster.core().next(kNow, looks, {});
        const double step = milliseconds_since(begin);
        all += step;
        longest = std::max(longest, step);
        goes_on = start || looks == 0;
        if (start) {
            cluster.take(*start);
        }
    }
    print(name, all, "ms");
    print(name + "-groups", static_cast<double>(made), "");
    print(name + "-longest-step", longest, "ms");
    const auto begin = Clock::now();
    std::size_t looks = kLooks;
    (void)cluster.core().next(kNow, looks, {});
    print(name + "-again", milliseconds_since(begin), "ms");
}

/// A GPU becomes free among a million jobs that wait: until the next starts are decided.
void print_event() {
    constexpr std::size_t kEvents = 5000;
    SeededRandom random(2);
    FullCluster cluster(1000, random);
    (void)cluster.fill_queue(1'000'000, 1750, 20'000, random);
    std::size_t looks = SIZE_MAX;
    while (const auto start = cluster.core().next(kNow, looks, {})) {
        cluster.take(*start);
    }
    std::vector<double> times;
    std::size_t starts = 0;
    for (std::size_t i = 0; i < kEvents; ++i) {
        const auto begin = Clock::now();
        cluster.end_one(random);
        auto start = cluster.core().next(kNow, looks, {});
        times.push_back(milliseconds_since(begin));
        for (; start; start = cluster.core().next(kNow, looks, {})) {
            cluster.take(*start);
            ++starts;
        }
    }
    std::ranges::sort(times);
    print("event-p50", times[kEvents / 2], "ms");
    print("event-p99", times[kEvents * 99 / 100], "ms");
    print("event-starts", static_cast<double>(starts), "");
}

/// Room for a gang on 64 whole nodes, where a job holds each GPU of 1,000.
void print_preemption() {
    SeededRandom random(3);
    FullCluster cluster(1000, random);
    cluster.core().put_request(
        model::RequestId(1),
        {.host = {.cpu_millicores = 8000}, .gpus = model::WholeGpus{.count = kGpusOfANode}});
    const GroupKey gang{
        .priority = 10, .project = ProjectId(0), .request = model::RequestId(1), .nodes = 64};
    cluster.core().put_waiting(scheduler::strict_place(gang, JobId(1)), gang);
    const auto begin = Clock::now();
    std::size_t looks = SIZE_MAX;
    const bool has_started = cluster.core().next(kNow, looks, {}).has_value();
    const auto preemption = cluster.core().preempt(kNow);
    print("preempt-512", milliseconds_since(begin), "ms");
    if (has_started || !preemption || preemption->victims.size() != 64 * kGpusOfANode) {
        std::fprintf(stderr, "a gang of 512 GPUs was to have 512 victims\n");
        std::exit(1);
    }
}

/// Roughly normal, from -6 to 6.
double normal(Random& random) {
    double sum = 0;
    for (int i = 0; i < 12; ++i) {
        sum += static_cast<double>(random.below(1U << 30U)) / static_cast<double>(1U << 30U);
    }
    return sum - 6;
}

/// A million jobs on 6,000 GPUs over a year: run times are log-normal, arrivals are uniform at a
/// little more than the cluster can do, limits up to four times too long.
void print_year() {
    constexpr std::uint64_t kNodes = 750;
    constexpr std::size_t kJobs = 1'000'000;
    constexpr double kYear = 365.0 * 86'400;
    constexpr double kLoad = 1.12;
    simulate::Cluster cluster;
    for (std::uint64_t id = 1; id <= kNodes; ++id) {
        cluster.nodes.push_back(node_of(id));
    }
    cluster.gpus = kNodes * kGpusOfANode;
    simulate::Workload workload{.users = {"user"}, .projects = {"project"}};
    std::vector<double> gpus;
    for (const std::int64_t count : {1, 2, 4, 8}) {
        workload.requests.push_back(
            {.host = {.cpu_millicores = count * 8000}, .gpus = model::WholeGpus{.count = count}});
        gpus.push_back(static_cast<double>(count));
    }
    for (const std::int64_t milli : {100, 250, 500}) {
        workload.requests.push_back(
            {.host = {.cpu_millicores = 2000}, .gpus = model::GpuShare{.milli = milli}});
        gpus.push_back(static_cast<double>(milli) / 1000);
    }
    SeededRandom random(3);
    double work = 0;
    for (std::size_t i = 0; i < kJobs; ++i) {
        constexpr std::size_t kRequests[] = {0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 4, 5, 6};
        const std::size_t request = kRequests[random.below(std::size(kRequests))];
        const double run = std::exp(9 + 1.5 * normal(random));
        workload.jobs.push_back({.run_s = static_cast<std::int64_t>(run) + 1, .request = request});
        work += run * gpus[request];
    }
    const double scale = kYear * kLoad * static_cast<double>(kNodes * kGpusOfANode) / work;
    std::vector<std::int64_t> times;
    for (simulate::TraceJob& job : workload.jobs) {
        job.run_s = static_cast<std::int64_t>(static_cast<double>(job.run_s) * scale) + 1;
        job.limit_s = job.run_s + job.run_s * static_cast<std::int64_t>(random.below(300)) / 100;
        times.push_back(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(kYear))));
    }
    std::ranges::sort(times);
    for (std::size_t i = 0; i < kJobs; ++i) {
        workload.jobs[i].submitted_at = Instant(std::chrono::seconds(times[i]));
    }
    const auto begin = Clock::now();
    const simulate::ReplayOutcome outcome = simulate::run_replay(cluster, workload, {});
    print("year", milliseconds_since(begin) / 1000, "s");
    double used = 0;  // From the second month to the last submission.
    double span = 0;
    const Instant from = outcome.first_at + std::chrono::days(30);
    for (std::size_t i = 0; i + 1 < outcome.samples.size(); ++i) {
        const simulate::ReplaySample& sample = outcome.samples[i];
        if (sample.at >= from && sample.at < outcome.last_submission_at) {
            const double length =
                static_cast<double>((outcome.samples[i + 1].at - sample.at).count());
            used += length * static_cast<double>(sample.gpu_milli_used);
            span += length;
        }
    }
    constexpr double kPercent = 100;
    print("year-busy", kPercent * used / span / static_cast<double>(outcome.gpu_milli_total), "%");
    print("year-waiting-max", static_cast<double>(outcome.waiting_max), "");
    rusage usage = {};
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        print("year-memory", static_cast<double>(usage.ru_maxrss) / 1024, "MiB");
    }
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
    const std::string_view figure = argc == 2 ? argv[1] : "";
    if (argc > 2 || (!figure.empty() && figure != "pass" && figure != "event" &&
                     figure != "preempt" && figure != "year")) {
        std::fprintf(stderr, "usage: reeve_queue_bench [pass|event|preempt|year]\n");
        return 2;
    }
    if (figure.empty() || figure == "pass") {
        reeve::print_pass("pass-10k", 10'000, 200, 2000);
        reeve::print_pass("pass-1M", 1'000'000, 1750, 20'000);
    }
    if (figure.empty() || figure == "event") {
        reeve::print_event();
    }
    if (figure.empty() || figure == "preempt") {
        reeve::print_preemption();
    }
    if (figure.empty() || figure == "year") {
        reeve::print_year();
    }
    return 0;
}
