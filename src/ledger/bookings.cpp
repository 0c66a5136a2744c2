// Bookings: made and dropped by people; over, used and released as time goes on.
#include <algorithm>
#include <vector>

#include "ledger/booking_rules.hpp"
#include "ledger/ledger.hpp"

namespace reeve::ledger {

using model::BookingId;
using model::BookingRecord;

// ---- In the state.

const BookingRecord* State::booking_named(const std::string& name) const {
    const auto found = std::ranges::find_if(
        bookings_, [&](const auto& entry) { return entry.second.name == name; });
    return found == bookings_.end() ? nullptr : &found->second;
}

scheduler::Booking State::booking_of(const BookingRecord& record) const {
    scheduler::Booking booking{
        .id = record.id, .from = record.from, .until = record.until, .parts = record.parts};
    for (const auto& [id, project] : projects_) {
        const std::vector<ProjectId> above = tree_.above(id);
        if (record.project && std::ranges::find(above, *record.project) != above.end()) {
            booking.projects.push_back(id);
        }
    }
    return booking;
}

void State::apply(const Put<BookingRecord>& put) {
    ++bookings_version_;
    if (!put.after) {
        bookings_.erase(put.before->id);
        core_.drop_booking(put.before->id);
        return;
    }
    bookings_.insert_or_assign(put.after->id, *put.after);
    const scheduler::Booking booking = booking_of(*put.after);
    const auto known = core_.bookings().find(booking.id);
    if (known == core_.bookings().end() || *known->second != booking) {  // Else it is now used.
        core_.put_booking(booking);
    }
}

/// Projects came or went, so that others may be let in.
void State::resolve_bookings() {
    for (const auto& [id, record] : bookings_) {
        apply(Put<BookingRecord>{.after = BookingRecord(record)});
    }
}

// ---- By people.

Result<Reply> Ledger::put_booking(const PutBooking& command) {
    if (!command.actor.is_admin) {
        return fail(ErrorCode::kForbidden, "only an administrator reserves nodes");
    }
    auto record = booking_for(command, state_, options_.scheduling.assumed_run);
    if (!record) {
        return tl::unexpected<Error>(std::move(record.error()));
    }
    const auto& all = state_.bookings();
    record->id = BookingId(all.empty() ? 1 : all.rbegin()->first.value() + 1);
    put(Put<BookingRecord>{.after = *std::move(record)});
    return Reply();
}

Result<Reply> Ledger::drop_booking(const DropBooking& command) {
    if (!command.actor.is_admin) {
        return fail(ErrorCode::kForbidden, "only an administrator removes reservations");
    }
    const BookingRecord* booking = state_.booking_named(command.name);
    if (booking == nullptr) {
        return fail(ErrorCode::kNotFound, "there is no reservation '" + command.name + "'");
    }
    put(Put<BookingRecord>{.before = *booking});
    return Reply();
}

// ---- As time goes on.

std::optional<Instant> Ledger::release_at(const BookingRecord& booking) const {
    if (booking.is_used || booking.release_after_s == 0) {
        return std::nullopt;
    }
    return std::max(booking.from, began_at_) + std::chrono::seconds(booking.release_after_s);
}

/// What is over goes, and what nobody came for. What runs into a booking of its own uses it.
void Ledger::turn_bookings() {
    if (state_.bookings().empty()) {
        return;
    }
    const Instant now = state_.now();
    std::vector<BookingRecord> over;
    std::vector<BookingRecord> used;
    for (const auto& [id, record] : state_.bookings()) {
        const auto release = release_at(record);
        const bool begins_now = record.from > bookings_turned_at_ && record.from <= now;
        if (record.until > now && release && begins_now &&
            is_in_use(*state_.core().bookings().at(id))) {
            used.push_back(record);
        } else if (record.until <= now || (release && *release <= now)) {
            over.push_back(record);
        }
    }
    bookings_turned_at_ = now;
    for (const BookingRecord& record : used) {
        mark_used(record);
    }
    for (const BookingRecord& record : over) {
        put(Put<BookingRecord>{.before = record});
    }
}

bool Ledger::is_in_use(const scheduler::Booking& booking) const {
    return std::ranges::any_of(booking.parts, [&](const model::BookedPart& part) {
        const NodeState* node = state_.node(part.node);
        return node != nullptr && std::ranges::any_of(node->allocations, [&](AllocationId id) {
                   const model::AllocationRecord& held = *state_.allocation(id);
                   return held.owner == model::AllocationOwner::kTask &&
                          is_use(booking, held.project, held.node, held.grant);
               });
    });
}

void Ledger::use_bookings(const model::AllocationRecord& allocation) {
    std::vector<BookingRecord> used;
    for (const auto& [id, record] : state_.bookings()) {
        const scheduler::Booking& booking = *state_.core().bookings().at(id);
        if (release_at(record) && booking.is_open(state_.now()) &&
            is_use(booking, allocation.project, allocation.node, allocation.grant)) {
            used.push_back(record);
        }
    }
    for (const BookingRecord& record : used) {
        mark_used(record);
    }
}

void Ledger::mark_used(const BookingRecord& booking) {
    Put<BookingRecord> change{.before = booking, .after = booking};
    change.after->is_used = true;
    put(std::move(change));
}

std::optional<Instant> Ledger::next_booking_turn() const {
    std::optional<Instant> next;
    const auto look_at = [&](Instant at) { next = next ? std::min(*next, at) : at; };
    for (const auto& [id, record] : state_.bookings()) {
        look_at(record.until);
        if (const auto release = release_at(record)) {
            look_at(record.from > bookings_turned_at_ ? record.from : *release);
        }
    }
    return next;
}

}  // namespace reeve::ledger
