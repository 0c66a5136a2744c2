#include <chrono>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "platform/clock.hpp"
#include "platform/files.hpp"
#include "platform/os_random.hpp"
#include "platform/system_error.hpp"

namespace reeve::platform {
namespace {

class Files : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "reeve-files-XXXXXX";
        root = mkdtemp(pattern.data());
    }

    void TearDown() override { EXPECT_TRUE(remove_tree(root)); }

    std::string root;
};

TEST(Clock, GoesForward) {
    EXPECT_GT(now_utc(), Instant(std::chrono::hours(24 * 365 * 50)));
    const auto before = monotonic_now();
    EXPECT_GE(monotonic_now(), before);
    EXPECT_GE(boottime_now() + std::chrono::seconds(1), before);
}

TEST(OsRandom, DoesNotRepeat) {
    OsRandom random;
    EXPECT_NE(random.next(), random.next());
    EXPECT_EQ(random_hex(16).size(), 32U);
    EXPECT_NE(random_hex(16), random_hex(16));
}

TEST_F(Files, AreReplacedWholeAndReadBack) {
    const std::string path = root + "/file";
    ASSERT_TRUE(write_file_atomic(path, "old and long"));
    ASSERT_TRUE(write_file_atomic(path, "new"));
    EXPECT_EQ(read_file(path, 3).value(), "new");
    EXPECT_EQ(list_directory(root).value(), std::vector<std::string>{"file"});
}

TEST_F(Files, OverTheCapAreRefused) {
    ASSERT_TRUE(write_file(root + "/file", "12345"));
    EXPECT_EQ(read_file(root + "/file", 5).value(), "12345");
    EXPECT_EQ(read_file(root + "/file", 4).error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(read_file(root + "/none", 4).error().code, ErrorCode::kNotFound);
}

TEST_F(Files, ADirectoryIsClaimedOnce) {
    EXPECT_TRUE(make_directory_exclusive(root + "/claim").value());
    EXPECT_FALSE(make_directory_exclusive(root + "/claim").value());
    EXPECT_FALSE(make_directory_exclusive(root + "/none/claim"));
}

TEST_F(Files, ParentsAreMade) {
    EXPECT_TRUE(make_directories(root + "/a/b/c"));
    EXPECT_TRUE(make_directories(root + "/a/b/c"));
    ASSERT_TRUE(write_file(root + "/a/file", ""));
    EXPECT_FALSE(make_directories(root + "/a/file/b"));
}

TEST_F(Files, RemovingATreeFollowsNoLink) {
    ASSERT_TRUE(make_directories(root + "/keep"));
    ASSERT_TRUE(write_file(root + "/keep/file", "x"));
    ASSERT_TRUE(make_directories(root + "/tree"));
    ASSERT_EQ(symlink((root + "/keep").c_str(), (root + "/tree/link").c_str()), 0);
    EXPECT_TRUE(remove_tree(root + "/tree"));
    EXPECT_TRUE(remove_tree(root + "/tree"));
    EXPECT_TRUE(path_exists(root + "/keep/file"));
}

TEST_F(Files, SayWhatTheyAre) {
    ASSERT_TRUE(write_file(root + "/file", "x", 0600));
    ASSERT_TRUE(write_file(root + "/program", "x", 0700));
    EXPECT_TRUE(is_directory(root));
    EXPECT_FALSE(is_directory(root + "/file"));
    EXPECT_FALSE(is_directory(root + "/none"));
    EXPECT_TRUE(is_executable(root + "/program"));
    EXPECT_FALSE(is_executable(root + "/file"));
    EXPECT_FALSE(is_executable(root + "/none"));
}

TEST_F(Files, ALockNamesItsHolder) {
    const Result<FileLock> first = FileLock::acquire(root + "/lock");
    ASSERT_TRUE(first);
    const Result<FileLock> second = FileLock::acquire(root + "/lock");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kConflict);
    EXPECT_NE(second.error().message.find(std::to_string(getpid())), std::string::npos);
}

TEST_F(Files, ALockIsFreeAgainWhenItsHolderIsGone) {
    {
        ASSERT_TRUE(FileLock::acquire(root + "/lock"));
    }
    EXPECT_TRUE(FileLock::acquire(root + "/lock"));
}

TEST(SystemError, SaysWhatFailedAndWhy) {
    const auto error = fail_errno("cannot write x", ENOSPC).value();
    EXPECT_EQ(error.code, ErrorCode::kStorageFull);
    EXPECT_EQ(error.message, "cannot write x: No space left on device");
    EXPECT_EQ(fail_errno("", EACCES).value().code, ErrorCode::kForbidden);
    EXPECT_EQ(fail_errno("", EIO).value().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace reeve::platform
