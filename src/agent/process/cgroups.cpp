#include "agent/process/cgroups.hpp"

#include <algorithm>
#include <csignal>
#include <sstream>

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/process/device_filter.hpp"
#include "base/text.hpp"
#include "platform/files.hpp"
#include "platform/system_error.hpp"

namespace reeve::agent::process {
namespace {

constexpr std::size_t kControlBytesMax = 4 << 20;
constexpr std::int64_t kPeriodUs = 100'000;  // The kernel's default period of a CPU quota.
constexpr std::int64_t kQuotaUsMin = 1000;   // The kernel refuses less.
constexpr std::int64_t kMib = 1 << 20;
constexpr std::int32_t kMinorsDenied = 64;  // v1 denies each by number; NVIDIA's are 0, 1, ….

/// O_CREAT changes nothing on a real control file, and makes those of a test's tree.
Result<void> write_control(const std::string& path, const std::string& text) {
    const platform::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd.is_open() ||
        write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        return platform::fail_errno("cannot write " + path);
    }
    return {};
}

std::int64_t read_number(const std::string& path) {
    const std::string text = platform::read_file(path, kControlBytesMax).value_or("");
    return parse_integer(text.substr(0, text.find('\n'))).value_or(0);
}

/// The number after `key` in a file of lines "key number".
std::optional<std::int64_t> read_keyed(const std::string& path, const std::string& key) {
    std::istringstream words(platform::read_file(path, kControlBytesMax).value_or(""));
    std::string name;
    std::int64_t value = 0;
    while (words >> name >> value) {
        if (name == key) {
            return value;
        }
    }
    return std::nullopt;
}

std::string quota_us(std::int64_t millicores) {
    return std::to_string(std::max(kQuotaUsMin, millicores * kPeriodUs / 1000));
}

/// One control file and what goes in. `is_needed`: without it the limit would not hold.
struct Setting {
    std::string path;
    std::string value;
    bool is_needed = true;
};

std::vector<Setting> settings_v2(const CgroupPaths& paths, const CgroupLimits& limits) {
    std::vector<Setting> settings;
    const std::string& at = paths.memory;
    settings.push_back({at + "/pids.max", std::to_string(limits.pids_max)});
    if (limits.cpu_millicores > 0) {
        settings.push_back(
            {at + "/cpu.max", quota_us(limits.cpu_millicores) + " " + std::to_string(kPeriodUs),
             false});
    }
    if (limits.memory_mib > 0) {
        settings.push_back({at + "/memory.max", std::to_string(limits.memory_mib * kMib)});
        settings.push_back({at + "/memory.swap.max", "0", false});
    }
    return settings;
}

std::vector<Setting> settings_v1(const CgroupPaths& paths, const CgroupLimits& limits) {
    std::vector<Setting> settings;
    if (!paths.pids.empty()) {
        settings.push_back({paths.pids + "/pids.max", std::to_string(limits.pids_max)});
    }
    if (limits.cpu_millicores > 0 && !paths.cpu.empty()) {
        settings.push_back({paths.cpu + "/cpu.cfs_period_us", std::to_string(kPeriodUs)});
        settings.push_back({paths.cpu + "/cpu.cfs_quota_us", quota_us(limits.cpu_millicores)});
    }
    if (limits.memory_mib > 0) {
        const std::string bytes = std::to_string(limits.memory_mib * kMib);
        settings.push_back({paths.memory + "/memory.limit_in_bytes", bytes});
        // Memory and swap together; only on kernels that count swap.
        settings.push_back({paths.memory + "/memory.memsw.limit_in_bytes", bytes, false});
    }
    if (limits.gpu_minors && !paths.devices.empty()) {
        for (std::int32_t minor = 0; minor < kMinorsDenied; ++minor) {
            if (std::ranges::find(*limits.gpu_minors, minor) == limits.gpu_minors->end()) {
                settings.push_back(
                    {paths.devices + "/devices.deny",
                     "c " + std::to_string(kNvidiaMajor) + ":" + std::to_string(minor) + " rwm"});
            }
        }
    }
    return settings;
}

const std::string& list_of(const CgroupPaths& paths) {
    return paths.freezer.empty() ? paths.memory : paths.freezer;
}

}  // namespace

std::vector<std::string> directories_of(const CgroupPaths& paths) {
    std::vector<std::string> directories = {paths.memory, paths.cpu,     paths.cpu_account,
                                            paths.pids,   paths.devices, paths.freezer};
    std::ranges::sort(directories);
    const auto repeated = std::ranges::unique(directories);
    directories.erase(repeated.begin(), repeated.end());
    std::erase(directories, "");
    return directories;
}

Result<void> make_cgroup(const CgroupPaths& paths, const CgroupLimits& limits) {
    for (const std::string& directory : directories_of(paths)) {
        if (const Result<bool> made = platform::make_directory_exclusive(directory, 0755); !made) {
            return tl::unexpected(made.error());
        }
    }
    const auto settings =
        paths.kind == CgroupKind::kV2 ? settings_v2(paths, limits) : settings_v1(paths, limits);
    for (const Setting& setting : settings) {
        Result<void> written = write_control(setting.path, setting.value);
        if (!written && setting.is_needed) {
            return written;
        }
    }
    if (paths.kind == CgroupKind::kV2 && limits.gpu_minors) {
        return deny_gpus(paths.devices, *limits.gpu_minors);
    }
    return {};
}

Result<void> join_cgroup(const CgroupPaths& paths) {
    const std::string_view file = paths.kind == CgroupKind::kV1 ? "/tasks" : "/cgroup.procs";
    for (const std::string& directory : directories_of(paths)) {
        if (Result<void> joined = write_control(directory + std::string(file), "0"); !joined) {
            return joined;
        }
    }
    return {};
}

ForkedInto fork_into_cgroup(const CgroupPaths& paths) {
    if (paths.kind == CgroupKind::kV2) {
        const platform::UniqueFd group(
            open(paths.memory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        clone_args how = {};
        how.flags = CLONE_INTO_CGROUP;
        how.exit_signal = SIGCHLD;
        how.cgroup = static_cast<decltype(how.cgroup)>(group.get());
        const auto pid =
            group.is_open() ? static_cast<pid_t>(syscall(SYS_clone3, &how, sizeof how)) : -1;
        if (pid >= 0) {
            return {.pid = pid, .is_in_group = true};
        }
    }
    return {.pid = fork(), .is_in_group = false};
}

std::vector<std::int32_t> pids_in_cgroup(const CgroupPaths& paths) {
    std::vector<std::int32_t> pids;
    if (paths.kind == CgroupKind::kNone) {
        return pids;
    }
    const auto text = platform::read_file(list_of(paths) + "/cgroup.procs", kControlBytesMax);
    std::istringstream words(text.value_or(""));
    std::int32_t pid = 0;
    while (words >> pid) {
        if (pid > 0) {  // 0 is a process of another pid namespace: not ours to kill.
            pids.push_back(pid);
        }
    }
    return pids;
}

void signal_cgroup(const CgroupPaths& paths, int signal) {
    for (const std::int32_t pid : pids_in_cgroup(paths)) {
        kill(pid, signal);
    }
}

void kill_cgroup(const CgroupPaths& paths) {
    if (paths.kind == CgroupKind::kV2) {
        if (platform::path_exists(paths.memory + "/cgroup.kill") &&
            write_control(paths.memory + "/cgroup.kill", "1")) {
            return;
        }
        const bool is_frozen = write_control(paths.freezer + "/cgroup.freeze", "1").has_value();
        signal_cgroup(paths, SIGKILL);
        if (is_frozen && !write_control(paths.freezer + "/cgroup.freeze", "0")) {
            return;  // The group is gone.
        }
        return;
    }
    const std::string state = paths.freezer.empty() ? "" : paths.freezer + "/freezer.state";
    const bool is_frozen = !state.empty() && write_control(state, "FROZEN").has_value();
    signal_cgroup(paths, SIGKILL);
    if (is_frozen && !write_control(state, "THAWED")) {
        return;  // The group is gone.
    }
}

CgroupUsage usage_of(const CgroupPaths& paths) {
    CgroupUsage usage;
    if (paths.kind == CgroupKind::kV2) {
        usage.memory_peak_mib = read_number(paths.memory + "/memory.peak") / kMib;
        usage.oom_kills = read_keyed(paths.memory + "/memory.events", "oom_kill").value_or(0);
        if (const auto us = read_keyed(paths.memory + "/cpu.stat", "usage_usec"); us) {
            usage.cpu_ms = *us / 1000;
        }
    } else if (paths.kind == CgroupKind::kV1) {
        usage.memory_peak_mib = read_number(paths.memory + "/memory.max_usage_in_bytes") / kMib;
        usage.oom_kills = read_keyed(paths.memory + "/memory.oom_control", "oom_kill").value_or(0);
        if (!paths.cpu_account.empty()) {
            usage.cpu_ms = read_number(paths.cpu_account + "/cpuacct.usage") / 1'000'000;
        }
    }
    return usage;
}

bool remove_cgroup(const CgroupPaths& paths) {
    bool is_gone = true;
    for (const std::string& directory : directories_of(paths)) {
        is_gone = (rmdir(directory.c_str()) == 0 || errno == ENOENT) && is_gone;
    }
    return is_gone;
}

}  // namespace reeve::agent::process
