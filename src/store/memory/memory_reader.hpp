#pragma once

#include <memory>

#include "ledger/reader.hpp"
#include "store/memory/memory_state.hpp"

namespace reeve::store_memory {

/// Reads `state` as it is at each call; `state` outlives it. Costs a walk over all jobs a page.
[[nodiscard]] std::unique_ptr<ledger::Reader> make_memory_reader(const MemoryState& state);

}  // namespace reeve::store_memory
