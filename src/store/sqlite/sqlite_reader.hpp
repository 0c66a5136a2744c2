#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "ledger/reader.hpp"

namespace reeve::store_sqlite {

/// A reader with a connection of its own. Errors: as Database::open().
[[nodiscard]] Result<std::unique_ptr<ledger::Reader>> open_sqlite_reader(const std::string& path);

}  // namespace reeve::store_sqlite
