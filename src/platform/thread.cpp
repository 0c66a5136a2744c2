#include "platform/thread.hpp"

#include <sys/resource.h>

namespace reeve::platform {

void yield_to_others() {
    // Not SCHED_IDLE: a thread that never runs while others want to may hold a lock that they need.
    constexpr int kNice = 10;
    // Of the calling thread, and always allowed.
    static_cast<void>(setpriority(PRIO_PROCESS, 0, kNice));
}

}  // namespace reeve::platform
