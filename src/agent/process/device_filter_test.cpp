// Goal: with the version 2 of control groups, too, only granted GPUs can be opened. Needs root, a
// mounted cgroup2 (its controllers do not matter) and a kernel that takes such programs.
#include "agent/process/device_filter.hpp"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.hpp"
#include "platform/files.hpp"

namespace reeve::agent::process {
namespace {

std::string mounted_v2() {
    const std::string mounts = platform::read_file("/proc/self/mounts", 1 << 20).value_or("");
    for (const std::string& line : split(mounts, '\n')) {
        const std::vector<std::string> words = split(line, ' ');
        if (words.size() > 2 && words[2] == "cgroup2") {
            return words[1];
        }
    }
    return "";
}

bool can_make(const std::string& path, unsigned major, unsigned minor) {
    return mknod(path.c_str(), S_IFCHR | 0600, makedev(major, minor)) == 0;
}

TEST(DeviceFilter, RefusesGpusThatWereNotGrantedAndNothingElse) {
    const std::string mount = mounted_v2();
    if (geteuid() != 0 || mount.empty()) {
        GTEST_SKIP() << "needs root and a mounted cgroup2";
    }
    const std::string group = mount + "/reeve-filter-test-" + std::to_string(getpid());
    if (!platform::make_directory_exclusive(group, 0755)) {
        GTEST_SKIP() << "cannot make a group in " << mount;
    }
    std::string root = testing::TempDir() + "reeve-filter-XXXXXX";
    ASSERT_NE(mkdtemp(root.data()), nullptr);
    const Result<void> denied = deny_gpus(group, {1, 7});
    if (!denied) {
        rmdir(group.c_str());
        GTEST_SKIP() << denied.error().message;
    }
    const pid_t child = fork();
    if (child == 0) {
        if (!platform::write_file(group + "/cgroup.procs", "0")) {
            _exit(100);
        }
        const bool is_as_wanted =
            !can_make(root + "/gpu0", 195, 0) && can_make(root + "/gpu1", 195, 1) &&
            !can_make(root + "/gpu2", 195, 2) && can_make(root + "/gpu7", 195, 7) &&
            !can_make(root + "/gpu253", 195, 253) && can_make(root + "/modeset", 195, 254) &&
            can_make(root + "/control", 195, 255) && can_make(root + "/null", 1, 3);
        _exit(is_as_wanted ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_TRUE(platform::remove_tree(root));
    EXPECT_EQ(rmdir(group.c_str()), 0);
}

}  // namespace
}  // namespace reeve::agent::process
