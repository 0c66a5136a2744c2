#pragma once

#include "base/result.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::platform {

/// Wakes a thread that polls fd(). notify() may be called by any thread, and from a signal handler.
class EventFd {
  public:
    [[nodiscard]] static Result<EventFd> open();

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    void notify() const noexcept;

    /// True if it was notified since the last call. Does not wait.
    [[nodiscard]] bool consume() const noexcept;

  private:
    explicit EventFd(UniqueFd fd) noexcept : fd_(std::move(fd)) {}

    UniqueFd fd_;
};

}  // namespace reeve::platform
