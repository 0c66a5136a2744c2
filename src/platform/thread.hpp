#pragma once

#include <chrono>

namespace reeve::platform {

/// From now on the calling thread, and what it starts, gets a tenth of what others get of a
/// processor that they want as well.
void yield_to_others();

/// What the calling thread has had of a processor so far.
[[nodiscard]] std::chrono::microseconds processor_time();

}  // namespace reeve::platform
