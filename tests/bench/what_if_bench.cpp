// What `reeve sim` costs: `reeve_what_if_bench`. 10,000 jobs wait on 1,000 nodes of 8 GPUs, all in
// use; one node is drained. One line a figure: name, tab, number, tab, unit.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "base/random.hpp"
#include "controller/what_if.hpp"

namespace reeve {
namespace {

using controller::Scenario;
using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr auto kNow = Instant(seconds(1'800'000'000));
constexpr std::uint64_t kNodes = 1000;
constexpr std::uint64_t kGpusOfANode = 8;
constexpr std::uint64_t kJobs = 10'000;
constexpr std::int64_t kGpuMib = 81'920;

std::shared_ptr<controller::NodeStatus> full_node(std::uint64_t id, Random& random) {
    auto node = std::make_shared<controller::NodeStatus>();
    node->record = {
        .id = NodeId(id),
        .name = "n" + std::to_string(id),
        .host = {.cpu_millicores = 128'000, .memory_mib = 1'048'576}
    };
    node->view = {
        .id = NodeId(id), .free = {.host = node->record.host}, .host_total = node->record.host};
    for (std::uint64_t i = 0; i < kGpusOfANode; ++i) {
        const GpuId gpu(id * 100 + i);
        node->record.gpus.push_back({.id = gpu, .model = GpuModelId(1), .total_mib = kGpuMib});
        node->view.free.gpus.push_back(
            {.id = gpu, .model = GpuModelId(1), .total_mib = kGpuMib, .free = {}});
        controller::Holding holding{
            .user = "user", .started_at = kNow, .limit = seconds(3600 + random.below(360'000))};
        holding.allocation = {
            .id = AllocationId(gpu.value()),
            .task = {.element = {.job = JobId(gpu.value())}},
            .node = NodeId(id),
            .project = ProjectId(1),
            .grant = {.gpus = {{.gpu = gpu, .amount = {.milli = 1000, .memory_mib = kGpuMib}}}}};
        node->holdings.push_back(std::move(holding));
    }
    return node;
}

Scenario full_cluster() {
    SeededRandom random(1);
    Scenario scenario{.view = {.at = kNow}};
    scenario.view.gpu_models.emplace(GpuModelId(1), "NVIDIA H100");
    scenario.view.projects.push_back({
        .record = {.id = ProjectId(1), .name = "default"}
    });
    for (std::uint64_t id = 1; id <= kNodes; ++id) {
        scenario.view.nodes.push_back(full_node(id, random));
    }
    constexpr std::int64_t kLimits[] = {3600, 14'400, 86'400, 172'800};
    for (std::uint64_t i = 1; i <= kJobs; ++i) {
        ledger::JobRow job;
        job.record.id = JobId(1'000'000 + i);
        job.record.request = model::RequestId(1 + random.below(200));
        job.record.time_limit_s = kLimits[random.below(4)];
        job.record.submitted_at = kNow;
        job.record.counts[model::ElementState::kQueued] = 1;
        job.user = "user";
        job.project = "default";
        const std::uint64_t shape = job.record.request.value();
        if (shape % 3 == 0) {
            job.gpus.milli = static_cast<std::int64_t>(1 + shape % 9) * 100;
        } else {
            job.gpus.count = std::int64_t{1} << (shape % 4);
        }
        job.host = {
            .cpu_millicores = static_cast<std::int64_t>(1 + shape % 7) * 1000,
            .memory_mib = static_cast<std::int64_t>(shape) * 16};
        scenario.queue.push_back(std::move(job));
    }
    return scenario;
}

void print_what_if() {
    const Scenario now = full_cluster();
    const auto begin = Clock::now();
    const auto then = controller::scenario_of(now, {.drained = {"n1"}}, {});
    const controller::Forecast before = controller::forecast(now, {});
    const controller::Forecast after = controller::forecast(*then, {});
    const auto compared = controller::compare(now, before, after, then->cancelled);
    const std::chrono::duration<double> taken = Clock::now() - begin;
    std::printf("what-if\t%.3f\ts\n", taken.count());
    std::printf("what-if-starts\t%.0f\t\n", static_cast<double>(before.starts + after.starts));
    std::printf("what-if-changed\t%.0f\t\n", static_cast<double>(compared.sooner + compared.later));
}

}  // namespace
}  // namespace reeve

int main() {
    reeve::print_what_if();
    return 0;
}
