#include "platform/process.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.hpp"
#include "platform/clock.hpp"
#include "platform/files.hpp"

namespace reeve::platform {
namespace {

constexpr std::size_t kProcBytesMax = 4 << 20;

std::string proc_path(pid_t pid, const char* name) {
    return "/proc/" + std::to_string(pid) + "/" + name;
}

/// Numbers of the descriptors of `pid` that are `wanted`, as the kernel words it.
std::vector<int> fds_that_are(pid_t pid, const std::string& wanted) {
    std::vector<int> found;
    const std::string directory = proc_path(pid, "fd/");
    for (const std::string& name : list_directory(directory).value_or(std::vector<std::string>{})) {
        std::array<char, 64> target = {};
        const std::string path = directory + name;
        const ssize_t size = readlink(path.c_str(), target.data(), target.size() - 1);
        if (size > 0 && wanted == target.data()) {
            found.push_back(static_cast<int>(parse_integer(name).value_or(-1)));
        }
    }
    return found;
}

/// The inode in a line of /proc/net/tcp, if it is a socket that listens on `port`; else "".
/// The columns: number, local address and port (hexadecimal), remote, state, ..., the tenth the
/// inode.
std::string listening_inode(const std::string& line, std::uint16_t port) {
    constexpr const char* kListening = "0A";
    std::istringstream words(line);
    std::string number;
    std::string local;
    std::string remote;
    std::string state;
    words >> number >> local >> remote >> state;
    const std::size_t colon = local.rfind(':');
    if (!words || state != kListening || colon == std::string::npos) {
        return "";
    }
    std::istringstream digits(local.substr(colon + 1));
    unsigned found = 0;
    if (!(digits >> std::hex >> found) || found != port) {
        return "";
    }
    std::string word;
    for (int column = 5; column <= 10; ++column) {
        words >> word;
    }
    return words ? word : "";
}

}  // namespace

std::optional<ProcessFacts> process_facts(pid_t pid) {
    const Result<std::string> stat = read_file(proc_path(pid, "stat"), kProcBytesMax);
    if (!stat) {
        return std::nullopt;
    }
    const std::size_t name_begin = stat->find('(');
    const std::size_t name_end = stat->rfind(')');  // The name before it may hold anything.
    if (name_begin == std::string::npos || name_end == std::string::npos) {
        return std::nullopt;
    }
    std::istringstream words(stat->substr(name_end + 1));
    ProcessFacts facts = {
        .id = {.pid = pid}, .name = stat->substr(name_begin + 1, name_end - name_begin - 1)};
    pid_t group = 0;
    words >> facts.state >> facts.parent >> group >> facts.session;
    std::string skipped;
    for (int field = 7; field < 22; ++field) {
        words >> skipped;
    }
    words >> facts.id.start_ticks;
    return words ? std::optional(facts) : std::nullopt;
}

std::chrono::microseconds age_of(const ProcessId& id) {
    constexpr std::uint64_t kMicroseconds = 1'000'000;
    const auto ticks_per_second = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
    const auto began =
        std::chrono::microseconds(id.start_ticks * (kMicroseconds / ticks_per_second));
    return std::max(boottime_now() - began, std::chrono::microseconds(0));
}

std::vector<ProcessFacts> list_processes() {
    std::vector<ProcessFacts> processes;
    for (const std::string& name : list_directory("/proc").value_or(std::vector<std::string>{})) {
        const Result<std::int64_t> pid = parse_integer(name);
        if (!pid) {
            continue;
        }
        if (auto facts = process_facts(static_cast<pid_t>(*pid)); facts) {
            processes.push_back(std::move(*facts));
        }
    }
    return processes;
}

UniqueFd open_process(const ProcessId& id) {
    UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, id.pid, 0)));
    if (!fd.is_open()) {
        return fd;
    }
    // Only now, when the number cannot be given to another any more.
    const auto facts = process_facts(id.pid);
    if (!facts || facts->id != id) {
        fd.reset();
    }
    return fd;
}

std::optional<std::uint32_t> user_of_process(pid_t pid) {
    struct stat entry = {};
    return ::stat(proc_path(pid, "").c_str(), &entry) == 0 ? std::optional(entry.st_uid)
                                                           : std::nullopt;
}

std::vector<std::string> environment_of(pid_t pid) {
    const Result<std::string> text = read_file(proc_path(pid, "environ"), kProcBytesMax);
    return text ? split(*text, '\0') : std::vector<std::string>();
}

UniqueFd reopen_fd_of(pid_t pid, int fd) {
    const std::string path = proc_path(pid, "fd/") + std::to_string(fd);
    return UniqueFd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

std::vector<int> fds_of_pipe(pid_t pid, std::uint64_t inode) {
    return fds_that_are(pid, "pipe:[" + std::to_string(inode) + "]");
}

std::optional<ProcessFacts> listener_on(std::uint16_t port) {
    std::vector<std::string> sockets;
    for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        // A machine without one of the families has no such file.
        const std::string text = read_file(path, kProcBytesMax).value_or("");
        for (const std::string& line : split(text, '\n')) {
            if (const std::string inode = listening_inode(line, port); !inode.empty()) {
                sockets.push_back("socket:[" + inode + "]");
            }
        }
    }
    if (sockets.empty()) {
        return std::nullopt;
    }
    for (const ProcessFacts& facts : list_processes()) {
        for (const std::string& socket : sockets) {
            if (!fds_that_are(facts.id.pid, socket).empty()) {
                return facts;
            }
        }
    }
    return ProcessFacts();
}

std::uint64_t inode_of(int fd) {
    struct stat found = {};
    return fstat(fd, &found) == 0 ? found.st_ino : 0;
}

}  // namespace reeve::platform
