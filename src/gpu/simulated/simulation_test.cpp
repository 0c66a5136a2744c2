#include "gpu/simulated/simulation.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <utility>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu/simulated/state_file.hpp"
#include "platform/files.hpp"

namespace reeve::gpu::simulated {
namespace {

/// A process that does nothing until it is ended.
class Idler {
  public:
    Idler() : pid_(::fork()) {
        if (pid_ == 0) {
            for (;;) {
                ::pause();
            }
        }
    }

    ~Idler() { end(); }

    Idler(const Idler&) = delete;
    Idler& operator=(const Idler&) = delete;
    Idler(Idler&&) = delete;
    Idler& operator=(Idler&&) = delete;

    [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

    /// Ended, and not waited for yet.
    void become_zombie() const {
        ::kill(pid_, SIGKILL);
        siginfo_t info = {};
        ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
    }

    void end() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(std::exchange(pid_, -1), nullptr, 0);
        }
    }

  private:
    pid_t pid_;
};

class SimulationTest : public testing::Test {
  protected:
    void SetUp() override {
        char made[] = "/tmp/reeve-sim-XXXXXX";
        ASSERT_NE(::mkdtemp(made), nullptr);
        folder = made;
        path = folder + "/gpus.json";
        ASSERT_TRUE(ensure_simulation(path, "2xA30", "test"));
    }

    void TearDown() override { EXPECT_TRUE(platform::remove_tree(folder)); }

    GpuStatus status(std::size_t index) { return list_gpus(path).value().at(index); }

    std::string bytes() { return platform::read_file(path, 1U << 20U).value(); }

    std::string folder;
    std::string path;
};

TEST_F(SimulationTest, ATopologyOfOnesOwnTakesThePlaceOfAnotherAndIsKept) {
    const std::string text = bytes();
    const std::string own = folder + "/own.json";
    ASSERT_TRUE(ensure_simulation(own, "A30", "x"));
    ASSERT_TRUE(ensure_topology(own, text, "lab.yaml"));
    ASSERT_EQ(list_gpus(own)->size(), 2U);
    ASSERT_TRUE(lose_gpu(own, "0"));
    ASSERT_TRUE(ensure_topology(own, text, "lab.yaml"));
    EXPECT_FALSE(lose_gpu(own, "0")) << "it was not made anew";
    const auto refused = ensure_topology(own, R"({"reeve_simulated_gpus": 1})", "lab.yaml");
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalid);
}

TEST_F(SimulationTest, BeginsIdle) {
    const GpuStatus gpu = status(0);
    EXPECT_EQ(gpu.description.model, "NVIDIA A30");
    EXPECT_EQ(gpu.sample.memory_used_mib, 0);
    EXPECT_EQ(gpu.sample.utilization_percent, 0);
    EXPECT_EQ(gpu.sample.trouble, "");
}

TEST_F(SimulationTest, UseIsOfOneGpuAndEndsWithZero) {
    ASSERT_TRUE(set_use(
        path, "1",
        {.pid = static_cast<std::uint32_t>(::getpid()),
         .memory_mib = 4096,
         .utilization_percent = 80}));
    EXPECT_EQ(status(0).sample.memory_used_mib, 0);
    EXPECT_EQ(status(1).sample.memory_used_mib, 4096);
    EXPECT_EQ(status(1).sample.utilization_percent, 80);
    ASSERT_EQ(status(1).sample.processes.size(), 1U);
    // Again replaces.
    ASSERT_TRUE(set_use(
        path, "1",
        {.pid = static_cast<std::uint32_t>(::getpid()),
         .memory_mib = 1,
         .utilization_percent = 0}));
    EXPECT_EQ(status(1).sample.memory_used_mib, 1);
    ASSERT_TRUE(set_use(path, "1", {.pid = static_cast<std::uint32_t>(::getpid())}));
    EXPECT_TRUE(status(1).sample.processes.empty());
}

TEST_F(SimulationTest, UseEndsWithItsProcess) {
    Idler idler;
    ASSERT_TRUE(
        set_use(path, "0", {.pid = idler.pid(), .memory_mib = 100, .utilization_percent = 10}));
    EXPECT_EQ(status(0).sample.memory_used_mib, 100);
    idler.become_zombie();
    EXPECT_EQ(status(0).sample.memory_used_mib, 0);
    idler.end();
    EXPECT_TRUE(status(0).sample.processes.empty());
    EXPECT_NE(bytes().find("\"pid\""), std::string::npos);
    // The next writer forgets it.
    ASSERT_TRUE(report_xid(path, "1", 13));
    EXPECT_EQ(bytes().find("\"pid\""), std::string::npos);
}

TEST_F(SimulationTest, APidThatIsUsedAgainIsAnotherProcess) {
    const Idler idler;
    ASSERT_TRUE(set_use(path, "0", {.pid = idler.pid(), .memory_mib = 100}));
    ASSERT_TRUE(update_state(path, [](Topology& topology) -> Result<void> {
        topology.gpus[0].processes[0].start_ticks -= 1;
        return {};
    }));
    EXPECT_TRUE(status(0).sample.processes.empty());
}

TEST_F(SimulationTest, WhatCannotBeIsRefusedAndChangesNothing) {
    const auto self = static_cast<std::uint32_t>(::getpid());
    const std::string before = bytes();

    struct Case {
        const char* name;
        const char* gpu;
        Use use;
        ErrorCode want;
    };

    const std::vector<Case> cases = {
        {"no such index",    "2",     {self, 1, 1},               ErrorCode::kNotFound},
        {"no such UUID",     "GPU-x", {self, 1, 1},               ErrorCode::kNotFound},
        {"nothing",          "",      {self, 1, 1},               ErrorCode::kNotFound},
        {"of both",          "GPU-0", {self, 1, 1},               ErrorCode::kInvalid },
        {"no such process",  "0",     {4'194'305, 1, 1},          ErrorCode::kNotFound},
        {"pid 0",            "0",     {0, 1, 1},                  ErrorCode::kInvalid },
        {"over 100 percent", "0",     {self, 1, 101},             ErrorCode::kInvalid },
        {"negative percent", "0",     {self, 1, -1},              ErrorCode::kInvalid },
        {"negative memory",  "0",     {self, -1, 1},              ErrorCode::kInvalid },
        {"out of memory",    "0",     {self, 24576 - 401 + 1, 1}, ErrorCode::kLimit   },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        const Result<GpuStatus> result = set_use(path, c.gpu, c.use);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, c.want) << result.error().message;
        EXPECT_EQ(bytes(), before);
    }
    EXPECT_TRUE(set_use(path, "0", {self, 24576 - 401, 1}));
}

TEST_F(SimulationTest, MemoryOfSeveralProcessesAddsUp) {
    const Idler first;
    const Idler second;
    ASSERT_TRUE(set_use(path, "0", {first.pid(), 20000, 10}));
    EXPECT_FALSE(set_use(path, "0", {second.pid(), 5000, 10}));
    EXPECT_TRUE(set_use(path, "0", {second.pid(), 4000, 10}));
    EXPECT_EQ(status(0).sample.memory_used_mib, 24000);
}

TEST_F(SimulationTest, AGpuIsFoundByIndexUuidOrBeginning) {
    const std::string uuid = status(1).description.uuid;
    for (const std::string& name : {std::string("1"), uuid, uuid.substr(0, 7), uuid.substr(4, 3)}) {
        SCOPED_TRACE(name);
        const Result<GpuStatus> found = report_xid(path, name, 31);
        ASSERT_TRUE(found) << found.error().message;
        EXPECT_EQ(found->description.uuid, uuid);
    }
}

TEST_F(SimulationTest, ALostGpuComesBackEmpty) {
    ASSERT_TRUE(set_use(path, "0", {static_cast<std::uint32_t>(::getpid()), 10, 10}));
    ASSERT_TRUE(lose_gpu(path, "0"));
    EXPECT_NE(status(0).sample.trouble, "");
    EXPECT_EQ(status(1).sample.trouble, "");
    EXPECT_EQ(lose_gpu(path, "0").error().code, ErrorCode::kConflict);
    EXPECT_EQ(
        set_use(path, "0", {static_cast<std::uint32_t>(::getpid()), 10, 10}).error().code,
        ErrorCode::kConflict);
    ASSERT_TRUE(restore_gpu(path, "0"));
    EXPECT_EQ(status(0).sample.memory_used_mib, 0);
    EXPECT_EQ(restore_gpu(path, "0").error().code, ErrorCode::kConflict);
}

TEST_F(SimulationTest, XidsAreCheckedAndTheOldestGo) {
    EXPECT_EQ(report_xid(path, "0", 0).error().code, ErrorCode::kInvalid);
    EXPECT_EQ(report_xid(path, "0", 1000).error().code, ErrorCode::kInvalid);
    for (std::size_t i = 0; i < kXidsKept + 5; ++i) {
        ASSERT_TRUE(report_xid(path, "0", 31));
    }
    StateFile file(path);
    const Topology* topology = file.current().value();
    EXPECT_EQ(topology->xids.size(), kXidsKept);
    EXPECT_EQ(topology->next_xid, kXidsKept + 6);
}

TEST_F(SimulationTest, TheSamePresetKeepsWhatRuns) {
    ASSERT_TRUE(set_use(path, "0", {static_cast<std::uint32_t>(::getpid()), 10, 10}));
    const std::string before = bytes();
    ASSERT_TRUE(ensure_simulation(path, "2xA30", "test"));
    EXPECT_EQ(bytes(), before);
    ASSERT_TRUE(ensure_simulation(path, "3xA30", "test"));
    EXPECT_EQ(list_gpus(path).value().size(), 3U);
}

TEST_F(SimulationTest, AFileThatIsNoneIsNamed) {
    ASSERT_TRUE(platform::write_file(path, "{}"));
    EXPECT_EQ(list_gpus(path).error().code, ErrorCode::kInvalid);
    EXPECT_NE(list_gpus(path).error().message.find(path), std::string::npos);
    EXPECT_EQ(report_xid(path, "0", 31).error().code, ErrorCode::kInvalid);
    EXPECT_EQ(list_gpus(folder + "/none").error().code, ErrorCode::kUnavailable);
}

TEST_F(SimulationTest, NoChangeOfManyWritersIsLost) {
    constexpr int kWriters = 4;
    constexpr int kEach = 10;
    std::array<pid_t, kWriters> writers = {};
    for (pid_t& writer : writers) {
        writer = ::fork();
        if (writer == 0) {
            for (int i = 0; i < kEach; ++i) {
                if (!report_xid(path, "0", 31)) {
                    ::_exit(1);
                }
            }
            ::_exit(0);
        }
    }
    for (const pid_t writer : writers) {
        int status = -1;
        ASSERT_EQ(::waitpid(writer, &status, 0), writer);
        EXPECT_EQ(status, 0);
    }
    StateFile file(path);
    EXPECT_EQ(file.current().value()->next_xid, 1U + kWriters * kEach);
}

TEST_F(SimulationTest, AReaderSeesTheNewestVersion) {
    const auto self = static_cast<std::uint32_t>(::getpid());
    ASSERT_TRUE(set_use(path, "0", {self, 10, 10}));
    StateFile file(path);
    ASSERT_TRUE(file.current());
    for (int i = 0; i < 200; ++i) {
        // Two versions of one size, within one tick of the file system's clock: the second may get
        // the inode of the one that the reader had seen.
        ASSERT_TRUE(set_use(path, "0", {self, 10, 10}));
        ASSERT_TRUE(set_use(path, "0", {self, 20 + i % 70, 10}));
        ASSERT_EQ(file.current().value()->gpus[0].processes[0].memory_mib, 20 + i % 70);
    }
}

TEST_F(SimulationTest, TheLibraryIsFoundWhereItIs) {
    EXPECT_EQ(find_library(folder).error().code, ErrorCode::kNotFound);
    ASSERT_TRUE(platform::make_directories(folder + "/lib/reeve"));
    ASSERT_TRUE(platform::make_directories(folder + "/bin"));
    ASSERT_TRUE(platform::write_file(folder + "/lib/reeve/libreeve-nvml-sim.so", ""));
    EXPECT_TRUE(find_library(folder + "/bin"));
}

}  // namespace
}  // namespace reeve::gpu::simulated
