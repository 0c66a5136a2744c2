#include "agent/process/spawner_process.hpp"

#include <array>
#include <csignal>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/process/shim.hpp"
#include "agent/process/spawn_message.hpp"
#include "platform/signals.hpp"

namespace reeve::agent::process {
namespace {

using platform::UniqueFd;

constexpr std::size_t kRequestHead = sizeof(std::uint64_t) + 1;  // Number, shape.

struct Pipe {
    UniqueFd read_end = {};
    UniqueFd write_end = {};
};

/// The read end does not block: the shim, and later the agent, take what is there.
std::optional<Pipe> make_pipe() {
    std::array<int, 2> ends = {};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        return std::nullopt;
    }
    Pipe made = {UniqueFd(ends[0]), UniqueFd(ends[1])};
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return made;
}

void send_reply(int socket, const SpawnReply& reply, const std::array<int, 3>& fds, int count) {
    SpawnReply copy = reply;
    iovec part = {&copy, sizeof copy};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 3)> control = {};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (count > 0) {
        const std::size_t bytes = sizeof(int) * static_cast<std::size_t>(count);
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(bytes);
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(bytes);
        std::memcpy(CMSG_DATA(header), fds.data(), bytes);
    }
    sendmsg(socket, &message, MSG_NOSIGNAL);  // A server that is gone is seen at the next receive.
}

void fork_shim(int socket, ShimInput input) {
    SpawnReply reply = {.request = input.request};
    const bool is_split = input.errors_read.is_open();
    const pid_t shim = fork();
    if (shim == 0) {
        input.news = UniqueFd(socket);
        run_shim(std::move(input));
    }
    if (shim < 0) {
        reply.news = SpawnNews::kFailed;
        reply.error = errno;
        send_reply(socket, reply, {}, 0);
        return;
    }
    const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, shim, 0)));
    reply.pid = shim;
    reply.has_pidfd = process.is_open() ? 1 : 0;
    reply.pipes = is_split ? 2 : 1;
    std::array<int, 3> fds = {};
    int count = 0;
    for (const int fd : {process.get(), input.output_read.get(), input.errors_read.get()}) {
        if (fd >= 0) {
            fds.at(static_cast<std::size_t>(count++)) = fd;
        }
    }
    send_reply(socket, reply, fds, count);
}

void serve(int socket, const char* packet, std::size_t size) {
    ShimInput input;
    std::memcpy(&input.request, packet, sizeof input.request);
    const bool is_split = packet[sizeof input.request] != 0;
    input.directory.assign(packet + kRequestHead, size - kRequestHead);
    auto output = make_pipe();
    auto errors = is_split ? make_pipe() : Pipe();
    if (!output || !errors) {
        const SpawnReply failed = {
            .request = input.request, .news = SpawnNews::kFailed, .error = errno};
        send_reply(socket, failed, {}, 0);
        return;
    }
    input.output_read = std::move(output->read_end);
    input.output_write = std::move(output->write_end);
    input.errors_read = std::move(errors->read_end);
    input.errors_write = std::move(errors->write_end);
    fork_shim(socket, std::move(input));
}

[[noreturn]] void run_worker(int socket) {
    prctl(PR_SET_NAME, "reeve-spawner");
    std::signal(SIGCHLD, SIG_IGN);  // Shims report by themselves; none becomes a zombie.
    std::array<char, kSpawnPacketBytesMax> packet = {};
    while (true) {
        const ssize_t got = recv(socket, packet.data(), packet.size(), 0);
        if (got == 0) {
            _exit(0);
        }
        if (got > static_cast<ssize_t>(kRequestHead)) {
            serve(socket, packet.data(), static_cast<std::size_t>(got));
        } else if (got < 0 && errno != EINTR) {
            _exit(1);
        }
    }
}

/// True when the server's end is closed.
bool is_hung_up(int socket) {
    pollfd wanted = {socket, 0, 0};
    return poll(&wanted, 1, 0) > 0 && (wanted.revents & (POLLHUP | POLLERR)) != 0;
}

void leave_only(int socket) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; ++fd) {
        dup2(null, fd);
    }
    // Everything else that the server had open when it started is its own affair.
    const auto close_range = [](unsigned first, unsigned last) {
        syscall(SYS_close_range, first, last, 0);
    };
    const auto kept = static_cast<unsigned>(socket);
    if (kept > 3) {
        close_range(3, kept - 1);
    }
    close_range(kept + 1, ~0U);
}

}  // namespace

void run_spawner(UniqueFd socket) {
    platform::reset_signals();
    setsid();  // A Ctrl-C is for the server.
    prctl(PR_SET_NAME, "reeve-keeper");
    leave_only(socket.get());
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
        std::signal(signal, SIG_IGN);
    }
    while (!is_hung_up(socket.get())) {
        const pid_t worker = fork();
        if (worker == 0) {
            run_worker(socket.get());
        }
        if (worker < 0) {
            pollfd nothing = {-1, 0, 0};
            poll(&nothing, 1, 1000);  // No room for a process now; later perhaps.
            continue;
        }
        int status = 0;
        while (waitpid(worker, &status, 0) < 0 && errno == EINTR) {
        }
    }
    _exit(0);
}

}  // namespace reeve::agent::process
