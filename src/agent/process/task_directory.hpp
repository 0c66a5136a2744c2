#pragma once

#include <cstddef>
#include <string>

#include "model/task.hpp"

namespace reeve::agent::process {

/// Where the tasks of a node are: `<data>/nodes/<node>/tasks`. One per node, because several nodes
/// can live in one process.
[[nodiscard]] inline std::string tasks_directory(const std::string& data, const std::string& node) {
    return data + "/nodes/" + node + "/tasks";
}

/// A task's own below `tasks`: each cluster has a folder there, because the jobs of every new one
/// are counted from 1.
[[nodiscard]] inline std::string task_directory(
    const std::string& tasks, const std::string& cluster_id, const model::TaskKey& key) {
    return tasks + "/" + cluster_id + "/" + to_string(key);
}

/// Where it was before clusters had folders. Whose it is, cluster_of() says.
[[nodiscard]] inline std::string older_task_directory(
    const std::string& tasks, const model::TaskKey& key) {
    return tasks + "/" + to_string(key);
}

/// The cluster whose order the task of this directory had; "" if that cannot be read.
[[nodiscard]] std::string cluster_of(const std::string& directory);

/// The one of the two above that a task of this cluster has; the first if it has none.
[[nodiscard]] std::string find_task_directory(
    const std::string& tasks, const std::string& cluster_id, const model::TaskKey& key);

/// Tasks that have not been done with, of other clusters than `cluster_id` or of nobody known.
struct ForeignTasks {
    std::size_t kept = 0;
    std::size_t running = 0;  // Of `kept`, as far as is known.
};

[[nodiscard]] ForeignTasks foreign_tasks(
    const std::string& tasks, const std::string& cluster_id, const std::string& boot_id);

/// Names in a task's directory.
inline constexpr std::size_t kOrderBytesMax = 4 << 20;
inline constexpr const char* kOrderFile = "/order.json";
inline constexpr const char* kPlanFile = "/plan";
inline constexpr const char* kTakenPlan = "/plan.taken";  // Renamed by the one shim that runs it.
inline constexpr const char* kAbandonedPlan = "/plan.abandoned";  // Renamed so that none does.
inline constexpr const char* kScriptFile = "/script";
inline constexpr const char* kStatusFile = "/status";
inline constexpr const char* kLogFile = "/log";
inline constexpr const char* kErrorsFile = "/log.err";
inline constexpr const char* kControlFifo = "/control";
inline constexpr const char* kAcknowledgedMark = "/acknowledged";
inline constexpr const char* kRemovedMark = "/removed";

/// What an agent writes to a shim's control FIFO: one byte.
inline constexpr char kControlStop = 's';
inline constexpr char kControlKill = 'k';

}  // namespace reeve::agent::process
