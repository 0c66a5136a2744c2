#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "agent/process/task_status.hpp"
#include "base/result.hpp"

namespace reeve::agent::process {

enum class LogStream : std::uint8_t {
    kOutput,  // Standard output; standard error too, unless the job splits them.
    kErrors,  // Standard error of a job that splits its output.
};

/// A piece of a task's log. Offsets count what the task wrote, and never shift.
struct LogPiece {
    std::string bytes = {};
    std::int64_t next_offset = 0;  // Where to read on.
    std::int64_t size = 0;         // Written so far.
    DroppedRange dropped = {};     // All that is gone of the log; `bytes` never spans it.
    bool is_finished = false;      // The task has ended, and nothing follows next_offset.
};

/// Up to `bytes_max` bytes from `offset` on. An offset inside what was dropped gives no bytes, and
/// next_offset behind it. Nothing new yet is an empty piece with next_offset == offset.
/// Errors: kNotFound if there is no such task or log here; kInvalid of a negative offset.
[[nodiscard]] Result<LogPiece> read_log(
    const std::string& task_directory,
    LogStream stream,
    std::int64_t offset,
    std::size_t bytes_max);

}  // namespace reeve::agent::process
