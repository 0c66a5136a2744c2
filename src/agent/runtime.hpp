#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"
#include "model/agent_messages.hpp"
#include "model/task.hpp"

namespace reeve::agent {

/// How hard to stop a task.
enum class StopForce : std::uint8_t {
    kGraceful,  // Its stop signal, its grace, then kill.
    kKill,      // At once.
};

/// The task's command runs. Said once or more.
struct RuntimeStarted {
    model::TaskKey key = {};
    std::int64_t pid = 0;
};

/// The task's time is up, and it is being stopped. Said once or more while that lasts a while.
struct RuntimeOverdue {
    model::TaskKey key = {};
};

/// Every process of the task has ended (or none will ever run), and that is recorded. Said once or
/// more; again when a key that has ended is launched or stopped.
struct RuntimeEnded {
    model::TaskKey key = {};
    model::TaskOutcome outcome = {};
};

/// The key was removed: its end was acknowledged long ago, and it never runs again.
struct RuntimeRemoved {
    model::TaskKey key = {};
};

/// Nothing of a launch() or stop() could be recorded (a full disk): it did not happen, and has to
/// be asked for again.
struct RuntimeRefused {
    model::TaskKey key = {};
    std::string message = {};
};

using RuntimeEvent =
    std::variant<RuntimeStarted, RuntimeOverdue, RuntimeEnded, RuntimeRemoved, RuntimeRefused>;

/// Runs tasks on this machine, and keeps on its disk what the agent must not forget. Everything
/// that survives a restart of the agent is in list().
///
/// The contract that no task runs twice rests on: the first launch() or stop() of a key claims it,
/// durably and once. Whatever is asked of a claimed key later never starts it again, not even after
/// remove(). (An implementation may forget a removed key when no message can be that late.)
///
/// Calls return at once; what comes of them is told by collect(). One thread uses it.
class Runtime {
  public:
    virtual ~Runtime() = default;

    /// Every task that is claimed and whose end is not acknowledged. Tasks that ended while the
    /// agent was away have their outcome, tasks of an earlier boot too (kShimLost).
    [[nodiscard]] virtual Result<std::vector<model::KnownTask>> list() = 0;

    /// Claims the key and starts it: then RuntimeStarted or RuntimeEnded (kStartFailed) comes.
    /// Of a claimed key: says again what became of it, if it has started, ended or was removed.
    virtual void launch(const model::TaskOrder& order) = 0;

    /// Stops it; RuntimeEnded comes when its end was seen. Of an unknown key: claims it as never
    /// started, and says RuntimeEnded (kNeverStarted).
    virtual void stop(const model::TaskKey& key, StopForce force) = 0;

    /// Records that its end is known: list() no longer has it. Ignored of a task that runs.
    virtual void acknowledge(const model::TaskKey& key) = 0;

    /// Deletes its log and all else but the fact that it was. Ignored of a task that runs.
    virtual void remove(const model::TaskKey& key) = 0;

    /// The GPUs of the node are these now: what of them a task may not touch follows from it.
    virtual void set_gpus(const std::vector<model::GpuDescription>& /*gpus*/) {}

    /// The task that the process is of, if it is one that runs.
    [[nodiscard]] virtual std::optional<model::TaskKey> task_of(pid_t /*process*/) const {
        return std::nullopt;
    }

    /// What happened since the last call.
    [[nodiscard]] virtual std::vector<RuntimeEvent> collect() = 0;

    /// Readable when collect() may have something; -1 if there is no such descriptor. Owned by the
    /// runtime.
    [[nodiscard]] virtual int fd() const = 0;
};

}  // namespace reeve::agent
