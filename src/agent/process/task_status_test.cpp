#include "agent/process/task_status.hpp"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "agent/process/byte_code.hpp"
#include "agent/process/launch_plan.hpp"
#include "platform/files.hpp"

namespace reeve::agent::process {
namespace {

TaskStatus example() {
    return {
        .phase = TaskPhase::kEnded,
        .boot_id = "b4a2",
        .shim = {12, 345},
        .main = {13, 346},
        .output = {{100, 200}, 7, 99},
        .errors = {{0, 0}, 9, 98},
        .outcome =
            {model::TaskEnd::kOom, 137, 9, "no memory", 512, 1500, 4096,
                 std::chrono::microseconds(2'000'123)},
        .started_at = std::chrono::seconds(77),
    };
}

class Status : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "reeve-status-XXXXXX";
        root = mkdtemp(pattern.data());
        path = root + "/status";
    }

    void TearDown() override { EXPECT_TRUE(platform::remove_tree(root)); }

    void damage(std::size_t at) {
        std::string bytes = platform::read_file(path, 8192).value();
        bytes.at(at) = static_cast<char>(bytes.at(at) ^ 1);
        ASSERT_TRUE(platform::write_file(path, bytes));
    }

    std::string root;
    std::string path;
};

TEST_F(Status, IsReadAsItWasWritten) {
    ASSERT_TRUE(StatusFile::create(path, example()));
    EXPECT_EQ(read_status(path).value(), example());
    EXPECT_EQ(platform::read_file(path, 8192)->size(), StatusFile::kBytes);
}

TEST_F(Status, OfAnOlderVersionIsReadWithoutWhatItDidNotMeasure) {
    // Two numbers less at the end, and a checksum without them.
    const std::string slot = encode_slot(example(), 5);
    constexpr std::size_t kNumber = 8;
    constexpr std::size_t kHead = 3 * kNumber;  // Mark, checksum, size.
    const std::string body = slot.substr(kHead, slot.size() - kHead - 2 * kNumber);
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (const char byte : body) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3ULL;
    }
    ByteWriter older;
    older.put(static_cast<std::int64_t>(hash));
    older.put(std::string_view(body));
    const auto found = decode_slot(slot.substr(0, kNumber) + older.bytes());
    ASSERT_TRUE(found);
    TaskStatus want = example();
    want.started_at = {};
    want.outcome.ran_for.reset();
    EXPECT_EQ(found->status, want);
}

TEST_F(Status, TheNewestOfManyCounts) {
    StatusFile file = StatusFile::create(path, {}).value();
    for (int i = 1; i <= 5; ++i) {
        TaskStatus status = example();
        status.outcome.exit_code = i;
        ASSERT_TRUE(file.write(status));
        EXPECT_EQ(read_status(path)->outcome.exit_code, i);
    }
    StatusFile again = StatusFile::open(path).value();
    TaskStatus status = example();
    status.outcome.exit_code = 6;
    ASSERT_TRUE(again.write(status));
    EXPECT_EQ(read_status(path)->outcome.exit_code, 6);
}

TEST_F(Status, ATornWriteLeavesTheOneBefore) {
    StatusFile file = StatusFile::create(path, {.boot_id = "before"}).value();  // In slot 2.
    ASSERT_TRUE(file.write(example()));                                         // In slot 1.
    damage(60);
    EXPECT_EQ(read_status(path)->boot_id, "before");
    damage(2048 + 60);
    EXPECT_EQ(read_status(path).error().code, ErrorCode::kInternal);
}

TEST_F(Status, IsNeverMadeTwiceAndMayBeMissing) {
    ASSERT_TRUE(StatusFile::create(path, {}));
    EXPECT_EQ(StatusFile::create(path, {}).error().code, ErrorCode::kConflict);
    EXPECT_EQ(read_status(root + "/none").error().code, ErrorCode::kNotFound);
}

TEST(StatusSlot, CutsALongMessageAndRefusesNonsense) {
    TaskStatus status = example();
    status.outcome.message = std::string(100'000, 'x');
    const std::string slot = encode_slot(status, 7);
    ASSERT_LE(slot.size(), StatusFile::kBytes / 2);
    EXPECT_EQ(decode_slot(slot)->status.outcome.message.size(), StatusFile::kMessageBytesMax);
    EXPECT_EQ(decode_slot(slot)->sequence, 7);
    for (std::size_t size = 0; size < slot.size(); ++size) {
        EXPECT_FALSE(decode_slot(slot.substr(0, size))) << size;
    }
    EXPECT_FALSE(decode_slot(std::string(2048, '\0')));
}

TEST(Plan, IsReadAsItWasWritten) {
    LaunchPlan plan;
    plan.shim = {
        .task = "1.0.1.0",
        .boot_id = "b",
        .stop_signal = 2,
        .time_limit_s = 60,
        .splits_output = 1,
        .copies_output = 1,
        .file_uid = 1000,
        .file_gid = 1001,
        .cgroup = {CgroupKind::kV1, "/a", "/b", "/c", "/d", "/e", ""},
        .limits = {500, 64, 100, {{0, 2}}},
    };
    plan.child = {
        1, 1000, 1001, {5, 6},
           "/work", "out", "err", 1, "/s", {"a", ""},
           {"K=V"}
    };
    const std::string bytes = encode(plan);
    EXPECT_EQ(decode_shim_plan(bytes).value(), plan.shim);
    EXPECT_EQ(decode_child_plan(bytes).value(), plan.child);
    EXPECT_EQ(decode_shim_plan(bytes.substr(0, kShimPlanBytesMax)).value(), plan.shim);
    plan.shim.limits.gpu_minors.reset();
    EXPECT_EQ(decode_shim_plan(encode(plan)).value(), plan.shim);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode_child_plan(bytes.substr(0, size))) << size;
    }
}

}  // namespace
}  // namespace reeve::agent::process
