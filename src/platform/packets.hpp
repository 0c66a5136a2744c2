#pragma once

#include <array>
#include <cstddef>
#include <span>

#include <sys/types.h>

#include "platform/unique_fd.hpp"

// Packets with descriptors, over a Unix socket between two processes.
namespace reeve::platform {

inline constexpr std::size_t kPassedFdsMax = 3;  // In one packet.

using PassedFds = std::array<UniqueFd, kPassedFdsMax>;

/// Sends `bytes` in one packet, with the open ones of up to kPassedFdsMax descriptors. No SIGPIPE.
/// False, with errno, if it could not.
[[nodiscard]] bool send_packet(
    int socket, std::span<const std::byte> bytes, std::span<const int> fds);

/// Takes one packet without waiting, and what came with it, in order, from fds[0] on. As recvmsg():
/// its size, 0 when the other end is closed, -1 with errno.
[[nodiscard]] ssize_t receive_packet(int socket, std::span<std::byte> bytes, PassedFds& fds);

}  // namespace reeve::platform
