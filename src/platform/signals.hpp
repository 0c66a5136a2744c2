#pragma once

#include <optional>

#include "base/result.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::platform {

/// SIGINT, SIGTERM and SIGHUP as readable data. Made before any thread, so that all have them
/// blocked. SIGPIPE is ignored from then on.
class SignalFd {
  public:
    [[nodiscard]] static Result<SignalFd> open();

    /// To poll.
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    /// The next signal that came, if any. Does not wait.
    [[nodiscard]] std::optional<int> next() const;

    /// Waits for one.
    [[nodiscard]] int wait() const;

  private:
    explicit SignalFd(UniqueFd fd) noexcept : fd_(std::move(fd)) {}

    UniqueFd fd_;
};

/// Sets every signal back to its default action and unblocks all. For a child before its exec.
void reset_signals();

}  // namespace reeve::platform
