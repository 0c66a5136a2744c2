// Goal: what a task's directory and the runtime say is what really happened to its processes,
// however they end, and whatever is killed in between.
// Method: real tasks under real shims. Waiting is on the runtime's descriptor, with a time limit
// that only a bug reaches.
#include <csignal>
#include <cstdlib>
#include <string>
#include <tuple>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include "agent/process/process_runtime_fixture.hpp"

namespace reeve::agent::process {
namespace {

TEST_F(TaskTest, TellsExitCodesAndKeepsTheLog) {
    const model::TaskOutcome outcome = run("echo out; echo err >&2; exit 3");
    EXPECT_EQ(outcome.end, TaskEnd::kExited);
    EXPECT_EQ(outcome.exit_code, 3);
    EXPECT_EQ(log(), "out\nerr\n");
    EXPECT_EQ(outcome.log_bytes, 8);
    ASSERT_GE(seen.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<RuntimeStarted>(seen[0])) << "a start is told before an end";
}

TEST_F(TaskTest, TellsSignals) {
    const model::TaskOutcome outcome = run("kill -SEGV $$");
    EXPECT_EQ(outcome.end, TaskEnd::kSignalled);
    EXPECT_EQ(outcome.signal, SIGSEGV);
}

TEST_F(TaskTest, SplitsTheOutputIfItIsTo) {
    execution.splits_output = true;
    EXPECT_EQ(run("echo out; echo err >&2").end, TaskEnd::kExited);
    EXPECT_EQ(log(), "out\n");
    EXPECT_EQ(log(LogStream::kErrors), "err\n");
}

TEST_F(TaskTest, RunsAScriptWithItsArguments) {
    execution.script = "#!/bin/sh\necho \"$1-$2\"\n";
    execution.argv = {"a b", "c"};
    launch();
    EXPECT_EQ(wait_for_end().exit_code, 0);
    EXPECT_EQ(log(), "a b-c\n");
}

TEST_F(TaskTest, SaysWhyACommandDidNotStart) {
    struct Case {
        const char* name;
        std::vector<std::string> argv;
        std::string script;
        std::string directory;
        const char* want;
    };

    ASSERT_TRUE(platform::write_file(root + "/plain", "x", 0644));
    ASSERT_TRUE(platform::write_file(root + "/odd", "echo hi\n", 0755));
    const std::vector<Case> cases = {
        {"not in PATH",    {"no-such-command"},  "",             "/",     "`reeve run -e PATH` "            },
        {"no such file",   {"/no/such/command"}, "",             "/",     "there is no"                     },
        {"not executable", {root + "/plain"},    "",             "/",     "may not execute"                 },
        {"no program",     {root + "/odd"},      "",             "/",     "neither a program"               },
        {"no directory",   {"true"},             "",             "/none", "working directory /none: No such"},
        {"no interpreter", {},                   "#!/no/such\n", "/",     "first line of the script"        },
        {"no first line",  {},                   "echo hi\n",    "/",     "does not begin with #!"          },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        execution = {.argv = c.argv, .script = c.script, .working_dir = c.directory};
        launch();
        const model::TaskOutcome outcome = wait_for_end();
        EXPECT_EQ(outcome.end, TaskEnd::kStartFailed);
        EXPECT_NE(outcome.message.find(c.want), std::string::npos) << outcome.message;
        ASSERT_TRUE(platform::remove_tree(directory()));
    }
}

TEST_F(TaskTest, AJobThatNobodyCanStartIsAFailedStartToo) {
    model::TaskOrder bad = order();
    bad.spec_json = "{";
    runtime->launch(bad);
    EXPECT_EQ(wait_for_end().end, TaskEnd::kStartFailed);
    EXPECT_EQ(status().phase, TaskPhase::kEnded);
}

TEST_F(TaskTest, HasACleanEnvironment) {
    ASSERT_EQ(setenv("SECRET_OF_THE_SERVER", "x", 1), 0);
    granted = {
        {"GPU-a", 1000, 100}
    };
    run("env");
    EXPECT_EQ(log().find("SECRET_OF_THE_SERVER"), std::string::npos);
    EXPECT_NE(log().find("CUDA_VISIBLE_DEVICES=GPU-a\n"), std::string::npos);
    EXPECT_NE(log().find("REEVE_CLUSTER_ID=" + cluster), std::string::npos);
}

TEST_F(TaskTest, IsStoppedWithItsSignalAndGrace) {
    shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    launch();
    ASSERT_TRUE(wait_for_log("ready"));
    runtime->stop(kKey, StopForce::kGraceful);
    const model::TaskOutcome outcome = wait_for_end();
    EXPECT_EQ(outcome.end, TaskEnd::kStopped);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_NE(log().find("bye\n"), std::string::npos) << log();
}

TEST_F(TaskTest, ThatIgnoresTheSignalIsKilledAfterItsGrace) {
    shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    launch();
    ASSERT_TRUE(wait_for_log("ready"));
    const auto before = platform::monotonic_now();
    runtime->stop(kKey, StopForce::kGraceful);
    const model::TaskOutcome outcome = wait_for_end();
    EXPECT_EQ(outcome.end, TaskEnd::kStopped);
    EXPECT_EQ(outcome.signal, SIGKILL);
    EXPECT_EQ(outcome.message, "it did not end within its grace of 1 s and had to be killed");
    EXPECT_GE(platform::monotonic_now() - before, 1s);
}

TEST_F(TaskTest, WhatTheMainProcessLeavesHasItsGraceInAStop) {
    shell(
        "(trap 'sleep 0.3; echo saved; exit' TERM; echo ready; while :; do sleep 0.05; done) & "
        "wait");
    launch();
    ASSERT_TRUE(wait_for_log("ready"));
    runtime->stop(kKey, StopForce::kGraceful);
    model::TaskOutcome outcome = wait_for_end();
    EXPECT_EQ(outcome.end, TaskEnd::kStopped);
    EXPECT_EQ(outcome.message, "");
    EXPECT_NE(log().find("saved\n"), std::string::npos) << log();
    ASSERT_TRUE(platform::remove_tree(directory()));

    shell("(trap '' TERM; echo ready; while :; do sleep 0.05; done) & wait");
    launch();
    ASSERT_TRUE(wait_for_log("ready"));
    runtime->stop(kKey, StopForce::kGraceful);
    outcome = wait_for_end();
    EXPECT_EQ(outcome.end, TaskEnd::kStopped);
    EXPECT_EQ(
        outcome.message,
        "what it left running did not end within its grace of 1 s and had to be killed");
}

TEST_F(TaskTest, IsKilledAtOnceIfForced) {
    execution.stop_grace_s = 1000;
    shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    launch();
    ASSERT_TRUE(wait_for_log("ready"));
    runtime->stop(kKey, StopForce::kGraceful);
    runtime->stop(kKey, StopForce::kKill);
    const model::TaskOutcome outcome = wait_for_end();
    EXPECT_EQ(outcome.end, TaskEnd::kStopped);
    EXPECT_EQ(outcome.message, "") << "it had no grace to outlive";
}

TEST_F(TaskTest, AStopRightAfterTheLaunchIsNotLost) {
    execution.stop_grace_s = 0;
    shell("sleep 1000");
    launch();
    runtime->stop(kKey, StopForce::kGraceful);
    EXPECT_EQ(wait_for_end().end, TaskEnd::kStopped);
}

/// It may come before the task is in its group.
TEST_F(TaskTest, AStopRightAfterTheLaunchDoesNotWaitForTheGrace) {
    execution.stop_grace_s = 1000;
    for (int i = 0; i < 20; ++i) {
        shell("sleep 1000");
        launch();
        for (int turns = 0; turns < i; ++turns) {
            pollfd nothing = {-1, 0, 0};
            poll(&nothing, 1, 1);
            std::ignore = runtime->collect();
        }
        runtime->stop(kKey, StopForce::kGraceful);
        EXPECT_EQ(wait_for_end().end, TaskEnd::kStopped);
        ASSERT_TRUE(platform::remove_tree(directory()));
    }
}

TEST_F(TaskTest, EndsAtItsTimeLimit) {
    time_limit_s = 1;
    const model::TaskOutcome outcome = run("sleep 1000");
    EXPECT_EQ(outcome.end, TaskEnd::kTimeLimit);
    EXPECT_EQ(outcome.message, "");
    ASSERT_TRUE(outcome.ran_for);
    EXPECT_GE(*outcome.ran_for, 900ms);
    EXPECT_LT(*outcome.ran_for, kPatience);
}

TEST_F(TaskTest, SaysThatItsTimeIsUpWhileItHasItsGrace) {
    time_limit_s = 1;
    execution.stop_grace_s = 1000;
    shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    launch();
    ASSERT_TRUE(wait_for<RuntimeOverdue>());
    open();  // Whoever comes then is told, too.
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_TRUE(listed[0].has_started);
    EXPECT_FALSE(listed[0].outcome);
    ASSERT_TRUE(wait_for<RuntimeOverdue>());
    runtime->stop(kKey, StopForce::kKill);
    EXPECT_EQ(wait_for_end().end, TaskEnd::kTimeLimit);
}

TEST_F(TaskTest, ADaemonThatItLeavesIsKilled) {
    const model::TaskOutcome outcome =
        run("setsid sh -c 'trap \"\" HUP TERM; sleep 1000' >/dev/null 2>&1 & echo done");
    EXPECT_EQ(outcome.end, TaskEnd::kExited);
    EXPECT_EQ(log(), "done\n");
}

TEST_F(TaskTest, WithoutControlGroupsADaemonIsKilledTooAndAStopReachesAll) {
    tree = CgroupTree();
    run("setsid sh -c 'trap \"\" HUP TERM; sleep 1000' >/dev/null 2>&1 & echo done");
    EXPECT_EQ(log(), "done\n");
    ASSERT_TRUE(platform::remove_tree(directory()));
    shell("setsid sh -c 'trap \"\" TERM; sleep 1000' & echo ready; wait; sleep 1000");
    launch();
    ASSERT_TRUE(wait_for_log("ready"));
    runtime->stop(kKey, StopForce::kGraceful);
    EXPECT_EQ(wait_for_end().end, TaskEnd::kStopped);
}

TEST_F(TaskTest, AForkBombEndsAtItsLimit) {
    if (!has_groups()) {
        GTEST_SKIP() << "no control groups: " << tree.why_none();
    }
    pids_max = 50;
    open();
    shell("b() { b | b & }; echo ready; b; sleep 1000");
    launch();
    ASSERT_TRUE(wait_for_log("ready"));
    EXPECT_LE(left_behind(), 50U);
    runtime->stop(kKey, StopForce::kKill);
    EXPECT_EQ(wait_for_end().end, TaskEnd::kStopped);
}

TEST_F(TaskTest, TooMuchMemoryIsToldApart) {
    if (!has_groups()) {
        GTEST_SKIP() << "no control groups: " << tree.why_none();
    }
    memory_mib = 32;
    const model::TaskOutcome outcome = run("x=a; while :; do x=$x$x; done");
    EXPECT_EQ(outcome.end, TaskEnd::kOom);
    EXPECT_GE(outcome.memory_peak_mib, 16);
    EXPECT_LE(outcome.memory_peak_mib, 32);
}

TEST_F(TaskTest, MeasuresWhatWasUsed) {
    const model::TaskOutcome outcome = run("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done");
    EXPECT_GE(outcome.cpu_ms, 10);
}

TEST_F(TaskTest, ALogBeyondItsBoundLosesItsMiddle) {
    log_bytes_max = 1 << 20;
    open();
    const model::TaskOutcome outcome = run("echo first; yes | head -c 20000000; echo last");
    EXPECT_EQ(outcome.end, TaskEnd::kExited);
    EXPECT_EQ(outcome.log_bytes, 20'000'011);
    EXPECT_FALSE(status().output.dropped.is_empty());
    const auto tail = read_log(directory(), LogStream::kOutput, 20'000'005, 100).value();
    EXPECT_EQ(tail.bytes, "\nlast\n");
    struct stat found = {};
    ASSERT_EQ(stat((directory() + kLogFile).c_str(), &found), 0);
    EXPECT_LT(found.st_blocks * 512, 2 << 20);
}

TEST_F(TaskTest, AStartIsRepeatedWithoutASecondRun) {
    shell("echo once; sleep 0.2");
    launch();
    launch();
    wait_for_end();
    launch();
    EXPECT_EQ(wait_for<RuntimeEnded>()->outcome.end, TaskEnd::kExited);
    EXPECT_EQ(log(), "once\n");
}

TEST_F(TaskTest, StoppedBeforeItsStartItNeverStarts) {
    runtime->stop(kKey, StopForce::kGraceful);
    EXPECT_EQ(wait_for_end().end, TaskEnd::kNeverStarted);
    shell("echo ran");
    launch();
    EXPECT_EQ(wait_for<RuntimeEnded>()->outcome.end, TaskEnd::kNeverStarted);
    open();
    launch();
    EXPECT_EQ(wait_for<RuntimeEnded>()->outcome.end, TaskEnd::kNeverStarted);
    EXPECT_EQ(log(), "");
}

TEST_F(TaskTest, ItsProcessesAreKnownAsItsAndNoOthers) {
    shell("sleep 1000 & sh -c 'env -i sleep 1000 & echo $!; wait' & echo ready; wait");
    launch();
    const pid_t main = wait_for_start();
    ASSERT_TRUE(wait_for_log("ready"));
    const auto until = platform::monotonic_now() + kPatience;
    while (descendants_of(main).size() < 3 && platform::monotonic_now() < until) {
        pollfd nothing = {-1, 0, 0};
        poll(&nothing, 1, 5);
    }
    std::vector<pid_t> all = descendants_of(main);
    EXPECT_EQ(all.size(), 3U);
    all.push_back(main);
    for (const pid_t pid : all) {
        EXPECT_EQ(runtime->task_of(pid), kKey);
        EXPECT_EQ(task_of_process(cluster, pid, KnownBy::kEnvironment), to_string(kKey))
            << "its own, or that of what started it";
    }
    EXPECT_EQ(runtime->task_of(getpid()), std::nullopt);
    EXPECT_EQ(runtime->task_of(1), std::nullopt);
    EXPECT_EQ(runtime->task_of(0), std::nullopt);
    runtime->stop(kKey, StopForce::kKill);
    wait_for_end();
    EXPECT_EQ(runtime->task_of(main), std::nullopt);
}

}  // namespace
}  // namespace reeve::agent::process
