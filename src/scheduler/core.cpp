#include "scheduler/core.hpp"

#include <algorithm>
#include <bit>
#include <tuple>

#include "base/assert.hpp"

namespace reeve::scheduler {
namespace {

/// True if some amount of `now` is more than it was, or it may be for others than before.
bool has_grown(const NodeView& before, const NodeView& now) {
    if (now.availability != Availability::kReady) {
        return false;
    }
    const model::HostAmount& old_host = before.free.host;
    const model::HostAmount& host = now.free.host;
    if (before.node_class != now.node_class || before.availability != Availability::kReady ||
        host.cpu_millicores > old_host.cpu_millicores || host.memory_mib > old_host.memory_mib ||
        before.free.gpus.size() != now.free.gpus.size()) {
        return true;
    }
    for (std::size_t i = 0; i < now.free.gpus.size(); ++i) {
        const model::Gpu& old_gpu = before.free.gpus[i];
        const model::Gpu& gpu = now.free.gpus[i];
        if (gpu.id != old_gpu.id || gpu.model != old_gpu.model ||
            gpu.free.milli > old_gpu.free.milli || gpu.free.memory_mib > old_gpu.free.memory_mib) {
            return true;
        }
    }
    return false;
}

/// True if both could hold the same when empty, of the same jobs.
bool is_alike(const NodeView& left, const NodeView& right) {
    return left.availability == right.availability && left.host_total == right.host_total &&
           left.node_class == right.node_class &&
           std::ranges::equal(
               left.free.gpus, right.free.gpus, [](const model::Gpu& a, const model::Gpu& b) {
                   return std::tie(a.id, a.model, a.total_mib) ==
                          std::tie(b.id, b.model, b.total_mib);
               });
}

/// Between the limits to plan with that are as long as `limit`.
std::chrono::seconds planning_step(std::chrono::seconds limit) noexcept {
    constexpr int kBitsKept = 7;  // 64 values from one power of two to the next.
    const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(limit.count(), 0));
    const int dropped = std::max(static_cast<int>(std::bit_width(seconds)) - kBitsKept, 0);
    return std::chrono::seconds(std::int64_t{1} << static_cast<unsigned>(dropped));
}

}  // namespace

std::chrono::seconds planning_limit(std::chrono::seconds limit) noexcept {
    const std::chrono::seconds below = longest_limit(limit);
    return below == limit ? below : below + planning_step(limit);
}

std::chrono::seconds longest_limit(std::chrono::seconds run) noexcept {
    return run - run % planning_step(run);
}

Core::Core(const CoreOptions& options) : options_(options), engine_({.policy = options.policy}) {}

// ---- What there is.

void Core::put_node(const NodeView& view) {
    const auto [found, is_new] =
        nodes_.try_emplace(view.id, Node{.timeline = Timeline(view, options_.assumed_run)});
    Node& node = found->second;
    if (is_new || !is_alike(node.timeline.view(), view)) {
        change_hardware();
    }
    if (is_new || has_grown(node.timeline.view(), view)) {
        grown_.insert(view.id);
        is_preemption_due_ = true;
    }
    node.timeline.put_view(view);
    if (is_new) {
        tell_bookings(node);
    }
    show(node);
}

void Core::drop_node(NodeId id) {
    if (const auto node = nodes_.find(id); node != nodes_.end()) {
        for (const auto& [hold_id, hold] : node->second.timeline.holds()) {
            count_preemptible(hold, -1);
        }
        nodes_.erase(node);
    }
    hidden_.erase(id);
    grown_.erase(id);
    let_go_.erase(id);
    engine_.remove_node(id);
    change_hardware();
}

/// What no node could ever do, one may now.
void Core::change_hardware() {
    for (const AskKey& key : std::set<AskKey>(hopeless_)) {
        set_hopeless(asks_.at(key), false);
    }
    are_reservations_stale_ = true;
}

/// Tells the engine of a node. What is promised to somebody, or booked soon, is looked at by hand:
/// see find_beside_promises().
void Core::show(const Node& node) {
    const NodeId id = node.timeline.view().id;
    if (!node.is_hidden()) {
        hidden_.erase(id);
        engine_.put_node(node.timeline.view());
        return;
    }
    hidden_.emplace(id, &node);
    NodeView hidden = node.timeline.view();
    hidden.availability = Availability::kDrained;
    engine_.put_node(hidden);
}

void Core::put_hold(AllocationId id, const Hold& hold) {
    const auto [known, is_new] = hold_nodes_.try_emplace(id, hold.node);
    REEVE_ASSERT(is_new || known->second == hold.node, "a hold stays on its node");
    const auto node = nodes_.find(hold.node);
    if (node == nodes_.end()) {
        return;
    }
    Timeline& timeline = node->second.timeline;
    const auto before = timeline.holds().find(id);
    if (before != timeline.holds().end()) {
        const bool ends_sooner = hold.is_ending && !before->second.is_ending;
        are_reservations_stale_ = are_reservations_stale_ || ends_sooner;
        count_preemptible(before->second, -1);
    }
    are_quotas_checked_ = are_quotas_checked_ && !is_new;
    timeline.put_hold(id, hold);
    count_preemptible(hold, 1);
}

void Core::drop_hold(AllocationId id) {
    const auto known = hold_nodes_.find(id);
    if (known == hold_nodes_.end()) {
        return;
    }
    if (const auto node = nodes_.find(known->second); node != nodes_.end()) {
        Timeline& timeline = node->second.timeline;
        if (const auto held = timeline.holds().find(id); held != timeline.holds().end()) {
            count_preemptible(held->second, -1);
        }
        timeline.drop_hold(id);
    }
    hold_nodes_.erase(known);
}

void Core::put_request(model::RequestId id, const model::Request& request) {
    const auto [known, is_new] = requests_.try_emplace(id, request);
    if (is_new || known->second == request) {
        return;
    }
    known->second = request;
    for (auto ask = first_ask_for(id); ask != asks_.end() && ask->first.request == id; ++ask) {
        unblock(ask->second);
    }
    are_reservations_stale_ = true;
}

void Core::drop_request(model::RequestId id) {
    const auto ask = first_ask_for(id);
    REEVE_ASSERT(
        ask == asks_.end() || ask->first.request != id, "nobody waits for what is dropped");
    requests_.erase(id);
}

/// The first of the asks for `id`, if there is one: of so many nodes each.
std::map<Core::AskKey, Core::Ask>::iterator Core::first_ask_for(model::RequestId id) {
    return asks_.lower_bound({.request = id, .nodes = INT32_MIN});
}

void Core::reclassify(NodeId id, NodeClassId node_class) {
    Node& node = nodes_.at(id);
    NodeView view = node.timeline.view();
    if (view.node_class == node_class) {
        return;
    }
    view.node_class = node_class;
    node.timeline.put_view(std::move(view));
    show(node);
}

void Core::reclassify(model::RequestId id, std::vector<NodeClassId> node_classes) {
    requests_.at(id).node_classes = std::move(node_classes);
}

// ---- Who waits.

Core::Group& Core::group_with(const GroupKey& key) {
    const auto [found, is_new] = groups_.try_emplace(key);
    Group& group = found->second;
    if (is_new) {
        group.key = key;
        join_ask(group);
        join_due(group);
        ++runs_[run_of(key)];
    }
    return group;
}

void Core::put_waiting(const Place& place, const GroupKey& key) {
    Group& group = group_with(key);
    const bool is_first = group.jobs.empty() || place < *group.jobs.begin();
    if (!is_first) {
        group.jobs.insert(group.jobs.end(), place);  // Most come in order.
        return;
    }
    remove_head(group);
    group.jobs.insert(place);
    add_head(group);
}

void Core::drop_waiting(const Place& place, const GroupKey& key) {
    const auto found = groups_.find(key);
    if (found == groups_.end()) {
        return;
    }
    Group& group = found->second;
    const bool is_first = !group.jobs.empty() && *group.jobs.begin() == place;
    if (!is_first) {
        group.jobs.erase(place);
        return;
    }
    remove_head(group);
    group.jobs.erase(place);
    if (group.jobs.empty()) {
        drop_group(group);
    } else {
        add_head(group);
    }
}

void Core::drop_group(Group& group) {
    if (group.waits_for_quota_of) {
        without_quota_[*group.waits_for_quota_of].erase(group.key);
    }
    const auto same_run = runs_.find(run_of(group.key));
    if (--same_run->second == 0) {
        runs_.erase(same_run);
    }
    leave_ask(group);
    if (const auto due = dues_.find(group.key.project); due != dues_.end()) {
        due->second.groups.erase({group.gpu_milli, group.key});
    }
    groups_.erase(GroupKey(group.key));
}

void Core::add_head(Group& group) {
    if (group.waits_for_quota_of || group.jobs.empty()) {
        return;
    }
    const Place place = group.in_order(*group.jobs.begin());
    if (!group.ask->is_hopeless) {
        order_.emplace(place, &group);
    }
    group.ask->heads.emplace(place, &group);
    group.ask->heads_by_run[run_of(group.key)].emplace(place, &group);
    refresh(*group.ask);
}

void Core::remove_head(Group& group) {
    if (group.waits_for_quota_of || group.jobs.empty()) {
        return;
    }
    const Place place = group.in_order(*group.jobs.begin());
    Ask& ask = *group.ask;
    order_.erase(place);
    ask.heads.erase(place);
    const auto same_run = ask.heads_by_run.find(run_of(group.key));
    same_run->second.erase(place);
    if (same_run->second.empty()) {
        ask.heads_by_run.erase(same_run);
    }
    refresh(ask);
}

/// The first in order that there may be room for; null if there is none.
const Core::Heads::value_type* Core::eligible(const Ask& ask) const {
    if (ask.heads.empty()) {
        return nullptr;
    }
    if (!ask.is_blocked || ask.passing_run >= ask.heads_by_run.rbegin()->first) {
        return &*ask.heads.begin();
    }
    const Heads::value_type* first = nullptr;
    for (auto run = ask.heads_by_run.begin();
         run != ask.heads_by_run.end() && run->first <= ask.passing_run; ++run) {
        const Heads::value_type& head = *run->second.begin();
        if (first == nullptr || head.first < first->first) {
            first = &head;
        }
    }
    return first;
}

/// Puts the ask where it belongs in active_ and blocked_. Of one that nobody stands for it is not
/// followed who makes room, so what was found of it holds no longer.
void Core::refresh(Ask& ask) {
    ask.is_blocked = ask.is_blocked && !ask.heads.empty();
    const auto* const first = eligible(ask);
    if (ask.active_at && (first == nullptr || *ask.active_at != first->first)) {
        active_.erase(*ask.active_at);
        ask.active_at.reset();
    }
    if (first != nullptr && !ask.active_at) {
        ask.active_at = first->first;
        active_.emplace(first->first, &ask);
    }
    if (ask.is_blocked) {
        blocked_.insert(ask.key);
    } else {
        blocked_.erase(ask.key);
    }
}

/// Nothing can be kept for what no node could ever hold, so that it is not in the order of those
/// who are promised room, however many it is.
void Core::set_hopeless(Ask& ask, bool is_hopeless) {
    if (ask.is_hopeless == is_hopeless) {
        return;
    }
    ask.is_hopeless = is_hopeless;
    if (is_hopeless) {
        hopeless_.insert(ask.key);
        for (const auto& [place, group] : ask.heads) {
            order_.erase(place);
        }
    } else {
        hopeless_.erase(ask.key);
        order_.insert(ask.heads.begin(), ask.heads.end());
    }
}

void Core::block(Ask& ask, std::chrono::seconds passing_run) {
    ask.is_blocked = true;
    ask.passing_run = passing_run;
    refresh(ask);
}

void Core::unblock(Ask& ask) {
    set_hopeless(ask, false);
    ask.is_blocked = false;
    refresh(ask);
}

void Core::free_quota(const QuotaHolder& holder) {
    are_quotas_checked_ = false;
    const auto found = without_quota_.find(holder);
    if (found == without_quota_.end()) {
        return;
    }
    const std::set<GroupKey> keys = std::move(found->second);
    without_quota_.erase(found);
    for (const GroupKey& key : keys) {
        Group& group = groups_.at(key);
        group.waits_for_quota_of.reset();
        add_head(group);
    }
}

void Core::observe(const model::Request& request, std::uint64_t times) {
    mix_.observe(request, times);
    if (mix_.is_due()) {
        learn(std::make_shared<const std::vector<ClassCount>>(mix_.counts()));
        mix_.taken();
    }
}

void Core::learn(Mix mix) {
    learnt_ = std::move(mix);
    if (learnt_) {
        engine_.learn(*learnt_);
    }
}

// ---- What follows.

std::optional<Start> Core::next(Instant now, std::size_t& looks, const QuotaCheck& quota_check) {
    settle(now, quota_check);
    while (looks > 0) {
        const auto owner = std::ranges::find_if(reservations_, &Reservation::is_worth_a_look);
        if (active_.empty() && owner == reservations_.end()) {
            return std::nullopt;
        }
        --looks;
        std::optional<Start> start;
        const Place first =
            owner == reservations_.end()
                ? Place()
                : groups_.at(owner->group).in_order({.rank = owner->rank, .job = owner->job});
        if (owner != reservations_.end() && (active_.empty() || first <= active_.begin()->first)) {
            owner->is_worth_a_look = false;
            start = try_start(first, groups_.at(owner->group), now, quota_check);
        } else {
            start = look(now, quota_check);
        }
        if (start) {
            return start;
        }
        settle(now, quota_check);
    }
    return std::nullopt;
}

/// At the first of the active asks.
std::optional<Start> Core::look(Instant now, const QuotaCheck& quota_check) {
    Ask& ask = *active_.begin()->second;
    const auto [place, group] = *eligible(ask);
    const bool was_blocked = ask.is_blocked;
    std::optional<Start> start = try_start(place, *group, now, quota_check);
    if (start || group->waits_for_quota_of) {
        return start;
    }
    const auto count = static_cast<std::size_t>(ask.key.nodes);
    const std::size_t found = find_unpromised(ask, place.job, count).size();
    std::chrono::seconds passing_run = passing_run_of(ask, found, now);
    if (was_blocked) {  // Whatever was said of it, there was no room for this run.
        passing_run = std::min(passing_run, run_of(group->key) - std::chrono::seconds(1));
    }
    block(ask, passing_run);
    return std::nullopt;
}

std::optional<Start> Core::try_start(
    const Place& place, Group& group, Instant now, const QuotaCheck& quota_check) {
    std::vector<Placed> parts = find(group, place.job, now);
    if (parts.empty() || lacks_quota(group, parts, quota_check)) {
        return std::nullopt;
    }
    return Start{
        .place = {.rank = place.rank, .job = place.job},
        .group = group.key,
        .parts = std::move(parts),
        .is_backfilled = !order_.empty() && order_.begin()->first < place
    };
}

/// If so, the group is put aside until who lacks it has some.
bool Core::lacks_quota(
    Group& group, const std::vector<Placed>& parts, const QuotaCheck& quota_check) {
    const std::optional<QuotaHolder> over =
        quota_check ? quota_check(group.key, parts) : std::nullopt;
    if (over) {
        put_aside(group, *over);
    }
    return over.has_value();
}

void Core::put_aside(Group& group, const QuotaHolder& over) {
    remove_head(group);
    group.waits_for_quota_of = over;
    without_quota_[over].insert(group.key);
}

/// Lets those look again for whom there may be room now, and renews what is reserved.
void Core::settle(Instant now, const QuotaCheck& quota_check) {
    look_ahead(now);
    do {
        std::set<NodeId> changed = std::exchange(let_go_, {});
        for (const NodeId id : std::exchange(grown_, {})) {
            reconsider_reservations(id, now);
            changed.insert(id);
        }
        for (const NodeId id : changed) {
            if (const auto node = nodes_.find(id); node != nodes_.end()) {
                reconsider(node->second, now);
            }
        }
        ensure_reservations(now, quota_check);
    } while (!let_go_.empty() || !grown_.empty());
}

/// A node has more to give: who found no room before may find it there.
void Core::reconsider(const Node& node, Instant now) {
    const NodeView& view = node.timeline.view();
    for (auto at = blocked_.begin(); at != blocked_.end();) {
        Ask& ask = asks_.at(*at);
        ++at;  // It may leave.
        if (!can_take(view, *ask.request)) {
            continue;
        }
        set_hopeless(ask, false);
        if (!node.is_hidden()) {
            unblock(ask);
            continue;
        }
        const std::chrono::seconds run =
            node.timeline.longest_run(*ask.request, now, ask.key.guest);
        if (run > ask.passing_run) {
            block(ask, run);
        }
    }
    if (!node.is_kept_back) {
        return;
    }
    for (Reservation& reservation : reservations_) {
        reservation.is_worth_a_look =
            reservation.is_worth_a_look ||
            std::ranges::find(reservation.parts, view.id, &Placed::node) != reservation.parts.end();
    }
}

std::chrono::seconds Core::run_of(const GroupKey& key) const {
    return key.limit > std::chrono::seconds(0) ? key.limit : options_.assumed_run;
}

std::optional<Instant> Core::next_wakeup() const {
    std::optional<Instant> first;
    for (const Reservation& reservation : reservations_) {
        if (!first || reservation.at < *first) {
            first = reservation.at;
        }
    }
    if (protected_until_ && (!first || *protected_until_ < *first)) {
        first = protected_until_;
    }
    return first;
}

}  // namespace reeve::scheduler
