#include "platform/host.hpp"

#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>

#include "platform/environment.hpp"
#include "platform/event_fd.hpp"
#include "platform/identity.hpp"
#include "platform/process.hpp"
#include "platform/signals.hpp"

namespace reeve::platform {
namespace {

TEST(Host, DescribesThisMachine) {
    const Result<HostFacts> facts = host_facts();
    ASSERT_TRUE(facts) << facts.error().message;
    EXPECT_FALSE(facts->hostname.empty());
    EXPECT_GE(facts->cores, 1);
    EXPECT_GT(facts->memory_mib, 64);
    EXPECT_EQ(boot_id().value().size(), 36U);
    EXPECT_TRUE(read_cpu_times());
}

TEST(CpuTimes, IdleAndIowaitAreNotBusy) {
    const auto before = parse_cpu_times("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3 4\n").value();
    EXPECT_EQ(before.busy, 150U);
    EXPECT_EQ(before.total, 1000U);
    const auto after = parse_cpu_times("cpu  300 0 100 1500 100 0 0 0 0 0\n").value();
    EXPECT_EQ(busy_permille(before, after), 250);
    EXPECT_EQ(busy_permille(after, after), 0);
    EXPECT_EQ(busy_permille(after, before), 0) << "a counter that went back";
}

TEST(CpuTimes, AreReadFromOldKernelsAndRefusedFromNonsense) {
    EXPECT_EQ(parse_cpu_times("cpu 1 2 3 4\n")->total, 10U);
    EXPECT_FALSE(parse_cpu_times(""));
    EXPECT_FALSE(parse_cpu_times("intr 1 2 3 4 5\n"));
    EXPECT_FALSE(parse_cpu_times("cpu 1 2 x\n"));
}

TEST(Memory, UsedIsTotalLessAvailable) {
    const auto memory =
        parse_meminfo("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\n").value();
    EXPECT_EQ(used_permille(memory), 750);
    EXPECT_FALSE(parse_meminfo("MemTotal: 1000 kB\n"));
    EXPECT_FALSE(parse_meminfo("MemTotal: 0 kB\nMemAvailable: 0 kB\n"));
}

TEST(Limits, OpenFilesAreRaisedToTheMost) {
    const auto limit = raise_open_files_limit();
    ASSERT_TRUE(limit);
    EXPECT_GE(*limit, 256U);
    EXPECT_EQ(raise_open_files_limit().value(), *limit);
}

TEST(Identity, FindsRootAndNobodyElse) {
    EXPECT_EQ(user_by_id(0)->name, "root");
    EXPECT_EQ(user_by_name("root")->uid, 0U);
    EXPECT_EQ(user_by_name("no such user").error().code, ErrorCode::kNotFound);
    EXPECT_EQ(groups_of("no such user", 12345), std::vector<std::uint32_t>{12345});
}

TEST(Environment, TellsWhatIsSet) {
    ASSERT_EQ(setenv("REEVE_TEST_VARIABLE", "x=y", 1), 0);
    EXPECT_EQ(environment_variable("REEVE_TEST_VARIABLE"), "x=y");
    EXPECT_EQ(environment_variable("REEVE_TEST_NONE"), std::nullopt);
    ASSERT_EQ(setenv("XDG_STATE_HOME", "/s", 1), 0);
    EXPECT_EQ(default_data_directory(), "/s/reeve");
    ASSERT_EQ(setenv("XDG_STATE_HOME", "not/absolute", 1), 0);
    ASSERT_EQ(setenv("HOME", "/h", 1), 0);
    EXPECT_EQ(default_data_directory(), "/h/.local/state/reeve");
    ASSERT_EQ(setenv("STATE_DIRECTORY", "/var/lib/reeve", 1), 0);
    EXPECT_EQ(default_data_directory(), "/var/lib/reeve");
}

TEST(EventFd, IsReadableOnceHoweverOftenNotified) {
    const EventFd event = EventFd::open().value();
    EXPECT_FALSE(event.consume());
    event.notify();
    event.notify();
    pollfd wanted = {event.fd(), POLLIN, 0};
    EXPECT_EQ(poll(&wanted, 1, 0), 1);
    EXPECT_TRUE(event.consume());
    EXPECT_FALSE(event.consume());
}

TEST(Signals, AreReadAsDataAndDoNotKill) {
    const SignalFd signals = SignalFd::open().value();
    EXPECT_EQ(signals.next(), std::nullopt);
    kill(getpid(), SIGTERM);
    EXPECT_EQ(signals.wait(), SIGTERM);
}

TEST(Process, IsNotConfusedWithALaterOneOfTheSameNumber) {
    const pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    const auto facts = process_facts(child);
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->parent, getpid());
    EXPECT_TRUE(open_process(facts->id).is_open());
    EXPECT_FALSE(open_process({child, facts->id.start_ticks + 1}).is_open());
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    EXPECT_FALSE(open_process(facts->id).is_open());
    EXPECT_FALSE(process_facts(child));
}

}  // namespace
}  // namespace reeve::platform
