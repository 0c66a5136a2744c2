#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "model/task.hpp"
#include "platform/process.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::agent::process {

enum class TaskPhase : std::uint8_t {
    kClaimed,   // By the agent; no shim yet.
    kStarting,  // A shim is at work; its command does not run yet.
    kRunning,
    kEnded,  // For good: no process of it is left.
};

/// Bytes of a log that are gone: [begin, end). Empty if none are.
struct DroppedRange {
    std::int64_t begin = 0;
    std::int64_t end = 0;

    [[nodiscard]] bool is_empty() const noexcept { return end <= begin; }

    friend bool operator==(const DroppedRange&, const DroppedRange&) = default;
};

/// One output of a task: its log, and the pipe that feeds it.
struct OutputStatus {
    DroppedRange dropped = {};
    std::int64_t pipe_fd = -1;    // Number of the read end in the shim.
    std::int64_t pipe_inode = 0;  // By which another end of it is found.

    friend bool operator==(const OutputStatus&, const OutputStatus&) = default;
};

/// What a task's directory says of it. Written by its shim; before that by the agent, and after it
/// if the shim was killed.
struct TaskStatus {
    TaskPhase phase = TaskPhase::kClaimed;
    std::string boot_id = {};
    platform::ProcessId shim = {};
    platform::ProcessId main = {};
    OutputStatus output = {};
    OutputStatus errors = {};         // Where it splits its output.
    model::TaskOutcome outcome = {};  // While it runs its `end` alone: kTimeLimit, if that is up.
    std::chrono::microseconds started_at = {};  // boottime_now() then; 0 if its command never ran.

    friend bool operator==(const TaskStatus&, const TaskStatus&) = default;
};

/// A file of fixed size, allocated when a task is claimed, so that its end can be written to a full
/// disk. Two slots are written in turn, each with a sequence number and a checksum: a reader sees
/// the last whole one, whatever happened to its writer.
class StatusFile {
  public:
    static constexpr std::size_t kBytes = 4096;
    static constexpr std::size_t kMessageBytesMax = 1024;  // Of an outcome; cut beyond it.

    /// Makes it with its first status. Errors: as fail_errno(); kStorageFull if it does not fit.
    [[nodiscard]] static Result<StatusFile> create(
        const std::string& path, const TaskStatus& status);

    /// For reading and writing. Errors: as fail_errno().
    [[nodiscard]] static Result<StatusFile> open(const std::string& path);

    /// Errors: kInternal if no slot is whole.
    [[nodiscard]] Result<TaskStatus> read();

    /// One writer at a time.
    [[nodiscard]] Result<void> write(const TaskStatus& status);

    /// On return, what was written is on the disk.
    [[nodiscard]] Result<void> sync() const;

  private:
    explicit StatusFile(platform::UniqueFd fd) noexcept : fd_(std::move(fd)) {}

    platform::UniqueFd fd_;
    std::int64_t sequence_ = 0;  // Of the newest slot seen or written.
};

/// Just the reading, of a file that may be being written. Errors: as those of open() and read().
[[nodiscard]] Result<TaskStatus> read_status(const std::string& path);

/// The bytes of a slot, and back. Exposed for tests.
[[nodiscard]] std::string encode_slot(const TaskStatus& status, std::int64_t sequence);

struct DecodedSlot {
    TaskStatus status = {};
    std::int64_t sequence = 0;
};

/// Absent if it is torn, empty or of another format.
[[nodiscard]] std::optional<DecodedSlot> decode_slot(std::string_view slot);

}  // namespace reeve::agent::process
