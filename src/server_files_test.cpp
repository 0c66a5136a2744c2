#include "server_files.hpp"

#include <cstdlib>
#include <utility>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/files.hpp"

namespace reeve {
namespace {

class ServerFiles : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "reeve-files-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        data = name;
    }

    void TearDown() override { EXPECT_TRUE(platform::remove_tree(data)); }

    std::string data;
    DataDirectory files;
};

TEST_F(ServerFiles, OnlyRootsDataDirectoryIsReachableByOthersAndNobodyListsIt) {
    const mode_t mask = umask(0);
    const auto mode_of = [](const std::string& path) -> mode_t {
        struct stat found = {};
        return stat(path.c_str(), &found) == 0 ? found.st_mode & 07777U : 0;
    };
    ASSERT_TRUE(make_data_directory(data + "/new"));
    if (geteuid() != 0) {
        EXPECT_EQ(mode_of(data + "/new"), 0700U);
    } else {
        EXPECT_EQ(mode_of(data + "/new"), 0711U);
        EXPECT_EQ(mode_of(data), 0700U) << "that is not ours";
        for (const auto& [before, after] : {
                 std::pair<mode_t, mode_t>(0700, 0711), {0755, 0755},
                    {0750, 0751}
        }) {
            ASSERT_EQ(chmod((data + "/new").c_str(), before), 0);
            ASSERT_TRUE(make_data_directory(data + "/new"));
            EXPECT_EQ(mode_of(data + "/new"), after);
        }
        constexpr uid_t kNobody = 65534;
        ASSERT_EQ(chmod(data.c_str(), 0777), 0);
        ASSERT_EQ(seteuid(kNobody), 0);
        EXPECT_TRUE(make_data_directory(data + "/own"));
        ASSERT_EQ(seteuid(0), 0);
        EXPECT_EQ(mode_of(data + "/own"), 0700U);
    }
    umask(mask);
}

TEST_F(ServerFiles, RestoreOverADatabaseSaysHowToMoveItAside) {
    ASSERT_TRUE(platform::write_file(data + "/reeve.db", "older"));
    ASSERT_TRUE(platform::write_file(data + "/backup.db", "newer"));
    const auto restored = files.restore(data, data + "/backup.db");
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, ErrorCode::kConflict);
    EXPECT_EQ(
        restored.error().message, data + "/reeve.db is there; move it aside first: mkdir " + data +
                                      "/old && mv " + data + "/reeve.db* " + data + "/old/");
    EXPECT_EQ(platform::read_file(data + "/reeve.db", 100).value(), "older");
}

TEST_F(ServerFiles, RestoreBesideTheLogOfALostDatabaseSaysTheSame) {
    ASSERT_TRUE(platform::write_file(data + "/reeve.db-wal", "older"));
    const auto restored = files.restore(data, data + "/backup.db");
    ASSERT_FALSE(restored);
    EXPECT_TRUE(
        restored.error().message.starts_with(data + "/reeve.db-wal is there; move it aside first"))
        << restored.error().message;
}

TEST_F(ServerFiles, RestoreUnderARunningServerNamesIt) {
    const auto lock = platform::FileLock::acquire(data + "/lock");
    ASSERT_TRUE(lock);
    const auto restored = files.restore(data, data + "/backup.db");
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, ErrorCode::kConflict);
    EXPECT_NE(restored.error().message.find(std::to_string(::getpid())), std::string::npos)
        << restored.error().message;
}

TEST_F(ServerFiles, RestoreOfNothingLeavesNothing) {
    const auto restored = files.restore(data, data + "/none.db");
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, ErrorCode::kNotFound);
    EXPECT_EQ(restored.error().message, data + "/none.db does not exist");
    EXPECT_FALSE(platform::path_exists(data + "/reeve.db"));
}

TEST_F(ServerFiles, WhatIsNoDatabaseIsNamedAndLeavesNothing) {
    const std::string file = data + "/notes.txt";
    ASSERT_TRUE(platform::write_file(file, std::string(8192, 'x')));
    for (const auto& error :
         {files.verify(file).error(), files.restore(data + "/new", file).error()}) {
        EXPECT_NE(error.message.find(file), std::string::npos) << error.message;
    }
    EXPECT_FALSE(platform::path_exists(data + "/new"));
}

}  // namespace
}  // namespace reeve
