#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/instant.hpp"
#include "base/result.hpp"
#include "ledger/store.hpp"
#include "store/sqlite/change_writer.hpp"
#include "store/sqlite/database.hpp"

// What goes in time. Each call does a bounded amount of work.
namespace reeve::store_sqlite {

/// Deletes jobs that ended before `before`, the oldest first, `jobs_max` at most, with all that is
/// theirs, and the changes log up to that time; in a transaction of its own.
[[nodiscard]] Result<std::vector<ledger::Store::PrunedTask>> prune_ended(
    Database& database, ChangeWriter& writer, Instant before, std::size_t jobs_max);

struct RequestLimits {
    std::uint64_t kept_max = 0;
    Instant before = model::kNever;
};

/// Deletes some of the oldest idempotency records: those beyond the newest `kept_max` or made
/// before `before`. In the caller's transaction.
[[nodiscard]] Result<void> prune_requests(Database& database, const RequestLimits& limits);

}  // namespace reeve::store_sqlite
