// What is booked of a node, as those see it who may not use it.
#include <algorithm>
#include <utility>

#include "scheduler/timeline_steps.hpp"

namespace reeve::scheduler {

/// Something that is kept for others, and what those who hold its GPUs hold of its part of the
/// host.
struct Timeline::Kept {
    const Booking* booking;
    const BookedPart* part;
    model::HostAmount in_use = {};

    void add(const model::Grant& grant, std::int64_t sign) {
        if (!part->is_whole && touches(grant, *part)) {
            in_use.cpu_millicores += sign * grant.host.cpu_millicores;
            in_use.memory_mib += sign * grant.host.memory_mib;
        }
    }

    void take_from(NodeView& view, Instant at) const {
        if (!booking->is_open(at)) {
            return;
        }
        if (part->is_whole) {
            view = with_nothing_free(std::move(view));
            return;
        }
        model::HostAmount& host = view.free.host;
        host.cpu_millicores -=
            std::max<std::int64_t>(part->host.cpu_millicores - in_use.cpu_millicores, 0);
        host.memory_mib -= std::max<std::int64_t>(part->host.memory_mib - in_use.memory_mib, 0);
        for (model::Gpu& gpu : view.free.gpus) {
            if (std::ranges::binary_search(part->gpus, gpu.id)) {
                gpu.free = {.milli = 0, .memory_mib = 0};
            }
        }
    }
};

void Timeline::put_booking(std::shared_ptr<const Booking> booking) {
    if (booking->part_on(view_.id) == nullptr) {
        return;
    }
    const auto begins_at = [](const auto& each) { return std::pair(each->from, each->id); };
    const auto next = std::ranges::upper_bound(bookings_, begins_at(booking), {}, begins_at);
    bookings_.insert(next, std::move(booking));
    forget_what_follows();
}

void Timeline::drop_booking(BookingId id) {
    std::erase_if(bookings_, [id](const auto& each) { return each->id == id; });
    forget_what_follows();
}

bool Timeline::is_open_for(ProjectId project, Instant now) const {
    return std::ranges::any_of(
        bookings_, [&](const auto& each) { return each->is_open(now) && each->lets_in(project); });
}

bool Timeline::is_for_others(Instant from, std::chrono::seconds run, ProjectId project) const {
    return std::ranges::any_of(bookings_, [&](const auto& each) {
        return each->from < from + run && from < each->until && !each->lets_in(project);
    });
}

/// In the order of their beginning; of a whole node no two are at the same time.
Instant Timeline::clear_from(Instant from, std::chrono::seconds run, ProjectId project) const {
    for (const auto& booking : bookings_) {
        const bool is_in_the_way = booking->from < from + run && from < booking->until &&
                                   booking->part_on(view_.id)->is_whole &&
                                   !booking->lets_in(project);
        from = is_in_the_way ? booking->until : from;
    }
    return from;
}

bool Timeline::has_whole_bookings_alone() const {
    return !bookings_.empty() && std::ranges::all_of(bookings_, [this](const auto& each) {
        return each->part_on(view_.id)->is_whole;
    });
}

/// How long it is until something here is booked for others; max() if never.
std::chrono::seconds Timeline::run_before_others(Instant now, ProjectId project) const {
    for (const auto& booking : bookings_) {
        if (now < booking->until && !booking->lets_in(project)) {
            return std::chrono::duration_cast<std::chrono::seconds>(
                std::max(booking->from, now) - now);
        }
    }
    return std::chrono::seconds::max();
}

std::vector<Timeline::Kept> Timeline::kept_from(ProjectId project) const {
    std::vector<Kept> kept;
    for (const auto& booking : bookings_) {
        if (!booking->lets_in(project)) {
            kept.push_back({.booking = booking.get(), .part = booking->part_on(view_.id)});
            for (const auto& [id, hold] : holds_) {
                kept.back().add(hold.grant, 1);
            }
        }
    }
    return kept;
}

/// With the beginnings and ends of what is kept.
void Timeline::add_turns(const std::vector<Kept>& kept, Instant now, std::vector<Step>& steps) {
    for (const Kept& each : kept) {
        for (const Instant at : {each.booking->from, each.booking->until}) {
            if (at > now) {
                steps.push_back({.at = at, .sign = 0, .grant = nullptr});
            }
        }
    }
    std::ranges::sort(steps, {}, &Step::at);
}

std::vector<Timeline::State> Timeline::states_beside_bookings(
    std::vector<Step> steps, Instant now, ProjectId project) const {
    std::vector<Kept> kept = kept_from(project);
    add_turns(kept, now, steps);
    NodeView all = view_;  // With what is kept.
    std::vector<State> states;
    const auto put_state = [&](Instant at) {
        NodeView view = all;
        for (const Kept& each : kept) {
            each.take_from(view, at);
        }
        if (!states.empty() && states.back().from == at) {
            states.pop_back();
        }
        states.push_back({.from = at, .free = std::move(view.free)});
    };
    put_state(now);
    for (const Step& step : steps) {
        if (step.grant != nullptr) {
            add(all.free, *step.grant, step.sign);
            std::ranges::for_each(kept, [&](Kept& each) { each.add(*step.grant, -step.sign); });
        }
        put_state(step.at);
    }
    return states;
}

}  // namespace reeve::scheduler
