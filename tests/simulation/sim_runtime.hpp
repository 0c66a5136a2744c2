#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/runtime.hpp"
#include "base/random.hpp"
#include "model/agent_messages.hpp"

namespace reeve::simulation {

/// A machine that runs made-up tasks. What is in `tasks` is its disk and its processes: it outlives
/// the agent. A restart of the machine ends every process.
class SimRuntime final : public agent::Runtime {
  public:
    enum class Phase : std::uint8_t { kStarting, kRunning, kEnded };

    struct Task {
        model::KnownTask known = {};
        Phase phase = Phase::kStarting;
        bool is_stopping = false;
        bool is_acknowledged = false;
        bool is_removed = false;
    };

    explicit SimRuntime(Random& random) : random_(random) {}

    /// Called before a process of a task exists; a checker's hook.
    std::function<void(const model::KnownTask&)> on_start = {};

    [[nodiscard]] Result<std::vector<model::KnownTask>> list() override {
        std::vector<model::KnownTask> known;
        for (const auto& [key, task] : tasks_) {
            if (!task.is_acknowledged) {
                known.push_back(task.known);
            }
        }
        return known;
    }

    void launch(const model::TaskOrder& order) override {
        if (tasks_.contains(order.key)) {
            say_again(order.key);
            return;
        }
        if (is_disk_full) {
            events_.emplace_back(agent::RuntimeRefused{order.key, "disk full"});
            return;
        }
        Task& task = tasks_[order.key];
        task.known = {
            .key = order.key,
            .cluster_id = order.cluster_id,
            .identity = order.identity,
            .gpus = order.gpus};
        on_start(task.known);
    }

    void stop(const model::TaskKey& key, agent::StopForce force) override {
        if (!tasks_.contains(key)) {
            if (is_disk_full) {
                events_.emplace_back(agent::RuntimeRefused{key, "disk full"});
                return;
            }
            Task& task = tasks_[key];
            task.known = {.key = key, .cluster_id = cluster_id};
            end(task, {.end = model::TaskEnd::kNeverStarted});
            return;
        }
        Task& task = tasks_.at(key);
        task.is_stopping = true;
        if (task.phase == Phase::kEnded || task.is_removed) {
            say_again(key);
        } else if (force == agent::StopForce::kKill) {
            end(task, {.end = model::TaskEnd::kStopped});
        }
    }

    void acknowledge(const model::TaskKey& key) override {
        if (const auto found = tasks_.find(key);
            found != tasks_.end() && found->second.phase == Phase::kEnded) {
            found->second.is_acknowledged = true;
        }
    }

    void remove(const model::TaskKey& key) override {
        if (const auto found = tasks_.find(key);
            found != tasks_.end() && found->second.phase == Phase::kEnded) {
            found->second.is_removed = true;
            found->second.is_acknowledged = true;
        }
    }

    [[nodiscard]] std::vector<agent::RuntimeEvent> collect() override {
        return std::exchange(events_, {});
    }

    [[nodiscard]] int fd() const override { return -1; }

    // ---- What the world does to it.

    [[nodiscard]] const std::map<model::TaskKey, Task>& tasks() const { return tasks_; }

    /// One task takes one step of its life.
    void progress() {
        std::vector<Task*> alive;
        for (auto& [key, task] : tasks_) {
            if (task.phase != Phase::kEnded) {
                alive.push_back(&task);
            }
        }
        if (alive.empty()) {
            return;
        }
        Task& task = *alive.at(random_.below(alive.size()));
        if (task.phase == Phase::kStarting && random_.below(8) == 0) {
            end(task, {.end = model::TaskEnd::kStartFailed, .message = "no such command"});
        } else if (task.phase == Phase::kStarting) {
            task.phase = Phase::kRunning;
            task.known.has_started = true;
            events_.emplace_back(agent::RuntimeStarted{task.known.key, 1});
        } else if (task.is_stopping && random_.below(3) != 0) {
            end(task, {.end = model::TaskEnd::kStopped, .signal = 15});
        } else {
            constexpr std::array kEnds = {model::TaskEnd::kExited,    model::TaskEnd::kExited,
                                          model::TaskEnd::kSignalled, model::TaskEnd::kOom,
                                          model::TaskEnd::kTimeLimit, model::TaskEnd::kShimLost};
            end(task, {.end = kEnds.at(random_.below(kEnds.size())),
                       .exit_code = static_cast<std::int32_t>(random_.below(2))});
        }
    }

    /// The agent died: what it had not collected is lost.
    void lose_agent() { events_.clear(); }

    /// The machine went down and up: nothing runs any more.
    void restart_machine() {
        lose_agent();
        for (auto& [key, task] : tasks_) {
            if (task.phase != Phase::kEnded) {
                task.phase = Phase::kEnded;
                task.known.outcome = model::TaskOutcome{.end = model::TaskEnd::kShimLost};
            }
        }
    }

    bool is_disk_full = false;
    std::string cluster_id = {};

  private:
    void end(Task& task, model::TaskOutcome outcome) {
        task.phase = Phase::kEnded;
        task.known.outcome = outcome;
        events_.emplace_back(agent::RuntimeEnded{task.known.key, std::move(outcome)});
    }

    void say_again(const model::TaskKey& key) {
        const Task& task = tasks_.at(key);
        if (task.is_removed) {
            events_.emplace_back(agent::RuntimeRemoved{key});
        } else if (task.phase == Phase::kEnded) {
            events_.emplace_back(agent::RuntimeEnded{key, *task.known.outcome});
        } else if (task.phase == Phase::kRunning) {
            events_.emplace_back(agent::RuntimeStarted{key, 1});
        }
    }

    Random& random_;
    std::map<model::TaskKey, Task> tasks_;
    std::vector<agent::RuntimeEvent> events_;
};

}  // namespace reeve::simulation
