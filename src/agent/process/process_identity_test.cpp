// Goal: a task has what its user may have and what was granted, and nothing else. Needs root.
#include <csignal>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include "agent/process/process_runtime_fixture.hpp"

namespace reeve::agent::process {
namespace {

class RootTaskTest : public TaskTest {
  protected:
    void SetUp() override {
        if (geteuid() != 0) {
            GTEST_SKIP() << "needs root";
        }
        TaskTest::SetUp();
    }

    void TearDown() override {
        if (geteuid() == 0) {
            TaskTest::TearDown();
        }
    }
};

TEST_F(RootTaskTest, RunsAsTheUserWithoutPrivileges) {
    identity = {"nobody", 65534, 65534};
    EXPECT_EQ(run("id -u; id -g; grep NoNewPrivs /proc/self/status").exit_code, 0);
    EXPECT_EQ(log(), "65534\n65534\nNoNewPrivs:\t1\n");
}

TEST_F(RootTaskTest, RunsTheUsersScriptFromADirectoryThatIsClosedToHim) {
    identity = {"nobody", 65534, 65534};
    execution.script = "#!/bin/sh\nid -u\n";
    launch();
    EXPECT_EQ(wait_for_end().exit_code, 0) << status().outcome.message;
    EXPECT_EQ(log(), "65534\n");
}

TEST_F(RootTaskTest, EntersTheDirectoryAsTheUser) {
    ASSERT_EQ(mkdir((root + "/closed").c_str(), 0700), 0);
    identity = {"nobody", 65534, 65534};
    execution.working_dir = root + "/closed";
    const model::TaskOutcome outcome = run("true");
    EXPECT_EQ(outcome.end, TaskEnd::kStartFailed);
    EXPECT_NE(outcome.message.find("Permission denied"), std::string::npos) << outcome.message;
}

TEST_F(RootTaskTest, MayNotTouchTheDevicesOfGpusThatWereNotGranted) {
    if (tree.paths_of("x").devices.empty()) {
        GTEST_SKIP() << "no devices controller: " << tree.why_none();
    }
    gpus = {gpu("GPU-a", 0), gpu("GPU-b", 1)};
    granted = {
        {"GPU-b", 1000, 100}
    };
    open();
    run("cd " + root +
        "; mknod a c 195 0 && echo made a; mknod b c 195 1 && echo made b; "
        "mknod ctl c 195 255 && echo made ctl");
    EXPECT_EQ(log().find("made a"), std::string::npos) << log();
    EXPECT_NE(log().find("made b\nmade ctl\n"), std::string::npos) << log();
    EXPECT_NE(log().find("Operation not permitted"), std::string::npos) << log();
}

}  // namespace
}  // namespace reeve::agent::process
