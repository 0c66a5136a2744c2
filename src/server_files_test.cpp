#include "server_files.hpp"

#include <cstdlib>

#include <gtest/gtest.h>
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

}  // namespace
}  // namespace reeve
