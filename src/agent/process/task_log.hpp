#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "agent/process/task_status.hpp"
#include "base/result.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::agent::process {

/// What one call of TaskLog::pump did.
enum class Pumped : std::uint8_t {
    kSome,     // There may be more.
    kNothing,  // The pipe is empty now.
    kEnd,      // And nobody can write to it any more.
    kFull,     // The disk is; what is in the pipe stays there.
};

/// The log of a task, fed from a pipe and bounded. Bytes go from the pipe to the file inside the
/// kernel (splice), so that killing this process loses none: each is in the one or the other.
///
/// Beyond `bytes_max` the middle is dropped: the first half is kept, and the newest half. What is
/// dropped becomes a hole, so that every byte keeps its offset. On a file system that cannot make
/// holes only the head is kept.
class TaskLog {
  public:
    /// Called before bytes are dropped, to record it. Dropping waits until it succeeds.
    using RecordDropped = std::function<bool(const DroppedRange&)>;

    struct Options {
        std::string path = {};
        std::int64_t bytes_max = std::int64_t{1} << 30;
        DroppedRange dropped = {};  // As far as is known.
        RecordDropped record = {};
    };

    /// Opens the log, or makes it, and goes on at its end.
    [[nodiscard]] static Result<TaskLog> open(Options options);

    static constexpr std::size_t kMoveBytes = 1 << 20;

    /// Moves up to `most` bytes from `pipe_fd`, which does not block.
    [[nodiscard]] Pumped pump(int pipe_fd, std::size_t most = kMoveBytes);

    /// Writes a line of our own, if there is room for it.
    void note(std::string_view line);

    /// Throws away what is in the pipe, when it can no longer wait for a full disk, and records it.
    void discard(int pipe_fd);

    /// Bytes that the task has written so far, dropped ones included.
    [[nodiscard]] std::int64_t size() const noexcept { return size_; }

    [[nodiscard]] const DroppedRange& dropped() const noexcept { return dropped_; }

  private:
    TaskLog(Options options, platform::UniqueFd fd);

    [[nodiscard]] std::int64_t move_bytes(int pipe_fd, std::size_t most);
    void drop_middle();

    Options options_;
    platform::UniqueFd fd_;
    std::int64_t size_ = 0;
    DroppedRange dropped_ = {};
    bool can_punch_ = true;
};

}  // namespace reeve::agent::process
