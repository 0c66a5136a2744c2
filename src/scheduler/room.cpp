// Where there is room for a job now, without breaking a promise.
#include <algorithm>
#include <functional>
#include <iterator>
#include <variant>

#include "scheduler/core.hpp"

namespace reeve::scheduler {
namespace {

constexpr std::uint64_t kMixPrime = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio.

}  // namespace

/// One part for each node of the job, or nothing if it does not find room for all.
std::vector<Placed> Core::find(const Group& group, JobId job, Instant now) {
    const auto count = static_cast<std::size_t>(group.key.nodes);
    std::vector<Placed> parts = find_booked(group, job, now);
    std::ranges::move(
        find_unpromised(*group.ask, job, count - parts.size()), std::back_inserter(parts));
    for (auto node = hidden_.begin(); node != hidden_.end() && parts.size() < count; ++node) {
        if (std::ranges::find(parts, node->first, &Placed::node) != parts.end()) {
            continue;
        }
        if (auto placed = find_beside_promises(*node->second, group, job, now)) {
            parts.push_back(*std::move(placed));
        }
    }
    return parts.size() == count ? parts : std::vector<Placed>();
}

/// Where something is booked for its project now, which nobody else may use.
std::vector<Placed> Core::find_booked(const Group& group, JobId job, Instant now) const {
    std::vector<Placed> parts;
    const ProjectId guest = group.ask->key.guest;
    const auto count = static_cast<std::size_t>(group.key.nodes);
    if (guest == ProjectId(0)) {
        return parts;
    }
    for (auto node = hidden_.begin(); node != hidden_.end() && parts.size() < count; ++node) {
        if (node->second->timeline.is_open_for(guest, now)) {
            if (auto placed = find_beside_promises(*node->second, group, job, now)) {
                parts.push_back(*std::move(placed));
            }
        }
    }
    return parts;
}

/// On nodes that nothing is promised of: as many parts as there is room for, `count` at most.
std::vector<Placed> Core::find_unpromised(const Ask& ask, JobId job, std::size_t count) {
    std::vector<Placed> parts;
    while (parts.size() < count) {
        ++decisions_;
        const Decision decision =
            engine_.place(*ask.request, (options_.seed ^ (job.value() + parts.size())) * kMixPrime);
        const auto* placed = std::get_if<Placed>(&decision);
        if (placed == nullptr) {
            break;
        }
        parts.push_back(*placed);
        if (count > 1) {
            NodeView hidden = nodes_.at(placed->node).timeline.view();
            hidden.availability = Availability::kDrained;
            engine_.put_node(hidden);
        }
    }
    if (count > 1) {
        for (const Placed& part : parts) {
            show(nodes_.at(part.node));
        }
    }
    return parts;
}

/// On a node of which a part is promised to somebody else, or booked: what does not break the
/// promise, or use what is booked for others.
std::optional<Placed> Core::find_beside_promises(
    const Node& node, const Group& group, JobId job, Instant now) const {
    const model::Request& request = *group.ask->request;
    if (!can_take(node.timeline.view(), request)) {
        return std::nullopt;
    }
    const NodeView view =
        node.timeline.view_during(now, now, run_of(group.key), job, group.ask->key.guest);
    Decision decision = place(request, {view});
    auto* placed = std::get_if<Placed>(&decision);
    return placed == nullptr ? std::nullopt : std::optional(std::move(*placed));
}

/// The longest run for which there is room beside promises, where `parts_found` of a job's parts
/// found room elsewhere. 0: for none.
std::chrono::seconds Core::passing_run_of(
    const Ask& ask, std::size_t parts_found, Instant now) const {
    const std::size_t missing = static_cast<std::size_t>(ask.key.nodes) - parts_found;
    std::vector<std::chrono::seconds> runs;
    for (const auto& [id, node] : hidden_) {
        if (can_take(node->timeline.view(), *ask.request)) {
            runs.push_back(node->timeline.longest_run(*ask.request, now, ask.key.guest));
        }
    }
    if (missing == 0 || runs.size() < missing) {
        return std::chrono::seconds(0);
    }
    std::ranges::sort(runs, std::ranges::greater());
    return runs[missing - 1];
}

}  // namespace reeve::scheduler
