#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <sys/types.h>

#include "base/result.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::agent::process {

/// Whose file it is. Nothing is written to it with rights that this user has not: quotas hold.
struct FileOwner {
    uid_t uid = 0;
    gid_t gid = 0;
};

/// Copies what a task writes to a file of its user's, beside the log. The bytes stay in the task's
/// pipe until the log takes them; a thread of its own writes what it got of them (tee). So a disk
/// that is full, slow or gone never keeps its shim from anything else.
class OutputCopy {
  public:
    /// Goes on at the end of `file`. Without an owner it is written as this process.
    [[nodiscard]] static Result<std::unique_ptr<OutputCopy>> start(
        platform::UniqueFd file, std::optional<FileOwner> owner);

    OutputCopy(const OutputCopy&) = delete;
    OutputCopy& operator=(const OutputCopy&) = delete;
    OutputCopy(OutputCopy&&) = delete;
    OutputCopy& operator=(OutputCopy&&) = delete;
    ~OutputCopy();

    /// Copies what is in the pipe, and leaves it there. Says how many bytes of it the log may take:
    /// 0 if there are none now, or none can be copied now; any number when the copy is over.
    [[nodiscard]] std::size_t offer(int pipe_fd);

    /// The log has taken so many of them.
    void taken(std::int64_t bytes);

    /// More is taken when this can be written to; -1 if it can.
    [[nodiscard]] int blocked_fd() const;

    /// errno of what went wrong; 0 as long as nothing has. After that nothing more is written.
    [[nodiscard]] int error() const;

    /// Nothing more comes. Waits until it is written, or no longer than `patience`.
    /// Returns error(), or ETIMEDOUT.
    [[nodiscard]] int finish(std::chrono::microseconds patience);

  private:
    struct Writer;  // What its thread has.

    explicit OutputCopy(std::unique_ptr<Writer> writer, platform::UniqueFd pipe);

    std::unique_ptr<Writer> writer_;
    platform::UniqueFd pipe_;  // To the thread.
    std::int64_t ahead_ = 0;   // Bytes copied that the log does not have yet.
    bool is_over_ = false;
};

}  // namespace reeve::agent::process
