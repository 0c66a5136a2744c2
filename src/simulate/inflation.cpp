#include "simulate/inflation.hpp"

#include <cmath>
#include <utility>

#include "base/assert.hpp"

namespace reeve::simulate {
namespace {

using scheduler::PlacementEngine;

constexpr double kPercent = 100;

/// Means of what was allocated, by percent arrived.
class Curve {
  public:
    explicit Curve(std::int64_t gpus) : all_milli_(gpus * model::kWholeGpuMilli) {}

    void add(std::int64_t arrived_milli, std::int64_t used_milli) {
        const auto arrived = std::llround(percent_of(arrived_milli));
        if (points_.empty() || points_.back().arrived_percent != arrived) {
            close();
            points_.push_back({.arrived_percent = arrived, .allocated_percent = 0});
        }
        // Two places, as published.
        sum_ += std::round(percent_of(used_milli) * kPercent) / kPercent;
        ++count_;
    }

    [[nodiscard]] std::vector<InflationPoint> take() {
        close();
        return std::move(points_);
    }

  private:
    [[nodiscard]] double percent_of(std::int64_t milli) const {
        return kPercent * static_cast<double>(milli) / static_cast<double>(all_milli_);
    }

    void close() {
        if (count_ > 0) {
            points_.back().allocated_percent = sum_ / static_cast<double>(count_);
        }
        sum_ = 0;
        count_ = 0;
    }

    std::int64_t all_milli_;
    std::vector<InflationPoint> points_;
    double sum_ = 0;
    std::uint64_t count_ = 0;
};

/// Tells the engine, when it is time, what it should know.
class Teacher {
  public:
    Teacher(std::span<const TraceTask> tasks, Knowledge knowledge, PlacementEngine& engine)
        : knowledge_(knowledge), engine_(engine) {
        for (const TraceTask& task : tasks) {
            listed_.observe(task.request);
        }
        engine_.learn(
            knowledge_ == Knowledge::kListed
                ? std::span<const scheduler::ClassCount>(listed_.counts())
                : std::span<const scheduler::ClassCount>());
    }

    void observe(const TraceTask& task) {
        arrived_.observe(task.request);
        if (arrived_.is_due()) {
            engine_.learn(knowledge_ == Knowledge::kListed ? listed_.counts() : arrived_.counts());
            arrived_.taken();
        }
    }

  private:
    Knowledge knowledge_;
    PlacementEngine& engine_;
    scheduler::ClassMix listed_;
    scheduler::ClassMix arrived_;
};

}  // namespace

std::optional<double> InflationOutcome::allocated_at(std::int64_t arrived_percent) const {
    std::optional<double> found;
    for (const InflationPoint& point : points) {
        if (point.arrived_percent <= arrived_percent) {
            found = point.allocated_percent;
        }
    }
    return found;
}

std::vector<const TraceTask*> arrivals_of(
    std::span<const TraceTask> tasks, std::int64_t gpu_milli_max, Random& random) {
    std::vector<const TraceTask*> arrivals;
    std::int64_t sum = 0;
    for (const TraceTask& task : tasks) {
        arrivals.push_back(&task);
        sum += task.gpu_milli;
    }
    for (std::size_t left = arrivals.size(); left > 1; --left) {
        std::swap(arrivals[left - 1], arrivals[random.below(left)]);
    }
    while (sum > gpu_milli_max) {
        const std::size_t at = random.below(arrivals.size());
        sum -= arrivals[at]->gpu_milli;
        arrivals.erase(arrivals.begin() + static_cast<std::ptrdiff_t>(at));
    }
    while (!tasks.empty()) {
        const TraceTask& next = tasks[random.below(tasks.size())];
        if (sum + next.gpu_milli > gpu_milli_max) {
            break;
        }
        sum += next.gpu_milli;
        arrivals.push_back(&next);
    }
    return arrivals;
}

InflationOutcome run_inflation(
    const Cluster& cluster, std::span<const TraceTask> tasks, const InflationOptions& options) {
    PlacementEngine engine({.policy = options.policy});
    for (const scheduler::NodeView& node : cluster.nodes) {
        engine.put_node(node);
    }
    return run_inflation(cluster, tasks, options, engine);
}

InflationOutcome run_inflation(
    const Cluster& cluster,
    std::span<const TraceTask> tasks,
    const InflationOptions& options,
    PlacementEngine& engine) {
    constexpr std::size_t kProgressEvery = 1024;
    REEVE_ASSERT(cluster.gpus > 0, "what is measured is a part of the GPUs there are");
    SeededRandom random(options.seed);
    const std::vector<const TraceTask*> arrivals = arrivals_of(
        tasks, cluster.gpus * model::kWholeGpuMilli * options.arrived_percent / 100, random);
    InflationOutcome outcome;
    Curve curve(cluster.gpus);
    Teacher teacher(tasks, options.knowledge, engine);
    std::vector<scheduler::Placed> placed;
    std::int64_t arrived_milli = 0;
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
        if (i % kProgressEvery == 0 && options.progress && !options.progress(i, arrivals.size())) {
            outcome.is_complete = false;
            break;
        }
        const TraceTask& task = *arrivals[i];
        teacher.observe(task);
        const bool is_random = options.policy == scheduler::Policy::kRandom;
        scheduler::Decision decision = engine.place(task.request, is_random ? random.next() : 0);
        arrived_milli += task.gpu_milli;
        if (auto* to = std::get_if<scheduler::Placed>(&decision)) {
            engine.take(to->node, to->grant);
            outcome.gpu_milli_used += task.gpu_milli;
            outcome.cpu_milli_used += task.request.host.cpu_millicores;
            ++outcome.placed;
            placed.push_back(std::move(*to));
        } else {
            ++outcome.refused;
        }
        curve.add(arrived_milli, outcome.gpu_milli_used);
    }
    outcome.points = curve.take();
    for (const scheduler::Placed& each : placed) {
        engine.give_back(each.node, each.grant);
    }
    return outcome;
}

}  // namespace reeve::simulate
