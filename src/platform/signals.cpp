#include "platform/signals.hpp"

#include <csignal>

#include <poll.h>
#include <sys/signalfd.h>

#include "platform/system_error.hpp"

namespace reeve::platform {

Result<SignalFd> SignalFd::open() {
    sigset_t wanted;
    sigemptyset(&wanted);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        sigaddset(&wanted, signal);
    }
    if (pthread_sigmask(SIG_BLOCK, &wanted, nullptr) != 0) {
        return fail_errno("cannot block signals");
    }
    std::signal(SIGPIPE, SIG_IGN);
    UniqueFd fd(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd.is_open()) {
        return fail_errno("cannot receive signals");
    }
    return SignalFd(std::move(fd));
}

std::optional<int> SignalFd::next() const {
    signalfd_siginfo seen = {};
    if (read(fd_.get(), &seen, sizeof seen) != sizeof seen) {
        return std::nullopt;
    }
    return static_cast<int>(seen.ssi_signo);
}

int SignalFd::wait() const {
    while (true) {
        if (const auto signal = next(); signal) {
            return *signal;
        }
        pollfd wanted = {fd_.get(), POLLIN, 0};
        poll(&wanted, 1, -1);
    }
}

void reset_signals() {
    for (int signal = 1; signal < NSIG; ++signal) {
        std::signal(signal, SIG_DFL);  // Fails for the two that cannot be changed.
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace reeve::platform
