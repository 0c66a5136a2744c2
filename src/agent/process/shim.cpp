#include "agent/process/shim.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "agent/process/launch_plan.hpp"
#include "agent/process/process_tree.hpp"
#include "agent/process/spawn_message.hpp"
#include "agent/process/task_child.hpp"
#include "agent/process/task_directory.hpp"
#include "agent/process/task_status.hpp"
#include "agent/process/task_stream.hpp"
#include "platform/clock.hpp"
#include "platform/files.hpp"
#include "platform/packets.hpp"
#include "platform/process.hpp"
#include "platform/system_error.hpp"

namespace reeve::agent::process {
namespace {

using model::TaskEnd;
using platform::UniqueFd;
using std::chrono::microseconds;

constexpr microseconds kKillAgainAfter = std::chrono::milliseconds(20);
constexpr microseconds kCopyPatience = std::chrono::seconds(5);  // After the task is over.
constexpr microseconds kFullRetryAfter = std::chrono::seconds(1);

/// The first part of the plan, without reading a large environment into this process.
Result<ShimPlan> read_plan(const std::string& directory) {
    const UniqueFd fd(open((directory + kTakenPlan).c_str(), O_RDONLY | O_CLOEXEC));
    std::string bytes(kShimPlanBytesMax, '\0');
    const ssize_t got = fd.is_open() ? read(fd.get(), bytes.data(), bytes.size()) : -1;
    if (got < 0) {
        return platform::fail_errno("cannot read the launch plan");
    }
    bytes.resize(static_cast<std::size_t>(got));
    return decode_shim_plan(bytes);
}

class Shim {
  public:
    Shim(ShimInput input, ShimPlan plan, StatusFile status)
        : input_(std::move(input)), plan_(std::move(plan)), status_file_(std::move(status)) {}

    void run() {
        if (const Result<void> ready = prepare(); !ready) {
            start_failure_ = ready.error().message;
        } else {
            start_command();
        }
        while (!is_over()) {
            wait();
            step();
        }
        finish();
    }

  private:
    Result<void> prepare();
    Result<void> open_stream(TaskStream& stream, OutputStatus& status, const char* name);
    void start_command();
    void wait();
    void step();
    void read_files();
    void read_start_result();
    void note_copy_errors();
    void read_control();
    void reap();
    void pump(TaskStream& stream);
    void begin_stop(TaskEnd cause);
    void kill_all();
    void signal_all();
    void keep_deadlines();
    [[nodiscard]] bool is_over();
    void finish();
    void add_remarks(model::TaskOutcome& outcome) const;
    [[nodiscard]] model::TaskOutcome outcome() const;
    void write_status();
    void announce_start();

    [[nodiscard]] bool has_group() const { return plan_.cgroup.kind != CgroupKind::kNone; }

    [[nodiscard]] bool is_group_empty() const {
        return !has_group() || !is_group_made_ || pids_in_cgroup(plan_.cgroup).empty();
    }

    ShimInput input_;
    ShimPlan plan_;
    StatusFile status_file_;
    TaskStatus status_ = {};
    std::array<TaskStream, 2> streams_ = {};
    UniqueFd control_ = {};
    UniqueFd signals_ = {};
    UniqueFd timer_ = {};
    UniqueFd start_result_ = {};  // Open until the command runs, or failed to.
    UniqueFd files_ = {};         // Open until the files for copies came. Nothing is read before.
    bool is_group_made_ = false;

    pid_t main_ = 0;
    std::optional<int> main_status_ = {};  // As waitpid gives it.
    bool has_children_ = false;
    std::optional<std::string> start_failure_ = {};
    std::string copy_failure_ = {};      // What the user's files lack; "": nothing.
    std::optional<TaskEnd> cause_ = {};  // Why it is being stopped, if it is.
    bool is_killing_ = false;
    std::string outlived_grace_ = {};  // What did; "": nothing.
    std::optional<microseconds> time_limit_at_ = {};
    std::optional<microseconds> kill_at_ = {};
    std::optional<microseconds> full_retry_at_ = {};
};

Result<void> Shim::prepare() {
    status_.phase = TaskPhase::kStarting;
    status_.boot_id = plan_.boot_id;
    if (const auto own = platform::process_facts(getpid()); own) {
        status_.shim = own->id;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    sigset_t wanted;
    sigfillset(&wanted);
    sigprocmask(SIG_SETMASK, &wanted, nullptr);
    std::signal(SIGCHLD, SIG_DFL);
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    signals_ = UniqueFd(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
    timer_ = UniqueFd(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
    // Open for writing too, so that it never ends when an agent closes its side.
    control_ =
        UniqueFd(open((input_.directory + kControlFifo).c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!signals_.is_open() || !timer_.is_open() || !control_.is_open()) {
        return platform::fail_errno("cannot watch over the task");
    }
    streams_[0].read_end = std::move(input_.output_read);
    streams_[0].write_end = std::move(input_.output_write);
    streams_[1].read_end = std::move(input_.errors_read);
    streams_[1].write_end = std::move(input_.errors_write);
    if (Result<void> opened = open_stream(streams_[0], status_.output, kLogFile); !opened) {
        return opened;
    }
    if (streams_[1].read_end.is_open()) {
        if (Result<void> opened = open_stream(streams_[1], status_.errors, kErrorsFile); !opened) {
            return opened;
        }
    }
    write_status();
    if (has_group()) {
        is_group_made_ = true;
        return make_cgroup(plan_.cgroup, plan_.limits);
    }
    return {};
}

Result<void> Shim::open_stream(TaskStream& stream, OutputStatus& status, const char* name) {
    status.pipe_fd = stream.read_end.get();
    status.pipe_inode = static_cast<std::int64_t>(platform::inode_of(stream.read_end.get()));
    Result<TaskLog> log = TaskLog::open({
        .path = input_.directory + name,
        .bytes_max = plan_.log_bytes_max,
        .record =
            [this, &status](const DroppedRange& dropped) {
                const DroppedRange before = std::exchange(status.dropped, dropped);
                if (!status_file_.write(status_)) {
                    status.dropped = before;
                    return false;
                }
                return true;
            },
    });
    if (!log) {
        return tl::unexpected(log.error());
    }
    stream.log.emplace(std::move(*log));
    stream.is_open = true;
    return {};
}

void Shim::start_command() {
    std::array<int, 2> result = {};
    if (pipe2(result.data(), O_CLOEXEC) != 0) {
        start_failure_ = "cannot start the command: " + platform::error_text(errno);
        return;
    }
    start_result_ = UniqueFd(result[0]);
    UniqueFd failure(result[1]);
    std::array<int, 2> files = {-1, -1};
    if (plan_.copies_output != 0 &&
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, files.data()) != 0) {
        start_failure_ = "cannot start the command: " + platform::error_text(errno);
        return;
    }
    files_ = UniqueFd(files[0]);
    const UniqueFd to_files(files[1]);
    const bool is_split = streams_[1].write_end.is_open();
    ChildSetup setup = {
        .directory = input_.directory,
        .cgroup = plan_.cgroup,
        .pids_max = plan_.limits.pids_max,
        .output = streams_[0].write_end.get(),
        .errors = streams_[is_split ? 1 : 0].write_end.get(),
        .failure = failure.get(),
        .files = to_files.get(),
    };
    const ForkedInto forked = fork_into_cgroup(plan_.cgroup);
    main_ = forked.pid;
    setup.is_in_group = forked.is_in_group;
    if (main_ == 0) {
        become_command(setup);
    }
    if (main_ < 0) {
        main_ = 0;
        start_failure_ = "cannot start the command: " + platform::error_text(errno);
        return;
    }
    has_children_ = true;
    if (const auto facts = platform::process_facts(main_); facts) {
        status_.main = facts->id;
    }
    for (TaskStream& stream : streams_) {
        stream.write_end.reset();
    }
    // The clock of the limit starts with the command, so that no hanging directory escapes it.
    if (plan_.time_limit_s > 0) {
        time_limit_at_ = platform::boottime_now() + std::chrono::seconds(plan_.time_limit_s);
    }
}

void Shim::wait() {
    std::optional<microseconds> next;
    for (const auto& deadline : {time_limit_at_, kill_at_, full_retry_at_}) {
        if (deadline && (!next || *deadline < *next)) {
            next = deadline;
        }
    }
    itimerspec at = {};
    if (next) {
        const auto us = std::max<microseconds>(*next, microseconds(1)).count();
        at.it_value = {us / 1'000'000, us % 1'000'000 * 1000};
    }
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr);
    const auto wanted_of = [this](const TaskStream& stream) {
        return files_.is_open() ? pollfd{-1, 0, 0} : stream.wanted();
    };
    std::array<pollfd, 7> wanted = {
        {
         {signals_.get(), POLLIN, 0},
         {timer_.get(), POLLIN, 0},
         {control_.get(), POLLIN, 0},
         {start_result_.get(), POLLIN, 0},
         {files_.get(), POLLIN, 0},
         wanted_of(streams_[0]),
         wanted_of(streams_[1]),
         }
    };
    poll(wanted.data(), wanted.size(), -1);
}

void Shim::step() {
    std::array<char, 512> drained = {};
    while (read(signals_.get(), drained.data(), drained.size()) > 0) {
    }
    read_files();
    read_start_result();
    reap();  // Before the control: what has ended by itself was not stopped.
    read_control();
    for (TaskStream& stream : streams_) {
        pump(stream);
    }
    note_copy_errors();
    keep_deadlines();
}

/// What the command's process opened as its user. It is gone if nothing came.
void Shim::read_files() {
    if (!files_.is_open()) {
        return;
    }
    std::byte which = {};
    platform::PassedFds files;
    const ssize_t got = platform::receive_packet(files_.get(), std::span(&which, 1), files);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    files_.reset();
    const bool has_owner = plan_.file_uid >= 0;
    const FileOwner owner = {
        static_cast<uid_t>(plan_.file_uid), static_cast<gid_t>(plan_.file_gid)};
    const std::array<char, 2> marks = {kHasOutputFile, kHasErrorFile};
    std::size_t next = 0;
    for (std::size_t i = 0; got > 0 && i < marks.size(); ++i) {
        if ((static_cast<int>(which) & marks.at(i)) == 0) {
            continue;
        }
        auto copy = OutputCopy::start(
            std::move(files.at(next++)), has_owner ? std::optional(owner) : std::nullopt);
        if (copy) {
            streams_.at(i).copy = *std::move(copy);
        } else {
            streams_.at(i).copy_error = EAGAIN;  // There was no room for a thread.
        }
    }
}

/// Once of each file: in its log, and in what is said of the task's end.
void Shim::note_copy_errors() {
    for (std::size_t i = 0; i < streams_.size(); ++i) {
        const int error = std::exchange(streams_.at(i).copy_error, 0);
        if (error == 0) {
            continue;
        }
        const StartStage which = i == 0 ? StartStage::kOutputFile : StartStage::kErrorFile;
        const std::string words = message_of_unwritten({which, error}, input_.directory);
        streams_.at(i).log->note("[reeve: " + words + "]");
        copy_failure_ = copy_failure_.empty() ? words : copy_failure_;
    }
}

void Shim::read_start_result() {
    if (!start_result_.is_open()) {
        return;
    }
    pollfd wanted = {start_result_.get(), POLLIN, 0};
    if (poll(&wanted, 1, 0) <= 0) {
        return;
    }
    StartFailure failure;
    const ssize_t got = read(start_result_.get(), &failure, sizeof failure);
    start_result_.reset();
    if (got == sizeof failure) {
        start_failure_ = message_of(failure, input_.directory);
        return;
    }
    status_.started_at = platform::boottime_now();
    if (!cause_) {
        status_.phase = TaskPhase::kRunning;
        write_status();
        announce_start();
    } else if (!is_killing_) {
        signal_all();  // It may not have been in its group yet when it was told to stop.
    }
}

/// Only a hint: the agent looks at the status by itself, too.
void Shim::announce_start() {
    if (!input_.news.is_open()) {
        return;
    }
    const SpawnReply started = {
        .request = input_.request, .news = SpawnNews::kStarted, .pid = main_};
    send(input_.news.get(), &started, sizeof started, MSG_NOSIGNAL | MSG_DONTWAIT);
    input_.news.reset();
}

void Shim::reap() {
    while (true) {
        int status = 0;
        const pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0) {
            has_children_ = pid == 0;
            break;
        }
        if (pid == main_) {
            main_status_ = status;
            time_limit_at_.reset();
        }
    }
    if (main_status_ && !cause_ && !is_killing_ && (has_children_ || !is_group_empty())) {
        kill_all();
    }
}

void Shim::read_control() {
    std::array<char, 64> orders = {};
    const ssize_t got = read(control_.get(), orders.data(), orders.size());
    for (ssize_t i = 0; i < got; ++i) {
        const char order = orders.at(static_cast<std::size_t>(i));
        if (!main_status_) {
            begin_stop(TaskEnd::kStopped);
        }
        if (order == kControlKill) {
            kill_all();
        }
    }
}

void Shim::pump(TaskStream& stream) {
    if (!stream.is_open || stream.is_full || files_.is_open()) {
        return;
    }
    switch (stream.pump()) {
        case Pumped::kSome:
        case Pumped::kNothing: break;
        case Pumped::kEnd:     stream.is_open = false; break;
        case Pumped::kFull:
            stream.is_full = true;  // The task waits in its write until there is room.
            full_retry_at_ = platform::boottime_now() + kFullRetryAfter;
            break;
    }
}

void Shim::begin_stop(TaskEnd cause) {
    if (cause_) {
        return;  // The first cause is what ended it.
    }
    cause_ = cause;
    time_limit_at_.reset();
    if (plan_.stop_grace_s <= 0) {
        kill_all();
        return;
    }
    kill_at_ = platform::boottime_now() + std::chrono::seconds(plan_.stop_grace_s);
    signal_all();
    if (cause == TaskEnd::kTimeLimit && status_.phase == TaskPhase::kRunning) {
        status_.outcome.end = cause;  // Nobody else knows of it yet.
        write_status();
    }
}

void Shim::signal_all() {
    const int signal = static_cast<int>(plan_.stop_signal);
    if (has_group()) {
        signal_cgroup(plan_.cgroup, signal);
        signal_cgroup(plan_.cgroup, SIGCONT);  // What is stopped would never hear it.
        return;
    }
    for (const pid_t pid : descendants_of(getpid())) {
        kill(pid, signal);
        kill(pid, SIGCONT);
    }
}

void Shim::kill_all() {
    is_killing_ = true;
    if (has_group()) {
        kill_cgroup(plan_.cgroup);
    }
    if (!has_group() || is_group_empty()) {
        kill_descendants(getpid());  // What left the group, or never had one.
    }
    kill_at_ = platform::boottime_now() + kKillAgainAfter;
}

void Shim::keep_deadlines() {
    const microseconds now = platform::boottime_now();
    if (time_limit_at_ && *time_limit_at_ <= now) {
        begin_stop(TaskEnd::kTimeLimit);
    }
    if (kill_at_ && *kill_at_ <= now) {
        if (!is_killing_) {
            outlived_grace_ = main_status_ ? "what it left running" : "it";
        }
        kill_all();
        reap();
    }
    if (full_retry_at_ && *full_retry_at_ <= now) {
        full_retry_at_.reset();
        for (TaskStream& stream : streams_) {
            stream.is_full = false;
            pump(stream);
        }
    }
}

bool Shim::is_over() {
    const bool is_started = main_ != 0;
    if (is_started && (!main_status_ || has_children_)) {
        return false;
    }
    if (is_started && !is_group_empty()) {
        if (!is_killing_ && !kill_at_) {
            kill_all();
        }
        return false;
    }
    return true;
}

void Shim::finish() {
    const microseconds ended_at = platform::boottime_now();
    read_files();
    read_start_result();
    for (TaskStream& stream : streams_) {
        if (!stream.log) {
            continue;
        }
        // Nobody of the task is left. Whoever else has the pipe is not waited for.
        stream.finish(kCopyPatience);
    }
    note_copy_errors();
    status_.outcome = outcome();
    if (status_.started_at != microseconds(0)) {
        status_.outcome.ran_for = std::max(ended_at - status_.started_at, microseconds(0));
    }
    if (is_group_made_) {
        for (int i = 0; i < 100 && !remove_cgroup(plan_.cgroup); ++i) {
            pollfd nothing = {-1, 0, 0};
            poll(&nothing, 1, 1);  // A group is busy for a moment after its last process.
        }
    }
    status_.phase = TaskPhase::kEnded;
    write_status();
}

/// What else is to be said of its end.
void Shim::add_remarks(model::TaskOutcome& outcome) const {
    if (cause_ && !outlived_grace_.empty()) {
        outcome.message = outlived_grace_ + " did not end within its grace of " +
                          std::to_string(plan_.stop_grace_s) + " s and had to be killed";
    }
    if (outcome.message.empty() || !copy_failure_.empty()) {
        outcome.message += (outcome.message.empty() ? "" : "; ") + copy_failure_;
    }
}

model::TaskOutcome Shim::outcome() const {
    model::TaskOutcome outcome;
    rusage used = {};
    getrusage(RUSAGE_CHILDREN, &used);
    const auto cpu_ms = [](const timeval& at) { return at.tv_sec * 1000 + at.tv_usec / 1000; };
    outcome.cpu_ms = cpu_ms(used.ru_utime) + cpu_ms(used.ru_stime);
    outcome.memory_peak_mib = used.ru_maxrss / 1024;
    std::int64_t oom_kills = 0;
    if (is_group_made_) {
        const CgroupUsage usage = usage_of(plan_.cgroup);
        outcome.cpu_ms = usage.cpu_ms.value_or(outcome.cpu_ms);
        outcome.memory_peak_mib = std::max(usage.memory_peak_mib, std::int64_t{0});
        oom_kills = usage.oom_kills;
    }
    for (const TaskStream& stream : streams_) {
        outcome.log_bytes += stream.log ? stream.log->size() : 0;
    }
    const int status = main_status_.value_or(0);
    outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    outcome.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (start_failure_ && !cause_) {
        outcome.end = TaskEnd::kStartFailed;
        outcome.exit_code = 0;
        outcome.message = *start_failure_;
    } else if (cause_) {
        outcome.end = *cause_;
    } else if (oom_kills > 0 && status != 0) {
        outcome.end = TaskEnd::kOom;
    } else {
        outcome.end = WIFSIGNALED(status) ? TaskEnd::kSignalled : TaskEnd::kExited;
    }
    add_remarks(outcome);
    return outcome;
}

void Shim::write_status() {
    // The file is allocated, so this fails only with the disk itself. The end must not be lost
    // then: it is tried for as long as this process lives.
    while (!status_file_.write(status_)) {
        pollfd nothing = {-1, 0, 0};
        poll(&nothing, 1, 1000);
    }
}

}  // namespace

void run_shim(ShimInput input) {
    prctl(PR_SET_NAME, "reeve-shim");
    setsid();
    const std::string directory = input.directory;
    if (rename((directory + kPlanFile).c_str(), (directory + kTakenPlan).c_str()) != 0) {
        _exit(0);  // Another one is at work, or none may be.
    }
    Result<ShimPlan> plan = read_plan(directory);
    Result<StatusFile> status = StatusFile::open(directory + kStatusFile);
    if (!status) {
        _exit(1);  // Nothing can be said; the agent sees a shim that is lost.
    }
    if (!plan) {
        TaskStatus failed = status->read().value_or(TaskStatus{});
        failed.phase = TaskPhase::kEnded;
        failed.outcome = {.end = TaskEnd::kStartFailed, .message = plan.error().message};
        _exit(status->write(failed) ? 0 : 1);
    }
    Shim(std::move(input), std::move(*plan), std::move(*status)).run();
    _exit(0);
}

}  // namespace reeve::agent::process
