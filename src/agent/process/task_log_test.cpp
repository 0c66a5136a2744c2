#include "agent/process/task_log.hpp"

#include <array>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/process/log_reader.hpp"
#include "agent/process/task_directory.hpp"
#include "platform/files.hpp"

namespace reeve::agent::process {
namespace {

class Log : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "reeve-log-XXXXXX";
        root = mkdtemp(pattern.data());
        file.emplace(StatusFile::create(root + kStatusFile, status).value());
        std::array<int, 2> ends = {};
        ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
        read_end = platform::UniqueFd(ends[0]);
        write_end = platform::UniqueFd(ends[1]);
    }

    void TearDown() override { EXPECT_TRUE(platform::remove_tree(root)); }

    TaskLog open_log(std::int64_t bytes_max) {
        return TaskLog::open({
                                 .path = root + kLogFile,
                                 .bytes_max = bytes_max,
                                 .dropped = status.output.dropped,
                                 .record =
                                     [this](const DroppedRange& dropped) {
                                         status.output.dropped = dropped;
                                         return file->write(status).has_value();
                                     },
                             })
            .value();
    }

    void put(TaskLog& log, const std::string& bytes) {
        ASSERT_TRUE(platform::write_all(write_end.get(), bytes));
        while (log.pump(read_end.get()) == Pumped::kSome) {
        }
    }

    LogPiece read(std::int64_t offset, std::size_t bytes_max = 1 << 20) {
        return read_log(root, LogStream::kOutput, offset, bytes_max).value();
    }

    void end() {
        status.phase = TaskPhase::kEnded;
        ASSERT_TRUE(file->write(status));
    }

    std::string root;
    TaskStatus status = {.phase = TaskPhase::kRunning};
    std::optional<StatusFile> file;
    platform::UniqueFd read_end;
    platform::UniqueFd write_end;
};

TEST_F(Log, KeepsEveryByteInOrder) {
    TaskLog log = open_log(1 << 20);
    put(log, "one ");
    put(log, "two");
    EXPECT_EQ(log.size(), 7);
    EXPECT_EQ(log.pump(read_end.get()), Pumped::kNothing);
    write_end.reset();
    EXPECT_EQ(log.pump(read_end.get()), Pumped::kEnd);
    EXPECT_EQ(read(0).bytes, "one two");
}

TEST_F(Log, IsReadByOffsetAndKnowsItsEnd) {
    EXPECT_EQ(read(0).bytes, "") << "no log yet";
    TaskLog log = open_log(1 << 20);
    put(log, "0123456789");
    EXPECT_EQ(read(2, 3).bytes, "234");
    EXPECT_EQ(read(2, 3).next_offset, 5);
    EXPECT_EQ(read(10).bytes, "");
    EXPECT_EQ(read(10).next_offset, 10);
    EXPECT_FALSE(read(10).is_finished);
    end();
    EXPECT_FALSE(read(5, 3).is_finished);
    EXPECT_TRUE(read(5, 5).is_finished);
    EXPECT_TRUE(read(10).is_finished);
    EXPECT_TRUE(read(99).is_finished);
    EXPECT_FALSE(read_log(root, LogStream::kOutput, -1, 5));
    EXPECT_FALSE(read_log(root + "/none", LogStream::kOutput, 0, 5));
}

TEST_F(Log, GoesOnWhereAnotherWriterStopped) {
    {
        TaskLog log = open_log(1 << 20);
        put(log, "first ");
    }
    TaskLog log = open_log(1 << 20);
    put(log, "second");
    EXPECT_EQ(read(0).bytes, "first second");
}

TEST_F(Log, BeyondItsBoundTheMiddleIsDroppedAndOffsetsStay) {
    constexpr std::int64_t kBound = 256 << 10;
    constexpr std::int64_t kLine = 16;
    TaskLog log = open_log(kBound);
    std::string block;
    for (std::int64_t line = 0; line < (2 << 20) / kLine; ++line) {
        std::string text = std::to_string(line);
        block += text + std::string(kLine - 1 - text.size(), '.') + "\n";
        if (block.size() == 32 << 10) {
            put(log, block);
            block.clear();
        }
    }
    end();
    const DroppedRange dropped = log.dropped();
    EXPECT_EQ(log.size(), 2 << 20);
    EXPECT_EQ(dropped.begin, kBound / 2);
    EXPECT_GE(log.size() - dropped.end, kBound / 2);
    EXPECT_LT(log.size() - dropped.end, kBound / 2 + (64 << 10));
    struct stat found = {};
    ASSERT_EQ(stat((root + kLogFile).c_str(), &found), 0);
    EXPECT_EQ(found.st_size, 2 << 20);
    EXPECT_LT(found.st_blocks * 512, kBound + (128 << 10)) << "the middle takes no room";

    std::int64_t offset = 0;
    bool is_mark_seen = false;
    while (true) {
        const LogPiece piece = read(offset, 10'000);
        EXPECT_EQ(piece.dropped, dropped);
        EXPECT_EQ(piece.bytes.find('\0'), std::string::npos);
        for (std::size_t i = 0; i < piece.bytes.size(); ++i) {
            const std::int64_t line = (offset + static_cast<std::int64_t>(i)) / kLine;
            const auto column = (static_cast<std::size_t>(offset) + i) % kLine;
            const std::string number = std::to_string(line);
            if (column < number.size()) {
                ASSERT_EQ(piece.bytes[i], number[column]) << "at " << offset << " + " << i;
            }
        }
        is_mark_seen = is_mark_seen || (piece.bytes.empty() && piece.next_offset == dropped.end);
        offset = piece.next_offset;
        if (piece.is_finished) {
            break;
        }
    }
    EXPECT_TRUE(is_mark_seen);
    EXPECT_EQ(offset, log.size());
}

TEST_F(Log, WhatCannotWaitForAFullDiskIsSaidToBeGone) {
    TaskLog log = open_log(1 << 20);
    put(log, "kept");
    ASSERT_TRUE(platform::write_all(write_end.get(), "lost"));
    log.discard(read_end.get());
    end();
    EXPECT_EQ(log.size(), 8);
    EXPECT_EQ(read(0).bytes, "kept");
    EXPECT_EQ(read(4).bytes, "");
    EXPECT_EQ(read(4).next_offset, 8);
    EXPECT_EQ(read(4).dropped, (DroppedRange{4, 8}));
}

}  // namespace
}  // namespace reeve::agent::process
