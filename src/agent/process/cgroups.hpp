#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"

namespace reeve::agent::process {

enum class CgroupKind : std::uint8_t { kNone, kV1, kV2 };

/// The directories of one task's control group. With v2 they are all the same one. "" is a
/// controller that is not here.
struct CgroupPaths {
    CgroupKind kind = CgroupKind::kNone;
    std::string cpu = {};
    std::string cpu_account = {};
    std::string memory = {};
    std::string pids = {};
    std::string devices = {};
    std::string freezer = {};

    friend bool operator==(const CgroupPaths&, const CgroupPaths&) = default;
};

struct CgroupLimits {
    std::int64_t cpu_millicores = 0;  // 0: no limit.
    std::int64_t memory_mib = 0;      // 0: no limit.
    std::int64_t pids_max = 4096;     // A fork bomb ends at it.
    /// Minors of NVIDIA's devices that stay open to the task; absent: all of them.
    std::optional<std::vector<std::int32_t>> gpu_minors = {};

    friend bool operator==(const CgroupLimits&, const CgroupLimits&) = default;
};

/// What a group has used, as far as its controllers tell.
struct CgroupUsage {
    std::int64_t memory_peak_mib = 0;
    std::optional<std::int64_t> cpu_ms = {};
    std::int64_t oom_kills = 0;
};

/// The name of a task's group. Servers of one machine share the group above, and their jobs have
/// the same numbers: without the cluster in it, one would kill the other's tasks.
[[nodiscard]] std::string group_name(const std::string& cluster_id, const std::string& task);

/// Where this machine's control groups are, as far as this process may make some.
class CgroupTree {
  public:
    struct Options {
        std::string root = {};       // Put before every path read or made; for tests.
        std::string name = "reeve";  // Of the group that all tasks are below.
    };

    /// Finds the hierarchies in /proc/self/mountinfo, this process's place in /proc/self/cgroup,
    /// and makes the group above the tasks' there. With v2 this moves this process to a group
    /// beside it, because a v2 group with processes cannot hand its controllers down.
    /// Never fails: what is not there is kNone, and why_none() says why.
    [[nodiscard]] static CgroupTree find(const Options& options);

    [[nodiscard]] CgroupKind kind() const noexcept { return base_.kind; }

    [[nodiscard]] const std::string& why_none() const noexcept { return why_none_; }

    /// "cgroup-v1", "cgroup-v2", "none".
    [[nodiscard]] std::string enforcement() const;

    /// The group of a task; nothing is made yet.
    [[nodiscard]] CgroupPaths paths_of(const std::string& task) const;

  private:
    CgroupPaths base_ = {};
    std::string why_none_ = {};
};

/// Makes the group and sets its limits. One that is left over is used again.
/// Errors: as fail_errno(), naming the file.
[[nodiscard]] Result<void> make_cgroup(const CgroupPaths& paths, const CgroupLimits& limits);

/// Moves the calling process, which has one thread, into the group. With v1 by its thread: that one
/// moves itself without waiting, where to move a process waits until every processor has passed a
/// quiescent state, some 10 ms on a machine with little to do (cgroup_attach_lock() in the kernel's
/// kernel/cgroup/cgroup.c).
[[nodiscard]] Result<void> join_cgroup(const CgroupPaths& paths);

struct ForkedInto {
    pid_t pid = -1;  // As of fork(), which sets errno.
    bool is_in_group = false;
};

/// fork(), of a process with one thread. With v2 and a kernel from 5.7 on (CLONE_INTO_CGROUP) the
/// child begins in the group, which spares it that wait; else it has to join.
[[nodiscard]] ForkedInto fork_into_cgroup(const CgroupPaths& paths);

[[nodiscard]] std::vector<std::int32_t> pids_in_cgroup(const CgroupPaths& paths);

/// Sends `signal` to every process in the group.
void signal_cgroup(const CgroupPaths& paths, int signal);

/// Kills every process in the group, once: cgroup.kill, or frozen so that none escapes by forking.
/// To be repeated until pids_in_cgroup() is empty.
void kill_cgroup(const CgroupPaths& paths);

[[nodiscard]] CgroupUsage usage_of(const CgroupPaths& paths);

/// Removes the empty group. False if something is still in it.
[[nodiscard]] bool remove_cgroup(const CgroupPaths& paths);

/// The directories of `paths`, each once.
[[nodiscard]] std::vector<std::string> directories_of(const CgroupPaths& paths);

}  // namespace reeve::agent::process
