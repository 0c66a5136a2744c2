#include "agent/process/process_tree.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <utility>

#include "agent/process/cgroups.hpp"
#include "agent/process/task_environment.hpp"
#include "platform/files.hpp"

namespace reeve::agent::process {
namespace {

constexpr int kStopPassesMax = 20;

/// "1.0.1.0" of a line "4:memory:/reeve/5f2c8a019b7e-1.0.1.0", or of a group below that one.
std::string task_in_groups(const std::string& cluster_id, pid_t process) {
    constexpr std::size_t kBytesMax = 64 << 10;
    const std::string path = "/proc/" + std::to_string(process) + "/cgroup";
    const std::string groups = platform::read_file(path, kBytesMax).value_or("");
    const std::string before = "/" + group_name(cluster_id, "");
    const std::size_t found = groups.find(before);
    if (found == std::string::npos) {
        return "";
    }
    const std::size_t begin = found + before.size();
    return groups.substr(begin, groups.find_first_of("/\n", begin) - begin);
}

std::string task_in_environment(const std::string& cluster_id, pid_t process) {
    const std::vector<std::string> variables = platform::environment_of(process);
    if (std::ranges::find(variables, "REEVE_CLUSTER_ID=" + cluster_id) == variables.end()) {
        return "";
    }
    const std::string before = std::string(kTaskVariable) + "=";
    const auto task = std::ranges::find_if(
        variables, [&](const std::string& variable) { return variable.starts_with(before); });
    return task == variables.end() ? "" : task->substr(before.size());
}

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

std::string task_of_process(const std::string& cluster_id, pid_t process, KnownBy known_by) {
    constexpr int kAncestorsMax = 64;
    if (known_by == KnownBy::kGroup) {
        return task_in_groups(cluster_id, process);
    }
    for (int i = 0; i < kAncestorsMax && process > 1; ++i) {
        std::string task = task_in_environment(cluster_id, process);
        if (!task.empty()) {
            return task;
        }
        const auto facts = platform::process_facts(process);
        process = facts ? facts->parent : 0;
    }
    return "";
}

}  // namespace reeve::agent::process
