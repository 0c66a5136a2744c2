#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/process/cgroups.hpp"
#include "base/result.hpp"

namespace reeve::agent::process {

/// What a shim has to know while it watches over its task.
struct ShimPlan {
    std::string task = {};  // Key, as text.
    std::string boot_id = {};
    std::int64_t stop_signal = 15;
    std::int64_t stop_grace_s = 30;
    std::int64_t time_limit_s = 0;  // 0: none.
    std::int64_t log_bytes_max = std::int64_t{1} << 30;
    std::int64_t splits_output = 0;  // 1: standard error has a log of its own.
    std::int64_t copies_output = 0;  // 1: the command's process passes files for copies.
    std::int64_t file_uid = -1;      // Whose they are; -1: of whoever runs this.
    std::int64_t file_gid = -1;
    CgroupPaths cgroup = {};
    CgroupLimits limits = {};

    friend bool operator==(const ShimPlan&, const ShimPlan&) = default;
};

/// How its command is executed.
struct ChildPlan {
    std::int64_t changes_identity = 0;  // 1: become uid, gid, groups first.
    std::int64_t uid = 0;
    std::int64_t gid = 0;
    std::vector<std::int32_t> groups = {};
    std::string working_dir = {};
    std::string output_file = {};  // Gets a copy; "": none. Relative to the working directory.
    std::string error_file = {};   // Of standard error; "": the same as output_file.
    std::int64_t keeps_files = 0;  // 1: they are gone on with, and not begun anew.
    std::string script = {};       // Path; "" if argv[0] is the command.
    std::vector<std::string> argv = {};         // With a script: argv[0] stands for it.
    std::vector<std::string> environment = {};  // "K=V".

    friend bool operator==(const ChildPlan&, const ChildPlan&) = default;
};

/// All of a launch, worked out by the agent so that nobody after it parses, looks up a user or
/// allocates much. Written to the task's directory as `plan`. The shim that
/// renames it to `plan.taken` is the one that runs it; one the agent renames never runs.
struct LaunchPlan {
    ShimPlan shim = {};
    ChildPlan child = {};
};

[[nodiscard]] std::string encode(const LaunchPlan& plan);

/// Only the first part, and only the second. Errors: kInternal if it is damaged.
[[nodiscard]] Result<ShimPlan> decode_shim_plan(std::string_view bytes);
[[nodiscard]] Result<ChildPlan> decode_child_plan(std::string_view bytes);

inline constexpr std::size_t kPlanBytesMax = 8 << 20;
inline constexpr std::size_t kShimPlanBytesMax = 32 << 10;  // Of the first part, at the start.

}  // namespace reeve::agent::process
