#pragma once

#include <chrono>

#include "base/instant.hpp"

namespace reeve::platform {

/// The wall clock, UTC. It may jump: the ledger makes it monotone.
[[nodiscard]] Instant now_utc();

/// Since some fixed moment of this boot, not counting suspend. For time-outs inside the process.
[[nodiscard]] std::chrono::microseconds monotonic_now();

/// Since the boot, counting suspend. For limits that people see.
[[nodiscard]] std::chrono::microseconds boottime_now();

}  // namespace reeve::platform
