#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "model/booking.hpp"
#include "model/resources.hpp"

namespace reeve::scheduler {

using model::BookedPart;
using model::BookingId;

/// Room that from one time to another is only for some. What runs into it goes on; nothing is
/// started that would.
struct Booking {
    BookingId id = BookingId(0);
    Instant from = Instant(std::chrono::microseconds(0));
    Instant until = Instant(std::chrono::microseconds(0));
    std::vector<ProjectId> projects = {};  // Sorted. None: nobody may use it.
    std::vector<BookedPart> parts = {};    // By node, each once.

    [[nodiscard]] bool lets_in(ProjectId project) const {
        return std::ranges::binary_search(projects, project);
    }

    [[nodiscard]] bool is_open(Instant now) const { return from <= now && now < until; }

    /// What is booked of a node; null if nothing is.
    [[nodiscard]] const BookedPart* part_on(NodeId node) const {
        const auto part = std::ranges::lower_bound(parts, node, {}, &BookedPart::node);
        return part == parts.end() || part->node != node ? nullptr : &*part;
    }

    friend bool operator==(const Booking&, const Booking&) = default;
};

/// True if `grant`, of the node of `part`, is of what is booked there.
[[nodiscard]] inline bool touches(const model::Grant& grant, const BookedPart& part) {
    return part.is_whole || std::ranges::any_of(grant.gpus, [&](const model::GpuGrant& each) {
               return std::ranges::binary_search(part.gpus, each.gpu);
           });
}

/// True if `grant` of `node`, which `project` holds, is a use of what is booked for it.
[[nodiscard]] inline bool is_use(
    const Booking& booking, ProjectId project, NodeId node, const model::Grant& grant) {
    const BookedPart* part = booking.part_on(node);
    return part != nullptr && booking.lets_in(project) && touches(grant, *part);
}

/// A booking, and when it is released unless it is used before; nothing once it was, or if it never
/// is.
struct BookingTerm {
    Booking booking = {};
    std::optional<Instant> release_at = {};

    [[nodiscard]] bool is_over(Instant now) const {
        return booking.until <= now || (release_at && *release_at <= now);
    }
};

/// True if two bookings of one node may be in force at once: they keep different GPUs.
[[nodiscard]] inline bool are_apart(const BookedPart& left, const BookedPart& right) {
    return !left.is_whole && !right.is_whole && std::ranges::none_of(left.gpus, [&](GpuId gpu) {
        return std::ranges::binary_search(right.gpus, gpu);
    });
}

}  // namespace reeve::scheduler
