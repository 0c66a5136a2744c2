#include "agent/process/cgroups.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/files.hpp"

namespace reeve::agent::process {
namespace {

/// A made-up machine: files below a directory, where control groups keep what is written.
class FakeMachine : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "reeve-cgroup-XXXXXX";
        root = mkdtemp(pattern.data());
        put("/proc/self/cgroup", "0::/system.slice/reeve.service\n");
        put("/proc/self/mountinfo",
            "25 1 0:22 / /proc rw - proc proc rw\n"
            "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
        put(own() + "/cgroup.controllers", "cpuset cpu io memory pids\n");
    }

    void TearDown() override { EXPECT_TRUE(platform::remove_tree(root)); }

    void put(const std::string& path, const std::string& text) {
        const std::string whole = root + path;
        ASSERT_TRUE(platform::make_directories(whole.substr(0, whole.rfind('/'))));
        ASSERT_TRUE(platform::write_file(whole, text));
    }

    std::string get(const std::string& path) {
        return platform::read_file(root + path, 4096).value_or("(none)");
    }

    static std::string own() { return "/sys/fs/cgroup/system.slice/reeve.service"; }

    CgroupTree find() { return CgroupTree::find({.root = root, .name = "reeve"}); }

    std::string root;
};

TEST_F(FakeMachine, V2HandsItsControllersDown) {
    const CgroupTree tree = find();
    ASSERT_EQ(tree.kind(), CgroupKind::kV2) << tree.why_none();
    EXPECT_EQ(tree.enforcement(), "cgroup-v2");
    EXPECT_EQ(get(own() + "/cgroup.subtree_control"), "+cpu +memory +pids");
    EXPECT_EQ(get(own() + "/reeve/cgroup.subtree_control"), "+cpu +memory +pids");
    const CgroupPaths paths = tree.paths_of("1.0.1.0");
    EXPECT_EQ(paths.memory, root + own() + "/reeve/1.0.1.0");
    EXPECT_EQ(directories_of(paths).size(), 1U);
}

TEST_F(FakeMachine, V2LimitsAreWrittenWhereTheKernelReadsThem) {
    const CgroupPaths paths = find().paths_of("t");
    ASSERT_TRUE(make_cgroup(paths, {.cpu_millicores = 1500, .memory_mib = 64, .pids_max = 100}));
    const std::string at = own() + "/reeve/t";
    EXPECT_EQ(get(at + "/cpu.max"), "150000 100000");
    EXPECT_EQ(get(at + "/memory.max"), "67108864");
    EXPECT_EQ(get(at + "/memory.swap.max"), "0");
    EXPECT_EQ(get(at + "/pids.max"), "100");
    ASSERT_TRUE(join_cgroup(paths));
    EXPECT_EQ(get(at + "/cgroup.procs"), "0");
}

TEST_F(FakeMachine, V2WithoutLimitsStillBoundsProcesses) {
    const CgroupPaths paths = find().paths_of("t");
    ASSERT_TRUE(make_cgroup(paths, {}));
    EXPECT_EQ(get(own() + "/reeve/t/pids.max"), "4096");
    EXPECT_EQ(get(own() + "/reeve/t/memory.max"), "(none)");
    EXPECT_EQ(get(own() + "/reeve/t/cpu.max"), "(none)");
}

TEST_F(FakeMachine, V2TellsWhatWasUsedAndKilled) {
    const CgroupPaths paths = find().paths_of("t");
    const std::string at = own() + "/reeve/t";
    put(at + "/memory.peak", "104857600\n");
    put(at + "/memory.events", "low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n");
    put(at + "/cpu.stat", "usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n");
    const CgroupUsage usage = usage_of(paths);
    EXPECT_EQ(usage.memory_peak_mib, 100);
    EXPECT_EQ(usage.cpu_ms, 2500);
    EXPECT_EQ(usage.oom_kills, 1);
}

TEST_F(FakeMachine, V2KillsTheWholeGroupAtOnceWhereItCan) {
    const CgroupPaths paths = find().paths_of("t");
    const std::string at = own() + "/reeve/t";
    put(at + "/cgroup.kill", "");
    kill_cgroup(paths);
    EXPECT_EQ(get(at + "/cgroup.kill"), "1");
}

TEST_F(FakeMachine, V2FreezesBeforeItKillsOneByOneOnOldKernels) {
    const pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    const CgroupPaths paths = find().paths_of("t");
    const std::string at = own() + "/reeve/t";
    put(at + "/cgroup.procs", "0\n" + std::to_string(child) + "\n");
    EXPECT_EQ(pids_in_cgroup(paths), std::vector<std::int32_t>{child});
    kill_cgroup(paths);
    EXPECT_EQ(get(at + "/cgroup.freeze"), "0") << "and thaws it again";
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST_F(FakeMachine, AContainerSeesItsOwnPartOnly) {
    put("/proc/self/cgroup", "0::/docker/abc/inner\n");
    put("/proc/self/mountinfo", "30 23 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/inner/cgroup.controllers", "memory pids\n");
    const CgroupTree tree = find();
    ASSERT_EQ(tree.kind(), CgroupKind::kV2) << tree.why_none();
    EXPECT_EQ(tree.paths_of("t").memory, root + "/sys/fs/cgroup/inner/reeve/t");
    EXPECT_EQ(get("/sys/fs/cgroup/inner/cgroup.subtree_control"), "+memory +pids");
}

TEST_F(FakeMachine, WithoutTheMemoryControllerThereIsNoneAndItSaysWhy) {
    put(own() + "/cgroup.controllers", "cpu pids\n");
    const CgroupTree tree = find();
    EXPECT_EQ(tree.kind(), CgroupKind::kNone);
    EXPECT_EQ(tree.enforcement(), "none");
    EXPECT_NE(tree.why_none().find("memory"), std::string::npos) << tree.why_none();
    EXPECT_TRUE(directories_of(tree.paths_of("t")).empty());
    EXPECT_TRUE(pids_in_cgroup(tree.paths_of("t")).empty());
}

TEST_F(FakeMachine, V1IsTakenWhereV2HasNoControllers) {
    put("/proc/self/cgroup", "8:pids:/\n5:devices:/\n4:memory:/box\n2:cpu,cpuacct:/\n0::/\n");
    put("/proc/self/mountinfo",
        "32 31 0:29 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
        "35 31 0:32 / /cg/memory rw - cgroup cgroup rw,memory\n"
        "39 31 0:36 / /cg/pids rw - cgroup cgroup rw,pids\n"
        "36 31 0:33 / /cg/devices rw - cgroup cgroup rw,devices\n"
        "41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw\n");
    for (const char* directory : {"/cg/cpu/x", "/cg/memory/box/x", "/cg/pids/x", "/cg/devices/x"}) {
        put(directory, "");
    }
    const CgroupTree tree = find();
    ASSERT_EQ(tree.kind(), CgroupKind::kV1) << tree.why_none();
    const CgroupPaths paths = tree.paths_of("t");
    EXPECT_EQ(paths.memory, root + "/cg/memory/box/reeve/t");
    EXPECT_EQ(paths.cpu, paths.cpu_account);
    EXPECT_EQ(paths.freezer, "") << "not mounted";
    EXPECT_EQ(directories_of(paths).size(), 4U);
    ASSERT_TRUE(make_cgroup(
        paths, {.cpu_millicores = 500,
                .memory_mib = 1,
                .pids_max = 9,
                .gpu_minors = std::vector<std::int32_t>{}}));
    EXPECT_EQ(get("/cg/cpu/reeve/t/cpu.cfs_quota_us"), "50000");
    EXPECT_EQ(get("/cg/memory/box/reeve/t/memory.limit_in_bytes"), "1048576");
    EXPECT_EQ(get("/cg/pids/reeve/t/pids.max"), "9");
    EXPECT_EQ(get("/cg/devices/reeve/t/devices.deny"), "c 195:63 rwm") << "the last of many";
    ASSERT_TRUE(join_cgroup(paths));
    EXPECT_EQ(get("/cg/memory/box/reeve/t/tasks"), "0");
}

/// A cgroup2 of the kernel's own, which may be mounted beside v1: its controllers do not matter.
class RealV2 : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "reeve-cgroup2-XXXXXX";
        mount_point = mkdtemp(pattern.data());
        if (mount("none", mount_point.c_str(), "cgroup2", 0, nullptr) != 0) {
            GTEST_SKIP() << "cannot mount a cgroup2: " << std::strerror(errno);
        }
        group = mount_point + "/reeve-test-" + std::to_string(getpid());
        if (mkdir(group.c_str(), 0755) != 0) {
            GTEST_SKIP() << "cannot make a group in a cgroup2: " << std::strerror(errno);
        }
    }

    void TearDown() override {
        if (!group.empty()) {
            rmdir(group.c_str());
        }
        umount2(mount_point.c_str(), MNT_DETACH);
        EXPECT_EQ(rmdir(mount_point.c_str()), 0);
    }

    static CgroupPaths paths_at(const std::string& at) {
        return {CgroupKind::kV2, at, at, at, at, at, at};
    }

    std::string mount_point;
    std::string group;
};

TEST_F(RealV2, AChildBeginsInItsGroup) {
    const CgroupPaths paths = paths_at(group);
    std::array<int, 2> end = {};
    ASSERT_EQ(pipe(end.data()), 0);
    const ForkedInto forked = fork_into_cgroup(paths);
    if (forked.pid == 0) {
        char none = 0;
        close(end[1]);
        _exit(read(end[0], &none, 1) == 0 ? 7 : 8);
    }
    ASSERT_GT(forked.pid, 0);
    EXPECT_TRUE(forked.is_in_group);
    EXPECT_EQ(pids_in_cgroup(paths), std::vector<std::int32_t>{forked.pid});
    close(end[1]);
    int status = 0;
    ASSERT_EQ(waitpid(forked.pid, &status, 0), forked.pid);
    EXPECT_EQ(WEXITSTATUS(status), 7);
    close(end[0]);
}

TEST_F(RealV2, AChildWhoseGroupIsGoneHasToJoin) {
    const CgroupPaths paths = paths_at(group + "/gone");
    const ForkedInto forked = fork_into_cgroup(paths);
    if (forked.pid == 0) {
        _exit(0);
    }
    EXPECT_FALSE(forked.is_in_group);
    EXPECT_EQ(waitpid(forked.pid, nullptr, 0), forked.pid);
}

TEST(GroupName, DiffersBetweenServersThatCountTheirJobsAlike) {
    EXPECT_NE(group_name("5f2c8a019b7e4d21", "1.0.1.0"), group_name("a1d3c8a019b7e4d2", "1.0.1.0"));
    EXPECT_NE(group_name("5f2c8a019b7e4d21", "1.0.1.0"), group_name("5f2c8a019b7e4d21", "1.0.2.0"));
    EXPECT_EQ(group_name("5f2c8a019b7e4d21", "1.0.1.0"), "5f2c8a019b7e-1.0.1.0");
}

/// The groups that root's server left since the boot are no use to another user's.
TEST_F(FakeMachine, V1WithAnotherUsersGroupIsNotUsed) {
    put("/proc/self/cgroup", "9:memory:/\n8:pids:/\n");
    put("/proc/self/mountinfo",
        "31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "32 30 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n");
    put("/sys/fs/cgroup/memory/tasks", "");
    put("/sys/fs/cgroup/pids/tasks", "");
    ASSERT_EQ(find().kind(), CgroupKind::kV1) << find().why_none();
    const std::string group = root + "/sys/fs/cgroup/memory/reeve";
    for (const std::string& open : {root, group}) {
        ASSERT_EQ(chmod(open.c_str(), open == group ? 0555 : 0755), 0);
    }
    for (const char* way :
         {"/proc", "/proc/self", "/sys", "/sys/fs", "/sys/fs/cgroup", "/sys/fs/cgroup/memory",
          "/sys/fs/cgroup/pids"}) {
        ASSERT_EQ(chmod((root + way).c_str(), 0755), 0);
    }
    for (const char* file : {"/proc/self/cgroup", "/proc/self/mountinfo"}) {
        ASSERT_EQ(chmod((root + file).c_str(), 0644), 0);
    }
    const pid_t child = fork();
    if (child == 0) {
        constexpr uid_t kNobody = 65534;
        if (geteuid() == 0 && setuid(kNobody) != 0) {
            _exit(1);
        }
        const CgroupTree tree = find();
        const bool is_said = tree.why_none().find("may not write to " + group) != std::string::npos;
        _exit(tree.kind() == CgroupKind::kNone && tree.enforcement() == "none" && is_said ? 0 : 2);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_EQ(chmod(group.c_str(), 0755), 0);
}

}  // namespace
}  // namespace reeve::agent::process
