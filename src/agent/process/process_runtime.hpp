#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/process/cgroups.hpp"
#include "agent/process/plan_launch.hpp"
#include "agent/process/spawner.hpp"
#include "agent/process/task_log.hpp"
#include "agent/process/task_status.hpp"
#include "agent/runtime.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::agent::process {

struct RuntimeOptions {
    std::string directory = {};  // tasks_directory(data, node). Made if missing.
    std::string node_name = {};
    std::string cluster_id = {};
    std::string boot_id = {};
    std::int64_t log_bytes_max = std::int64_t{1} << 30;
    std::int64_t pids_max = 4096;
    std::vector<model::GpuDescription> gpus = {};
    SimulatedDriver simulated_driver = {};
    std::chrono::microseconds launch_timeout = std::chrono::seconds(10);
    std::chrono::microseconds removed_kept = std::chrono::hours(1);  // The memory of a removed key.
};

/// Runs tasks as processes, each under a shim of its own, in directories below
/// RuntimeOptions::directory (task_directory.hpp says what is in one). A claim is the making of
/// the directory. Those of other clusters are neither read as its own nor touched. `spawner` and
/// `cgroups` may be shared by several runtimes, and outlive them.
class ProcessRuntime final : public Runtime {
  public:
    [[nodiscard]] static Result<std::unique_ptr<ProcessRuntime>> open(
        RuntimeOptions options, Spawner& spawner, const CgroupTree& cgroups);

    ProcessRuntime(const ProcessRuntime&) = delete;
    ProcessRuntime& operator=(const ProcessRuntime&) = delete;
    ProcessRuntime(ProcessRuntime&&) = delete;
    ProcessRuntime& operator=(ProcessRuntime&&) = delete;
    ~ProcessRuntime() override;

    /// To be called once, before all others: it also takes over what an earlier agent left.
    [[nodiscard]] Result<std::vector<model::KnownTask>> list() override;
    void launch(const model::TaskOrder& order) override;
    void stop(const model::TaskKey& key, StopForce force) override;
    void acknowledge(const model::TaskKey& key) override;
    void remove(const model::TaskKey& key) override;
    [[nodiscard]] std::optional<model::TaskKey> task_of(pid_t process) const override;
    [[nodiscard]] std::vector<RuntimeEvent> collect() override;

    [[nodiscard]] int fd() const override { return epoll_.get(); }

    void set_gpus(const std::vector<model::GpuDescription>& gpus) override { rules_.gpus = gpus; }

    [[nodiscard]] std::string directory_of(const model::TaskKey& key) const;

  private:
    /// A task that was claimed and has not ended, as far as is known here.
    struct Live {
        model::TaskKey key = {};
        TaskPhase phase = TaskPhase::kClaimed;
        std::uint64_t token = 0;    // In epoll_.
        std::uint64_t request = 0;  // At the spawner; 0 if it was adopted.
        std::optional<std::chrono::microseconds> answer_by = {};  // Of the spawner.
        std::int64_t time_limit_s = 0;                            // 0: none.
        std::optional<std::chrono::microseconds> limit_at = {};   // By boottime_now(), or earlier.
        platform::UniqueFd shim = {};                             // pidfd
        platform::UniqueFd output = {};  // Second ends of the shim's pipes.
        platform::UniqueFd errors = {};
        bool is_shim_lost = false;
        std::string lost_why = {};
        int signal = 0;  // That its main process was killed by here; 0: it had ended before.
        std::optional<StopForce> stop = {};  // Not yet handed to the shim.
    };

    using Tasks = std::map<model::TaskKey, Live>;

    ProcessRuntime(RuntimeOptions options, Spawner& spawner, const CgroupTree& cgroups);

    // process_adopt.cpp: what an earlier agent left, and what a killed shim leaves.
    [[nodiscard]] Result<std::vector<model::TaskKey>> find_tasks();
    [[nodiscard]] bool note_older(const model::TaskKey& key);
    void forget_later(const std::string& directory);
    [[nodiscard]] std::optional<model::KnownTask> adopt(const model::TaskKey& key);
    void find_older(const model::TaskKey& key);
    void await_shim(Live& task, const TaskStatus* status);
    [[nodiscard]] bool adopt_shim(Live& task, const TaskStatus& status);
    [[nodiscard]] static bool abandon_claim(const std::string& directory);
    void reopen_pipes_of_lost(Live& task, const TaskStatus& status, const CgroupPaths& cgroup);
    void clean_lost(Live& task);
    void end_lost(const Live& task, const std::string& why);
    [[nodiscard]] Result<ShimPlan> plan_of(const model::TaskKey& key) const;
    [[nodiscard]] CgroupPaths cgroup_of(const model::TaskKey& key) const;

    // process_runtime.cpp
    [[nodiscard]] Live& add(const model::TaskKey& key);
    void end(const model::TaskKey& key, const TaskStatus& status);
    void refuse(const model::TaskKey& key, const std::string& why);
    void start(const model::TaskOrder& order, const std::string& directory);
    void answer_for(const model::TaskKey& key);
    void on_spawner(const model::TaskKey& key, SpawnAnswer answer);
    void watch_shim(Live& task) const;
    void say_started(Live& task, std::int64_t pid);
    void look_at_limit(Live& task);
    void on_shim_end(Live& task);
    void hand_over_stop(Live& task) const;
    void look_slowly(Live& task);
    void look_at_all();
    void drain_epoll();
    void arm_timer() const;
    void sweep_removed();

    RuntimeOptions options_;
    Spawner& spawner_;
    const CgroupTree& cgroups_;
    LaunchRules rules_ = {};
    UserCache users_ = {};
    platform::UniqueFd epoll_ = {};
    platform::UniqueFd timer_ = {};
    Tasks tasks_ = {};
    std::set<model::TaskKey> older_ = {};  // Of this cluster, outside its folder.
    bool has_older_ = false;               // There may be more of them than older_ has.
    std::map<std::uint64_t, model::TaskKey> tokens_ = {};
    std::uint64_t token_ = 1;
    std::vector<RuntimeEvent> events_ = {};
    std::chrono::microseconds slow_look_at_ = {};  // When all of tasks_ is looked at again.
    std::deque<std::pair<std::chrono::microseconds, std::string>> removed_ = {};
};

}  // namespace reeve::agent::process
