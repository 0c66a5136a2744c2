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

/// False if nothing runs that may be stopped for a job of `group`, now or once it is no longer
/// protected.
bool Core::has_stoppable(const Group& group) const {
    const GroupKey& key = group.key;
    const auto lowest = preemptible_.lower_bound(key_of(key.project, INT32_MIN));
    const bool has_lower =
        lowest != preemptible_.end() && lowest->first < key_of(key.project, key.priority);
    return has_lower || (group.tier == Place::Tier::kDue && !preemptible_.empty());
}

/// Keeps preemptible_: a hold is there from now on (+1), or no more (-1).
void Core::count_preemptible(const Hold& hold, int sign) {
    // Whoever holds more may have more than is guaranteed to them.
    is_preemption_due_ = is_preemption_due_ || (sign > 0 && !hold.is_ending && open_dues_ > 0);
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

    /// False, with nothing taken, if that would be too much.
    [[nodiscard]] bool take(const std::vector<AllocationId>& victims, Loans& loans) const {
        Loans less = loans;
        for (const Stoppable& each : stoppable) {
            if (std::ranges::binary_search(victims, each.id)) {
                if (!each.is_in(less)) {
                    return false;
                }
                each.take(less);
            }
        }
        loans = std::move(less);
        return true;
    }
};

/// What to stop on a node.
struct Core::Choice {
    Victims victims;
    const Scene* scene = nullptr;
};

/// For whom something is to be stopped, and what may be had back from others.
class Core::Wish {
  public:
    Wish(const Group& group, const ProjectTree& projects, const std::map<NodeId, Node>& nodes)
        : group_(group),
          projects_(projects),
          guarantor_(
              group.tier == Place::Tier::kDue
                  ? projects.guarantor(group.key.project, group.gpu_milli)
                  : std::nullopt),
          loans_(projects, group.key.project) {
        if (!projects.has_guarantees()) {
            return;
        }
        for (const auto& [id, node] : nodes) {
            for (const auto& [hold_id, hold] : node.timeline.holds()) {
                count_as_gone(hold);
            }
        }
    }

    [[nodiscard]] const GroupKey& group() const { return group_.key; }

    [[nodiscard]] const model::Request& request() const { return *group_.ask->request; }

    [[nodiscard]] const Loans& loans() const { return loans_; }

    /// True if what `project` holds is lent to it by whoever guarantees the job its GPUs.
    [[nodiscard]] bool may_have_lent_to(ProjectId project) const {
        if (!guarantor_) {
            return false;
        }
        const std::vector<ProjectId> chain = projects_.above(project);
        return std::ranges::find(chain, *guarantor_) == chain.end();
    }

  private:
    /// What was told to stop, its project will not have much longer.
    void count_as_gone(const Hold& hold) {
        if (hold.is_ending && hold.preemptible) {
            loans_.take(hold.preemptible->project, gpu_milli_of(hold));
        }
    }

    const Group& group_;
    const ProjectTree& projects_;
    std::optional<ProjectId> guarantor_;
    Loans loans_;
};

/// True if it may ever be stopped for the job.
bool Core::may_stop(const Hold& hold, const Wish& wish) const {
    if (!hold.preemptible || hold.is_ending) {
        return false;
    }
    const bool is_lower = hold.preemptible->priority < wish.group().priority;
    const ProjectId project = hold.preemptible->project;
    if (is_lower && project == wish.group().project) {
        return true;
    }
    const bool is_for_any = is_lower && options_.preemption == PreemptionMode::kAny;
    return (is_for_any || wish.may_have_lent_to(project)) &&
           wish.loans().may_take(project, gpu_milli_of(hold));
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
std::vector<Core::Scene> Core::scenes_for(const Group& group, const Wish& wish, Instant now) {
    std::vector<Scene> scenes;
    protected_until_.reset();
    for (const auto& [id, node] : nodes_) {
        if (node.timeline.is_for_others(
                now, kStopTakes + run_of(group.key), group.ask->key.guest)) {
            continue;
        }
        Scene scene = scene_of(node, wish, now);
        if (has_room_without(scene.view, scene.stoppable, *group.ask->request)) {
            scenes.push_back(std::move(scene));
        }
    }
    return scenes;
}

/// What may be stopped there for the job. Notes when what is protected no longer is.
Core::Scene Core::scene_of(const Node& node, const Wish& wish, Instant now) {
    Scene scene{.view = node.timeline.view(), .stoppable = {}};
    for (const auto& [id, hold] : node.timeline.holds()) {
        if (hold.is_ending) {
            scene.view.free = model::give_back(std::move(scene.view.free), hold.grant);
        } else if (may_stop(hold, wish)) {
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

/// Priorities such that stopping up to them may give room on `count` nodes, the lowest first; all
/// of `scenes` have room with all that may be stopped there.
std::vector<std::int32_t> Core::priorities_to_stop(
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
    return {std::ranges::partition_point(levels, is_too_low), levels.end()};
}

/// The cheapest to stop, up to the priority, that give room on `count` nodes. What is had back for
/// one node counts when the next one is chosen.
std::optional<std::vector<AllocationId>> Core::victims_up_to(
    std::int32_t priority,
    const std::vector<Scene>& scenes,
    const Wish& wish,
    std::size_t count,
    Instant now) {
    const auto cheapest = [&](const Scene& scene, const Loans& loans) {
        return cheapest_victims(
            scene.view, wish.request(), up_to(scene.stoppable, priority), now, loans);
    };
    std::vector<Choice> choices;
    for (const Scene& scene : scenes) {
        if (auto victims = cheapest(scene, wish.loans())) {
            choices.push_back({.victims = *std::move(victims), .scene = &scene});
        }
    }
    std::ranges::sort(choices, {}, [](const Choice& choice) {
        return std::pair(choice.victims.cost, choice.scene->view.id);
    });
    Loans loans = wish.loans();
    std::vector<AllocationId> all;
    std::size_t nodes = 0;
    for (auto choice = choices.begin(); choice != choices.end() && nodes < count; ++choice) {
        std::optional<Victims> victims = std::move(choice->victims);
        if (!choice->scene->take(victims->ids, loans)) {
            victims = cheapest(*choice->scene, loans);
            if (!victims || !choice->scene->take(victims->ids, loans)) {
                continue;
            }
        }
        all.insert(all.end(), victims->ids.begin(), victims->ids.end());
        ++nodes;
    }
    return nodes < count ? std::nullopt : std::optional(std::move(all));
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

std::optional<Preemption> Core::preempt(Instant now, const ProjectTree& projects) {
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
        !has_stoppable(found->second)) {
        return std::nullopt;
    }
    is_preemption_due_ = false;
    const Group& group = found->second;
    const Wish wish(group, projects, nodes_);
    const auto count = static_cast<std::size_t>(group.key.nodes);
    const std::vector<Scene> scenes = scenes_for(group, wish, now);
    if (scenes.size() < count) {
        return std::nullopt;
    }
    std::optional<std::vector<AllocationId>> victims;
    for (const std::int32_t priority : priorities_to_stop(scenes, wish.request(), count)) {
        victims = victims_up_to(priority, scenes, wish, count, now);
        if (victims) {
            break;
        }
    }
    // None to stop: there is room once what was told to stop has ended.
    return victims && !victims->empty()
               ? std::optional(Preemption{
                     .job = first.job, .group = first.group, .victims = with_gangs(*victims)})
               : std::nullopt;
}

}  // namespace reeve::scheduler
