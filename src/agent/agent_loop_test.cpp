#include "agent/agent_loop.hpp"

#include <condition_variable>
#include <deque>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "platform/event_fd.hpp"
#include "platform/identity.hpp"
#include "platform/process.hpp"

namespace reeve::agent {
namespace {

using namespace std::chrono_literals;

constexpr model::TaskKey kKey = {.element = {.job = JobId(5)}};

model::StartTask start_order() {
    return {.order = {.key = kKey}, .boot_id = "b1"};
}

/// Tasks that start and end at once.
class InstantRuntime final : public Runtime {
  public:
    Result<std::vector<model::KnownTask>> list() override { return known; }

    void launch(const model::TaskOrder& order) override {
        if (gate != nullptr) {
            gate->wait();
        }
        launched.push_back(order.key);
        events_.emplace_back(RuntimeStarted{order.key, 1});
        events_.emplace_back(RuntimeEnded{order.key, {.exit_code = 9}});
        bell_.notify();
    }

    void stop(const model::TaskKey& key, StopForce /*force*/) override {
        events_.emplace_back(RuntimeEnded{key, {.end = model::TaskEnd::kNeverStarted}});
    }

    void acknowledge(const model::TaskKey& /*key*/) override {}

    void remove(const model::TaskKey& /*key*/) override {}

    std::vector<RuntimeEvent> collect() override {
        static_cast<void>(bell_.consume());
        return std::exchange(events_, {});
    }

    [[nodiscard]] int fd() const override { return bell_.fd(); }

    void set_gpus(const std::vector<model::GpuDescription>& now) override { gpus = now; }

    [[nodiscard]] std::optional<model::TaskKey> task_of(pid_t process) const override {
        return process == 1 ? std::optional(kKey) : std::nullopt;
    }

    std::vector<model::KnownTask> known;
    std::vector<model::GpuDescription> gpus;
    std::vector<model::TaskKey> launched;  // Read when the loop is gone.
    std::latch* gate = nullptr;            // launch() waits for it.

  private:
    platform::EventFd bell_ = platform::EventFd::open().value();
    std::vector<RuntimeEvent> events_;
};

class FakeGpus final : public model::GpuSource {
  public:
    Result<std::vector<model::GpuDescription>> describe() override {
        return std::vector<model::GpuDescription>{
            {.uuid = "GPU-a", .model = "A30"}
        };
    }

    Result<std::vector<model::GpuSample>> sample() override {
        if (is_broken) {
            return fail(ErrorCode::kUnavailable, "fallen off the bus");
        }
        model::GpuSample sample = {.uuid = "GPU-a"};
        sample.memory_used_mib = 77;
        sample.processes = {{.pid = 1}, {.pid = static_cast<std::uint32_t>(getpid())}};
        return std::vector<model::GpuSample>{sample};
    }

    /// One more each time, the first of them 1.
    Result<std::vector<model::GpuXid>> poll_xids() override {
        return std::vector<model::GpuXid>{
            {.uuid = "GPU-a", .xid = ++xids}
        };
    }

    [[nodiscard]] std::string driver_version() const override { return ""; }

    bool is_broken = false;
    std::int64_t xids = 0;
};

class Loop : public testing::Test {
  protected:
    void start(std::chrono::microseconds sample_every = 1h) {
        LoopOptions options = {.sample_every = sample_every};
        options.sink = [this](model::AgentReport report) {
            const std::scoped_lock lock(mutex);
            reports.push_back(std::move(report));
            news.notify_one();
        };
        std::vector<AgentNode> nodes;
        nodes.reserve(runtimes.size());
        for (std::size_t i = 0; i < 2; ++i) {
            nodes.push_back({
                .name = "n" + std::to_string(i),
                .cluster_id = "c1",
                .boot_id = "b1",
                .runtime = &runtimes[i],
                .gpus = i == 0 ? &gpus : nullptr,
            });
        }
        loop = AgentLoop::start(std::move(options), nodes).value();
    }

    /// The next report of that kind, of that node.
    template <class Report>
    Report wait_for(const std::string& node) {
        std::unique_lock lock(mutex);
        while (true) {
            for (auto at = reports.begin(); at != reports.end(); ++at) {
                if (const auto* found = std::get_if<Report>(&*at); found && found->node == node) {
                    Report report = *found;
                    reports.erase(at);
                    return report;
                }
            }
            if (news.wait_for(lock, 8s) == std::cv_status::timeout) {
                ADD_FAILURE() << "it did not come";
                return {};
            }
        }
    }

    std::array<InstantRuntime, 2> runtimes;
    FakeGpus gpus;
    std::mutex mutex;
    std::condition_variable news;
    std::deque<model::AgentReport> reports;
    std::unique_ptr<AgentLoop> loop;
};

TEST_F(Loop, EveryNodeSaysHelloFirst) {
    runtimes[1].known = {
        {.key = kKey, .outcome = model::TaskOutcome{}}
    };
    start();
    const auto first = wait_for<model::NodeHello>("n0");
    EXPECT_EQ(first.gpus.size(), 1U);
    EXPECT_GT(first.host.memory_mib, 0);
    EXPECT_TRUE(first.tasks.empty());
    const auto second = wait_for<model::NodeHello>("n1");
    EXPECT_TRUE(second.gpus.empty());
    EXPECT_EQ(second.tasks.size(), 1U);
    EXPECT_EQ(second.boot_id, "b1");
    EXPECT_EQ(runtimes[0].gpus.size(), 1U);
}

TEST_F(Loop, CarriesOrdersToTheRightNodeAndReportsBack) {
    start();
    ASSERT_TRUE(loop->send("n1", start_order()));
    EXPECT_EQ(wait_for<model::TaskStarted>("n1").pid, 1);
    EXPECT_EQ(wait_for<model::TaskEnded>("n1").outcome.exit_code, 9);
    EXPECT_EQ(loop->send("n9", model::ReportAll{}).error().code, ErrorCode::kNotFound);
}

TEST_F(Loop, TellsAtOnceWhatARuntimeAnswersAtOnce) {
    start();
    ASSERT_TRUE(loop->send("n0", model::StopTask{kKey}));
    EXPECT_EQ(wait_for<model::TaskEnded>("n0").outcome.end, model::TaskEnd::kNeverStarted);
}

TEST_F(Loop, TellsTheNewestXidsAgainWithTheTimesTheyHad) {
    start(1ms);
    model::ReportedXid first;
    for (std::int64_t last = 0; last < 40;) {
        const auto xids = wait_for<model::NodeSample>("n0").xids;
        ASSERT_FALSE(xids.empty());
        EXPECT_LE(xids.size(), model::kReportedXidsMax);
        EXPECT_EQ(xids.back().xid, last + 1);
        first = last == 0 ? xids.front() : first;
        for (std::size_t i = 1; i < xids.size(); ++i) {
            EXPECT_EQ(xids[i].xid, xids[i - 1].xid + 1);
            EXPECT_GT(xids[i].at, xids[i - 1].at);
        }
        if (xids.front().xid == 1) {
            EXPECT_EQ(xids.front(), first);
        }
        last = xids.back().xid;
    }
    EXPECT_TRUE(wait_for<model::NodeSample>("n1").xids.empty());
}

TEST_F(Loop, AStopOvertakesAStartThatHasNotBegun) {
    constexpr model::TaskKey kLater = {.element = {.job = JobId(6)}};
    std::latch gate(1);
    runtimes[0].gate = &gate;
    start();
    ASSERT_TRUE(loop->send("n0", start_order()));  // Keeps the loop busy.
    ASSERT_TRUE(loop->send("n0", model::StartTask{.order = {.key = kLater}, .boot_id = "b1"}));
    ASSERT_TRUE(loop->send("n0", model::StopTask{kLater}));
    gate.count_down();
    while (wait_for<model::TaskEnded>("n0").key != kLater) {
    }
    loop.reset();
    EXPECT_EQ(runtimes[0].launched, std::vector{kKey});
}

TEST_F(Loop, SamplesAgainAndAgain) {
    start(1ms);
    for (int i = 0; i < 3; ++i) {
        const auto sample = wait_for<model::NodeSample>("n0");
        ASSERT_EQ(sample.gpus.size(), 1U);
        EXPECT_EQ(sample.gpus[0].memory_used_mib, 77);
        EXPECT_GT(sample.memory_permille, 0);
        EXPECT_TRUE(wait_for<model::NodeSample>("n1").gpus.empty());
    }
}

TEST_F(Loop, SaysWhoseTheProcessesOnGpusAre) {
    start();
    const auto sample = wait_for<model::NodeSample>("n0");
    ASSERT_EQ(sample.gpus.at(0).processes.size(), 2U);
    EXPECT_EQ(sample.gpus[0].processes[0].task, kKey);
    const model::GpuProcess& own = sample.gpus[0].processes[1];
    EXPECT_EQ(own.task, std::nullopt);
    EXPECT_EQ(own.command, platform::process_facts(getpid())->name);
    EXPECT_EQ(own.user, platform::user_by_id(geteuid())->name);
}

TEST_F(Loop, ADriverThatFailsIsTheTroubleOfItsGpus) {
    gpus.is_broken = true;
    start();
    const auto sample = wait_for<model::NodeSample>("n0");
    ASSERT_EQ(sample.gpus.size(), 1U);
    EXPECT_EQ(sample.gpus[0].uuid, "GPU-a");
    EXPECT_EQ(sample.gpus[0].trouble, "fallen off the bus");
    EXPECT_FALSE(sample.gpus[0].memory_used_mib);
}

}  // namespace
}  // namespace reeve::agent
