#include "scheduler/placement.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <tuple>

namespace reeve::scheduler {
namespace {

using model::accepts;
using model::Gpu;
using model::GpuAmount;

/// The GPUs to use on one node. All that a whole GPU leaves is nothing.
struct Choice {
    std::vector<model::GpuGrant> gpus;
    std::int64_t milli_left = 0;
};

bool is_untouched(const Gpu& gpu) {
    return gpu.free == GpuAmount{.milli = model::kWholeGpuMilli, .memory_mib = gpu.total_mib};
}

bool is_wanted(const model::WholeGpus& ask, const Gpu& gpu) {
    return accepts(ask.models, gpu.model) && gpu.total_mib >= ask.total_mib_min;
}

std::optional<Choice> choose(const model::WholeGpus& ask, const std::vector<Gpu>& gpus) {
    const auto count = static_cast<std::size_t>(ask.count);
    Choice choice;
    for (const Gpu& gpu : gpus) {
        if (choice.gpus.size() < count && is_wanted(ask, gpu) && is_untouched(gpu)) {
            choice.gpus.push_back({.gpu = gpu.id, .amount = gpu.free});
        }
    }
    return choice.gpus.size() == count ? std::optional(choice) : std::nullopt;
}

std::optional<Choice> choose(const model::GpuShare& ask, const std::vector<Gpu>& gpus) {
    std::optional<Choice> best;
    for (const Gpu& gpu : gpus) {
        const GpuAmount amount = amount_of(ask, gpu.total_mib);
        const std::int64_t milli_left = gpu.free.milli - amount.milli;
        if (accepts(ask.models, gpu.model) && fits(amount, gpu.free) &&
            (!best || milli_left < best->milli_left)) {
            best = {.gpus = {{.gpu = gpu.id, .amount = amount}}, .milli_left = milli_left};
        }
    }
    return best;
}

std::optional<Choice> choose(const model::Request& request, const std::vector<Gpu>& gpus) {
    return std::visit([&](const auto& ask) { return choose(ask, gpus); }, request.gpus);
}

bool can_give(const model::WholeGpus& ask, const std::vector<Gpu>& gpus) {
    std::int64_t left = ask.count;
    for (auto gpu = gpus.begin(); left > 0 && gpu != gpus.end(); ++gpu) {
        left -= is_untouched(*gpu) && is_wanted(ask, *gpu) ? 1 : 0;
    }
    return left <= 0;
}

bool can_give(const model::GpuShare& ask, const std::vector<Gpu>& gpus) {
    return std::ranges::any_of(gpus, [&](const Gpu& gpu) {
        return gpu.free.milli > 0 && accepts(ask.models, gpu.model) &&
               fits(amount_of(ask, gpu.total_mib), gpu.free);
    });
}

/// Lower is better. The id comes last so that no two nodes ever rank the same.
auto rank(const NodeView& node, const Choice& choice) {
    const auto untouched = std::ranges::count_if(node.free.gpus, is_untouched);
    return std::tuple(choice.milli_left, untouched, node.id);
}

NodeView emptied(const NodeView& node) {
    NodeView empty = node;
    empty.availability = Availability::kReady;
    empty.free.host = node.host_total;
    for (Gpu& gpu : empty.free.gpus) {
        gpu.free = {.milli = model::kWholeGpuMilli, .memory_mib = gpu.total_mib};
    }
    return empty;
}

Refusal gpu_refusal(const NodeView& node, const model::WholeGpus& ask) {
    const auto free = std::ranges::count_if(
        node.free.gpus, [&](const Gpu& gpu) { return is_wanted(ask, gpu) && is_untouched(gpu); });
    return {.node = node.id, .reason = Reason::kGpuShort, .asked = ask.count, .free = free};
}

Refusal gpu_refusal(const NodeView& node, const model::GpuShare& ask) {
    Refusal refusal{
        .node = node.id,
        .reason = Reason::kGpuShort,
        .asked = ask.milli.value_or(ask.memory_mib.value_or(0))};
    for (const Gpu& gpu : node.free.gpus) {
        if (accepts(ask.models, gpu.model)) {
            const std::int64_t free = ask.milli ? gpu.free.milli : gpu.free.memory_mib;
            refusal.free = std::max(refusal.free, free);
        }
    }
    return refusal;
}

/// Why a node is not looked at, however much is free on it.
std::optional<Reason> obstacle(const NodeView& node, const model::Request& request) {
    if (!accepts(request.node_classes, node.node_class)) {
        return Reason::kLabels;
    }
    if (!could_hold(node, request)) {
        return Reason::kTooSmall;
    }
    switch (node.availability) {
        case Availability::kDrained:     return Reason::kDrained;
        case Availability::kUnreachable: return Reason::kUnreachable;
        case Availability::kGated:       return Reason::kGated;
        case Availability::kReady:       break;
    }
    return std::nullopt;
}

void add_refusals(
    const NodeView& node, const model::Request& request, std::vector<Refusal>& refusals) {
    if (const std::optional<Reason> reason = obstacle(node, request)) {
        refusals.push_back({.node = node.id, .reason = *reason});
        return;
    }
    const auto add_if_short = [&](Reason reason, std::int64_t asked, std::int64_t free) {
        if (asked > free) {
            refusals.push_back(
                {.node = node.id,
                 .reason = reason,
                 .asked = asked,
                 .free = std::max<std::int64_t>(free, 0)});
        }
    };
    const model::HostAmount& ask = request.host;
    const model::HostAmount& free = node.free.host;
    add_if_short(Reason::kCpuShort, ask.cpu_millicores, free.cpu_millicores);
    add_if_short(Reason::kMemoryShort, ask.memory_mib, free.memory_mib);
    if (!choose(request, node.free.gpus)) {
        refusals.push_back(
            std::visit([&](const auto& gpus) { return gpu_refusal(node, gpus); }, request.gpus));
    }
}

}  // namespace

Decision place(const model::Request& request, const std::vector<NodeView>& nodes) {
    const NodeView* best = nullptr;
    Choice best_choice;
    for (const NodeView& node : nodes) {
        if (node.availability != Availability::kReady ||
            !accepts(request.node_classes, node.node_class) ||
            !fits(request.host, node.free.host)) {
            continue;
        }
        std::optional<Choice> choice = choose(request, node.free.gpus);
        if (choice && (best == nullptr || rank(node, *choice) < rank(*best, best_choice))) {
            best = &node;
            best_choice = *std::move(choice);
        }
    }
    if (best == nullptr) {
        return NotPlaced{};
    }
    return Placed{
        best->id, {.host = request.host, .gpus = best_choice.gpus}
    };
}

bool can_take(const NodeView& node, const model::Request& request) {
    return node.availability == Availability::kReady &&
           accepts(request.node_classes, node.node_class) && fits(request.host, node.free.host) &&
           std::visit([&](const auto& ask) { return can_give(ask, node.free.gpus); }, request.gpus);
}

std::vector<Refusal> explain(const model::Request& request, const std::vector<NodeView>& nodes) {
    std::vector<Refusal> refusals;
    for (const NodeView& node : nodes) {
        add_refusals(node, request, refusals);
    }
    std::ranges::sort(refusals, {}, [](const Refusal& refusal) {
        return std::tuple(refusal.node, refusal.reason);
    });
    return refusals;
}

bool could_hold(const NodeView& node, const model::Request& request) {
    if (!accepts(request.node_classes, node.node_class)) {
        return false;
    }
    const NodeView empty = emptied(node);
    return fits(request.host, empty.free.host) && choose(request, empty.free.gpus).has_value();
}

}  // namespace reeve::scheduler
