// XIDs, as events.
#include <cstdint>
#include <string>

#include <poll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

#include "gpu/simulated/library/session.hpp"
#include "platform/unique_fd.hpp"

namespace abi = reeve::gpu::abi;
using abi::Device;
using abi::Return;
using reeve::platform::UniqueFd;
using namespace reeve::gpu::simulated;
using namespace reeve::gpu::simulated::library;

namespace {

/// Readable once `milliseconds` have passed.
UniqueFd alarm_in(std::uint32_t milliseconds) {
    UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    itimerspec spec = {};
    spec.it_value.tv_sec = milliseconds / 1000;
    spec.it_value.tv_nsec = static_cast<long>(milliseconds % 1000) * 1'000'000;
    if (timer.is_open() && ::timerfd_settime(timer.get(), 0, &spec, nullptr) != 0) {
        timer.reset();
    }
    return timer;
}

/// Readable once the file was replaced or written.
UniqueFd watch_of(const std::string& path) {
    UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    if (watch.is_open() &&
        ::inotify_add_watch(watch.get(), folder.c_str(), IN_MOVED_TO | IN_CLOSE_WRITE) < 0) {
        watch.reset();
    }
    return watch;
}

/// Empties the watch, so that it waits for the next change.
void drain(const UniqueFd& watch) {
    char buffer[4096];
    while (::read(watch.get(), buffer, sizeof buffer) > 0) {
    }
}

/// The next event, waiting for it no longer than the alarm.
Return wait_for_event(abi::EventSet set, abi::EventData& data, std::uint32_t milliseconds) {
    const UniqueFd alarm = alarm_in(milliseconds);
    const UniqueFd watch = watch_of(Session::get().path());
    if (!alarm.is_open() || !watch.is_open()) {
        return Return::kOperatingSystem;
    }
    for (;;) {
        drain(watch);
        // After the drain: a change between the two is seen here, or by the poll.
        const Return result = Session::get().next_event(set, data);
        if (result != Return::kTimeout) {
            return result;
        }
        pollfd fds[] = {
            {watch.get(), POLLIN, 0},
            {alarm.get(), POLLIN, 0}
        };
        const int ready = ::poll(fds, 2, -1);
        if (ready > 0 && fds[0].revents == 0 && fds[1].revents != 0) {
            return Return::kTimeout;
        }
    }
}

}  // namespace

REEVE_NVML_EXPORT Return nvmlEventSetCreate(abi::EventSet* set) {
    return with_topology(
        [&](const Topology&) { return put(set, Session::get().create_event_set()); });
}

REEVE_NVML_EXPORT Return nvmlEventSetFree(abi::EventSet set) {
    return Session::get().free_event_set(set);
}

REEVE_NVML_EXPORT Return nvmlDeviceGetSupportedEventTypes(Device device, std::uint64_t* types) {
    return with_device(device, [&](const View&) { return put(types, abi::kEventXidCritical); });
}

REEVE_NVML_EXPORT Return
nvmlDeviceRegisterEvents(Device device, std::uint64_t types, abi::EventSet set) {
    if (types != abi::kEventXidCritical) {
        return Return::kNotSupported;
    }
    return Session::get().register_events(device, set);
}

REEVE_NVML_EXPORT Return
nvmlEventSetWait_v2(abi::EventSet set, abi::EventData* data, unsigned milliseconds) {
    if (data == nullptr) {
        return Return::kInvalidArgument;
    }
    const Return now = Session::get().next_event(set, *data);
    return now == Return::kTimeout && milliseconds > 0 ? wait_for_event(set, *data, milliseconds)
                                                       : now;
}

REEVE_NVML_EXPORT Return
nvmlEventSetWait(abi::EventSet set, abi::EventData* data, unsigned milliseconds) {
    return nvmlEventSetWait_v2(set, data, milliseconds);
}
