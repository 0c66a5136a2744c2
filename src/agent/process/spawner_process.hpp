#pragma once

#include "platform/unique_fd.hpp"

namespace reeve::agent::process {

/// The largest request: a request number, a shape, a path.
inline constexpr std::size_t kSpawnPacketBytesMax = 8192;

/// Serves launch requests that come by `socket` until the server's end of it is closed. Forks a
/// worker for that, and another one if it is killed. Does not return.
[[noreturn]] void run_spawner(platform::UniqueFd socket);

}  // namespace reeve::agent::process
