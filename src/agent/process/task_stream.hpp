#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include <poll.h>

#include "agent/process/output_copy.hpp"
#include "agent/process/task_log.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::agent::process {

/// One output of a task: the pipe, the log that it goes to, and the file that gets a copy, if any.
struct TaskStream {
    platform::UniqueFd read_end = {};
    platform::UniqueFd write_end = {};
    std::optional<TaskLog> log = {};
    std::unique_ptr<OutputCopy> copy = {};
    int copy_error = 0;    // errno: why the file has not all of it.
    bool is_open = false;  // Somebody may still write to it.
    bool is_full = false;  // The disk of the log is; tried again later.

    /// What there is to wait for.
    [[nodiscard]] pollfd wanted() const;

    /// Moves up to 1 MiB from the pipe. A copy that fails ends: the log goes on.
    [[nodiscard]] Pumped pump();

    /// Moves all that is left, when nobody of the task is. The file has `patience`.
    void finish(std::chrono::microseconds patience);

  private:
    /// True if there is more in the pipe, which the file had no room for. Waits for that.
    [[nodiscard]] bool is_held_up(std::chrono::microseconds patience);
    void end_copy(int error);
};

}  // namespace reeve::agent::process
