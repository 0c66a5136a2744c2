#include "agent/process/task_child.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <span>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/process/task_directory.hpp"
#include "base/text.hpp"
#include "platform/files.hpp"
#include "platform/packets.hpp"
#include "platform/signals.hpp"
#include "platform/system_error.hpp"

namespace reeve::agent::process {
namespace {

using platform::UniqueFd;

constexpr int kExitStartFailed = 127;

bool is_same_file(int one, int other) {
    struct stat first = {};
    struct stat second = {};
    return fstat(one, &first) == 0 && fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

class Child {
  public:
    explicit Child(const ChildSetup& setup) : setup_(setup) {}

    [[noreturn]] void run() {
        platform::reset_signals();
        setsid();
        umask(022);
        connect_output();
        load_plan();
        if (setup_.cgroup.kind == CgroupKind::kNone) {
            limit_processes();
        } else if (!setup_.is_in_group) {
            join_group();
        }
        open_script();
        become_user();
        enter_directory();
        open_files();
        execute();
    }

  private:
    [[noreturn]] void give_up(StartStage stage, int error) const {
        const StartFailure failure = {stage, error};
        // If even this cannot be written the shim sees the exit status.
        [[maybe_unused]] const ssize_t put = write(setup_.failure, &failure, sizeof failure);
        _exit(kExitStartFailed);
    }

    void connect_output() const {
        dup2(setup_.output, STDOUT_FILENO);
        dup2(setup_.errors, STDERR_FILENO);
    }

    void load_plan() {
        const auto bytes = platform::read_file(setup_.directory + kTakenPlan, kPlanBytesMax);
        if (!bytes) {
            give_up(StartStage::kPlan, ENOENT);
        }
        Result<ChildPlan> plan = decode_child_plan(*bytes);
        if (!plan) {
            give_up(StartStage::kPlan, EINVAL);
        }
        plan_ = std::move(*plan);
    }

    void join_group() const {
        errno = 0;
        if (!join_cgroup(setup_.cgroup)) {
            give_up(StartStage::kCgroup, errno);
        }
    }

    /// Without control groups: not a limit of the task but of its user, the best there is.
    void limit_processes() const {
        rlimit limit = {};
        if (getrlimit(RLIMIT_NPROC, &limit) == 0) {
            limit.rlim_cur = std::min<rlim_t>(
                limit.rlim_max, static_cast<rlim_t>(std::max<std::int64_t>(1, setup_.pids_max)));
            setrlimit(RLIMIT_NPROC, &limit);
        }
    }

    /// As the agent, because the task's directory may be closed to the user.
    void open_script() {
        if (plan_.script.empty()) {
            return;
        }
        script_fd_ = open(plan_.script.c_str(), O_RDONLY | O_CLOEXEC);
        if (script_fd_ < 0) {
            give_up(StartStage::kScript, errno);
        }
    }

    void become_user() const {
        if (plan_.changes_identity != 0) {
            const std::vector<gid_t> groups(plan_.groups.begin(), plan_.groups.end());
            const auto uid = static_cast<uid_t>(plan_.uid);
            const auto gid = static_cast<gid_t>(plan_.gid);
            if (setgroups(groups.size(), groups.data()) != 0 || setresgid(gid, gid, gid) != 0 ||
                setresuid(uid, uid, uid) != 0) {
                give_up(StartStage::kIdentity, errno);
            }
        }
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
            give_up(StartStage::kIdentity, errno);
        }
    }

    void enter_directory() const {
        if (chdir(plan_.working_dir.c_str()) != 0) {
            give_up(StartStage::kDirectory, errno);
        }
    }

    /// As the user, from the user's own directory: nothing of the agent's rights is in it.
    void open_files() const {
        if (setup_.files < 0) {
            return;
        }
        const UniqueFd output = open_file(plan_.output_file, StartStage::kOutputFile);
        const UniqueFd errors = plan_.error_file == plan_.output_file
                                    ? UniqueFd()
                                    : open_file(plan_.error_file, StartStage::kErrorFile);
        const bool is_split = setup_.errors != setup_.output;
        const int second = errors.is_open() ? errors.get() : is_split ? output.get() : -1;
        const int which =
            (output.is_open() ? kHasOutputFile : 0) | (second >= 0 ? kHasErrorFile : 0);
        const auto mark = static_cast<std::byte>(which);
        if (!platform::send_packet(
                setup_.files, std::span(&mark, 1), std::array{output.get(), second})) {
            give_up(StartStage::kOutputFile, errno);
        }
    }

    /// Not open if there is no path.
    [[nodiscard]] UniqueFd open_file(const std::string& path, StartStage stage) const {
        if (path.empty()) {
            return {};
        }
        // A FIFO that nobody reads is an error, and nothing to wait for.
        const int begin = plan_.keeps_files != 0 ? 0 : O_TRUNC;
        UniqueFd file(open(
            path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC | begin,
            0666));
        if (!file.is_open()) {
            give_up(stage, errno);
        }
        fcntl(file.get(), F_SETFL, O_APPEND);
        for (const int own : {setup_.output, setup_.errors}) {
            if (is_same_file(own, file.get())) {
                give_up(stage, EDEADLK);
            }
        }
        return file;
    }

    [[noreturn]] void execute() {
        const std::vector<char*> argv = pointers_to(plan_.argv);
        const std::vector<char*> environment = pointers_to(plan_.environment);
        if (script_fd_ >= 0) {
            execve(plan_.script.c_str(), argv.data(), environment.data());
            if (errno == EACCES) {  // The way to it is closed to this user; the file is not.
                fcntl(script_fd_, F_SETFD, 0);  // Its interpreter opens it by its number.
                fexecve(script_fd_, argv.data(), environment.data());
            }
            give_up(StartStage::kScript, errno);
        }
        int error = ENOENT;
        for (const std::string& path : candidates()) {
            execve(path.c_str(), argv.data(), environment.data());
            if (errno != ENOENT && errno != ENOTDIR) {
                error = errno;
                if (error != EACCES) {
                    break;
                }
            }
        }
        give_up(StartStage::kCommand, error);
    }

    /// The command itself if it is a path, else where PATH has it. PATH is the task's.
    [[nodiscard]] std::vector<std::string> candidates() const {
        const std::string& command = plan_.argv.front();
        if (command.find('/') != std::string::npos) {
            return {command};
        }
        std::vector<std::string> found;
        for (const std::string& variable : plan_.environment) {
            if (!variable.starts_with("PATH=")) {
                continue;
            }
            for (const std::string& directory : split(variable.substr(5), ':')) {
                found.push_back((directory.empty() ? "." : directory) + "/" + command);
            }
        }
        return found;
    }

    static std::vector<char*> pointers_to(std::vector<std::string>& texts) {
        std::vector<char*> pointers;
        pointers.reserve(texts.size() + 1);
        for (std::string& text : texts) {
            pointers.push_back(text.data());
        }
        pointers.push_back(nullptr);
        return pointers;
    }

    const ChildSetup& setup_;
    ChildPlan plan_ = {};
    int script_fd_ = -1;
};

/// The PATH of an environment; "" if it has none.
std::string path_of(const std::vector<std::string>& environment) {
    constexpr std::string_view kName = "PATH=";
    for (const std::string& variable : environment) {
        if (variable.starts_with(kName)) {
            return variable.substr(kName.size());
        }
    }
    return "";
}

std::string command_message(
    int error, const std::string& command, const std::vector<std::string>& environment) {
    switch (error) {
        case ENOENT:
        case ENOTDIR:
            return command.find('/') != std::string::npos
                       ? "there is no " + command + ", or what its first line asks for is missing"
                       : command +
                             " is not in PATH; `reeve run -e PATH` (or --export-env) takes that of "
                             "your shell; this one is " +
                             path_of(environment);
        case EACCES:  return "may not execute " + command;
        case ENOEXEC: return command + " is neither a program nor a script that begins with #!";
        default:      return "cannot execute " + command + ": " + platform::error_text(error);
    }
}

std::string script_message(int error) {
    switch (error) {
        case ENOENT:  return "what the first line of the script asks for is missing";
        case ENOEXEC: return "the script does not begin with #! and an interpreter: #!/bin/sh";
        default:      return "cannot execute the script: " + platform::error_text(error);
    }
}

/// What names it, or its end if it is long.
std::string shown_path(const std::string& path) {
    constexpr std::size_t kShownMax = 400;
    if (path.size() <= kShownMax) {
        return path;
    }
    std::size_t begin = path.size() - kShownMax;
    while (begin < path.size() && (static_cast<unsigned char>(path[begin]) & 0xC0U) == 0x80) {
        ++begin;  // Never half a character.
    }
    return "…" + path.substr(begin);
}

/// "output file /srv/out.txt"
std::string file_words(StartStage stage, const ChildPlan& plan) {
    const bool is_of_errors = stage == StartStage::kErrorFile && !plan.error_file.empty();
    const std::string& path = is_of_errors ? plan.error_file : plan.output_file;
    const std::string folder = path.starts_with('/') ? "" : plan.working_dir + "/";
    return (is_of_errors ? "error file " : "output file ") + shown_path(folder + path);
}

std::string open_message(const StartFailure& failure, const ChildPlan& plan) {
    const std::string what = file_words(failure.stage, plan) + ": ";
    const std::string why = platform::error_text(failure.error);
    switch (failure.error) {
        case ENOENT: return what + "its folder is not there; make it, or name another file";
        case EACCES:
            return what + why + "; name one in a folder where the user of the job may write";
        case EISDIR:  return what + "is a folder; name a file in it";
        case ENXIO:   return what + "nobody reads from this FIFO; name a file";
        case EDEADLK: return what + "that is what the task writes to; name a file";
        default:      return what + why;
    }
}

}  // namespace

void become_command(const ChildSetup& setup) {
    Child(setup).run();
}

std::string message_of(const StartFailure& failure, const std::string& directory) {
    const auto bytes = platform::read_file(directory + kTakenPlan, kPlanBytesMax);
    const Result<ChildPlan> plan = decode_child_plan(bytes.value_or(""));
    std::string why = platform::error_text(failure.error);
    switch (failure.stage) {
        case StartStage::kPlan:     return "cannot read what to start: " + why;
        case StartStage::kCgroup:   return "cannot enter the task's control group: " + why;
        case StartStage::kIdentity: return "cannot become the user: " + why;
        case StartStage::kDirectory:
            return "working directory " + (plan ? plan->working_dir : "") + ": " + why;
        case StartStage::kOutputFile:
        case StartStage::kErrorFile:
            return plan ? open_message(failure, *plan) : "an output file: " + why;
        case StartStage::kScript: return script_message(failure.error);
        case StartStage::kCommand:
            return plan && !plan->argv.empty()
                       ? command_message(failure.error, plan->argv.front(), plan->environment)
                       : why;
    }
    return why;
}

std::string message_of_unwritten(const StartFailure& failure, const std::string& directory) {
    const auto bytes = platform::read_file(directory + kTakenPlan, kPlanBytesMax);
    const Result<ChildPlan> plan = decode_child_plan(bytes.value_or(""));
    const std::string why = failure.error == ETIMEDOUT ? "its file system did not take all in time"
                                                       : platform::error_text(failure.error);
    return (plan ? file_words(failure.stage, *plan) : "an output file") + " is incomplete: " + why +
           "; see `reeve logs`";
}

}  // namespace reeve::agent::process
