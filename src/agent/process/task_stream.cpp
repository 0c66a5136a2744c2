#include "agent/process/task_stream.hpp"

#include <algorithm>
#include <cerrno>

#include "platform/clock.hpp"

namespace reeve::agent::process {

using std::chrono::microseconds;

pollfd TaskStream::wanted() const {
    if (!is_open || is_full) {
        return {-1, 0, 0};
    }
    const int blocked = copy ? copy->blocked_fd() : -1;
    return blocked >= 0 ? pollfd{blocked, POLLOUT, 0} : pollfd{read_end.get(), POLLIN, 0};
}

Pumped TaskStream::pump() {
    if (!copy) {
        return log->pump(read_end.get());
    }
    const std::size_t most = copy->offer(read_end.get());
    if (const int error = copy->error(); error != 0) {
        end_copy(error);
        return Pumped::kSome;
    }
    if (most == 0) {
        return Pumped::kNothing;
    }
    const std::int64_t before = log->size();
    const Pumped pumped = log->pump(read_end.get(), most);
    copy->taken(log->size() - before);
    return pumped;
}

void TaskStream::finish(microseconds patience) {
    const microseconds until = platform::monotonic_now() + patience;
    const auto left = [&] { return std::max(until - platform::monotonic_now(), microseconds(0)); };
    Pumped pumped = pump();
    while (pumped == Pumped::kSome || (pumped == Pumped::kNothing && is_held_up(left()))) {
        pumped = pump();
    }
    if (pumped == Pumped::kFull) {
        log->discard(read_end.get());
    }
    if (copy) {
        end_copy(copy->finish(left()));
    }
}

bool TaskStream::is_held_up(microseconds patience) {
    pollfd blocked = {copy ? copy->blocked_fd() : -1, POLLOUT, 0};
    if (blocked.fd < 0) {
        pollfd waiting = {read_end.get(), POLLIN, 0};
        return poll(&waiting, 1, 0) > 0 && (waiting.revents & POLLIN) != 0;
    }
    const auto wait_ms = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
    if (poll(&blocked, 1, static_cast<int>(wait_ms)) == 0) {
        end_copy(ETIMEDOUT);
    }
    return true;
}

void TaskStream::end_copy(int error) {
    copy_error = error;
    copy.reset();
}

}  // namespace reeve::agent::process
