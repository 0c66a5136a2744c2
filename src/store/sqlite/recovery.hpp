#pragma once

#include <functional>

#include "base/result.hpp"
#include "ledger/store.hpp"
#include "store/sqlite/database.hpp"

namespace reeve::store_sqlite {

/// Every record that lives, as ledger::Store::recover() wants them.
[[nodiscard]] Result<void> recover_all(
    Database& database, const std::function<void(ledger::Recovered&&)>& each);

}  // namespace reeve::store_sqlite
