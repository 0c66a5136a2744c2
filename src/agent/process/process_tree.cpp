#include "agent/process/process_tree.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <set>

#include "agent/process/task_environment.hpp"

namespace reeve::agent::process {
namespace {

constexpr int kStopPassesMax = 20;

}  // namespace

std::vector<pid_t> descendants_of(pid_t ancestor) {
    std::multimap<pid_t, pid_t> children;
    for (const platform::ProcessFacts& facts : platform::list_processes()) {
        children.emplace(facts.parent, facts.id.pid);
    }
    std::vector<pid_t> found;
    std::vector<pid_t> open = {ancestor};
    while (!open.empty()) {
        const pid_t parent = open.back();
        open.pop_back();
        const auto [begin, end] = children.equal_range(parent);
        for (auto child = begin; child != end; ++child) {
            found.push_back(child->second);
            open.push_back(child->second);
        }
    }
    return found;
}

void kill_descendants(pid_t ancestor) {
    std::set<pid_t> stopped;
    for (int pass = 0; pass < kStopPassesMax; ++pass) {
        const std::size_t before = stopped.size();
        for (const pid_t pid : descendants_of(ancestor)) {
            if (stopped.insert(pid).second) {
                kill(pid, SIGSTOP);
            }
        }
        if (stopped.size() == before) {
            break;
        }
    }
    for (const pid_t pid : stopped) {
        kill(pid, SIGKILL);
    }
}

std::vector<pid_t> processes_of_task(
    const std::string& cluster_id, const std::string& task, pid_t session) {
    std::vector<pid_t> found;
    const std::string cluster_variable = "REEVE_CLUSTER_ID=" + cluster_id;
    const std::string task_variable = std::string(kTaskVariable) + "=" + task;
    for (const platform::ProcessFacts& facts : platform::list_processes()) {
        if (facts.state == 'Z') {
            continue;
        }
        const std::vector<std::string> variables = platform::environment_of(facts.id.pid);
        const bool is_named = std::ranges::find(variables, cluster_variable) != variables.end() &&
                              std::ranges::find(variables, task_variable) != variables.end();
        if (is_named || (session > 0 && facts.session == session)) {
            found.push_back(facts.id.pid);
        }
    }
    return found;
}

}  // namespace reeve::agent::process
