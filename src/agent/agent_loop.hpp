#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/reactor.hpp"
#include "agent/runtime.hpp"
#include "agent/sampler.hpp"
#include "base/result.hpp"
#include "model/gpu_source.hpp"
#include "platform/event_fd.hpp"

namespace reeve::agent {

/// One node of this process. What the pointers point to outlives the loop.
struct AgentNode {
    std::string name = {};
    std::string cluster_id = {};
    std::string boot_id = {};
    std::string enforcement = "none";
    std::map<std::string, std::string> labels = {};
    Runtime* runtime = nullptr;
    model::GpuSource* gpus = nullptr;  // May be null: no GPUs.
};

struct LoopOptions {
    std::chrono::microseconds sample_every = std::chrono::seconds(5);
    std::chrono::microseconds describe_every = std::chrono::minutes(1);
    std::chrono::microseconds tick_every = std::chrono::seconds(1);
    /// Gets every report, called by the loop's thread: it must not wait.
    std::function<void(model::AgentReport)> sink = {};
};

/// The agents of one or several nodes, on one thread, and their sampling on another. From
/// start() on each node has said its hello.
class AgentLoop {
  public:
    /// Asks each node's GPUs and disk, then begins. Errors: of Runtime::list().
    [[nodiscard]] static Result<std::unique_ptr<AgentLoop>> start(
        LoopOptions options, const std::vector<AgentNode>& nodes);

    AgentLoop(const AgentLoop&) = delete;
    AgentLoop& operator=(const AgentLoop&) = delete;
    AgentLoop(AgentLoop&&) = delete;
    AgentLoop& operator=(AgentLoop&&) = delete;

    /// Stops both threads. Tasks go on.
    ~AgentLoop();

    /// Hands an order to a node's agent. Any thread. Errors: kNotFound if there is no such node.
    [[nodiscard]] Result<void> send(const std::string& node, model::AgentOrder order);

  private:
    struct Node {
        std::string name;
        Runtime* runtime;
        Sampler sampler;  // Of the sampling thread.
        AgentReactor reactor;
    };

    struct Letter {
        std::size_t node = 0;
        AgentEvent event = {};
    };

    AgentLoop(LoopOptions options, platform::EventFd inbox, platform::EventFd stop_sampling)
        : options_(std::move(options)),
          inbox_bell_(std::move(inbox)),
          stop_sampling_(std::move(stop_sampling)) {}

    [[nodiscard]] Result<void> add(const AgentNode& node);
    void put(std::size_t node, AgentEvent event);
    void run();
    void sample();
    void handle(Node& node, const AgentEvent& event);
    void perform(Node& node, const AgentEffect& effect);
    void collect_all();
    [[nodiscard]] std::optional<Letter> next_letter();
    void read_inbox();

    LoopOptions options_;
    std::vector<Node> nodes_ = {};
    platform::EventFd inbox_bell_;
    platform::EventFd stop_sampling_;
    std::mutex mutex_ = {};
    std::deque<Letter> inbox_ = {};  // Guarded by mutex_.
    std::deque<Letter> stops_ = {};  // Likewise. Read before the others.
    bool is_stopping_ = false;       // Likewise.
    std::thread loop_ = {};
    std::thread sampling_ = {};
};

}  // namespace reeve::agent
