#pragma once

namespace reeve::platform {

/// From now on the calling thread, and what it starts, gets a tenth of what others get of a
/// processor that they want as well.
void yield_to_others();

}  // namespace reeve::platform
