#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "controller/controller.hpp"
#include "controller/view.hpp"
#include "ledger/command.hpp"
#include "model/agent_messages.hpp"

namespace reeve::controller {

/// Counts since the start, for /metrics. Each is read on its own, without a lock.
struct WriterCounters {
    std::atomic<std::uint64_t> turns = 0;
    std::atomic<std::uint64_t> commands = 0;
    std::atomic<std::uint64_t> rejections = 0;
    std::atomic<std::uint64_t> changes = 0;
    std::atomic<std::uint64_t> turn_microseconds = 0;
    std::atomic<std::uint64_t> troubles = 0;        // That no caller was told of.
    std::atomic<std::uint64_t> queue_refusals = 0;  // Commands refused because too many waited.
};

inline constexpr std::size_t kWaitingCommandsMax = 100'000;

/// The thread that drives the one Controller. Every function may be called from any thread;
/// callbacks come on the writer's own thread, after the commit, and must not block.
class Writer {
  public:
    using Clock = std::function<Instant()>;
    using Callback = std::function<void(Result<ledger::Reply>)>;
    using AgentLink = std::function<void(model::AgentOrder)>;

    Writer(std::unique_ptr<Controller> controller, Clock clock);
    ~Writer();
    Writer(const Writer&) = delete;
    Writer(Writer&&) = delete;
    Writer& operator=(const Writer&) = delete;
    Writer& operator=(Writer&&) = delete;

    void start();

    /// Finishes the turn at hand, answers what waits with kUnavailable, ends the thread.
    void stop();

    /// Applies `command` in one of the next turns; `callback` gets the answer once it is durable.
    /// At once kLimit if kWaitingCommandsMax commands wait already.
    void submit(ledger::Command command, Callback callback);

    /// What an agent says. Never refused: reports are few, and agents repeat what matters.
    void report(model::AgentReport report);

    /// Where orders for `node` go. An order for a node without a link is dropped: it is given again
    /// when the node says hello.
    void connect(const std::string& node, AgentLink link);

    /// The newest view; never null after the constructor.
    [[nodiscard]] std::shared_ptr<const View> view() const;

    /// Calls `listener` after every commit that changed something. There is no way to unsubscribe:
    /// listeners live as long as the process.
    void on_commit(std::function<void(Revision)> listener);

    /// Calls `listener` with what went wrong beside every request, on the writer's thread; once for
    /// the same words in a row. Before start().
    void on_trouble(std::function<void(const Error&)> listener);

    [[nodiscard]] const WriterCounters& counters() const { return counters_; }

    [[nodiscard]] std::size_t waiting() const;

  private:
    struct Waiting {
        ledger::Command command;
        Callback callback;
    };

    void run();
    [[nodiscard]] std::vector<Waiting> take(bool has_more);
    void deliver(TurnResult result, std::vector<Waiting>& taken);

    void tell(const std::vector<Error>& troubles);

    std::unique_ptr<Controller> controller_;
    std::function<void(const Error&)> trouble_listener_ = {};
    std::string last_trouble_ = {};  // Of the writer's thread.
    Clock clock_;
    WriterCounters counters_;

    mutable std::mutex mutex_;
    std::condition_variable wakes_;
    std::vector<Waiting> waiting_;
    std::map<std::string, AgentLink> links_;
    std::vector<std::function<void(Revision)>> listeners_;
    bool is_stopping_ = false;

    mutable std::mutex view_mutex_;
    std::shared_ptr<const View> view_;
    std::thread thread_;
};

}  // namespace reeve::controller
