#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "store/sqlite/database.hpp"

namespace reeve::store_sqlite {

inline constexpr std::int64_t kApplicationId = 0x52656576;  // "Reev", in the file's header.

/// The schema that this version writes: the number of migration steps.
[[nodiscard]] std::int64_t schema_version();

/// Brings the database to schema_version(), one transaction a step; an empty one gets all, and
/// `cluster_id`. Errors: kConflict (a newer schema, or another program's database), kInternal (it
/// is empty, and no cluster is given), and those of error_of().
[[nodiscard]] Result<void> migrate(Database& database, std::string_view cluster_id);

/// That the database is of this application and this schema, without changing it. Errors likewise.
[[nodiscard]] Result<void> check_schema(Database& database);

/// Likewise, but an older schema, which can be migrated, is fine.
[[nodiscard]] Result<void> check_not_newer(Database& database);

/// Reads every page. Errors: kInternal, saying what to do.
[[nodiscard]] Result<void> check_integrity(Database& database);

}  // namespace reeve::store_sqlite
