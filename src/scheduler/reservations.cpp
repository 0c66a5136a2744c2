// Who waits for room is promised some, so that nobody who passes it makes it wait longer.
// EASY: Lifka, "The ANL/IBM SP scheduling system", JSSPP 1995. Conservative: Mu'alem and Feitelson,
// "Utilization, predictability, workloads, and user runtime estimates in scheduling the IBM SP2
// with backfilling", IEEE TPDS 2001.
#include <algorithm>
#include <tuple>
#include <utility>

#include "base/assert.hpp"
#include "scheduler/core.hpp"

namespace reeve::scheduler {

/// Room for one task of a job.
struct Core::Candidate {
    Instant at;
    NodeId node;
    model::Grant grant;
};

std::size_t Core::reservations_max() const noexcept {
    switch (options_.backfill) {
        case Backfill::kNone:         return 0;
        case Backfill::kEasy:         return 1;
        case Backfill::kConservative: return options_.promises_max;
    }
    return 0;
}

/// Walks the jobs that wait in their order, beginning with the heads of the groups.
class Core::Walk {
  public:
    explicit Walk(const Heads& heads) : heads_(heads), head_(heads.begin()) {}

    [[nodiscard]] std::optional<Heads::value_type> next() {
        if (last_) {  // What comes behind it in its group is next of that group.
            const Group& group = *last_->second;
            const auto behind =
                group.jobs.upper_bound({.rank = last_->first.rank, .job = last_->first.job});
            if (behind != group.jobs.end()) {
                behind_.emplace(group.in_order(*behind), last_->second);
            }
            last_.reset();
        }
        if (head_ == heads_.end() && behind_.empty()) {
            return std::nullopt;
        }
        const bool is_head =
            behind_.empty() || (head_ != heads_.end() && head_->first < behind_.begin()->first);
        last_.emplace(is_head ? *head_ : *behind_.begin());
        if (is_head) {
            ++head_;
        } else {
            behind_.erase(behind_.begin());
        }
        return last_;
    }

  private:
    const Heads& heads_;
    Heads::const_iterator head_;
    Heads behind_;  // Of groups whose head went by: the next ones.
    std::optional<Heads::value_type> last_;
};

/// The first jobs in order that found no room, up to the first that will be looked at; also if its
/// ask is blocked but for short runs, as long as its own is one. What was promised to it, or to
/// those behind it, would hide room from others that ask for the same: see passing_run_of().
std::vector<Core::Heads::value_type> Core::first_waiting() const {
    std::vector<Heads::value_type> first;
    Walk walk(order_);
    while (first.size() < reservations_max()) {
        const auto waiting = walk.next();
        if (!waiting || waiting->second->ask->active_at == waiting->first) {
            break;
        }
        first.push_back(*waiting);
    }
    return first;
}

/// How many of the reservations there are belong to the first that wait, in that order.
std::size_t Core::reservations_in_order(const std::vector<Heads::value_type>& wanted) const {
    std::size_t kept = 0;
    while (kept < reservations_.size() && kept < wanted.size() &&
           reservations_[kept].job == wanted[kept].first.job &&
           reservations_[kept].group == wanted[kept].second->key) {
        ++kept;
    }
    return kept;
}

/// True if the one reservation is of the first in order, which is about to be looked at: its
/// promise stays meanwhile.
bool Core::is_owner_active() const {
    return reservations_.size() == 1 && !order_.empty() &&
           order_.begin()->second->ask->active_at == order_.begin()->first &&
           order_.begin()->first.job == reservations_.front().job &&
           order_.begin()->second->key == reservations_.front().group;
}

/// Room is promised to those alone who have the quota for it: somebody may have taken that since.
void Core::recheck_quotas(const QuotaCheck& quota_check) {
    if (std::exchange(are_quotas_checked_, true) || !quota_check) {
        return;
    }
    are_reservations_stale_ =
        are_reservations_stale_ || std::ranges::any_of(reservations_, [&](const Reservation& each) {
            return quota_check(each.group, each.parts).has_value();
        });
}

void Core::ensure_reservations(Instant now, const QuotaCheck& quota_check) {
    recheck_quotas(quota_check);
    if (options_.backfill == Backfill::kNone || (is_owner_active() && !are_reservations_stale_)) {
        return;
    }
    bool has_all = false;
    while (!has_all) {
        const std::vector<Heads::value_type> wanted = first_waiting();
        const std::size_t kept = reservations_in_order(wanted);
        const bool is_due = std::ranges::any_of(
            reservations_, [&](const Reservation& each) { return each.at <= now; });
        if (kept < reservations_.size() || are_reservations_stale_ || is_due) {
            drop_reservations();
            are_reservations_stale_ = false;
            if (!let_go_.empty()) {
                return;  // First those look again for whom there is room now: see settle().
            }
        }
        has_all = true;
        for (std::size_t i = reservations_.size(); i < wanted.size() && has_all; ++i) {
            has_all = reserve(wanted[i].first, *wanted[i].second, now, quota_check);
        }
    }
}

/// False if the job is not one to reserve for: it lacks quota, or no node will ever do; then who
/// the first ones are has changed.
bool Core::reserve(const Place& place, Group& group, Instant now, const QuotaCheck& quota_check) {
    std::vector<Candidate> slots = earliest_slots(group, now);
    if (slots.empty()) {
        set_hopeless(*group.ask, true);
        return false;
    }
    Reservation reservation{
        .job = place.job, .rank = place.rank, .group = group.key, .at = slots.back().at};
    for (Candidate& slot : slots) {
        reservation.parts.push_back({.node = slot.node, .grant = std::move(slot.grant)});
    }
    if (lacks_quota(group, reservation.parts, quota_check)) {
        return false;
    }
    // It was looked at and found no room, so it cannot be now.
    reservation.at = std::max(reservation.at, now + std::chrono::seconds(1));
    promise(std::move(reservation));
    return true;
}

/// Each node with a time before which it cannot have room for a task of the job: whole GPUs have to
/// be free there; and as one task finds no room anywhere now, something has to end first.
std::vector<std::pair<Instant, const Core::Node*>> Core::bounds_of(
    const Group& group, Instant now) const {
    const auto* whole = std::get_if<model::WholeGpus>(&group.ask->request->gpus);
    std::vector<std::pair<Instant, const Node*>> bounds;
    for (const auto& [id, node] : nodes_) {
        auto bound = node.timeline.gpus_free_at(whole == nullptr ? 0 : whole->count);
        if (bound && group.key.nodes == 1 && !node.timeline.has_promises() &&
            !node.timeline.has_bookings()) {
            bound = std::max(*bound, node.timeline.first_end().value_or(now));
        }
        if (bound) {
            const Instant from = node.timeline.clear_from(
                std::max(*bound, now), run_of(group.key), group.ask->key.guest);
            bounds.emplace_back(from, &node);
        }
    }
    return bounds;
}

/// The earliest slots on as many nodes as the job has, by time; none if there are too few nodes. No
/// node is looked at that cannot have room before the best that were found.
std::vector<Core::Candidate> Core::earliest_slots(const Group& group, Instant now) const {
    const auto count = static_cast<std::size_t>(group.key.nodes);
    std::vector<std::pair<Instant, const Node*>> todo = bounds_of(group, now);
    const auto is_later = [](const auto& left, const auto& right) {
        return std::pair(left.first, left.second->timeline.view().id) >
               std::pair(right.first, right.second->timeline.view().id);
    };
    const auto is_worse = [](const Candidate& left, const Candidate& right) {
        return std::tie(left.at, left.node) < std::tie(right.at, right.node);
    };
    std::ranges::make_heap(todo, is_later);
    std::vector<Candidate> best;  // A heap, the latest first.
    while (!todo.empty() && (best.size() < count || todo.front().first < best.front().at)) {
        const Node& node = *todo.front().second;
        std::ranges::pop_heap(todo, is_later);
        todo.pop_back();
        const auto slot = node.timeline.earliest(
            *group.ask->request, run_of(group.key), now, group.ask->key.guest);
        if (!slot) {
            continue;
        }
        best.push_back({.at = slot->at, .node = node.timeline.view().id, .grant = slot->grant});
        std::ranges::push_heap(best, is_worse);
        if (best.size() > count) {
            std::ranges::pop_heap(best, is_worse);
            best.pop_back();
        }
    }
    if (best.size() < count) {
        return {};
    }
    std::ranges::sort(best, is_worse);
    return best;
}

void Core::promise(Reservation reservation) {
    is_preemption_due_ = true;
    for (const Placed& part : reservation.parts) {
        Node& node = nodes_.at(part.node);
        node.timeline.put_promise(
            {.job = reservation.job,
             .grant = part.grant,
             .at = reservation.at,
             .run = run_of(reservation.group)});
        if (!node.is_kept_back) {
            node.is_kept_back = true;
            show(node);
        }
    }
    reservations_.push_back(std::move(reservation));
}

void Core::drop_reservations() {
    for (const Reservation& reservation : std::exchange(reservations_, {})) {
        for (const Placed& part : reservation.parts) {
            const auto found = nodes_.find(part.node);
            if (found == nodes_.end()) {
                continue;
            }
            Node& node = found->second;
            if (node.is_kept_back) {
                node.timeline.drop_promises();
                node.is_kept_back = false;
                show(node);
                let_go_.insert(part.node);
            }
        }
    }
}

/// A node has more free: somebody may start sooner than was promised.
void Core::reconsider_reservations(NodeId grown, Instant now) {
    if (are_reservations_stale_ || reservations_.empty()) {
        return;
    }
    const Reservation& first = reservations_.front();
    const auto node = nodes_.find(grown);
    const auto group = groups_.find(first.group);
    if (reservations_max() > 1 || node == nodes_.end() || group == groups_.end() ||
        std::ranges::find(first.parts, grown, &Placed::node) != first.parts.end()) {
        are_reservations_stale_ = true;
        return;
    }
    const Ask& ask = *group->second.ask;
    const auto slot =
        node->second.timeline.earliest(*ask.request, run_of(first.group), now, ask.key.guest);
    are_reservations_stale_ = slot && slot->at < first.at;
}

}  // namespace reeve::scheduler
