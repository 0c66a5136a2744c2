// Goal: whatever is killed - agent, shim, spawner - no task runs twice, and no end and no byte is
// lost.
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/process/process_runtime_fixture.hpp"
#include "agent/process/spawner_process.hpp"

namespace reeve::agent::process {
namespace {

TEST_F(TaskTest, AcknowledgedItIsNoLongerListedAndRemovedItIsStillKnown) {
    run("echo x");
    open();
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0].outcome->end, TaskEnd::kExited);
    EXPECT_EQ(listed[0].cluster_id, cluster);
    EXPECT_TRUE(listed[0].has_started);
    runtime->acknowledge(kKey);
    open();
    EXPECT_TRUE(listed.empty());
    EXPECT_EQ(log(), "x\n");
    launch();
    EXPECT_EQ(wait_for<RuntimeEnded>()->outcome.end, TaskEnd::kExited);
    runtime->remove(kKey);
    EXPECT_EQ(platform::list_directory(directory())->size(), 1U);
    launch();
    EXPECT_TRUE(wait_for<RuntimeRemoved>());
    open();
    EXPECT_TRUE(listed.empty());
}

TEST_F(TaskTest, WhatRunsIsNeitherAcknowledgedNorRemoved) {
    shell("echo ready; sleep 1000");
    launch();
    ASSERT_TRUE(wait_for_log("ready"));
    runtime->acknowledge(kKey);
    runtime->remove(kKey);
    open();
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_FALSE(listed[0].outcome);
    runtime->stop(kKey, StopForce::kKill);
    wait_for_end();
}

TEST_F(TaskTest, ARestartOfTheAgentDisturbsNothing) {
    shell("echo one; read line < " + root + "/go; echo two; exit 5");
    ASSERT_EQ(mkfifo((root + "/go").c_str(), 0600), 0);
    const Instant before = platform::now_utc();
    launch();
    wait_for_start();
    const Instant started = platform::now_utc();
    open();
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_TRUE(listed[0].has_started);
    ASSERT_TRUE(listed[0].started_at);
    constexpr auto kTick = std::chrono::milliseconds(10);
    EXPECT_GE(*listed[0].started_at + 2 * kTick, before);
    EXPECT_LE(*listed[0].started_at, started + 2 * kTick);
    ASSERT_TRUE(platform::write_file(root + "/go", "\n"));
    EXPECT_EQ(wait_for_end().exit_code, 5);
    EXPECT_EQ(log(), "one\ntwo\n");
}

TEST_F(TaskTest, WhatEndsWhileTheAgentIsAwayIsFoundEnded) {
    shell("echo bye; exit 4");
    const Instant asked = platform::now_utc();
    launch();
    wait_for_start();
    const TaskStatus before = status();
    runtime.reset();
    const platform::UniqueFd shim = platform::open_process(before.shim);
    if (shim.is_open()) {
        pollfd wanted = {shim.get(), POLLIN, 0};
        ASSERT_EQ(poll(&wanted, 1, 8000), 1);
    }
    open();
    ASSERT_EQ(listed.size(), 1U);
    ASSERT_TRUE(listed[0].outcome);
    EXPECT_EQ(listed[0].outcome->exit_code, 4);
    ASSERT_TRUE(listed[0].outcome->ran_for);
    ASSERT_TRUE(listed[0].started_at);
    EXPECT_GE(*listed[0].started_at, asked);
    EXPECT_LE(*listed[0].started_at + *listed[0].outcome->ran_for, platform::now_utc());
}

TEST_F(TaskTest, AKilledShimIsNoticedAndNoByteOfTheLogIsLost) {
    // Its shim is stopped when it has said that the task runs.
    shell(
        "trap '' TERM; (sleep 1000 &); echo ready; while [ ! -e " + root +
        "/go ]; do sleep 0.02; done; kill -STOP $PPID; seq 5000; kill -KILL $PPID; sleep 1000");
    launch();
    wait_for_start();
    ASSERT_TRUE(platform::write_file(root + "/go", ""));
    const model::TaskOutcome outcome = wait_for_end();
    EXPECT_EQ(outcome.end, TaskEnd::kShimLost);
    EXPECT_EQ(outcome.signal, SIGKILL) << "its main process ran, and was killed";
    std::string want = "ready\n";
    for (int i = 1; i <= 5000; ++i) {
        want += std::to_string(i) + "\n";
    }
    EXPECT_EQ(log(), want) << "what was still in the pipe";
    EXPECT_EQ(outcome.log_bytes, static_cast<std::int64_t>(want.size()));
    EXPECT_EQ(status().phase, TaskPhase::kEnded);
    for (const std::string& directory :
         directories_of(tree.paths_of(group_name(cluster, to_string(kKey))))) {
        EXPECT_FALSE(platform::path_exists(directory)) << directory;
    }
}

TEST_F(TaskTest, AShimKilledWhileTheAgentIsAwayIsFoundLostWithItsLog) {
    shell("echo ready; read line < " + root + "/go; seq 100; sleep 1000");
    ASSERT_EQ(mkfifo((root + "/go").c_str(), 0600), 0);
    launch();
    wait_for_start();
    ASSERT_TRUE(wait_for_log("ready"));
    const platform::ProcessId shim = status().shim;
    // Opened, as a second end would be, to know when the task has written.
    const platform::UniqueFd pipe =
        platform::reopen_fd_of(shim.pid, static_cast<int>(status().output.pipe_fd));
    ASSERT_TRUE(pipe.is_open());
    runtime.reset();
    kill(shim.pid, SIGKILL);
    ASSERT_TRUE(platform::write_file(root + "/go", "\n"));
    pollfd wanted = {pipe.get(), POLLIN, 0};
    ASSERT_EQ(poll(&wanted, 1, 8000), 1);
    open();
    EXPECT_EQ(wait_for_end().end, TaskEnd::kShimLost);
    EXPECT_TRUE(log().starts_with("ready\n1\n2\n")) << log();
    EXPECT_TRUE(log().ends_with("\n100\n")) << log();
}

TEST_F(TaskTest, AfterARestartOfTheMachineNothingIsSaidToRun) {
    shell("sleep 1000");
    launch();
    wait_for_start();
    const platform::ProcessId shim = status().shim;
    boot_id = "another boot";
    open();
    ASSERT_EQ(listed.size(), 1U);
    ASSERT_TRUE(listed[0].outcome);
    EXPECT_EQ(listed[0].outcome->end, TaskEnd::kShimLost);
    EXPECT_NE(listed[0].outcome->message.find("restarted"), std::string::npos);
    kill(shim.pid, SIGKILL);
    kill_cgroup(tree.paths_of(group_name(cluster, to_string(kKey))));
}

TEST_F(TaskTest, AClaimThatAKilledAgentLeftIsGivenUp) {
    ASSERT_TRUE(platform::make_directories(directory()));
    open();
    EXPECT_TRUE(listed.empty());
    EXPECT_FALSE(platform::path_exists(directory()));
    EXPECT_EQ(run("echo now").end, TaskEnd::kExited);
    EXPECT_EQ(log(), "now\n");
}

/// Has another shim forked for the task's directory, as a request would that was sent twice, and
/// waits until it has ended.
void run_second_shim(Spawner& spawner, const std::string& directory) {
    platform::UniqueFd shim;
    bool is_answered = false;
    spawner.launch(directory, OutputShape::kOneLog, [&](SpawnAnswer answer) {
        is_answered = true;
        shim = std::move(answer.shim);
    });
    const std::uint64_t request = spawner.newest();
    while (!is_answered) {
        pollfd wanted = {spawner.fd(), POLLIN, 0};
        ASSERT_EQ(poll(&wanted, 1, 8000), 1);
        spawner.collect();
    }
    spawner.forget(request);  // It must not hear of this function's variables again.
    if (shim.is_open()) {
        pollfd wanted = {shim.get(), POLLIN, 0};
        ASSERT_EQ(poll(&wanted, 1, 8000), 1) << "the second shim goes on";
    }
}

TEST_F(TaskTest, ASecondShimForItsDirectoryEndsWithoutDoingAnything) {
    shell("echo once; read line < " + root + "/go; exit 6");
    ASSERT_EQ(mkfifo((root + "/go").c_str(), 0600), 0);
    launch();
    wait_for_start();
    ASSERT_TRUE(wait_for_log("once"));
    const TaskStatus before = status();
    run_second_shim(*spawner, directory());
    EXPECT_EQ(status(), before);
    ASSERT_TRUE(platform::write_file(root + "/go", "\n"));
    EXPECT_EQ(wait_for_end().exit_code, 6);
    run_second_shim(*spawner, directory());
    EXPECT_EQ(status().phase, TaskPhase::kEnded);
    EXPECT_EQ(log(), "once\n");
}

TEST_F(TaskTest, AKilledSpawnerIsReplacedAndDisturbsNothing) {
    Spawner own = Spawner::start().value();
    spawner = &own;
    open();
    shell("echo ready; read line < " + root + "/go; exit 6");
    ASSERT_EQ(mkfifo((root + "/go").c_str(), 0600), 0);
    launch();
    ASSERT_TRUE(wait_for_log("ready"));
    for (const pid_t worker : descendants_of(own.keeper())) {
        if (platform::process_facts(worker)->parent == own.keeper()) {
            kill(worker, SIGKILL);
        }
    }
    ASSERT_TRUE(platform::write_file(root + "/go", "\n"));
    EXPECT_EQ(wait_for_end().exit_code, 6);
    ASSERT_TRUE(platform::remove_tree(directory()));
    EXPECT_EQ(run("echo again").end, TaskEnd::kExited);
    runtime.reset();
}

/// The processes that run and whose parent is `parent`, once there is one of that name. `but` was
/// killed.
std::vector<pid_t> children_of(pid_t parent, std::string_view name, pid_t but = 0) {
    std::vector<pid_t> children;
    const auto deadline = platform::monotonic_now() + kPatience;
    while (children.empty() && platform::monotonic_now() < deadline) {
        for (const pid_t pid : descendants_of(parent)) {
            const auto facts = platform::process_facts(pid);
            if (facts && facts->parent == parent && facts->name == name && pid != but) {
                children.push_back(pid);
            }
        }
        sched_yield();
    }
    return children;
}

TEST_F(TaskTest, AKilledKeeperIsReplacedAndDisturbsNothing) {
    Spawner own = Spawner::start().value();
    spawner = &own;
    open();
    bool is_lost = false;
    own.when_lost([&] { is_lost = true; });
    shell("echo ready; read line < " + root + "/go; exit 6");
    ASSERT_EQ(mkfifo((root + "/go").c_str(), 0600), 0);
    launch();
    ASSERT_TRUE(wait_for_log("ready"));
    const std::vector<pid_t> workers = children_of(own.keeper(), kSpawnerName);
    ASSERT_EQ(workers.size(), 1U);
    pid_t keeper = own.keeper();
    for (int i = 0; i < 2; ++i) {  // The second one is no child of this process.
        kill(keeper, SIGKILL);
        const std::vector<pid_t> keepers = children_of(workers[0], "reeve-keeper", keeper);
        ASSERT_FALSE(keepers.empty());
        keeper = keepers.back();
    }
    kill(workers[0], SIGKILL);
    ASSERT_EQ(children_of(keeper, kSpawnerName).size(), 1U);
    ASSERT_TRUE(platform::write_file(root + "/go", "\n"));
    EXPECT_EQ(wait_for_end().exit_code, 6);
    ASSERT_TRUE(platform::remove_tree(directory()));
    EXPECT_EQ(run("echo again").end, TaskEnd::kExited);
    EXPECT_FALSE(is_lost);
    runtime.reset();
}

TEST_F(TaskTest, WithoutASpawnerALaunchIsRefusedAndLeavesNoClaim) {
    Spawner own = Spawner::start().value();
    spawner = &own;
    open();
    int losses = 0;
    own.when_lost([&] { ++losses; });
    kill(own.keeper(), SIGSTOP);  // So that it makes no other worker.
    while (platform::process_facts(own.keeper())->state != 'T' &&
           platform::process_facts(own.keeper())->state != 't') {
        sched_yield();
    }
    for (const pid_t worker : descendants_of(own.keeper())) {
        kill(worker, SIGKILL);
    }
    kill(own.keeper(), SIGKILL);
    shell("echo x");
    launch();
    const auto refused = wait_for<RuntimeRefused>();
    ASSERT_TRUE(refused);
    EXPECT_NE(refused->message.find("no shim"), std::string::npos) << refused->message;
    EXPECT_FALSE(platform::path_exists(directory()));
    EXPECT_FALSE(own.is_alive());
    EXPECT_EQ(losses, 1);
    pollfd wanted = {runtime->fd(), POLLIN, 0};
    EXPECT_EQ(poll(&wanted, 1, 0), 0) << "it would wake its loop without end";
    runtime.reset();
}

TEST_F(TaskTest, TheSpawnerOutlivesTheServerForAsLongAsATaskRuns) {
    auto own = std::make_unique<Spawner>(Spawner::start().value());
    spawner = own.get();
    open();
    shell("echo ready; read line < " + root + "/go; exit 6");
    ASSERT_EQ(mkfifo((root + "/go").c_str(), 0600), 0);
    launch();
    wait_for_start();
    runtime.reset();
    const pid_t keeper = own->keeper();
    own.reset();
    spawner = &shared_spawner();
    open();
    int status = 0;
    EXPECT_EQ(waitpid(keeper, &status, WNOHANG), 0);
    ASSERT_TRUE(platform::write_file(root + "/go", "\n"));
    EXPECT_EQ(wait_for_end().exit_code, 6);
    EXPECT_EQ(waitpid(keeper, &status, 0), keeper);
}

TEST_F(TaskTest, NoByteIsLostWhenServerShimAndTaskAreGoneBeforeAnybodyLooks) {
    auto own = std::make_unique<Spawner>(Spawner::start().value());
    spawner = own.get();
    open();
    shell("echo ready; read line < " + root + "/go; seq 1000");
    ASSERT_EQ(mkfifo((root + "/go").c_str(), 0600), 0);
    launch();
    wait_for_start();
    ASSERT_TRUE(wait_for_log("ready"));
    const TaskStatus before = status();
    const platform::UniqueFd main = platform::open_process(before.main);
    ASSERT_TRUE(main.is_open());
    kill(before.shim.pid, SIGSTOP);
    runtime.reset();
    const pid_t keeper = own->keeper();
    own.reset();
    kill(before.shim.pid, SIGKILL);
    ASSERT_TRUE(platform::write_file(root + "/go", "\n"));
    pollfd ended = {main.get(), POLLIN, 0};
    ASSERT_EQ(poll(&ended, 1, 8000), 1);

    spawner = &shared_spawner();
    open();
    const model::TaskOutcome outcome = wait_for_end();
    EXPECT_EQ(outcome.end, TaskEnd::kShimLost);
    EXPECT_EQ(outcome.signal, 0) << "how it ended nobody saw";
    EXPECT_TRUE(log().starts_with("ready\n1\n2\n")) << log();
    EXPECT_TRUE(log().ends_with("\n1000\n")) << log();
    int status = 0;
    EXPECT_EQ(waitpid(keeper, &status, 0), keeper) << "nothing is kept that was read";
}

TEST_F(TaskTest, ItsShimIsSmall) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "a sanitizer's shadow memory alone is more than that";
#endif
    shell("echo ready; sleep 1000");
    launch();
    ASSERT_TRUE(wait_for_log("ready"));
    const std::string rollup =
        platform::read_file("/proc/" + std::to_string(status().shim.pid) + "/smaps_rollup", 1 << 16)
            .value();
    std::int64_t private_kib = 0;
    for (const char* key : {"Private_Clean:", "Private_Dirty:"}) {
        const std::size_t at = rollup.find(key);
        ASSERT_NE(at, std::string::npos);
        private_kib += first_number(rollup.substr(at + std::string(key).size()));
    }
    RecordProperty("private_kib", static_cast<int>(private_kib));
    EXPECT_LT(private_kib, 1024);
    runtime->stop(kKey, StopForce::kKill);
    wait_for_end();
}

}  // namespace
}  // namespace reeve::agent::process
