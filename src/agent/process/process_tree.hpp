#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "platform/process.hpp"

// Finding and killing the processes of a task without control groups.
namespace reeve::agent::process {

/// All that descend from `ancestor`, without it, the dead ones too.
[[nodiscard]] std::vector<pid_t> descendants_of(pid_t ancestor);

/// Kills all that descend from `ancestor`: stopped first, so that none escapes by forking. Once; to
/// be repeated until none is left.
void kill_descendants(pid_t ancestor);

/// Processes of the task that live, known by their session or by their environment.
[[nodiscard]] std::vector<pid_t> processes_of_task(
    const std::string& cluster_id, const std::string& task, pid_t session);

/// How the processes of tasks are known.
enum class KnownBy : std::uint8_t {
    kGroup,        // Their control group, which none of them leaves.
    kEnvironment,  // Theirs, or that of what started them: reading it may wait for its process.
};

/// The task of this cluster that the process is of. "" if none.
[[nodiscard]] std::string task_of_process(
    const std::string& cluster_id, pid_t process, KnownBy known_by);

}  // namespace reeve::agent::process
