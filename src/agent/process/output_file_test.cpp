// Goal: a job's output file has what the job wrote, byte by byte, as its user may write it; and
// whatever becomes of the file, the job, its log and its end are what they are without one.
// Method: real tasks under real shims, and /dev/full, FIFOs and missing folders for a bad disk.
#include <csignal>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include "agent/process/process_runtime_fixture.hpp"

namespace reeve::agent::process {
namespace {

class OutputFileTest : public TaskTest {
  protected:
    void SetUp() override {
        TaskTest::SetUp();
        execution.working_dir = root;
        ASSERT_EQ(chmod(root.c_str(), 0777), 0);
    }

    std::string file(const std::string& name) {
        return platform::read_file(root + "/" + name, 64 << 20).value_or("(not there)");
    }

    /// Waits until the file is `text`.
    bool wait_for_file(const std::string& name, const std::string& text) {
        const auto until = platform::monotonic_now() + kPatience;
        while (file(name) != text && platform::monotonic_now() < until) {
            pollfd nothing = {-1, 0, 0};
            poll(&nothing, 1, 5);
        }
        return file(name) == text;
    }

    model::TaskOutcome run_order(const model::TaskOrder& wanted) {
        runtime->launch(wanted);
        return wait_for_end();
    }
};

TEST_F(OutputFileTest, HasBothOutputsAsTheLogHasThem) {
    execution.output_file = "out.txt";
    const model::TaskOutcome outcome = run("echo out; echo err >&2; echo more; exit 3");
    EXPECT_EQ(outcome.end, TaskEnd::kExited);
    EXPECT_EQ(outcome.exit_code, 3);
    EXPECT_EQ(outcome.message, "");
    EXPECT_EQ(log(), "out\nerr\nmore\n");
    EXPECT_EQ(file("out.txt"), log());
    EXPECT_EQ(outcome.log_bytes, 13);
    struct stat found = {};
    ASSERT_EQ(stat((root + "/out.txt").c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777U, 0644U);
}

TEST_F(OutputFileTest, HasMoreThanPipesHold) {
    execution.output_file = "out.txt";
    EXPECT_EQ(run("seq 1 400000").exit_code, 0);
    EXPECT_EQ(file("out.txt").size(), 2688895U);
    EXPECT_EQ(file("out.txt").substr(2688888), "400000\n");
    EXPECT_EQ(file("out.txt"), platform::read_file(directory() + kLogFile, 64 << 20).value());
}

TEST_F(OutputFileTest, IsNotBoundedAsTheLogIs) {
    log_bytes_max = 256 << 10;
    open();
    execution.output_file = "out.txt";
    EXPECT_EQ(run("seq 1 400000").exit_code, 0);
    EXPECT_EQ(file("out.txt").size(), 2688895U);
    EXPECT_FALSE(status().output.dropped.is_empty());
}

TEST_F(OutputFileTest, OfStandardErrorIsApart) {
    execution.output_file = "%j-%A-%a-%x-%N.out";
    execution.error_file = root + "/%%.err";
    execution.splits_output = true;
    EXPECT_EQ(run("echo out; echo err >&2").exit_code, 0);
    EXPECT_EQ(file("7-7-0-test-n1.out"), "out\n");
    EXPECT_EQ(file("%.err"), "err\n");
    EXPECT_EQ(log(), "out\n");
    EXPECT_EQ(log(LogStream::kErrors), "err\n");
}

TEST_F(OutputFileTest, TakesBothWhereTheyAreNamedAlike) {
    execution.output_file = "both";
    execution.error_file = "both";
    execution.splits_output = true;
    EXPECT_EQ(run("echo out; sleep 0.2; echo err >&2").exit_code, 0);
    EXPECT_EQ(file("both"), "out\nerr\n");
}

TEST_F(OutputFileTest, OfAnArrayIsNamedByItsElement) {
    execution.output_file = "%j_%A_%a";
    shell("echo hi");
    model::TaskOrder wanted = order();
    wanted.array_count = 10;
    EXPECT_EQ(run_order(wanted).exit_code, 0);
    EXPECT_EQ(file("7_0_7_0"), "hi\n");
}

TEST_F(OutputFileTest, BeginsAnewAtTheFirstAttemptOnly) {
    ASSERT_TRUE(platform::write_file(root + "/out.txt", "of yesterday\n", 0666));
    ASSERT_EQ(chmod((root + "/out.txt").c_str(), 0666), 0);
    execution.output_file = "out.txt";
    EXPECT_EQ(run("echo first").exit_code, 0);
    EXPECT_EQ(file("out.txt"), "first\n");

    shell("echo second");
    model::TaskOrder again = order();
    again.key.attempt = 2;
    EXPECT_EQ(run_order(again).exit_code, 0);
    EXPECT_EQ(file("out.txt"), "first\nsecond\n");
}

TEST_F(OutputFileTest, ThatCannotBeOpenedIsAFailedStart) {
    struct Case {
        const char* name;
        std::string path;
        std::string want;
    };

    ASSERT_EQ(mkfifo((root + "/fifo").c_str(), 0666), 0);
    ASSERT_EQ(symlink("loop", (root + "/loop").c_str()), 0);
    const std::vector<Case> cases = {
        {"no folder", "none/out.txt", "output file " + root + "/none/out.txt: its folder is not"},
        {"a folder", root, "is a folder; name a file in it"},
        {"no reader", "fifo", "nobody reads from this FIFO"},
        {"a circle", "loop", "Too many levels of symbolic links"},
        {"too long", std::string(300, 'n'), "File name too long"},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        execution.output_file = c.path;
        const model::TaskOutcome outcome = run("echo ran");
        EXPECT_EQ(outcome.end, TaskEnd::kStartFailed);
        EXPECT_NE(outcome.message.find(c.want), std::string::npos) << outcome.message;
        EXPECT_EQ(log(), "");
        ASSERT_TRUE(platform::remove_tree(directory()));
    }
    execution.output_file = "";
    execution.error_file = "none/err.txt";
    execution.splits_output = true;
    EXPECT_NE(
        run("echo ran").message.find("error file " + root + "/none/err.txt"), std::string::npos);
}

TEST_F(OutputFileTest, IsNotThePipeOfTheTaskItself) {
    execution.output_file = "/dev/stdout";
    const model::TaskOutcome outcome = run("echo ran");
    EXPECT_EQ(outcome.end, TaskEnd::kStartFailed);
    EXPECT_NE(outcome.message.find("output file /dev/stdout: "), std::string::npos)
        << outcome.message;
}

TEST_F(OutputFileTest, OnAFullDiskCostsTheJobNothing) {
    execution.output_file = "/dev/full";
    const model::TaskOutcome outcome = run("echo one; sleep 0.1; echo two; seq 1 100000; exit 4");
    EXPECT_EQ(outcome.end, TaskEnd::kExited);
    EXPECT_EQ(outcome.exit_code, 4);
    EXPECT_EQ(
        outcome.message,
        "output file /dev/full is incomplete: No space left on device; see `reeve logs`");
    const std::string said = "[reeve: " + outcome.message + "]\n";
    std::string all = platform::read_file(directory() + kLogFile, 1 << 20).value();
    // It is said once, where the log was when the thread that writes the file had told.
    ASSERT_NE(all.find(said), std::string::npos);
    all.erase(all.find(said), said.size());
    EXPECT_EQ(all.find(said), std::string::npos);
    EXPECT_TRUE(all.starts_with("one\ntwo\n1\n"));
    EXPECT_EQ(all.size(), 8U + 588895U);
    EXPECT_TRUE(all.ends_with("100000\n"));
}

TEST_F(OutputFileTest, WhoseReaderIsGoneCostsTheJobNothing) {
    ASSERT_EQ(mkfifo((root + "/fifo").c_str(), 0666), 0);
    ASSERT_EQ(chmod((root + "/fifo").c_str(), 0666), 0);
    platform::UniqueFd reader(::open((root + "/fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    execution.output_file = "fifo";
    shell("echo one; while [ ! -e go ]; do sleep 0.02; done; seq 1 100000; exit 5");
    launch();
    ASSERT_TRUE(wait_for_log("one"));
    reader.reset();
    ASSERT_TRUE(platform::write_file(root + "/go", ""));
    const model::TaskOutcome outcome = wait_for_end();
    EXPECT_EQ(outcome.exit_code, 5);
    EXPECT_NE(outcome.message.find("is incomplete: Broken pipe"), std::string::npos)
        << outcome.message;
    EXPECT_NE(log().find("\n100000\n"), std::string::npos);
}

TEST_F(OutputFileTest, ThatHangsNeitherKeepsTheJobFromAStopNorItsLog) {
    ASSERT_EQ(mkfifo((root + "/fifo").c_str(), 0666), 0);
    ASSERT_EQ(chmod((root + "/fifo").c_str(), 0666), 0);
    const platform::UniqueFd reader(
        ::open((root + "/fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    execution.output_file = "fifo";
    shell("trap '' TERM; seq 1 1000000");  // It writes until nothing is taken any more.
    launch();
    ASSERT_TRUE(wait_for_log("1\n2\n"));
    runtime->stop(kKey, StopForce::kGraceful);
    const auto ended = wait_for<RuntimeEnded>(30s);
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->outcome.end, TaskEnd::kStopped);
    EXPECT_NE(
        ended->outcome.message.find("its file system did not take all in time"), std::string::npos)
        << ended->outcome.message;
    EXPECT_EQ(log().find("1\n2\n"), 0U);
}

TEST_F(OutputFileTest, GoesOnWhileTheAgentIsAway) {
    execution.output_file = "out.txt";
    shell("echo one; while [ ! -e go ]; do sleep 0.02; done; echo two; exit 6");
    launch();
    ASSERT_TRUE(wait_for_log("one"));
    open();
    ASSERT_TRUE(platform::write_file(root + "/go", ""));
    EXPECT_EQ(wait_for_end().exit_code, 6);
    EXPECT_EQ(file("out.txt"), "one\ntwo\n");
}

TEST_F(OutputFileTest, IsOpenedWithNoRightsButTheUsers) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can become another user";
    }
    identity = {"nobody", 65534, 65534};
    ASSERT_TRUE(platform::write_file(root + "/secret", "of root\n", 0600));
    ASSERT_EQ(symlink((root + "/secret").c_str(), (root + "/link").c_str()), 0);
    for (const char* path : {"secret", "link"}) {
        execution.output_file = path;
        const model::TaskOutcome outcome = run("echo mine");
        EXPECT_EQ(outcome.end, TaskEnd::kStartFailed) << path;
        EXPECT_NE(outcome.message.find("Permission denied"), std::string::npos) << outcome.message;
        EXPECT_EQ(file("secret"), "of root\n");
        ASSERT_TRUE(platform::remove_tree(directory()));
    }
    execution.output_file = "mine.txt";
    EXPECT_EQ(run("echo mine").exit_code, 0);
    EXPECT_EQ(file("mine.txt"), "mine\n");
    struct stat found = {};
    ASSERT_EQ(stat((root + "/mine.txt").c_str(), &found), 0);
    EXPECT_EQ(found.st_uid, 65534U);
}

TEST_F(OutputFileTest, IsWrittenWithNoRightsButTheUsers) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can become another user";
    }
    identity = {"nobody", 65534, 65534};
    execution.output_file = "out.txt";
    shell("echo ready; while [ ! -e go ]; do sleep 0.02; done");
    launch();
    ASSERT_TRUE(wait_for_file("out.txt", "ready\n"));
    const std::string threads = "/proc/" + std::to_string(status().shim.pid) + "/task";
    std::string writers;
    const std::vector<std::string> names = platform::list_directory(threads).value();
    for (const std::string& thread : names) {
        const std::string path = std::filesystem::path(threads) / thread / "status";
        const std::string facts = platform::read_file(path, 16 << 10).value();
        if (facts.find("CapEff:\t0000000000000000\n") != std::string::npos) {
            writers += facts;
        }
    }
    // The file system sees nobody; whoever wants to signal or trace it sees root.
    EXPECT_NE(writers.find("Uid:\t0\t0\t0\t65534\n"), std::string::npos) << writers;
    EXPECT_NE(writers.find("Gid:\t0\t0\t0\t65534\n"), std::string::npos) << writers;
    ASSERT_TRUE(platform::write_file(root + "/go", ""));
    EXPECT_EQ(wait_for_end().exit_code, 0);
}

}  // namespace
}  // namespace reeve::agent::process
