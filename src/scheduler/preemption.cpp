// What has to be stopped so that the first that waits, of a higher priority, may start.
#include "scheduler/preemption.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "base/assert.hpp"
#include "scheduler/core.hpp"
#include "scheduler/victims.hpp"

namespace reeve::scheduler {

std::string_view name_of(PreemptionMode mode) noexcept {
    const auto* const row = std::ranges::find(kPreemptionModes, mode, &PreemptionModeRow::mode);
    return row == kPreemptionModes.end() ? std::string_view() : row->name;
}

Result<PreemptionMode> parse_preemption(std::string_view name) {
    const auto* const row = std::ranges::find(kPreemptionModes, name, &PreemptionModeRow::name);
    if (row != kPreemptionModes.end()) {
        return row->mode;
    }
    std::string names;
    for (const PreemptionModeRow& each : kPreemptionModes) {
        names += (names.empty() ? "" : ", ") + std::string(each.name);
    }
    return fail(
        ErrorCode::kInvalid,
        "there is no preemption '" + std::string(name) + "'; there are " + names);
}

Core::PreemptibleKey Core::key_of(ProjectId project, std::int32_t priority) const {
    return {options_.preemption == PreemptionMode::kAny ? ProjectId(0) : project, priority};
}

/// True if something runs that may be stopped for a job of `group`, now or once it is no longer
/// protected.
bool Core::has_lower(const GroupKey& group) const {
    const auto lowest = preemptible_.lower_bound(key_of(group.project, INT32_MIN));
    return lowest != preemptible_.end() && lowest->first < key_of(group.project, group.priority);
}

/// Keeps preemptible_: a hold is there from now on (+1), or no more (-1).
void Core::count_preemptible(const Hold& hold, int sign) {
    if (!hold.preemptible || hold.is_ending) {
        return;
    }
    const auto key = key_of(hold.preemptible->project, hold.preemptible->priority);
    if (sign > 0) {
        ++preemptible_[key];
        is_preemption_due_ = true;
        return;
    }
    const auto same = preemptible_.find(key);
    REEVE_ASSERT(same != preemptible_.end(), "what ends was counted");
    if (--same->second == 0) {
        preemptible_.erase(same);
    }
}

const Hold& Core::hold_with(AllocationId id) const {
    return nodes_.at(hold_nodes_.at(id)).timeline.holds().at(id);
}

/// A node on which the job may get room, with what may be stopped there.
struct Core::Scene {
    NodeView view;  // As if all that was told to stop had ended.
    std::vector<Stoppable> stoppable;
};

/// True if it may ever be stopped for a job of `group`.
bool Core::may_stop(const Hold& hold, const GroupKey& group) const {
    return hold.preemptible && !hold.is_ending && hold.preemptible->priority < group.priority &&
           (options_.preemption == PreemptionMode::kAny ||
            hold.preemptible->project == group.project);
}

namespace {

bool has_room_without(
    NodeView view, const std::vector<Stoppable>& stopped, const model::Request& request) {
    for (const Stoppable& each : stopped) {
        view.free = model::give_back(std::move(view.free), each.hold->grant);
    }
    return can_take(view, request);
}

}  // namespace

/// The nodes that could serve the job, some of which only with victims. Of one that is booked for
/// others nothing is stopped.
std::vector<Core::Scene> Core::scenes_for(const Group& group, Instant now) {
    std::vector<Scene> scenes;
    protected_until_.reset();
    for (const auto& [id, node] : nodes_) {
        if (node.timeline.is_for_others(
                now, kStopTakes + run_of(group.key), group.ask->key.guest)) {
            continue;
        }
        Scene scene = scene_of(node, group, now);
        if (has_room_without(scene.view, scene.stoppable, *group.ask->request)) {
            scenes.push_back(std::move(scene));
        }
    }
    return scenes;
}

/// What may be stopped there for the job. Notes when what is protected no longer is.
Core::Scene Core::scene_of(const Node& node, const Group& group, Instant now) {
    Scene scene{.view = node.timeline.view(), .stoppable = {}};
    for (const auto& [id, hold] : node.timeline.holds()) {
        if (hold.is_ending) {
            scene.view.free = model::give_back(std::move(scene.view.free), hold.grant);
        } else if (may_stop(hold, group.key)) {
            const Instant until = hold.preemptible->protected_until;
            if (until > now) {
                protected_until_ = std::min(protected_until_.value_or(until), until);
            } else {
                scene.stoppable.push_back({.id = id, .hold = &hold});
            }
        }
    }
    return scene;
}

namespace {

std::vector<Stoppable> up_to(const std::vector<Stoppable>& all, std::int32_t priority) {
    std::vector<Stoppable> some;
    std::ranges::copy_if(all, std::back_inserter(some), [priority](const Stoppable& each) {
        return each.hold->preemptible->priority <= priority;
    });
    return some;
}

}  // namespace

/// The lowest priority such that stopping up to it gives room on `count` nodes; all of `scenes`
/// have room with all that may be stopped there.
std::int32_t Core::lowest_priority_to_stop(
    const std::vector<Scene>& scenes, const model::Request& request, std::size_t count) {
    std::set<std::int32_t> all = {INT32_MIN};
    for (const Scene& scene : scenes) {
        for (const Stoppable& each : scene.stoppable) {
            all.insert(each.hold->preemptible->priority);
        }
    }
    const std::vector<std::int32_t> levels(all.begin(), all.end());
    const auto is_too_low = [&](std::int32_t level) {
        const auto with_room = std::ranges::count_if(scenes, [&](const Scene& scene) {
            return has_room_without(scene.view, up_to(scene.stoppable, level), request);
        });
        return std::cmp_less(with_room, count);
    };
    return *std::ranges::partition_point(levels, is_too_low);
}

/// All that is stopped together with `victims`.
std::vector<AllocationId> Core::with_gangs(const std::vector<AllocationId>& victims) const {
    std::set<AllocationId> all(victims.begin(), victims.end());
    std::set<JobId> gangs;
    for (const AllocationId id : victims) {
        gangs.insert(hold_with(id).preemptible->gang);
    }
    gangs.erase(JobId(0));
    if (gangs.empty()) {
        return victims;
    }
    for (const auto& [id, node] : nodes_) {
        for (const auto& [hold_id, hold] : node.timeline.holds()) {
            if (hold.preemptible && gangs.contains(hold.preemptible->gang)) {
                all.insert(hold_id);
            }
        }
    }
    return {all.begin(), all.end()};
}

std::optional<Preemption> Core::preempt(Instant now) {
    if (protected_until_ && *protected_until_ <= now) {
        protected_until_.reset();
        is_preemption_due_ = true;
    }
    if (options_.preemption == PreemptionMode::kNone || reservations_.empty() ||
        are_reservations_stale_) {
        return std::nullopt;
    }
    const Reservation& first = reservations_.front();
    const auto found = groups_.find(first.group);
    if (!is_preemption_due_ || found == groups_.end() || first.at <= now + kStopTakes ||
        !has_lower(first.group)) {
        return std::nullopt;
    }
    is_preemption_due_ = false;
    const Group& group = found->second;
    const auto count = static_cast<std::size_t>(group.key.nodes);
    const std::vector<Scene> scenes = scenes_for(group, now);
    if (scenes.size() < count) {
        return std::nullopt;
    }
    const model::Request& request = *group.ask->request;
    const std::int32_t level = lowest_priority_to_stop(scenes, request, count);
    std::vector<std::pair<Victims, NodeId>> choices;
    for (const Scene& scene : scenes) {
        if (auto victims =
                cheapest_victims(scene.view, request, up_to(scene.stoppable, level), now)) {
            choices.emplace_back(*std::move(victims), scene.view.id);
        }
    }
    std::ranges::sort(choices, {}, [](const auto& choice) {
        return std::pair(choice.first.cost, choice.second);
    });
    std::vector<AllocationId> all;
    for (std::size_t i = 0; i < count; ++i) {
        all.insert(all.end(), choices[i].first.ids.begin(), choices[i].first.ids.end());
    }
    if (all.empty()) {
        return std::nullopt;  // There is room once what was told to stop has ended.
    }
    return Preemption{.job = first.job, .group = first.group, .victims = with_gangs(all)};
}

}  // namespace reeve::scheduler
