// A core that decides the same from here on.
#include <algorithm>
#include <ranges>

#include "scheduler/core.hpp"

namespace reeve::scheduler {

Core::Core(const Core& other) : Core(other.options_) {
    mix_ = other.mix_;
    learn(other.learnt_);
    for (const auto& [id, request] : other.requests_) {
        put_request(id, request);
    }
    for (const auto& [id, booking] : other.bookings_) {
        put_booking(*booking);
    }
    for (const auto& [id, node] : other.nodes_) {
        put_node(node.timeline.view());
        for (const auto& [hold_id, hold] : node.timeline.holds()) {
            put_hold(hold_id, hold);
        }
    }
    for (const auto& [project, due] : other.dues_) {
        dues_[project].gpu_milli = due.gpu_milli;
        open_dues_ += static_cast<std::size_t>(due.gpu_milli > 0);
    }
    for (const auto& [key, group] : other.groups_) {
        for (const Place& place : group.jobs) {
            put_waiting(place, key);
        }
        if (group.waits_for_quota_of) {
            put_aside(groups_.at(key), *group.waits_for_quota_of);
        }
    }
    for (const auto& [key, ask] : other.asks_) {
        Ask& mine = asks_.at(key);
        mine.is_blocked = ask.is_blocked;
        mine.passing_run = ask.passing_run;
        refresh(mine);
        set_hopeless(mine, ask.is_hopeless);
    }
    take_over_reservations(other);
    grown_ = other.grown_;
    let_go_ = other.let_go_;
}

void Core::take_over_reservations(const Core& other) {
    for (const Reservation& reservation : other.reservations_) {
        const bool has_nodes = std::ranges::all_of(
            reservation.parts, [this](const Placed& part) { return nodes_.contains(part.node); });
        if (has_nodes && groups_.contains(reservation.group)) {
            promise(reservation);
        }
    }
    are_reservations_stale_ =
        other.are_reservations_stale_ || reservations_.size() != other.reservations_.size();
}

Core& Core::operator=(const Core& other) {
    if (this != &other) {
        *this = Core(other);
    }
    return *this;
}

bool Core::was_told_the_same(const Core& other) const {
    const bool has_same_queue =
        std::ranges::equal(groups_, other.groups_, [](const auto& left, const auto& right) {
            return left.first == right.first && left.second.jobs == right.second.jobs;
        });
    const auto is_due = [](const auto& due) { return due.second.gpu_milli > 0; };
    const bool has_same_dues = std::ranges::equal(
        dues_ | std::views::filter(is_due), other.dues_ | std::views::filter(is_due),
        [](const auto& left, const auto& right) {
            return left.first == right.first && left.second.gpu_milli == right.second.gpu_milli;
        });
    const bool has_same_bookings = std::ranges::equal(
        bookings_, other.bookings_,
        [](const auto& left, const auto& right) { return *left.second == *right.second; });
    return has_same_queue && has_same_dues && has_same_bookings &&
           std::ranges::equal(nodes_, other.nodes_, [](const auto& left, const auto& right) {
               const Timeline& mine = left.second.timeline;
               const Timeline& its = right.second.timeline;
               return left.first == right.first && mine.view().free == its.view().free &&
                      mine.holds() == its.holds();
           });
}

}  // namespace reeve::scheduler
