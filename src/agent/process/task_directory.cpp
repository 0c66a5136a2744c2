#include "agent/process/task_directory.hpp"

#include <vector>

#include "agent/process/task_status.hpp"
#include "platform/files.hpp"

namespace reeve::agent::process {
namespace {

std::vector<std::string> names_in(const std::string& directory) {
    return platform::list_directory(directory).value_or(std::vector<std::string>{});
}

/// Nothing of it is missed by anybody. Looked at first: there may be very many.
bool is_done_with(const std::string& directory) {
    return platform::path_exists(directory + kRemovedMark) ||
           platform::path_exists(directory + kAcknowledgedMark);
}

void count(const std::string& directory, const std::string& boot_id, ForeignTasks& found) {
    if (is_done_with(directory)) {
        return;
    }
    ++found.kept;
    const Result<TaskStatus> status = read_status(directory + kStatusFile);
    if (status && status->phase != TaskPhase::kEnded && status->boot_id == boot_id) {
        ++found.running;
    }
}

}  // namespace

std::string cluster_of(const std::string& directory) {
    return platform::read_file(directory + kOrderFile, kOrderBytesMax)
        .and_then([](const std::string& json) { return model::parse_task_order(json); })
        .map([](const model::TaskOrder& order) { return order.cluster_id; })
        .value_or("");
}

std::string find_task_directory(
    const std::string& tasks, const std::string& cluster_id, const model::TaskKey& key) {
    std::string own = task_directory(tasks, cluster_id, key);
    if (platform::path_exists(own)) {
        return own;
    }
    std::string older = older_task_directory(tasks, key);
    return platform::path_exists(older) && cluster_of(older) == cluster_id ? older : own;
}

ForeignTasks foreign_tasks(
    const std::string& tasks, const std::string& cluster_id, const std::string& boot_id) {
    ForeignTasks found;
    for (const std::string& name : names_in(tasks)) {
        std::string directory = tasks + "/";
        directory += name;
        if (model::parse_task_key(name)) {
            if (!is_done_with(directory) && cluster_of(directory) != cluster_id) {
                count(directory, boot_id, found);
            }
            continue;
        }
        if (name == cluster_id || name.starts_with('.')) {
            continue;
        }
        for (const std::string& task : names_in(directory)) {
            if (const Result<model::TaskKey> key = model::parse_task_key(task); key) {
                count(task_directory(tasks, name, *key), boot_id, found);
            }
        }
    }
    return found;
}

}  // namespace reeve::agent::process
