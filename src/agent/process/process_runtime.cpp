#include "agent/process/process_runtime.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "agent/process/process_tree.hpp"
#include "agent/process/task_directory.hpp"
#include "platform/clock.hpp"
#include "platform/files.hpp"
#include "platform/system_error.hpp"

namespace reeve::agent::process {
namespace {

using model::TaskEnd;
using platform::monotonic_now;
using platform::UniqueFd;
using std::chrono::microseconds;

constexpr std::uint64_t kNoTaskToken = 0;  // The timer and the spawner: they only wake.
constexpr microseconds kSlowLookEvery = std::chrono::seconds(1);
constexpr long kBusyLookEveryNs = 20'000'000;  // While something has to be tried again.

/// Everything that a shim needs, the status last: with it the claim is complete.
Result<void> write_start(
    const model::TaskOrder& order, const PlannedLaunch& planned, const std::string& directory) {
    const std::string script = directory + kScriptFile;
    const auto write_script = [&]() -> Result<void> {
        if (planned.script.empty()) {
            return {};
        }
        const LaunchPlan& plan = planned.plan;
        return platform::write_file(script, planned.script, 0500).and_then([&]() -> Result<void> {
            if (plan.child.changes_identity != 0 &&
                chown(script.c_str(), order.identity.uid, order.identity.gid) != 0) {
                return platform::fail_errno("cannot give the script to its user");
            }
            return {};
        });
    };
    const auto make_control = [&]() -> Result<void> {
        if (mkfifo((directory + kControlFifo).c_str(), 0600) != 0) {
            return platform::fail_errno("cannot make " + directory + kControlFifo);
        }
        return {};
    };
    const TaskStatus status = {.boot_id = planned.plan.shim.boot_id};
    return platform::write_file(directory + kPlanFile, encode(planned.plan))
        .and_then(write_script)
        .and_then(make_control)
        .and_then([&] { return StatusFile::create(directory + kStatusFile, status); })
        .map([](const StatusFile&) {});
}

Result<void> write_end(
    const std::string& directory, const std::string& boot_id, model::TaskOutcome outcome) {
    const TaskStatus status = {
        .phase = TaskPhase::kEnded, .boot_id = boot_id, .outcome = std::move(outcome)};
    return StatusFile::create(directory + kStatusFile, status)
        .and_then([](const StatusFile& file) { return file.sync(); })
        .and_then([&] { return platform::sync_directory(directory); });
}

bool has_run(const model::TaskOutcome& outcome) {
    return outcome.end != TaskEnd::kStartFailed && outcome.end != TaskEnd::kNeverStarted;
}

}  // namespace

ProcessRuntime::ProcessRuntime(RuntimeOptions options, Spawner& spawner, const CgroupTree& cgroups)
    : options_(std::move(options)), spawner_(spawner), cgroups_(cgroups) {
    rules_ = {
        .node_name = options_.node_name,
        .boot_id = options_.boot_id,
        .log_bytes_max = options_.log_bytes_max,
        .pids_max = options_.pids_max,
        .server_uid = geteuid(),
        .gpus = options_.gpus,
        .simulated_driver = options_.simulated_driver,
    };
}

ProcessRuntime::~ProcessRuntime() {
    for (const auto& [key, task] : tasks_) {
        spawner_.forget(task.request);
    }
}

Result<std::unique_ptr<ProcessRuntime>> ProcessRuntime::open(
    RuntimeOptions options, Spawner& spawner, const CgroupTree& cgroups) {
    if (Result<void> made =
            platform::make_directories(options.directory + "/" + options.cluster_id);
        !made) {
        return tl::unexpected(made.error());
    }
    std::unique_ptr<ProcessRuntime> runtime(
        new ProcessRuntime(std::move(options), spawner, cgroups));
    runtime->epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
    runtime->timer_ = UniqueFd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    for (const int fd : {runtime->timer_.get(), spawner.fd()}) {
        epoll_event wanted = {};
        wanted.events = EPOLLIN;
        wanted.data.u64 = kNoTaskToken;
        if (epoll_ctl(runtime->epoll_.get(), EPOLL_CTL_ADD, fd, &wanted) != 0) {
            return platform::fail_errno("cannot watch tasks");
        }
    }
    return runtime;
}

std::string ProcessRuntime::directory_of(const model::TaskKey& key) const {
    return older_.contains(key) ? older_task_directory(options_.directory, key)
                                : task_directory(options_.directory, options_.cluster_id, key);
}

/// One that is done with is looked for when somebody asks: there may be very many.
void ProcessRuntime::find_older(const model::TaskKey& key) {
    if (has_older_ && !older_.contains(key) &&
        find_task_directory(options_.directory, options_.cluster_id, key) != directory_of(key)) {
        older_.insert(key);
    }
}

void ProcessRuntime::launch(const model::TaskOrder& order) {
    find_older(order.key);
    const std::string directory = directory_of(order.key);
    const Result<bool> claimed = platform::make_directory_exclusive(directory, 0711);
    if (!claimed) {
        events_.emplace_back(RuntimeRefused{order.key, claimed.error().message});
    } else if (!*claimed) {
        answer_for(order.key);
    } else {
        start(order, directory);
    }
}

void ProcessRuntime::start(const model::TaskOrder& order, const std::string& directory) {
    Result<void> written = platform::write_file(directory + kOrderFile, model::to_json(order));
    const Result<PlannedLaunch> planned = plan_launch(
        order, rules_, users_.find(order.identity),
        cgroups_.paths_of(group_name(order.cluster_id, to_string(order.key))), directory);
    if (written && !planned) {
        model::TaskOutcome outcome = {
            .end = TaskEnd::kStartFailed, .message = planned.error().message};
        written = write_end(directory, options_.boot_id, outcome);
        if (written) {
            events_.emplace_back(RuntimeEnded{order.key, std::move(outcome)});
            return;
        }
    } else if (written) {
        written = write_start(order, *planned, directory);
    }
    if (!written) {
        refuse(order.key, written.error().message);
        return;
    }
    Live& task = add(order.key);
    const bool is_split = planned->plan.shim.splits_output != 0;
    task.answer_by = monotonic_now() + options_.launch_timeout;
    task.time_limit_s = planned->plan.shim.time_limit_s;
    spawner_.launch(
        directory, is_split ? OutputShape::kTwoLogs : OutputShape::kOneLog,
        [this, key = order.key](SpawnAnswer answer) { on_spawner(key, std::move(answer)); });
    task.request = spawner_.newest();
}

void ProcessRuntime::stop(const model::TaskKey& key, StopForce force) {
    if (const auto found = tasks_.find(key); found != tasks_.end()) {
        Live& task = found->second;
        task.stop = std::max(task.stop.value_or(force), force);
        hand_over_stop(task);
        return;
    }
    find_older(key);
    const std::string directory = directory_of(key);
    const Result<bool> claimed = platform::make_directory_exclusive(directory, 0711);
    if (claimed && !*claimed) {
        answer_for(key);
        return;
    }
    model::TaskOutcome outcome = {.end = TaskEnd::kNeverStarted};
    const Result<void> written =
        claimed.map([](bool) {})
            .and_then([&] { return write_end(directory, options_.boot_id, outcome); })
            .and_then([&] {
                return platform::sync_directory(options_.directory + "/" + options_.cluster_id);
            });
    if (!written) {
        refuse(key, written.error().message);
        return;
    }
    events_.emplace_back(RuntimeEnded{key, std::move(outcome)});
}

void ProcessRuntime::acknowledge(const model::TaskKey& key) {
    find_older(key);
    const std::string directory = directory_of(key);
    const Result<TaskStatus> status = read_status(directory + kStatusFile);
    if (!status || status->phase != TaskPhase::kEnded) {
        return;
    }
    // If this fails the end is reported again after a restart, and acknowledged again.
    [[maybe_unused]] const auto marked = platform::write_file(directory + kAcknowledgedMark, "");
}

void ProcessRuntime::remove(const model::TaskKey& key) {
    find_older(key);
    const std::string directory = directory_of(key);
    const std::string mark = directory + kRemovedMark;
    const Result<TaskStatus> status = read_status(directory + kStatusFile);
    if (!status || status->phase != TaskPhase::kEnded || !platform::write_file(mark, "")) {
        return;
    }
    const std::string inside = directory + "/";
    for (const std::string& name :
         platform::list_directory(directory).value_or(std::vector<std::string>{})) {
        const std::string path = inside + name;
        if (path != mark) {
            unlink(path.c_str());
        }
    }
    forget_later(directory);
}

std::optional<model::TaskKey> ProcessRuntime::task_of(pid_t process) const {
    // An environment is not read where it need not be: that waits for a process that hangs in its
    // driver.
    const KnownBy known_by =
        cgroups_.kind() == CgroupKind::kNone ? KnownBy::kEnvironment : KnownBy::kGroup;
    const std::string name = task_of_process(options_.cluster_id, process, known_by);
    const auto key = name.empty() ? std::nullopt : std::optional(model::parse_task_key(name));
    return key && *key && tasks_.contains(**key) ? std::optional(**key) : std::nullopt;
}

std::vector<RuntimeEvent> ProcessRuntime::collect() {
    spawner_.collect();
    drain_epoll();
    if (const microseconds now = monotonic_now(); now >= slow_look_at_) {
        slow_look_at_ = now + kSlowLookEvery;
        look_at_all();
        sweep_removed();
    }
    arm_timer();
    return std::exchange(events_, {});
}

void ProcessRuntime::drain_epoll() {
    std::array<epoll_event, 64> seen = {};
    const int count = epoll_wait(epoll_.get(), seen.data(), static_cast<int>(seen.size()), 0);
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = seen.at(static_cast<std::size_t>(i));
        if (event.data.u64 == kNoTaskToken) {
            std::uint64_t ticks = 0;
            if (read(timer_.get(), &ticks, sizeof ticks) == sizeof ticks) {
                look_at_all();
            }
            continue;
        }
        const auto key = tokens_.find(event.data.u64);
        if (key == tokens_.end()) {
            continue;
        }
        if (const auto task = tasks_.find(key->second); task != tasks_.end()) {
            on_shim_end(task->second);
        }
    }
}

ProcessRuntime::Live& ProcessRuntime::add(const model::TaskKey& key) {
    Live& task = tasks_[key];
    task.key = key;
    task.token = ++token_;
    tokens_[task.token] = key;
    return task;
}

/// It has ended, and its directory says so.
void ProcessRuntime::end(const model::TaskKey& key, const TaskStatus& status) {
    if (const auto found = tasks_.find(key); found != tasks_.end()) {
        if (has_run(status.outcome) && !found->second.is_shim_lost) {
            say_started(found->second, status.main.pid);
        }
        spawner_.forget(found->second.request);
        tokens_.erase(found->second.token);
        tasks_.erase(found);
    }
    events_.emplace_back(RuntimeEnded{key, status.outcome});
}

/// Nothing of it is on the disk; the reactor asks again.
void ProcessRuntime::refuse(const model::TaskKey& key, const std::string& why) {
    if (const auto found = tasks_.find(key); found != tasks_.end()) {
        spawner_.forget(found->second.request);
        tokens_.erase(found->second.token);
        tasks_.erase(found);
    }
    const Result<void> removed = platform::remove_tree(directory_of(key));
    older_.erase(key);
    events_.emplace_back(RuntimeRefused{key, removed ? why : why + "; " + removed.error().message});
}

/// The key is claimed: says again what became of it.
void ProcessRuntime::answer_for(const model::TaskKey& key) {
    const std::string directory = directory_of(key);
    if (platform::path_exists(directory + kRemovedMark)) {
        events_.emplace_back(RuntimeRemoved{key});
        return;
    }
    const auto found = tasks_.find(key);
    const Result<TaskStatus> status = read_status(directory + kStatusFile);
    if (found != tasks_.end()) {
        if (status && found->second.phase == TaskPhase::kRunning) {
            events_.emplace_back(RuntimeStarted{key, status->main.pid});
        }
        return;
    }
    if (status && status->phase == TaskPhase::kEnded) {
        events_.emplace_back(RuntimeEnded{key, status->outcome});
        return;
    }
    Live& task = add(key);
    task.is_shim_lost = true;
    task.lost_why = "its record on the node is damaged";
    clean_lost(task);
}

void ProcessRuntime::on_spawner(const model::TaskKey& key, SpawnAnswer answer) {
    const auto found = tasks_.find(key);
    if (found == tasks_.end() || answer.reply.request != found->second.request) {
        return;
    }
    Live& task = found->second;
    switch (answer.reply.news) {
        case SpawnNews::kForked:
            task.answer_by.reset();
            task.shim = std::move(answer.shim);
            task.output = std::move(answer.output);
            task.errors = std::move(answer.errors);
            watch_shim(task);
            hand_over_stop(task);
            if (!task.shim.is_open()) {
                on_shim_end(task);
            }
            break;
        case SpawnNews::kStarted: say_started(task, answer.reply.pid); break;
        case SpawnNews::kFailed:
            if (abandon_claim(directory_of(key))) {
                refuse(key, "no shim: " + platform::error_text(answer.reply.error));
            }
            break;
    }
}

void ProcessRuntime::watch_shim(Live& task) const {
    epoll_event wanted = {};
    wanted.events = EPOLLIN;
    wanted.data.u64 = task.token;
    if (task.shim.is_open() &&
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, task.shim.get(), &wanted) != 0) {
        task.shim.reset();  // Then it is looked at every second.
    }
}

void ProcessRuntime::say_started(Live& task, std::int64_t pid) {
    if (task.phase != TaskPhase::kRunning) {
        task.phase = TaskPhase::kRunning;
        if (task.time_limit_s > 0) {
            task.limit_at = platform::boottime_now() + std::chrono::seconds(task.time_limit_s);
        }
        events_.emplace_back(RuntimeStarted{task.key, pid});
    }
}

/// A shim ends when its task has, unless it was killed.
void ProcessRuntime::on_shim_end(Live& task) {
    task.shim.reset();
    const Result<TaskStatus> status = read_status(directory_of(task.key) + kStatusFile);
    if (status && status->phase == TaskPhase::kEnded) {
        const model::TaskKey key = task.key;
        end(key, *status);
        return;
    }
    if (status && adopt_shim(task, *status)) {
        return;  // It was a second one that ended; the first is at work.
    }
    task.is_shim_lost = true;
    task.lost_why = "its shim was killed";
    clean_lost(task);
}

void ProcessRuntime::hand_over_stop(Live& task) const {
    if (!task.stop || task.is_shim_lost) {
        return;
    }
    const std::string path = directory_of(task.key) + kControlFifo;
    const UniqueFd control(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    const char order = *task.stop == StopForce::kKill ? kControlKill : kControlStop;
    if (control.is_open() && (write(control.get(), &order, 1) == 1 || errno == EAGAIN)) {
        task.stop.reset();
    }
}

/// Its shim stops it by itself when its time is up, and notes that.
void ProcessRuntime::look_at_limit(Live& task) {
    if (!task.limit_at || *task.limit_at > platform::boottime_now()) {
        return;
    }
    const Result<TaskStatus> status = read_status(directory_of(task.key) + kStatusFile);
    if (status && status->phase == TaskPhase::kRunning &&
        status->outcome.end == TaskEnd::kTimeLimit) {
        task.limit_at.reset();
        events_.emplace_back(RuntimeOverdue{task.key});
    }
}

void ProcessRuntime::look_slowly(Live& task) {
    if (task.is_shim_lost) {
        clean_lost(task);
        return;
    }
    hand_over_stop(task);
    if (task.shim.is_open() && task.phase == TaskPhase::kRunning) {
        look_at_limit(task);
        return;
    }
    const model::TaskKey key = task.key;
    const Result<TaskStatus> status = read_status(directory_of(key) + kStatusFile);
    if (!status) {
        return;
    }
    if (status->phase == TaskPhase::kEnded) {
        end(key, *status);
    } else if (status->phase != TaskPhase::kClaimed && !task.shim.is_open()) {
        task.answer_by.reset();
        if (!adopt_shim(task, *status)) {
            on_shim_end(task);
        }
    } else if (status->phase == TaskPhase::kRunning) {
        say_started(task, status->main.pid);
    } else if (task.answer_by && *task.answer_by <= monotonic_now()) {
        if (abandon_claim(directory_of(key))) {
            refuse(key, "the spawner does not answer");
        } else {
            on_shim_end(task);  // A shim claimed it and died before it could say so.
        }
    }
}

void ProcessRuntime::look_at_all() {
    for (auto at = tasks_.begin(); at != tasks_.end();) {
        Live& task = at->second;
        ++at;  // It may be erased.
        look_slowly(task);
    }
}

void ProcessRuntime::arm_timer() const {
    const bool is_busy = std::ranges::any_of(
        tasks_, [](const auto& entry) { return entry.second.is_shim_lost || entry.second.stop; });
    itimerspec at = {};
    at.it_value.tv_nsec = is_busy ? kBusyLookEveryNs : 0;
    timerfd_settime(timer_.get(), 0, &at, nullptr);
}

void ProcessRuntime::sweep_removed() {
    while (!removed_.empty() && removed_.front().first <= monotonic_now()) {
        if (const Result<void> gone = platform::remove_tree(removed_.front().second); !gone) {
            return;
        }
        removed_.pop_front();
    }
}

}  // namespace reeve::agent::process
