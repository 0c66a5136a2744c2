#pragma once

#include "base/result.hpp"
#include "ledger/command.hpp"
#include "ledger/state.hpp"
#include "model/booking.hpp"

// What may be booked.
namespace reeve::ledger {

inline constexpr std::size_t kBookingsMax = 1000;
inline constexpr auto kBookingAheadMax = std::chrono::hours(24 * 366);
inline constexpr std::int64_t kReleaseAfterMaxS = 31'622'400;  // 366 days.

/// What `command` books, without an id: of nodes that it leaves open, those that are free of what
/// runs come first, then those that are ready, then the first ones.
/// Errors: kInvalid, kNotFound, kConflict, kUnsatisfiable, kLimit.
[[nodiscard]] Result<model::BookingRecord> booking_for(
    const PutBooking& command, const State& state, std::chrono::seconds assumed_run);

}  // namespace reeve::ledger
