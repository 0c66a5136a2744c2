#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/instant.hpp"
#include "model/records.hpp"

namespace reeve::simulate {

/// A job of a trace. Its id in a replay is its place in the workload, from 1 on: the order in which
/// it was submitted.
struct TraceJob {
    std::string name = {};                 // As the trace calls it.
    Instant submitted_at = model::kNever;  // Whatever the trace counts from.
    std::int64_t run_s = 0;     // How long it runs once it has what it asked for. 0 is allowed.
    std::int64_t limit_s = 0;   // What its user said at most. 0: nothing.
    std::size_t request = 0;    // Of each of its nodes; a place in Workload::requests.
    std::int32_t nodes = 1;     // More than 1: a gang, one task on each of so many nodes.
    std::int32_t priority = 0;  // Higher first.
    std::size_t user = 0;       // A place in Workload::users.
    std::size_t project = 0;    // A place in Workload::projects.

    /// It may be stopped for others, and then starts anew at its old place in the queue.
    bool is_preemptible = false;
};

/// What a trace asks of a cluster, in the order of submission. Whatever its format was, this is
/// what a replay sees.
struct Workload {
    std::vector<TraceJob> jobs = {};  // By submitted_at.
    std::vector<model::Request> requests = {};
    std::vector<std::string> users = {};
    std::vector<std::string> projects = {};

    /// What is said of projects, as `projects`; may be shorter. Their ids are places + 1.
    std::vector<model::ProjectRecord> project_rules = {};

    /// What was left out of the file, and why: "12 jobs ask for no processor".
    std::vector<std::string> notes = {};
};

}  // namespace reeve::simulate
