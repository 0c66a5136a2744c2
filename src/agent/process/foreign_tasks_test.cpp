// Goal: the tasks of another cluster, whose jobs have the same numbers, are neither taken for this
// one's nor touched; and this one's are found where an older version has put them.
#include <cstdio>
#include <string>

#include <gtest/gtest.h>

#include "agent/process/process_runtime_fixture.hpp"

namespace reeve::agent::process {
namespace {

class ForeignTasksTest : public TaskTest {
  protected:
    [[nodiscard]] std::string tasks() const { return root + "/tasks"; }

    /// Where it was before clusters had folders.
    [[nodiscard]] std::string older() const { return older_task_directory(tasks(), kKey); }

    /// As an older version had it. What runs goes on: its shim has open what it needs.
    void make_older() {
        ASSERT_EQ(rename(directory().c_str(), older().c_str()), 0);
        runtime.reset();
    }

    /// The agent of a cluster made anew over the same directory.
    void begin_anew() {
        cluster = "new-" + std::to_string(getpid());
        open();
    }
};

TEST_F(ForeignTasksTest, AnEqualKeyOfANewClusterRunsItself) {
    const std::string old = cluster;
    EXPECT_EQ(run("echo old; exit 3").exit_code, 3);
    const std::string olds = directory();
    begin_anew();
    EXPECT_TRUE(listed.empty());
    EXPECT_EQ(run("echo new").exit_code, 0);
    EXPECT_EQ(log(), "new\n");
    EXPECT_EQ(read_log(olds, LogStream::kOutput, 0, 100)->bytes, "old\n");
    EXPECT_EQ(find_task_directory(tasks(), old, kKey), olds);
    EXPECT_EQ(find_task_directory(tasks(), cluster, kKey), directory());
}

TEST_F(ForeignTasksTest, AStopOfANewClusterEndsNothingOfTheOld) {
    shell("echo ready; read line < " + root + "/go; exit 6");
    ASSERT_EQ(mkfifo((root + "/go").c_str(), 0600), 0);
    launch();
    ASSERT_TRUE(wait_for_log("ready"));
    for (const bool is_older : {false, true}) {
        SCOPED_TRACE(is_older);
        const std::string old = cluster;
        if (is_older) {
            make_older();
        }
        begin_anew();
        EXPECT_TRUE(listed.empty());
        EXPECT_EQ(foreign_tasks(tasks(), cluster, boot_id).running, 1U);
        runtime->stop(kKey, StopForce::kKill);
        const auto ended = wait_for<RuntimeEnded>();
        ASSERT_TRUE(ended);
        EXPECT_EQ(ended->outcome.end, TaskEnd::kNeverStarted);
        ASSERT_TRUE(platform::remove_tree(directory()));
        cluster = old;
        open();
    }
    ASSERT_EQ(listed.size(), 1U) << "it runs, and its own cluster finds it where it was";
    EXPECT_EQ(directory(), older());
    EXPECT_EQ(foreign_tasks(tasks(), cluster, boot_id).kept, 0U);
    ASSERT_TRUE(platform::write_file(root + "/go", "\n"));
    EXPECT_EQ(wait_for_end().exit_code, 6);
}

TEST_F(ForeignTasksTest, WhatAnOlderVersionLeftIsAnsweredForAndRemoved) {
    EXPECT_EQ(run("echo once; exit 4").exit_code, 4);
    make_older();
    open();
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0].outcome->exit_code, 4);
    launch();
    EXPECT_EQ(wait_for<RuntimeEnded>()->outcome.exit_code, 4) << "it does not start again";
    runtime->acknowledge(kKey);
    open();
    EXPECT_TRUE(listed.empty());
    EXPECT_EQ(find_task_directory(tasks(), cluster, kKey), older());
    launch();
    EXPECT_EQ(wait_for<RuntimeEnded>()->outcome.exit_code, 4) << "also once it is acknowledged";
    runtime->remove(kKey);
    EXPECT_EQ(platform::list_directory(older())->size(), 1U);
    launch();
    EXPECT_TRUE(wait_for<RuntimeRemoved>());
}

TEST_F(ForeignTasksTest, WhatHasNoClusterIsNobodys) {
    run("echo x");
    ASSERT_EQ(remove((directory() + kOrderFile).c_str()), 0);
    make_older();
    open();
    EXPECT_TRUE(listed.empty());
    EXPECT_EQ(foreign_tasks(tasks(), cluster, boot_id).kept, 1U);
    EXPECT_EQ(foreign_tasks(tasks(), cluster, boot_id).running, 0U);
    EXPECT_EQ(run("echo y").end, TaskEnd::kExited);
    EXPECT_EQ(log(), "y\n");
    EXPECT_EQ(read_log(older(), LogStream::kOutput, 0, 100)->bytes, "x\n");
}

}  // namespace
}  // namespace reeve::agent::process
