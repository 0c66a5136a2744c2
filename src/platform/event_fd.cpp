#include "platform/event_fd.hpp"

#include <cstdint>

#include <sys/eventfd.h>

#include "platform/system_error.hpp"

namespace reeve::platform {

Result<EventFd> EventFd::open() {
    UniqueFd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd.is_open()) {
        return fail_errno("cannot make an event descriptor");
    }
    return EventFd(std::move(fd));
}

void EventFd::notify() const noexcept {
    const std::uint64_t one = 1;
    // It can only fail when 2^64 - 2 notifications are pending, and then it is readable anyway.
    [[maybe_unused]] const ssize_t put = write(fd_.get(), &one, sizeof one);
}

bool EventFd::consume() const noexcept {
    std::uint64_t count = 0;
    return read(fd_.get(), &count, sizeof count) == sizeof count;
}

}  // namespace reeve::platform
