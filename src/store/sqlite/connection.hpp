#pragma once

#include <string>

#include "base/result.hpp"
#include "store/sqlite/database.hpp"

namespace reeve::store_sqlite {

/// Makes `database` one that writes: WAL, synchronous=FULL.
[[nodiscard]] Result<void> set_up_writer(Database& database);

/// A connection that cannot write.
[[nodiscard]] Result<Database> open_reading(const std::string& path);

}  // namespace reeve::store_sqlite
