#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/process/cgroups.hpp"
#include "agent/process/launch_plan.hpp"
#include "agent/process/task_environment.hpp"
#include "base/result.hpp"
#include "model/gpu_source.hpp"
#include "model/job_spec.hpp"
#include "model/task.hpp"
#include "platform/identity.hpp"

namespace reeve::agent::process {

/// What holds for every task of a node.
struct LaunchRules {
    std::string node_name = {};
    std::string boot_id = {};
    std::int64_t log_bytes_max = std::int64_t{1} << 30;
    std::int64_t pids_max = 4096;
    std::uint32_t server_uid = 0;
    std::vector<model::GpuDescription> gpus = {};  // Of the node, to know their device numbers.
    SimulatedDriver simulated_driver = {};
};

/// Users as the user database has them, remembered for a minute.
class UserCache {
  public:
    struct User {
        platform::UserEntry entry = {};
        std::vector<std::uint32_t> groups = {};
    };

    /// A user whom the database does not know has HOME=/ and no groups but its own.
    [[nodiscard]] User find(const model::Identity& identity);

  private:
    struct Cached {
        User user = {};
        std::int64_t until_us = 0;
    };

    std::map<std::pair<std::uint32_t, std::uint32_t>, Cached> users_ = {};
};

struct PlannedLaunch {
    LaunchPlan plan = {};
    std::string script = {};  // Its text; "" if there is none.
};

/// Works out a launch. Errors are the user's to read: they become start_failed.
[[nodiscard]] Result<PlannedLaunch> plan_launch(
    const model::TaskOrder& order,
    const LaunchRules& rules,
    const UserCache::User& user,
    const CgroupPaths& cgroup,
    const std::string& directory);

}  // namespace reeve::agent::process
