#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include "agent/process/process_runtime.hpp"
#include "agent/process/process_tree.hpp"
#include "agent/process/spawner_process.hpp"
#include "agent/process/task_directory.hpp"
#include "platform/clock.hpp"
#include "platform/files.hpp"
#include "platform/system_error.hpp"

namespace reeve::agent::process {
namespace {

using model::TaskEnd;
using platform::UniqueFd;

constexpr const char* kAbandoned = "/.abandoned-";

/// The other read end of a pipe that `pid` has open.
UniqueFd reopen_pipe(pid_t pid, const OutputStatus& output) {
    UniqueFd fd = platform::reopen_fd_of(pid, static_cast<int>(output.pipe_fd));
    const auto inode = static_cast<std::int64_t>(platform::inode_of(fd.get()));
    if (output.pipe_fd < 0 || inode != output.pipe_inode) {
        fd.reset();
    }
    return fd;
}

/// The same, found in a process of the task, which has it open for writing.
UniqueFd find_pipe(pid_t pid, const OutputStatus& output) {
    if (output.pipe_inode == 0) {
        return {};
    }
    const auto inode = static_cast<std::uint64_t>(output.pipe_inode);
    for (const int number : platform::fds_of_pipe(pid, inode)) {
        UniqueFd fd = platform::reopen_fd_of(pid, number);
        if (platform::inode_of(fd.get()) == inode) {
            return fd;
        }
    }
    return {};
}

/// A task as its directory says; `cluster_id` is for one whose order cannot be read.
model::KnownTask task_in(
    const std::string& directory, const model::TaskKey& key, const std::string& cluster_id) {
    const auto text = platform::read_file(directory + kOrderFile, kOrderBytesMax);
    const auto order =
        text.and_then([](const std::string& json) { return model::parse_task_order(json); });
    model::KnownTask task = {.key = key, .cluster_id = cluster_id};
    if (order) {
        task.cluster_id = order->cluster_id;
        task.identity = order->identity;
        task.gpus = order->gpus;
        task.order_json = *text;
    }
    return task;
}

std::int64_t size_of(const std::string& path, const DroppedRange& dropped) {
    struct stat found = {};
    const std::int64_t size = stat(path.c_str(), &found) == 0 ? found.st_size : 0;
    return std::max(size, dropped.end);
}

/// What is still in a pipe goes to the log, as the shim would have done it.
void drain(
    const UniqueFd& pipe, const std::string& path, OutputStatus& output, std::int64_t bytes_max) {
    if (!pipe.is_open()) {
        return;
    }
    Result<TaskLog> log = TaskLog::open({
        .path = path,
        .bytes_max = bytes_max,
        .dropped = output.dropped,
        .record = [](const DroppedRange&) { return true; },  // Written with the end.
    });
    if (!log) {
        return;  // The log cannot be opened: the task's end says how much of it there is.
    }
    Pumped pumped = Pumped::kSome;
    while (pumped == Pumped::kSome) {
        pumped = log->pump(pipe.get());
    }
    if (pumped == Pumped::kFull) {
        log->discard(pipe.get());
    }
    output.dropped = log->dropped();
}

/// By the wall clock of now, whatever it was then. Of a task of this boot.
std::optional<Instant> start_of(const Result<TaskStatus>& status) {
    if (status && status->started_at != std::chrono::microseconds(0)) {
        return platform::now_utc() + (status->started_at - platform::boottime_now());
    }
    const bool has_started =
        status && status->phase == TaskPhase::kRunning && status->main.pid != 0;
    return has_started ? std::optional(platform::now_utc() + -platform::age_of(status->main))
                       : std::nullopt;
}

}  // namespace

Result<std::vector<model::KnownTask>> ProcessRuntime::list() {
    const Result<std::vector<model::TaskKey>> keys = find_tasks();
    if (!keys) {
        return tl::unexpected(keys.error());
    }
    std::vector<model::KnownTask> known;
    for (const model::TaskKey& key : *keys) {
        if (auto task = adopt(key); task) {
            known.push_back(std::move(*task));
        }
    }
    return known;
}

/// The tasks of this cluster, where they are now and where they were before clusters had folders.
Result<std::vector<model::TaskKey>> ProcessRuntime::find_tasks() {
    const std::string own = options_.directory + "/" + options_.cluster_id;
    std::vector<model::TaskKey> keys;
    for (const std::string& place : {own, options_.directory}) {
        const Result<std::vector<std::string>> names = platform::list_directory(place);
        if (!names) {
            return tl::unexpected(names.error());
        }
        for (const std::string& name : *names) {
            const Result<model::TaskKey> key = model::parse_task_key(name);
            if (key && (place == own || note_older(*key))) {
                keys.push_back(*key);
            } else if (("/" + name).starts_with(kAbandoned)) {
                // If it stays it is tried again at the next start; nothing can start in it.
                std::string directory = place + "/";
                directory += name;
                [[maybe_unused]] const auto gone = platform::remove_tree(directory);
            }
        }
    }
    return keys;
}

/// True of a task that is this cluster's, and not done with.
bool ProcessRuntime::note_older(const model::TaskKey& key) {
    const std::string directory = older_task_directory(options_.directory, key);
    if (platform::path_exists(directory + kRemovedMark)) {
        forget_later(directory);  // Nothing is in it, whosever it was.
        return false;
    }
    if (platform::path_exists(directory + kAcknowledgedMark)) {
        has_older_ = true;
        return false;
    }
    return cluster_of(directory) == options_.cluster_id && older_.insert(key).second;
}

void ProcessRuntime::forget_later(const std::string& directory) {
    removed_.emplace_back(platform::monotonic_now() + options_.removed_kept, directory);
}

std::optional<model::KnownTask> ProcessRuntime::adopt(const model::TaskKey& key) {
    const std::string directory = directory_of(key);
    if (platform::path_exists(directory + kRemovedMark)) {
        forget_later(directory);
        return std::nullopt;
    }
    if (platform::path_exists(directory + kAcknowledgedMark)) {
        return std::nullopt;
    }
    Result<TaskStatus> status = read_status(directory + kStatusFile);
    const bool is_only_claimed = !status || status->phase == TaskPhase::kClaimed;
    if (is_only_claimed && abandon_claim(directory)) {
        older_.erase(key);
        return std::nullopt;  // It is not here: whoever wants it asks again.
    }
    model::KnownTask task = task_in(directory, key, options_.cluster_id);
    if (status && status->phase == TaskPhase::kEnded) {
        task.outcome = status->outcome;
        task.has_started = status->main.pid != 0;
        if (status->boot_id == options_.boot_id) {
            task.started_at = start_of(status);
        }
        return task;
    }
    Live& live = add(key);
    task.has_started = status && status->phase == TaskPhase::kRunning;
    if (status && status->boot_id != options_.boot_id) {
        end_lost(live, "the machine restarted while it ran");
        tokens_.erase(live.token);
        tasks_.erase(key);
        status = read_status(directory + kStatusFile);
        task.outcome = status ? std::optional(status->outcome) : std::nullopt;
        return task;
    }
    task.started_at = start_of(status);
    await_shim(live, is_only_claimed ? nullptr : &*status);
    return task;
}

/// Without a status, a shim is about to say that it is there.
void ProcessRuntime::await_shim(Live& task, const TaskStatus* status) {
    if (status == nullptr) {
        task.answer_by = platform::monotonic_now() + options_.launch_timeout;
    } else if (!adopt_shim(task, *status)) {
        on_shim_end(task);
    }
}

/// True if the shim that the status names is alive; it is watched then.
bool ProcessRuntime::adopt_shim(Live& task, const TaskStatus& status) {
    if (status.phase == TaskPhase::kClaimed) {
        return false;
    }
    UniqueFd shim = platform::open_process(status.shim);
    if (!shim.is_open()) {
        return false;
    }
    task.shim = std::move(shim);
    task.output = reopen_pipe(status.shim.pid, status.output);
    task.errors = reopen_pipe(status.shim.pid, status.errors);
    watch_shim(task);
    if (status.phase == TaskPhase::kRunning) {
        task.phase = TaskPhase::kRunning;
        const auto plan = plan_of(task.key);
        task.time_limit_s = plan ? plan->time_limit_s : 0;
        if (task.time_limit_s > 0) {
            task.limit_at = status.started_at + std::chrono::seconds(task.time_limit_s);
        }
    }
    return true;
}

/// True if no shim has claimed the directory: none ever will, and it is gone.
bool ProcessRuntime::abandon_claim(const std::string& directory) {
    const std::string plan = directory + kPlanFile;
    if (rename(plan.c_str(), (directory + kAbandonedPlan).c_str()) != 0 &&
        platform::path_exists(directory + kTakenPlan)) {
        return false;
    }
    // Renamed, too, before it is removed: a request that is still on its way finds nothing.
    const std::size_t slash = directory.rfind('/');
    const std::string aside = directory.substr(0, slash) + kAbandoned + directory.substr(slash + 1);
    if (rename(directory.c_str(), aside.c_str()) == 0) {
        // What stays of it is removed at the next start.
        [[maybe_unused]] const auto gone = platform::remove_tree(aside);
    }
    return true;
}

/// As its shim has it.
Result<ShimPlan> ProcessRuntime::plan_of(const model::TaskKey& key) const {
    return platform::read_file(directory_of(key) + kTakenPlan, kPlanBytesMax)
        .and_then([](const std::string& text) { return decode_shim_plan(text); });
}

CgroupPaths ProcessRuntime::cgroup_of(const model::TaskKey& key) const {
    const auto plan = plan_of(key);
    return plan ? plan->cgroup : cgroups_.paths_of(group_name(options_.cluster_id, to_string(key)));
}

void ProcessRuntime::reopen_pipes_of_lost(
    Live& task, const TaskStatus& status, const CgroupPaths& cgroup) {
    std::vector<pid_t> pids =
        processes_of_task(options_.cluster_id, to_string(task.key), status.main.pid);
    const std::vector<std::int32_t> grouped = pids_in_cgroup(cgroup);
    pids.insert(pids.end(), grouped.begin(), grouped.end());
    for (const platform::ProcessFacts& facts : platform::list_processes()) {
        if (facts.name == kSpawnerName) {
            pids.push_back(facts.id.pid);
        }
    }
    for (const pid_t pid : pids) {
        if (!task.output.is_open()) {
            task.output = find_pipe(pid, status.output);
        }
        if (!task.errors.is_open()) {
            task.errors = find_pipe(pid, status.errors);
        }
    }
}

/// Kills what a lost shim left; when nothing is left, records the end.
void ProcessRuntime::clean_lost(Live& task) {
    const TaskStatus status =
        read_status(directory_of(task.key) + kStatusFile).value_or(TaskStatus{});
    const CgroupPaths cgroup = cgroup_of(task.key);
    if (!task.output.is_open() || !task.errors.is_open()) {
        reopen_pipes_of_lost(task, status, cgroup);
    }
    // A session's number is free again when nothing of it is left; main.start_ticks tells.
    const auto main = platform::process_facts(status.main.pid);
    const bool is_other = main && main->id != status.main;
    if (main && !is_other && main->state != 'Z') {
        task.signal = SIGKILL;
    }
    if (cgroup.kind != CgroupKind::kNone) {
        kill_cgroup(cgroup);
    }
    const std::vector<pid_t> left =
        processes_of_task(options_.cluster_id, to_string(task.key), is_other ? 0 : status.main.pid);
    for (const pid_t pid : left) {
        kill(pid, SIGKILL);
    }
    if (!left.empty() || !pids_in_cgroup(cgroup).empty()) {
        return;  // Looked at again in a moment.
    }
    if (cgroup.kind != CgroupKind::kNone && !remove_cgroup(cgroup)) {
        return;
    }
    end_lost(task, task.lost_why);
    const Result<TaskStatus> ended = read_status(directory_of(task.key) + kStatusFile);
    if (ended && ended->phase == TaskPhase::kEnded) {
        const model::TaskKey key = task.key;
        end(key, *ended);
    }
}

void ProcessRuntime::end_lost(const Live& task, const std::string& why) {
    const std::string directory = directory_of(task.key);
    TaskStatus status = read_status(directory + kStatusFile).value_or(TaskStatus{});
    drain(task.output, directory + kLogFile, status.output, options_.log_bytes_max);
    drain(task.errors, directory + kErrorsFile, status.errors, options_.log_bytes_max);
    status.phase = TaskPhase::kEnded;
    status.outcome = {
        .end = TaskEnd::kShimLost,
        .signal = task.signal,
        .message = why,
        .log_bytes = size_of(directory + kLogFile, status.output.dropped) +
                     size_of(directory + kErrorsFile, status.errors.dropped),
    };
    if (status.boot_id.empty()) {
        status.boot_id = options_.boot_id;
    }
    Result<StatusFile> file = StatusFile::open(directory + kStatusFile);
    if (!file && file.error().code == ErrorCode::kNotFound) {
        file = StatusFile::create(directory + kStatusFile, status);
    }
    // If it cannot be written the task stays lost, and this is tried again.
    if (file) {
        [[maybe_unused]] const auto written = file->write(status);
    }
}

}  // namespace reeve::agent::process
