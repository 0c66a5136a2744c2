#pragma once

#include <functional>
#include <vector>

#include "base/result.hpp"
#include "ledger/store.hpp"
#include "store/sqlite/database.hpp"

namespace reeve::store_sqlite {

/// Every record that lives, as ledger::Store::recover() wants them.
[[nodiscard]] Result<void> recover_all(
    Database& database, const std::function<void(ledger::Recovered&&)>& each);

/// As ledger::Store::arrivals() wants them. Looks at each job that is kept, about 0.2 us each.
[[nodiscard]] Result<std::vector<ledger::Store::Arrivals>> read_arrivals(Database& database);

}  // namespace reeve::store_sqlite
