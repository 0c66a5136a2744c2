// What is booked, and who may use it.
#include <utility>

#include "base/assert.hpp"
#include "scheduler/core.hpp"

namespace reeve::scheduler {

/// With those that may use the same.
void Core::join_ask(Group& group) {
    const GroupKey& key = group.key;
    const ProjectId guest = guests_.contains(key.project) ? key.project : ProjectId(0);
    const AskKey ask_key{.request = key.request, .nodes = key.nodes, .guest = guest};
    const auto request = requests_.find(key.request);
    REEVE_ASSERT(request != requests_.end(), "a job waits for a request that is known");
    Ask& ask =
        asks_.try_emplace(ask_key, Ask{.key = ask_key, .request = &request->second}).first->second;
    ++ask.groups;
    group.ask = &ask;
}

/// It has no head there.
void Core::leave_ask(Group& group) {
    Ask& ask = *group.ask;
    group.ask = nullptr;
    if (--ask.groups == 0) {
        blocked_.erase(ask.key);  // It has no heads, so it is not active either.
        hopeless_.erase(ask.key);
        asks_.erase(AskKey(ask.key));
    }
}

/// A node that came is told what is booked of it.
void Core::tell_bookings(Node& node) const {
    for (const auto& [id, booking] : bookings_) {
        node.timeline.put_booking(booking);
        if (near_.contains({booking->from, id}) &&
            booking->part_on(node.timeline.view().id) != nullptr) {
            ++node.bookings_near;
        }
    }
}

void Core::put_booking(const Booking& booking) {
    drop_booking(booking.id);
    const auto kept = std::make_shared<const Booking>(booking);
    bookings_.emplace(kept->id, kept);
    far_.emplace(kept->from, kept->id);
    for (const BookedPart& part : kept->parts) {
        if (const auto node = nodes_.find(part.node); node != nodes_.end()) {
            node->second.timeline.put_booking(kept);
        }
    }
    count_guests(*kept, 1);
    are_reservations_stale_ = true;
}

void Core::drop_booking(BookingId id) {
    const auto found = bookings_.find(id);
    if (found == bookings_.end()) {
        return;
    }
    const auto booking = found->second;
    if (near_.erase({booking->from, id}) > 0) {
        bring_near(id, -1);
    }
    far_.erase({booking->from, id});
    for (const BookedPart& part : booking->parts) {
        if (const auto node = nodes_.find(part.node); node != nodes_.end()) {
            node->second.timeline.drop_booking(id);
            let_go_.insert(part.node);
        }
    }
    bookings_.erase(found);
    count_guests(*booking, -1);
    are_reservations_stale_ = true;
}

/// A booking is there from now on (+1), or no more (-1).
void Core::count_guests(const Booking& booking, int sign) {
    for (const ProjectId project : booking.projects) {
        const auto guest = guests_.try_emplace(project, 0).first;
        const bool was_guest = guest->second > 0;
        guest->second += static_cast<std::size_t>(sign);
        const bool is_guest = guest->second > 0;
        if (!is_guest) {
            guests_.erase(guest);
        }
        if (is_guest != was_guest) {
            regroup(project);
        }
    }
}

/// The groups of a project that may use other nodes than before are looked at with their like.
void Core::regroup(ProjectId project) {
    for (auto& [key, group] : groups_) {
        if (key.project == project) {
            remove_head(group);
            leave_ask(group);
            join_ask(group);
            add_head(group);
        }
    }
}

/// Somebody could run into it from now on (+1), or nobody any more (-1): the engine, which knows of
/// now alone, does not see its nodes meanwhile.
void Core::bring_near(BookingId id, int sign) {
    for (const BookedPart& part : bookings_.at(id)->parts) {
        const auto found = nodes_.find(part.node);
        if (found == nodes_.end()) {
            continue;
        }
        Node& node = found->second;
        const bool was_hidden = node.is_hidden();
        node.bookings_near += static_cast<std::size_t>(sign);
        if (node.is_hidden() != was_hidden) {
            show(node);
            if (was_hidden) {
                let_go_.insert(part.node);
            }
        }
    }
}

/// Keeps near_ and far_. Cost: that of the nodes of what comes near, or is no longer.
void Core::look_ahead(Instant now) {
    if (bookings_.empty()) {
        return;
    }
    const Instant horizon = runs_.empty() ? now : now + runs_.rbegin()->first;
    while (!far_.empty() && far_.begin()->first < horizon) {
        const auto next = *far_.begin();
        far_.erase(far_.begin());
        near_.insert(next);
        bring_near(next.second, 1);
    }
    while (!near_.empty() && near_.rbegin()->first >= horizon) {
        const auto last = *near_.rbegin();
        near_.erase(last);
        far_.insert(last);
        bring_near(last.second, -1);
    }
}

}  // namespace reeve::scheduler
