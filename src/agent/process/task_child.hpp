#pragma once

#include <cstdint>
#include <string>

#include "agent/process/cgroups.hpp"
#include "agent/process/launch_plan.hpp"

namespace reeve::agent::process {

/// Where the start of a command failed.
enum class StartStage : std::uint8_t {
    kPlan,
    kCgroup,
    kIdentity,
    kDirectory,
    kOutputFile,
    kErrorFile,
    kScript,
    kCommand,
};

/// What a child writes to its shim if it cannot become the command. Nothing comes if it can.
struct StartFailure {
    StartStage stage = StartStage::kPlan;
    std::int32_t error = 0;  // errno
};

/// What a child needs of its shim.
struct ChildSetup {
    std::string directory = {};  // Of the task.
    CgroupPaths cgroup = {};
    bool is_in_group = false;  // Already.
    std::int64_t pids_max = 0;
    int output = -1;
    int errors = -1;   // The same one, unless the output is split.
    int failure = -1;  // Where a StartFailure goes; closed by a successful exec.
    int files = -1;    // Where opened files go, in one packet: of output, of errors. -1: none.
};

/// Turns the calling process into the task's command. Does not return.
[[noreturn]] void become_command(const ChildSetup& setup);

/// What to tell the user, from the directory's plan.
[[nodiscard]] std::string message_of(const StartFailure& failure, const std::string& directory);

/// The same of a file that could be opened, and not written.
[[nodiscard]] std::string message_of_unwritten(
    const StartFailure& failure, const std::string& directory);

/// The first byte of the packet with the files says which they are.
inline constexpr char kHasOutputFile = 1;
inline constexpr char kHasErrorFile = 2;

}  // namespace reeve::agent::process
