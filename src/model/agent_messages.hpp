#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/instant.hpp"
#include "model/gpu_source.hpp"
#include "model/task.hpp"

// What a node's agent and the controller say to each other. Messages may be lost, repeated, late
// and out of order: every one is a fact or a wish that is safe to hear twice.
namespace reeve::model {

// ---- From the controller to an agent.

/// Run this. An agent that has claimed the key already says again what became of it; one whose
/// machine runs under another boot than the controller knows of ignores it: its hello comes first,
/// and with that the controller counts as lost what it started before.
struct StartTask {
    TaskOrder order = {};
    std::string boot_id = {};
};

/// Stop this: signal, grace, kill, as its spec says; `is_forced` kills at once. An agent that does
/// not know the key makes sure that it never starts, and reports kNeverStarted.
struct StopTask {
    TaskKey key = {};
    bool is_forced = false;
};

/// The end of this task is durable at the controller: the agent need not report it again. Its log
/// stays until DeleteTask.
struct AcknowledgeEnd {
    TaskKey key = {};
};

/// Remove the task's directory, log included. Only of a task whose end was acknowledged.
struct DeleteTask {
    TaskKey key = {};
};

/// Say again what runs: the controller has lost track (it restarted).
struct ReportAll {};

using AgentOrder = std::variant<StartTask, StopTask, AcknowledgeEnd, DeleteTask, ReportAll>;

// ---- From an agent to the controller.

struct HostDescription {
    std::string hostname = {};
    std::int64_t cpu_millicores = 0;
    std::int64_t memory_mib = 0;

    friend bool operator==(const HostDescription&, const HostDescription&) = default;
};

/// A task that the agent's disk knows and whose end it has not seen acknowledged.
struct KnownTask {
    TaskKey key = {};
    std::string cluster_id = {};
    Identity identity = {};
    std::vector<GrantedGpu> gpus = {};
    std::optional<TaskOutcome> outcome = {};  // Absent while it runs (or is being started).
    bool has_started = false;
    std::optional<Instant> started_at = {};  // By the node's clock; absent if it cannot be told.
    std::string order_json = {};  // The TaskOrder it was started by; "" if it cannot be read.
};

/// Said at connection, at ReportAll, and when the machine changed. A whole picture: a task of
/// this boot that is not in it is not on the node.
struct NodeHello {
    std::string node = {};     // Name.
    std::string boot_id = {};  // Of the kernel: another one proves that no old task runs.
    HostDescription host = {};
    std::vector<GpuDescription> gpus = {};
    std::vector<KnownTask> tasks = {};
    std::string enforcement = {};  // "cgroup-v1", "cgroup-v2", "none": what holds its limits.
    std::map<std::string, std::string> labels = {};  // Set by who runs it: {"zone", "a"}.
};

struct TaskStarted {
    std::string node = {};
    TaskKey key = {};
    std::int64_t pid = 0;
};

/// Its time is up, and its node stops it: signal, grace, kill.
struct TaskOverdue {
    std::string node = {};
    TaskKey key = {};
};

/// The end of every process of the task was seen. Repeated until acknowledged.
struct TaskEnded {
    std::string node = {};
    TaskKey key = {};
    TaskOutcome outcome = {};
};

/// An error that a driver reported of a device.
struct ReportedXid {
    std::string uuid = {};
    std::int64_t xid = 0;
    Instant at = Instant(std::chrono::microseconds(
        0));  // By the node's clock, when it was read there. Later ones have later times.

    friend bool operator==(const ReportedXid&, const ReportedXid&) = default;
};

inline constexpr std::size_t kReportedXidsMax = 16;  // Of one node, each time.

/// Load of the machine and its GPUs. Sent at every sample; the newest counts.
struct NodeSample {
    std::string node = {};
    std::int64_t cpu_permille = 0;     // Of all cores.
    std::int64_t memory_permille = 0;  // Used, as MemTotal - MemAvailable.
    std::vector<GpuSample> gpus = {};
    std::vector<ReportedXid> xids = {};  // The newest since the agent began, also if said before.
};

using AgentReport = std::variant<NodeHello, TaskStarted, TaskOverdue, TaskEnded, NodeSample>;

}  // namespace reeve::model
