#include "agent/process/spawner_process.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/process/shim.hpp"
#include "agent/process/spawn_message.hpp"
#include "platform/packets.hpp"
#include "platform/signals.hpp"

namespace reeve::agent::process {
namespace {

using platform::UniqueFd;

constexpr std::size_t kRequestHead = sizeof(std::uint64_t) + 1;  // Number, shape.
constexpr int kKeptFrom = 64;          // Descriptors that are kept begin here; a shim closes them.
constexpr int kOrphanedLookMs = 1000;  // Between two looks at pipes whose shim was killed.
constexpr int kNoRoomPauseMs = 1000;   // For a process now; later perhaps.

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

void send_reply(int socket, const SpawnReply& reply, std::span<const int> fds) {
    // A server that is gone is seen at the next receive.
    [[maybe_unused]] const bool sent =
        platform::send_packet(socket, std::as_bytes(std::span(&reply, 1)), fds);
}

/// Read ends of the pipes of a task. They are second ends: as long as they are open, what the task
/// wrote outlives its shim and the server, even killed in the same moment.
struct KeptPipes {
    pid_t shim = 0;
    bool is_orphaned = false;  // The shim did not end by itself.
    std::array<UniqueFd, 2> ends = {};
};

UniqueFd second_end(const UniqueFd& end) {
    return UniqueFd(end.is_open() ? fcntl(end.get(), F_DUPFD_CLOEXEC, kKeptFrom) : -1);
}

/// True when nobody can write to it any more and all of it was read.
bool is_spent(const UniqueFd& end) {
    pollfd wanted = {end.get(), POLLIN, 0};
    return !end.is_open() || (poll(&wanted, 1, 0) > 0 && (wanted.revents & POLLIN) == 0);
}

/// A pidfd of `pid`, which is closed in what is forked for a shim.
UniqueFd watch_process(pid_t pid) {
    const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    return second_end(process);
}

[[noreturn]] void keep_workers(int socket, UniqueFd worker);

class Worker {
  public:
    /// `keeper` is a pidfd of the process that makes another worker if this one is killed.
    Worker(int socket, UniqueFd signals, UniqueFd keeper, rlimit task_files)
        : socket_(socket),
          signals_(std::move(signals)),
          keeper_(std::move(keeper)),
          task_files_(task_files) {}

    /// Until the server's end is closed and no pipe has to be kept for the next server.
    void run();

  private:
    void wait();
    void receive();
    void serve(const char* packet, std::size_t size);
    void fork_shim(ShimInput input);
    void fork_keeper();
    void reap();

    int socket_;
    UniqueFd signals_;
    UniqueFd keeper_;
    rlimit task_files_;  // What a task may open; this process may keep more.
    bool is_serving_ = true;
    std::vector<KeptPipes> kept_ = {};
};

void Worker::fork_shim(ShimInput input) {
    SpawnReply reply = {.request = input.request};
    const bool is_split = input.errors_read.is_open();
    const pid_t shim = fork();
    if (shim == 0) {
        syscall(SYS_close_range, kKeptFrom, ~0U, 0);
        setrlimit(RLIMIT_NOFILE, &task_files_);
        input.news = UniqueFd(socket_);
        run_shim(std::move(input));
    }
    if (shim < 0) {
        reply.news = SpawnNews::kFailed;
        reply.error = errno;
        send_reply(socket_, reply, {});
        return;
    }
    // Without room for one more descriptor the log is as safe as its shim is.
    kept_.push_back({
        .shim = shim, .ends = {second_end(input.output_read), second_end(input.errors_read)}
    });
    const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, shim, 0)));
    reply.pid = shim;
    reply.has_pidfd = process.is_open() ? 1 : 0;
    reply.pipes = is_split ? 2 : 1;
    send_reply(
        socket_, reply,
        std::array{process.get(), input.output_read.get(), input.errors_read.get()});
}

/// The keeper was killed: this process makes another one, as it would another worker.
void Worker::fork_keeper() {
    UniqueFd own = watch_process(getpid());
    const pid_t keeper = own.is_open() ? fork() : -1;  // One that cannot see it would make another.
    if (keeper == 0) {
        setrlimit(RLIMIT_NOFILE, &task_files_);  // What the workers that it makes go by.
        signals_.reset();
        kept_.clear();
        keeper_.reset();
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        keep_workers(socket_, std::move(own));
    }
    if (keeper > 0) {
        keeper_ = watch_process(keeper);
    } else {
        pollfd nothing = {-1, 0, 0};
        poll(&nothing, 1, kNoRoomPauseMs);  // The old one's end stays to be seen: it tries again.
    }
}

void Worker::serve(const char* packet, std::size_t size) {
    ShimInput input;
    std::memcpy(&input.request, packet, sizeof input.request);
    const bool is_split = packet[sizeof input.request] != 0;
    input.directory.assign(packet + kRequestHead, size - kRequestHead);
    auto output = make_pipe();
    auto errors = is_split ? make_pipe() : Pipe();
    if (!output || !errors) {
        const SpawnReply failed = {
            .request = input.request, .news = SpawnNews::kFailed, .error = errno};
        send_reply(socket_, failed, {});
        return;
    }
    input.output_read = std::move(output->read_end);
    input.output_write = std::move(output->write_end);
    input.errors_read = std::move(errors->read_end);
    input.errors_write = std::move(errors->write_end);
    fork_shim(std::move(input));
}

void Worker::receive() {
    std::array<char, kSpawnPacketBytesMax> packet = {};
    const ssize_t got = recv(socket_, packet.data(), packet.size(), MSG_DONTWAIT);
    if (got > static_cast<ssize_t>(kRequestHead)) {
        serve(packet.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
        is_serving_ = false;
    }
}

/// Pipes are kept until their shim has ended by itself, or somebody has read what a killed one
/// left.
void Worker::reap() {
    std::array<char, 512> drained = {};
    while (read(signals_.get(), drained.data(), drained.size()) > 0) {
    }
    int status = 0;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
        const auto kept = std::ranges::find(kept_, pid, &KeptPipes::shim);
        if (kept != kept_.end() && WIFEXITED(status)) {
            std::swap(*kept, kept_.back());
            kept_.pop_back();
        } else if (kept != kept_.end()) {
            kept->is_orphaned = true;
        }
    }
    std::erase_if(kept_, [](const KeptPipes& pipes) {
        return pipes.is_orphaned && std::ranges::all_of(pipes.ends, is_spent);
    });
}

void Worker::wait() {
    std::array<pollfd, 3> wanted = {
        {{signals_.get(), POLLIN, 0},
         {is_serving_ ? socket_ : -1, POLLIN, 0},
         {is_serving_ ? keeper_.get() : -1, POLLIN, 0}}
    };
    const bool has_orphans = std::ranges::any_of(kept_, &KeptPipes::is_orphaned);
    poll(wanted.data(), wanted.size(), has_orphans ? kOrphanedLookMs : -1);
    if (has_orphans || wanted[0].revents != 0) {
        reap();
    }
    if (wanted[1].revents != 0) {
        receive();
    }
    if (is_serving_ && wanted[2].revents != 0) {
        fork_keeper();
    }
}

void Worker::run() {
    while (is_serving_ || !kept_.empty()) {
        wait();
    }
}

[[noreturn]] void run_worker(int socket, pid_t keeper) {
    prctl(PR_SET_NAME, kSpawnerName);
    rlimit task_files = {};
    getrlimit(RLIMIT_NOFILE, &task_files);
    const rlimit own_files = {.rlim_cur = task_files.rlim_max, .rlim_max = task_files.rlim_max};
    setrlimit(RLIMIT_NOFILE, &own_files);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, nullptr);
    UniqueFd signals(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals.is_open()) {
        _exit(1);
    }
    Worker(socket, std::move(signals), watch_process(keeper), task_files).run();
    _exit(0);
}

/// True when the server's end is closed.
bool is_hung_up(int socket) {
    pollfd wanted = {socket, 0, 0};
    return poll(&wanted, 1, 0) > 0 && (wanted.revents & (POLLHUP | POLLERR)) != 0;
}

/// Makes a worker whenever there is none. `worker` is a pidfd of the one that there is, not open if
/// there is none yet.
[[noreturn]] void keep_workers(int socket, UniqueFd worker) {
    prctl(PR_SET_NAME, "reeve-keeper");
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
        std::signal(signal, SIG_IGN);
    }
    if (worker.is_open()) {  // Not a child of this process.
        pollfd ended = {worker.get(), POLLIN, 0};
        while (poll(&ended, 1, -1) < 0 && errno == EINTR) {
        }
        worker.reset();
    }
    const pid_t own = getpid();
    while (!is_hung_up(socket)) {
        const pid_t pid = fork();
        if (pid == 0) {
            run_worker(socket, own);
        }
        if (pid < 0) {
            pollfd nothing = {-1, 0, 0};
            poll(&nothing, 1, kNoRoomPauseMs);
            continue;
        }
        int status = 0;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    _exit(0);
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
    leave_only(socket.get());
    keep_workers(socket.get(), {});
}

}  // namespace reeve::agent::process
