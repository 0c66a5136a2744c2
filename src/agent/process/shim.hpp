#pragma once

#include <cstdint>
#include <string>

#include "platform/unique_fd.hpp"

namespace reeve::agent::process {

/// What a shim gets from the spawner that forked it.
struct ShimInput {
    std::string directory = {};  // Of the task, absolute.
    std::uint64_t request = 0;
    platform::UniqueFd news = {};  // To the agent; closed when the command runs.
    platform::UniqueFd output_read = {};
    platform::UniqueFd output_write = {};
    platform::UniqueFd errors_read = {};  // Not open unless the job splits its output.
    platform::UniqueFd errors_write = {};
};

/// Starts the task's command and watches over it until no process of it is left: the calling
/// process becomes its shim. It belongs to no agent: it goes on when the agent or the spawner dies,
/// listens to the control FIFO, and keeps log and status in the task's directory. Does not return.
///
/// - Of two shims for one directory the second one ends without doing anything.
/// - A stop, or the time limit, is the stop signal to every process, then after the grace SIGKILL.
///   While it is being stopped, what its main process leaves behind has its grace too.
/// - Otherwise, when the main process ends, what is left is killed.
/// - The end is written when nothing is left, the log is complete and the group is removed.
[[noreturn]] void run_shim(ShimInput input);

}  // namespace reeve::agent::process
