#pragma once

#include <cstdint>

namespace reeve::agent::process {

/// What the spawner and its shims say to the agent, each in one packet.
enum class SpawnNews : std::uint8_t {
    kForked,   // `pid` is the shim. With descriptors: its pidfd, second ends of its pipes.
    kFailed,   // No shim could be made; `error` is errno.
    kStarted,  // By the shim: its status says that the command runs.
};

struct SpawnReply {
    std::uint64_t request = 0;
    SpawnNews news = SpawnNews::kForked;
    std::int32_t error = 0;
    std::int64_t pid = 0;
    std::uint32_t has_pidfd = 0;  // The first of the descriptors, if the shim did not end yet.
    std::uint32_t pipes = 0;      // 1, or 2: output, errors.
};

}  // namespace reeve::agent::process
