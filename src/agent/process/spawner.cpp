#include "agent/process/spawner.hpp"

#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include <sys/socket.h>

#include "agent/process/spawner_process.hpp"
#include "platform/packets.hpp"
#include "platform/system_error.hpp"

namespace reeve::agent::process {
namespace {

using platform::UniqueFd;

/// So that neither side ever waits for room in the socket while the other one does.
constexpr std::size_t kInFlightMax = 64;

/// What the descriptors are, by the reply that they came with.
void take_fds(platform::PassedFds& fds, SpawnAnswer& answer) {
    std::size_t next = 0;
    if (answer.reply.has_pidfd != 0) {
        answer.shim = std::move(fds.at(next++));
    }
    answer.output = std::move(fds.at(next++));
    if (answer.reply.pipes > 1) {
        answer.errors = std::move(fds.at(next));
    }
}

}  // namespace

Result<Spawner> Spawner::start() {
    std::array<int, 2> ends = {};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return platform::fail_errno("cannot start the spawner");
    }
    UniqueFd server(ends[0]);
    UniqueFd spawner(ends[1]);
    const pid_t keeper = fork();
    if (keeper < 0) {
        return platform::fail_errno("cannot start the spawner");
    }
    if (keeper == 0) {
        server.reset();
        run_spawner(std::move(spawner));
    }
    return Spawner(std::move(server), keeper);
}

void Spawner::launch(const std::string& directory, OutputShape shape, Listener listener) {
    ++request_;
    std::string packet(reinterpret_cast<const char*>(&request_), sizeof request_);
    packet += static_cast<char>(shape);
    packet += directory;
    listeners_[request_] = std::move(listener);
    waiting_.push_back({request_, std::move(packet)});
    send_waiting();
}

void Spawner::send_waiting() {
    while (is_alive_ && !waiting_.empty() && in_flight_.size() < kInFlightMax) {
        const std::string& packet = waiting_.front().packet;
        const ssize_t sent =
            send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                is_alive_ = false;
            }
            return;
        }
        in_flight_.insert(waiting_.front().request);
        waiting_.pop_front();
    }
}

void Spawner::collect() {
    while (is_alive_) {
        SpawnAnswer answer;
        platform::PassedFds fds;
        const ssize_t got = platform::receive_packet(
            socket_.get(), std::as_writable_bytes(std::span(&answer.reply, 1)), fds);
        if (got == sizeof answer.reply) {
            take_fds(fds, answer);
            tell(std::move(answer));
        } else if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            is_alive_ = false;
        } else {
            break;
        }
    }
    if (is_alive_) {
        send_waiting();
    }
    if (!is_alive_) {
        note_loss();
        bury();
    }
}

/// The end that is closed would be readable for ever.
void Spawner::note_loss() {
    socket_.reset();
    if (const auto listener = std::exchange(lost_, {})) {
        listener();
    }
}

void Spawner::forget(std::uint64_t request) {
    listeners_.erase(request);
    in_flight_.erase(request);
}

void Spawner::tell(SpawnAnswer answer) {
    in_flight_.erase(answer.reply.request);
    const auto found = listeners_.find(answer.reply.request);
    if (found == listeners_.end()) {
        return;
    }
    const Listener listener = found->second;
    if (answer.reply.news != SpawnNews::kForked) {
        listeners_.erase(found);  // Nothing more comes.
    }
    listener(std::move(answer));
}

void Spawner::bury() {
    waiting_.clear();
    for (auto listeners = std::exchange(listeners_, {}); auto& [request, listener] : listeners) {
        SpawnAnswer gone;
        gone.reply = {.request = request, .news = SpawnNews::kFailed, .error = EPIPE};
        listener(std::move(gone));
    }
}

}  // namespace reeve::agent::process
