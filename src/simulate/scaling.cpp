#include "simulate/scaling.hpp"

#include <cstddef>
#include <utility>
#include <vector>

#include "base/random.hpp"

namespace reeve::simulate {

Cluster every_nth_node(const Cluster& cluster, std::int64_t nth) {
    Cluster some{.models = cluster.models};
    for (std::size_t i = 0; i < cluster.nodes.size(); i += static_cast<std::size_t>(nth)) {
        scheduler::NodeView node = cluster.nodes[i];
        node.id = NodeId(some.nodes.size() + 1);
        for (model::Gpu& gpu : node.free.gpus) {
            ++some.gpus;
            gpu.id = GpuId(static_cast<std::uint64_t>(some.gpus));
        }
        some.nodes.push_back(std::move(node));
        some.names.push_back(cluster.names[i]);
    }
    return some;
}

void speed_up(Workload& workload, std::int64_t factor) {
    if (workload.jobs.empty()) {
        return;
    }
    const Instant first = workload.jobs.front().submitted_at;
    for (TraceJob& job : workload.jobs) {
        job.submitted_at =
            first + std::chrono::floor<std::chrono::seconds>((job.submitted_at - first) / factor);
    }
}

void shuffle_jobs(Workload& workload, std::uint64_t seed) {
    SeededRandom random(seed);
    std::vector<TraceJob>& jobs = workload.jobs;
    for (std::size_t left = jobs.size(); left > 1; --left) {
        const std::size_t other = random.below(left);
        std::swap(jobs[left - 1], jobs[other]);
        std::swap(jobs[left - 1].submitted_at, jobs[other].submitted_at);
    }
}

}  // namespace reeve::simulate
