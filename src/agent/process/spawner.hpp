#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include <sys/types.h>

#include "agent/process/spawn_message.hpp"
#include "base/result.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::agent::process {

/// What came of a launch.
struct SpawnAnswer {
    SpawnReply reply = {};
    platform::UniqueFd shim = {};    // Its pidfd; not open if it has ended already.
    platform::UniqueFd output = {};  // Second read ends of its pipes.
    platform::UniqueFd errors = {};
};

enum class OutputShape : std::uint8_t { kOneLog, kTwoLogs };

/// A small process that forks shims, so that they are small, and so that the server never forks
/// with threads. A keeper process beside it makes another one if it is killed, and it another
/// keeper. If both are killed at once there is none any more: the server, with its threads and its
/// memory, cannot make one that is small. Both end with the server; shims do not.
///
/// The server's side of it. Move-only; one thread uses it; several runtimes may share it.
class Spawner {
  public:
    using Listener = std::function<void(SpawnAnswer)>;

    /// Forks the keeper. To be called first thing in main(), before any thread exists and before
    /// limits are raised: shims and tasks inherit what this process has then.
    [[nodiscard]] static Result<Spawner> start();

    Spawner(Spawner&&) = default;
    Spawner& operator=(Spawner&&) = default;
    Spawner(const Spawner&) = delete;
    Spawner& operator=(const Spawner&) = delete;
    ~Spawner() = default;

    /// Is told once, by collect(), when the spawner is gone for good.
    void when_lost(std::function<void()> listener) { lost_ = std::move(listener); }

    /// Has a shim forked for the task's directory. `listener` hears kForked or kFailed, and perhaps
    /// kStarted, from collect(). Never waits.
    void launch(const std::string& directory, OutputShape shape, Listener listener);

    /// Tells listeners what came. If the spawner is gone for good, each gets kFailed (EPIPE).
    void collect();

    /// Forgets the listener of a launch that nothing more is wanted of.
    void forget(std::uint64_t request);

    /// Number of the newest launch.
    [[nodiscard]] std::uint64_t newest() const noexcept { return request_; }

    /// Readable when collect() has something; -1 once the spawner is gone for good.
    [[nodiscard]] int fd() const noexcept { return socket_.get(); }

    [[nodiscard]] pid_t keeper() const noexcept { return keeper_; }

    [[nodiscard]] bool is_alive() const noexcept { return is_alive_; }

  private:
    struct Waiting {
        std::uint64_t request = 0;
        std::string packet = {};
    };

    Spawner(platform::UniqueFd socket, pid_t keeper) noexcept
        : socket_(std::move(socket)), keeper_(keeper) {}

    void send_waiting();
    void tell(SpawnAnswer answer);
    void bury();
    void note_loss();

    platform::UniqueFd socket_;
    pid_t keeper_ = 0;
    bool is_alive_ = true;
    std::uint64_t request_ = 0;
    std::set<std::uint64_t> in_flight_ = {};  // Sent, and not yet answered by kForked or kFailed.
    std::deque<Waiting> waiting_ = {};
    std::map<std::uint64_t, Listener> listeners_ = {};
    std::function<void()> lost_ = {};
};

}  // namespace reeve::agent::process
