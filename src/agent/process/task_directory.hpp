#pragma once

#include <string>

#include "model/task.hpp"

namespace reeve::agent::process {

/// Where the tasks of a node are: `<data>/nodes/<node>/tasks`. One per node, because several nodes
/// can live in one process.
[[nodiscard]] inline std::string tasks_directory(const std::string& data, const std::string& node) {
    return data + "/nodes/" + node + "/tasks";
}

[[nodiscard]] inline std::string task_directory(
    const std::string& data, const std::string& node, const model::TaskKey& key) {
    return tasks_directory(data, node) + "/" + to_string(key);
}

/// Names in a task's directory.
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
