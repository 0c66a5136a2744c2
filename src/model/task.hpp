#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "base/result.hpp"
#include "base/strong_id.hpp"

namespace reeve::model {

/// One element of a job: "1842_7", or "1842" for a job that is no array (index 0).
struct ElementKey {
    JobId job = JobId(0);
    std::uint32_t index = 0;

    friend auto operator<=>(const ElementKey&, const ElementKey&) = default;
};

/// One process tree of an attempt on one node. Everything we start carries this key.
struct TaskKey {
    ElementKey element = {};
    std::uint32_t attempt = 1;
    std::uint32_t rank = 0;

    friend auto operator<=>(const TaskKey&, const TaskKey&) = default;
};

/// "1842.7.1.0": job, index, attempt, rank. Used as a directory name.
[[nodiscard]] std::string to_string(const TaskKey& key);
[[nodiscard]] Result<TaskKey> parse_task_key(std::string_view text);

/// How a task ended, as its shim saw it.
enum class TaskEnd : std::uint8_t {
    kExited,        // With `exit_code`.
    kSignalled,     // Killed by `signal`, not by us.
    kOom,           // The kernel killed it for its memory limit.
    kTimeLimit,     // The shim stopped it at its time limit.
    kStopped,       // The shim stopped it because it was told to.
    kShimLost,      // Its shim was killed; what was left of it has been killed since.
    kStartFailed,   // Nothing of it ran; `message` says why.
    kNeverStarted,  // It was told to stop before it started, and never will start.
};

struct TaskOutcome {
    TaskEnd end = TaskEnd::kExited;
    std::int32_t exit_code = 0;
    std::int32_t signal = 0;
    std::string message = {};          // For the user; "" where the end says it all.
    std::int64_t memory_peak_mib = 0;  // Of its cgroup; 0 if not measured.
    std::int64_t cpu_ms = 0;           // User and system; 0 if not measured.
    std::int64_t log_bytes = 0;
    /// From the start of its command to its end, by its node's clock; absent if not measured.
    std::optional<std::chrono::microseconds> ran_for = {};

    friend bool operator==(const TaskOutcome&, const TaskOutcome&) = default;
};

/// A GPU granted to a task, in the node's own words.
struct GrantedGpu {
    std::string uuid;
    std::int64_t milli = 1000;
    std::int64_t memory_mib = 0;
    bool is_whole = true;

    friend bool operator==(const GrantedGpu&, const GrantedGpu&) = default;
};

/// Who a task runs as.
struct Identity {
    std::string user = {};
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;

    friend bool operator==(const Identity&, const Identity&) = default;
};

/// All that a node needs to run one task.
struct TaskOrder {
    TaskKey key = {};
    std::string cluster_id = {};
    Identity identity = {};
    std::string project = {};
    std::string job_name = {};
    std::uint32_t array_count = 0;  // 0: no array.
    std::vector<GrantedGpu> gpus = {};
    std::int64_t cpu_millicores = 0;  // 0: no limit.
    std::int64_t memory_mib = 0;      // 0: no limit.
    std::int64_t time_limit_s = 0;    // 0: none.
    std::string spec_json = {};       // The job's spec text; its Execution is read from it.

    friend bool operator==(const TaskOrder&, const TaskOrder&) = default;
};

/// Reads and writes a TaskOrder as JSON, for the task's directory. Errors: kInvalid.
[[nodiscard]] std::string to_json(const TaskOrder& order);
[[nodiscard]] Result<TaskOrder> parse_task_order(std::string_view json);

}  // namespace reeve::model
