#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/runtime.hpp"
#include "base/instant.hpp"
#include "model/agent_messages.hpp"

namespace reeve::agent {

// ---- What happens to an agent.

/// A connection to the controller exists (again): it has to be told everything.
struct Connected {};

/// The machine or its GPUs, as found at the start or after a change.
struct MachineDescribed {
    model::HostDescription host = {};
    std::vector<model::GpuDescription> gpus = {};
};

/// Load was measured. `sample.node` is filled in by the reactor.
struct Sampled {
    model::NodeSample sample = {};
};

/// Time has passed. Wanted about once a second.
struct Tick {};

using AgentEvent =
    std::variant<model::AgentOrder, RuntimeEvent, MachineDescribed, Sampled, Connected, Tick>;

// ---- What an agent wants done, in this order.

struct LaunchTask {
    model::TaskOrder order = {};
};

struct HaltTask {
    model::TaskKey key = {};
    StopForce force = StopForce::kGraceful;
};

struct KeepAcknowledged {
    model::TaskKey key = {};
};

struct RemoveTask {
    model::TaskKey key = {};
};

struct SendReport {
    model::AgentReport report = {};
};

using AgentEffect = std::variant<LaunchTask, HaltTask, KeepAcknowledged, RemoveTask, SendReport>;

struct ReactorOptions {
    std::string node = {};        // Name.
    std::string cluster_id = {};  // Said of tasks that were stopped before they came here.
    std::string boot_id = {};
    std::string enforcement = "none";
    std::map<std::string, std::string> labels = {};
    model::HostDescription host = {};
    std::vector<model::GpuDescription> gpus = {};
    std::chrono::microseconds repeat_after = std::chrono::seconds(5);  // Of an end not acknowledged
    std::chrono::microseconds repeat_after_max = std::chrono::minutes(1);  // Doubled up to this.
    std::size_t repeats_per_tick_max = 1000;
    std::chrono::microseconds retry_after = std::chrono::seconds(5);  // Of what was refused.
};

/// The node's side of the protocol, without a clock, a file or a process: what it decides is a
/// function of the events so far. Its memory is only a mirror of what Runtime keeps: a reactor made
/// anew from Runtime::list() goes on where the last one was lost.
///
/// - Everything may be heard twice, late or out of order (model/agent_messages.hpp); orders about a
///   claimed key are answered with what became of it.
/// - An end is repeated at ticks until it is acknowledged: each after repeat_after, doubled up to
///   repeat_after_max, at most repeats_per_tick_max at a tick.
/// - What a runtime refused (a full disk) is asked for again after retry_after.
class AgentReactor {
  public:
    /// `tasks` is Runtime::list(). Ends among them are reported at the next tick or hello.
    AgentReactor(ReactorOptions options, std::vector<model::KnownTask> tasks);

    [[nodiscard]] std::vector<AgentEffect> handle(const AgentEvent& event, Instant now);

    /// What it knows of, for assertions and for `doctor`.
    [[nodiscard]] std::vector<model::KnownTask> tasks() const;

  private:
    using Wish = std::variant<LaunchTask, HaltTask>;

    struct Entry {
        model::KnownTask task = {};
        std::int64_t pid = 0;
        std::optional<Wish> wish = {};  // The newest, until it comes true.
        Instant report_at = Instant(std::chrono::microseconds(0));  // Of its end, the next time.
        std::chrono::microseconds report_gap = {};
    };

    /// Refused by the runtime, to be asked for again.
    struct Refused {
        Wish wish = {};
        Instant retry_at;
    };

    struct Turn {
        Instant now;
        std::vector<AgentEffect> effects = {};
    };

    // One for each event and order. They take what they need of the time and of the effects.
    void on(const model::StartTask& order, Turn& turn);
    void on(const model::StopTask& order, Turn& turn);
    void on(const model::AcknowledgeEnd& order, Turn& turn);
    void on(const model::DeleteTask& order, Turn& turn);
    void on(const model::ReportAll& order, Turn& turn);
    void on(const RuntimeStarted& event, Turn& turn);
    void on(const RuntimeOverdue& event, Turn& turn) const;
    void on(const RuntimeEnded& event, Turn& turn);
    void on(const RuntimeRemoved& event, Turn& turn);
    void on(const RuntimeRefused& event, Turn& turn);
    void on(const MachineDescribed& event, Turn& turn);
    void on(const Sampled& event, Turn& turn);
    void on(const Connected& event, Turn& turn);
    void on(const Tick& event, Turn& turn);

    template <class... Kinds>
    void on(const std::variant<Kinds...>& event, Turn& turn) {
        std::visit([&](const auto& kind) { on(kind, turn); }, event);
    }

    void say_hello(Turn& turn);
    void report_start(const Entry& entry, Turn& turn) const;
    void report_end(Entry& entry, Turn& turn) const;
    void ask(Wish wish, Turn& turn);
    void ask_again(Turn& turn);

    ReactorOptions options_;
    std::map<model::TaskKey, Entry> entries_;
    std::map<model::TaskKey, Refused> refused_;
};

}  // namespace reeve::agent
