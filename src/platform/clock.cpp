#include "platform/clock.hpp"

#include <ctime>

namespace reeve::platform {
namespace {

std::chrono::microseconds read_clock(clockid_t id) {
    timespec at = {};
    clock_gettime(id, &at);  // Fails only for an unknown id.
    return std::chrono::seconds(at.tv_sec) + std::chrono::microseconds(at.tv_nsec / 1000);
}

}  // namespace

Instant now_utc() {
    return Instant(read_clock(CLOCK_REALTIME));
}

std::chrono::microseconds monotonic_now() {
    return read_clock(CLOCK_MONOTONIC);
}

std::chrono::microseconds boottime_now() {
    return read_clock(CLOCK_BOOTTIME);
}

}  // namespace reeve::platform
