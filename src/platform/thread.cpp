#include "platform/thread.hpp"

#include <ctime>

#include <sys/resource.h>

namespace reeve::platform {

void yield_to_others() {
    // Not SCHED_IDLE: a thread that never runs while others want to may hold a lock that they need.
    constexpr int kNice = 10;
    // Of the calling thread, and always allowed.
    static_cast<void>(setpriority(PRIO_PROCESS, 0, kNice));
}

std::chrono::microseconds processor_time() {
    timespec spent = {};
    static_cast<void>(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent));  // There is no error left.
    return std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec));
}

}  // namespace reeve::platform
