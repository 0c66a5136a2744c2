#pragma once

// For tests only: real tasks under real shims.
#include <csignal>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "agent/process/log_reader.hpp"
#include "agent/process/process_runtime.hpp"
#include "agent/process/process_tree.hpp"
#include "agent/process/task_directory.hpp"
#include "platform/clock.hpp"
#include "platform/files.hpp"
#include "platform/host.hpp"

namespace reeve::agent::process {
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
using model::TaskEnd;

inline constexpr model::TaskKey kKey = {.element = {.job = JobId(7)}};
inline constexpr auto kPatience = 8s;

inline model::GpuDescription gpu(const char* uuid, std::int32_t minor) {
    return {.uuid = uuid, .model = "NVIDIA A30", .minor = minor};
}

inline std::int64_t first_number(const std::string& text) {
    std::istringstream words(text);
    std::int64_t number = 0;
    words >> number;
    return number;
}

/// One spawner for all tests, made before any of them has a thread.
inline Spawner& shared_spawner() {
    static Spawner spawner = Spawner::start().value();
    return spawner;
}

class TaskTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "reeve-task-XXXXXX";
        root = mkdtemp(pattern.data());
        ASSERT_EQ(chmod(root.c_str(), 0755), 0);
        boot_id = platform::boot_id().value();
        tree = CgroupTree::find({.name = "reeve-test-" + std::to_string(getpid())});
        open();
    }

    void TearDown() override {
        runtime.reset();
        for (const pid_t pid : processes_of_task(cluster, to_string(kKey), 0)) {
            kill(pid, SIGKILL);
        }
        EXPECT_TRUE(platform::remove_tree(root));
        for (const std::string& directory : directories_of(tree.paths_of("x"))) {
            rmdir(directory.substr(0, directory.rfind('/')).c_str());
        }
    }

    /// As a restart of the agent does: what it knew is lost, the directory is not.
    void open() {
        runtime.reset();
        runtime = ProcessRuntime::open(
                      {.directory = root + "/tasks",
                       .node_name = "n1",
                       .cluster_id = cluster,
                       .boot_id = boot_id,
                       .log_bytes_max = log_bytes_max,
                       .pids_max = pids_max,
                       .gpus = gpus},
                      *spawner, tree)
                      .value();
        listed = runtime->list().value();
    }

    model::TaskOrder order() {
        model::JobSpec spec;
        spec.terms.name = "test";
        spec.execution = execution;
        if (spec.execution.working_dir.empty()) {
            spec.execution.working_dir = "/";
        }
        return {
            .key = kKey,
            .cluster_id = cluster,
            .identity = identity,
            .gpus = granted,
            .memory_mib = memory_mib,
            .time_limit_s = time_limit_s,
            .spec_json = model::to_json(spec),
        };
    }

    void shell(const std::string& script) { execution.argv = {"/bin/sh", "-c", script}; }

    void launch() { runtime->launch(order()); }

    /// Waits until `is_it(event)`. Fails the test if it does not come.
    template <class Wanted>
    std::optional<Wanted> wait_for(std::chrono::microseconds patience = kPatience) {
        const auto until = platform::monotonic_now() + patience;
        while (platform::monotonic_now() < until) {
            for (const RuntimeEvent& event : runtime->collect()) {
                seen.push_back(event);
            }
            for (std::size_t i = looked; i < seen.size(); ++i) {
                if (const auto* wanted = std::get_if<Wanted>(&seen[i]); wanted != nullptr) {
                    looked = i + 1;
                    return *wanted;
                }
            }
            pollfd wanted = {runtime->fd(), POLLIN, 0};
            poll(&wanted, 1, 100);
        }
        ADD_FAILURE() << "it did not come";
        return std::nullopt;
    }

    pid_t wait_for_start() {
        const auto started = wait_for<RuntimeStarted>();
        return started ? static_cast<pid_t>(started->pid) : 0;
    }

    model::TaskOutcome wait_for_end() {
        const auto ended = wait_for<RuntimeEnded>();
        EXPECT_EQ(left_behind(), 0U) << "processes are left";
        const model::TaskOutcome outcome = ended ? ended->outcome : model::TaskOutcome{};
        return outcome;
    }

    model::TaskOutcome run(const std::string& script) {
        shell(script);
        launch();
        return wait_for_end();
    }

    std::size_t left_behind() { return processes_of_task(cluster, to_string(kKey), 0).size(); }

    std::string directory() { return runtime->directory_of(kKey); }

    TaskStatus status() { return read_status(directory() + kStatusFile).value(); }

    std::string log(LogStream stream = LogStream::kOutput) {
        return read_log(directory(), stream, 0, 1 << 20).value_or(LogPiece{}).bytes;
    }

    /// Waits until the task's log has `text`.
    bool wait_for_log(const std::string& text) {
        const auto until = platform::monotonic_now() + kPatience;
        while (log().find(text) == std::string::npos) {
            if (platform::monotonic_now() > until) {
                ADD_FAILURE() << "the log is: " << log();
                return false;
            }
            pollfd nothing = {-1, 0, 0};
            poll(&nothing, 1, 5);
        }
        return true;
    }

    [[nodiscard]] bool has_groups() const { return tree.kind() != CgroupKind::kNone; }

    Spawner* spawner = &shared_spawner();
    std::string root;
    std::string cluster = "test-" + std::to_string(getpid());
    std::string boot_id;
    std::int64_t log_bytes_max = 1 << 30;
    std::int64_t pids_max = 4096;
    std::int64_t memory_mib = 0;
    std::int64_t time_limit_s = 0;
    std::vector<model::GpuDescription> gpus;
    std::vector<model::GrantedGpu> granted;
    model::Identity identity = {"me", getuid(), getgid()};
    model::Execution execution = {.stop_grace_s = 1};
    CgroupTree tree;
    std::unique_ptr<ProcessRuntime> runtime;
    std::vector<model::KnownTask> listed;
    std::vector<RuntimeEvent> seen;
    std::size_t looked = 0;
};

}  // namespace reeve::agent::process
