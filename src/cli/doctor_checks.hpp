#pragma once

#include <functional>
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

/// Whether the nodes enforce limits, as their list says; `is_root`: the server runs as root.
[[nodiscard]] std::vector<Finding> judge_enforcement(const JsonValue& nodes, bool is_root);

/// `free_bytes` and `total_bytes` of the file system of the data directory.
[[nodiscard]] Finding judge_disk(
    const std::string& directory, std::uint64_t free_bytes, std::uint64_t total_bytes);

/// `address` is where the server that runs says that it listens, "http://127.0.0.1:8081", and
/// `is_heard` whether anybody listens on a port.
[[nodiscard]] Finding judge_own_port(
    const std::string& address,
    const std::string& use,
    const std::function<bool(std::uint16_t port)>& is_heard);

/// One for each GPU that is in trouble. `gpus` is the list that the server answers with.
[[nodiscard]] std::vector<Finding> judge_known_gpus(const JsonValue& gpus);

/// Of the same list, those that the server simulates: "4 x a30, 2 x l4"; "" for none.
[[nodiscard]] std::string simulated_in_words(const JsonValue& gpus);

}  // namespace reeve::cli
