#pragma once

#include <string>

#include "base/result.hpp"
#include "store/sqlite/database.hpp"

namespace reeve::store_sqlite {

/// A connection that may write: WAL, synchronous=FULL.
[[nodiscard]] Result<Database> open_writer(const std::string& path, OpenMode mode);

/// A connection that cannot write.
[[nodiscard]] Result<Database> open_reading(const std::string& path);

}  // namespace reeve::store_sqlite
