#pragma once

#include <string>
#include <vector>

#include "cli/session.hpp"

namespace reeve::cli {

enum class Health : std::uint8_t { kGood, kWarning, kBad };

/// One thing looked at.
struct Finding {
    std::string name = {};  // "driver".
    Health health = Health::kGood;
    std::string what = {};  // What was found.
    std::string fix = {};   // The command that mends it; "" where nothing is to be done.
};

/// Looks at this machine and at the server, in the order that a person would. Waits for the
/// server and the driver, a few seconds at most.
[[nodiscard]] std::vector<Finding> examine(Session& session);

// What examine() does, as functions of what was read; for tests.

/// `cgroup_text` is /proc/self/cgroup, `mounts_text` /proc/self/mounts.
[[nodiscard]] Finding judge_cgroups(
    const std::string& cgroup_text, const std::string& mounts_text, bool is_root);

/// `free_bytes` and `total_bytes` of the file system of the data directory.
[[nodiscard]] Finding judge_disk(
    const std::string& directory, std::uint64_t free_bytes, std::uint64_t total_bytes);

}  // namespace reeve::cli
