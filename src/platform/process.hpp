#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "platform/unique_fd.hpp"

// Processes as /proc shows them.
namespace reeve::platform {

/// A pid that cannot be confused with a later process of the same number.
struct ProcessId {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;  // Since the boot, field 22 of /proc/<pid>/stat.

    friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

/// What one reads of a process. Absent if it is gone.
struct ProcessFacts {
    ProcessId id = {};
    pid_t parent = 0;
    pid_t session = 0;
    char state = '?';  // 'Z' is dead and not yet waited for.
    std::string name = {};
};

[[nodiscard]] std::optional<ProcessFacts> process_facts(pid_t pid);

/// How long ago it began, to a tick of the kernel (10 ms); counting suspend.
[[nodiscard]] std::chrono::microseconds age_of(const ProcessId& id);

/// Every process that this one may see.
[[nodiscard]] std::vector<ProcessFacts> list_processes();

/// A descriptor that becomes readable when exactly that process ends; none if it has ended.
[[nodiscard]] UniqueFd open_process(const ProcessId& id);

/// Whom it runs as (effective uid). Absent if it is gone.
[[nodiscard]] std::optional<std::uint32_t> user_of_process(pid_t pid);

/// Variables it was started with, "K=V" each; empty if they may not be read.
[[nodiscard]] std::vector<std::string> environment_of(pid_t pid);

/// Opens what `pid` has open as `fd`, anew, for reading: a second end of its pipe, not a copy of
/// its position. None if it is gone, or may not be opened.
[[nodiscard]] UniqueFd reopen_fd_of(pid_t pid, int fd);

/// Numbers of the descriptors of `pid` that are the pipe with this inode.
[[nodiscard]] std::vector<int> fds_of_pipe(pid_t pid, std::uint64_t inode);

/// Who listens on a TCP port of this machine (network namespace). None if nobody does; without a
/// name if it is a process that this one may not look into.
[[nodiscard]] std::optional<ProcessFacts> listener_on(std::uint16_t port);

/// Inode of what `fd` is; 0 if it cannot be told.
[[nodiscard]] std::uint64_t inode_of(int fd);

}  // namespace reeve::platform
