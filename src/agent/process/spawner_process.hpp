#pragma once

#include "platform/unique_fd.hpp"

namespace reeve::agent::process {

/// The largest request: a request number, a shape, a path.
inline constexpr std::size_t kSpawnPacketBytesMax = 8192;

/// Name of the process that forks shims, as /proc shows it.
inline constexpr const char* kSpawnerName = "reeve-spawner";

/// Serves launch requests that come by `socket` until the server's end of it is closed. Forks a
/// worker for that, and another one if it is killed; if this process is killed the worker forks
/// one like it. The worker keeps second ends of the pipes of
/// every task, and outlives the server as long as a task may still write to one: what a task wrote
/// is there for the next server, though shim and server were killed together. Does not return.
[[noreturn]] void run_spawner(platform::UniqueFd socket);

}  // namespace reeve::agent::process
