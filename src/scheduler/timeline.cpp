#include <algorithm>
#include <cstddef>
#include <utility>

#include "scheduler/timeline_steps.hpp"

namespace reeve::scheduler {
namespace {

constexpr auto kLongAgo = Instant(std::chrono::microseconds(0));

/// Of each amount the lesser. Both are of one node.
void keep_least(model::Resources& of, const model::Resources& other) {
    of.host.cpu_millicores = std::min(of.host.cpu_millicores, other.host.cpu_millicores);
    of.host.memory_mib = std::min(of.host.memory_mib, other.host.memory_mib);
    for (std::size_t i = 0; i < of.gpus.size(); ++i) {
        model::GpuAmount& free = of.gpus[i].free;
        free.milli = std::min(free.milli, other.gpus[i].free.milli);
        free.memory_mib = std::min(free.memory_mib, other.gpus[i].free.memory_mib);
    }
}

}  // namespace

void Timeline::forget_what_follows() {
    are_ends_known_ = false;
    profile_.clear();
}

void Timeline::put_view(NodeView view) {
    view_ = std::move(view);
    forget_what_follows();
}

void Timeline::put_hold(AllocationId id, const Hold& hold) {
    holds_.insert_or_assign(id, hold);
    forget_what_follows();
}

void Timeline::drop_hold(AllocationId id) {
    holds_.erase(id);
    forget_what_follows();
}

Instant Timeline::end_of(const Hold& hold, Instant now) const {
    const std::chrono::seconds limit =
        hold.limit > std::chrono::seconds(0) ? hold.limit : assumed_run_;
    const Instant end = hold.since + limit;
    if (hold.is_ending) {
        return end > now ? std::min(end, now + kStopTakes) : now + kStopTakes;
    }
    if (end > now) {
        return end;
    }
    return now + std::max<std::chrono::microseconds>(now - hold.since, std::chrono::seconds(1));
}

std::vector<Timeline::Step> Timeline::steps(Instant now, JobId owner) const {
    std::vector<Step> steps;
    steps.reserve(holds_.size() + 2 * promises_.size());
    for (const auto& [id, hold] : holds_) {
        steps.push_back({.at = end_of(hold, now), .sign = 1, .grant = &hold.grant});
    }
    for (const Promise& promise : promises_) {
        if (promise.job != owner) {
            const Instant at = std::max(promise.at, now);
            steps.push_back({.at = at, .sign = -1, .grant = &promise.grant});
            steps.push_back({.at = at + promise.run, .sign = 1, .grant = &promise.grant});
        }
    }
    std::ranges::sort(steps, {}, &Step::at);
    return steps;
}

std::vector<Timeline::State> Timeline::states(Instant now, JobId owner, ProjectId project) const {
    if (!bookings_.empty()) {
        return states_beside_bookings(steps(now, owner), now, project);
    }
    std::vector<State> states = {
        {.from = now, .free = view_.free}
    };
    for (const Step& step : steps(now, owner)) {
        if (step.at > states.back().from) {
            states.push_back({.from = step.at, .free = model::Resources(states.back().free)});
        }
        add(states.back().free, *step.grant, step.sign);
    }
    return states;
}

const std::vector<Timeline::State>& Timeline::profile(Instant now, ProjectId project) const {
    if (profile_.empty() || profile_.front().from != now || profile_project_ != project) {
        profile_ = states(now, JobId(0), project);
        profile_project_ = project;
    }
    return profile_;
}

void Timeline::put_promise(const Promise& promise) {
    promises_.push_back(promise);
    if (!bookings_.empty()) {
        profile_.clear();  // What is kept beside it changes, too.
    }
    if (profile_.empty()) {
        return;
    }
    const Instant at = std::max(promise.at, profile_.front().from);
    const std::size_t first = split_profile(at);
    const std::size_t last = split_profile(at + promise.run);
    for (std::size_t i = first; i < last; ++i) {
        add(profile_[i].free, promise.grant, -1);
    }
}

/// The index of the state that begins at `at`, which is made if there is none.
std::size_t Timeline::split_profile(Instant at) {
    const auto next = std::ranges::upper_bound(profile_, at, {}, &State::from);
    const auto index = static_cast<std::size_t>(next - profile_.begin());
    if (profile_[index - 1].from == at) {
        return index - 1;
    }
    profile_.insert(next, {.from = at, .free = model::Resources(profile_[index - 1].free)});
    return index;
}

void Timeline::drop_promises() {
    promises_.clear();
    profile_.clear();
}

NodeView Timeline::view_during(
    Instant now, Instant from, std::chrono::seconds run, JobId owner, ProjectId project) const {
    if (promises_.empty() && from <= now && has_whole_bookings_alone()) {
        return is_for_others(now, run, project) ? with_nothing_free(view_) : view_;
    }
    const bool is_owner_here =
        std::ranges::find(promises_, owner, &Promise::job) != promises_.end();
    const std::vector<State> its_own =
        is_owner_here ? states(now, owner, project) : std::vector<State>();
    const std::vector<State>& all = is_owner_here ? its_own : profile(now, project);
    auto state = std::prev(std::ranges::upper_bound(all, std::max(from, now), {}, &State::from));
    NodeView view = view_;
    view.free = state->free;
    for (++state; state != all.end() && state->from < from + run; ++state) {
        keep_least(view.free, state->free);
    }
    return view;
}

std::chrono::seconds Timeline::longest_run(
    const model::Request& request, Instant now, ProjectId project) const {
    if (promises_.empty() && has_whole_bookings_alone()) {
        return can_take(view_, request) ? run_before_others(now, project) : std::chrono::seconds(0);
    }
    NodeView least = view_;
    for (const State& state : profile(now, project)) {
        keep_least(least.free, state.free);
        if (!can_take(least, request)) {
            return std::chrono::duration_cast<std::chrono::seconds>(state.from - now);
        }
    }
    return std::chrono::seconds::max();
}

std::optional<Timeline::Slot> Timeline::earliest(
    const model::Request& request, std::chrono::seconds run, Instant now, ProjectId project) const {
    if (view_.availability != Availability::kReady || !could_hold(view_, request)) {
        return std::nullopt;
    }
    if (promises_.empty() && bookings_.empty()) {
        return earliest_unpromised(request, now);
    }
    const std::vector<State>& states = profile(now, project);
    NodeView least = view_;
    std::size_t from = 0;
    while (from < states.size()) {
        least.free = states[from].free;
        std::size_t last = from;
        bool has_room = can_take(least, request);
        while (has_room && last + 1 < states.size() &&
               states[last + 1].from < states[from].from + run) {
            keep_least(least.free, states[++last].free);
            has_room = can_take(least, request);
        }
        if (has_room) {
            const Decision decision = place(request, {least});
            return Slot{.at = states[from].from, .grant = std::get<Placed>(decision).grant};
        }
        // If the last one alone is too little, no start before it will do.
        least.free = states[last].free;
        from = can_take(least, request) ? from + 1 : last + 1;
    }
    return std::nullopt;  // Held by something the timeline does not know of.
}

/// What is free only grows, so one walk will do.
std::optional<Timeline::Slot> Timeline::earliest_unpromised(
    const model::Request& request, Instant now) const {
    NodeView later = view_;
    Instant at = now;
    for (const Step& step : steps(now, JobId(0))) {
        if (step.at > at && can_take(later, request)) {
            break;
        }
        at = step.at;
        add(later.free, *step.grant, step.sign);
    }
    const Decision decision = place(request, {later});
    const auto* placed = std::get_if<Placed>(&decision);
    return placed == nullptr ? std::nullopt : std::optional(Slot{.at = at, .grant = placed->grant});
}

void Timeline::learn_ends() const {
    if (are_ends_known_) {
        return;
    }
    const auto end_of_hold = [this](const Hold& hold) {
        return hold.is_ending ? kLongAgo
                              : hold.since + (hold.limit > std::chrono::seconds(0) ? hold.limit
                                                                                   : assumed_run_);
    };
    first_end_.reset();
    for (const auto& [id, hold] : holds_) {
        const Instant end = end_of_hold(hold);
        first_end_ = first_end_ ? std::min(*first_end_, end) : end;
    }
    gpu_ends_.clear();
    for (const model::Gpu& gpu : view_.free.gpus) {
        Instant end = kLongAgo;
        for (const auto& [id, hold] : holds_) {
            if (std::ranges::find(hold.grant.gpus, gpu.id, &model::GpuGrant::gpu) !=
                hold.grant.gpus.end()) {
                end = std::max(end, end_of_hold(hold));
            }
        }
        gpu_ends_.push_back(end);
    }
    std::ranges::sort(gpu_ends_);
    are_ends_known_ = true;
}

std::optional<Instant> Timeline::first_end() const {
    learn_ends();
    return first_end_;
}

std::optional<Instant> Timeline::gpus_free_at(std::int64_t count) const {
    learn_ends();
    if (count <= 0) {
        return kLongAgo;
    }
    if (std::cmp_greater(count, gpu_ends_.size())) {
        return std::nullopt;
    }
    return gpu_ends_[static_cast<std::size_t>(count) - 1];
}

}  // namespace reeve::scheduler
