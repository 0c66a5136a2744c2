#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "model/task.hpp"

namespace reeve::api {

enum class LogStream : std::uint8_t { kOutput, kErrors };

/// A piece of a task's log. Offsets count what the task wrote, and never shift.
struct LogPiece {
    std::string bytes = {};
    std::int64_t next_offset = 0;    // Where to read on.
    std::int64_t size = 0;           // Written so far.
    std::int64_t dropped_begin = 0;  // What is gone of the log, if it grew too long.
    std::int64_t dropped_end = 0;    // As dropped_begin: nothing is.
    bool is_finished = false;        // The task has ended, and nothing follows next_offset.
};

/// Where a piece of a log is wanted from.
struct LogPlace {
    std::string node = {};
    model::TaskKey task = {};
    LogStream stream = LogStream::kOutput;
    std::int64_t offset = 0;  // 0 or more.
};

/// The logs of tasks, wherever they are. Any thread may use it.
class TaskLogs {
  public:
    virtual ~TaskLogs() = default;

    /// Nothing new yet is an empty piece with next_offset == offset; bytes that were dropped in the
    /// middle of a log too long are skipped, with the same kind of piece but next_offset behind.
    /// Errors: kNotFound if there is no such log (not yet, or no longer).
    [[nodiscard]] virtual Result<LogPiece> read(
        const LogPlace& place, std::size_t bytes_max) const = 0;
};

}  // namespace reeve::api
