#pragma once

#include <string>

#include "base/instant.hpp"

namespace reeve::platform {

/// "2026-11-30 15:39:35 CET": as the clock on the wall of the user shows it (TZ, else the zone of
/// the machine).
[[nodiscard]] std::string local_time(Instant at);

}  // namespace reeve::platform
