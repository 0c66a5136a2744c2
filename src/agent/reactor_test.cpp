#include "agent/reactor.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace reeve::agent {
namespace {

using namespace std::chrono_literals;

constexpr model::TaskKey kKey = {
    .element = {.job = JobId(1842), .index = 7}
};
constexpr Instant kStart = Instant(1'000'000s);

model::TaskOrder order_of(const model::TaskKey& key) {
    return {
        .key = key,
        .cluster_id = "c1",
        .identity = {"ann", 1000, 1000},
        .gpus = {{"GPU-a"}},
        .spec_json = "{}",
    };
}

/// One letter per effect, so that a test reads as a table and sees that there were no others.
std::string word_of(const AgentEffect& effect) {
    struct Words {
        std::string operator()(const LaunchTask&) const { return "launch"; }

        std::string operator()(const HaltTask& halt) const {
            return halt.force == StopForce::kKill ? "kill" : "halt";
        }

        std::string operator()(const KeepAcknowledged&) const { return "keep"; }

        std::string operator()(const RemoveTask&) const { return "remove"; }

        std::string operator()(const SendReport& send) const {
            return std::visit(*this, send.report);
        }

        std::string operator()(const model::NodeHello& hello) const {
            std::string tasks;
            for (const model::KnownTask& task : hello.tasks) {
                tasks += task.outcome ? "E" : task.has_started ? "R" : "S";
            }
            return "hello[" + tasks + "]";
        }

        std::string operator()(const model::TaskStarted&) const { return "started"; }

        std::string operator()(const model::TaskOverdue&) const { return "overdue"; }

        std::string operator()(const model::TaskEnded& ended) const {
            return "ended:" + std::to_string(static_cast<int>(ended.outcome.end));
        }

        std::string operator()(const model::NodeSample&) const { return "sample"; }
    };

    return std::visit(Words{}, effect);
}

class Reactor : public testing::Test {
  protected:
    std::string handle(const AgentEvent& event) {
        std::string words;
        for (const AgentEffect& effect : reactor.handle(event, now)) {
            words += (words.empty() ? "" : " ") + word_of(effect);
        }
        return words;
    }

    std::string start(const std::string& boot_id = "b1") {
        return handle(model::AgentOrder(model::StartTask{order_of(kKey), boot_id}));
    }

    std::string stop(bool forced = false) {
        return handle(model::AgentOrder(model::StopTask{kKey, forced}));
    }

    std::string acknowledge() { return handle(model::AgentOrder(model::AcknowledgeEnd{kKey})); }

    std::string erase() { return handle(model::AgentOrder(model::DeleteTask{kKey})); }

    std::string started() { return handle(RuntimeEvent(RuntimeStarted{kKey, 42})); }

    std::string ended(model::TaskEnd end = model::TaskEnd::kExited) {
        return handle(RuntimeEvent(RuntimeEnded{kKey, {.end = end}}));
    }

    std::string refused() { return handle(RuntimeEvent(RuntimeRefused{kKey, "full"})); }

    std::string tick(std::chrono::microseconds after) {
        now = now + after;
        return handle(Tick{});
    }

    Instant now = kStart;
    ReactorOptions options = {
        .node = "n1", .cluster_id = "c1", .boot_id = "b1", .labels = {{"zone", "a"}}};
    AgentReactor reactor = AgentReactor(options, {});
};

TEST_F(Reactor, IgnoresAStartFromBeforeItsMachineRestarted) {
    EXPECT_EQ(start("b0"), "");
    EXPECT_NE(start("b1"), "");
}

TEST_F(Reactor, RunsATaskFromStartToEnd) {
    EXPECT_EQ(start(), "launch");
    EXPECT_EQ(started(), "started");
    EXPECT_EQ(ended(), "ended:0");
    EXPECT_EQ(acknowledge(), "keep");
    EXPECT_EQ(erase(), "remove");
    EXPECT_TRUE(reactor.tasks().empty());
}

TEST_F(Reactor, PassesOnThatATasksTimeIsUpAsLongAsItRuns) {
    EXPECT_EQ(handle(RuntimeEvent(RuntimeOverdue{kKey})), "");
    start();
    started();
    EXPECT_EQ(handle(RuntimeEvent(RuntimeOverdue{kKey})), "overdue");
    ended();
    EXPECT_EQ(handle(RuntimeEvent(RuntimeOverdue{kKey})), "");
}

TEST_F(Reactor, AnswersARepeatedStartWithWhatBecameOfIt) {
    start();
    EXPECT_EQ(start(), "");
    started();
    EXPECT_EQ(start(), "started");
    ended();
    EXPECT_EQ(start(), "ended:0");
    acknowledge();
    EXPECT_EQ(start(), "launch") << "the runtime's claim refuses it, and it says so:";
    EXPECT_EQ(ended(), "ended:0");
    EXPECT_EQ(acknowledge(), "keep");
}

TEST_F(Reactor, ForgetsAKeyThatTheRuntimeRemoved) {
    start();
    EXPECT_EQ(handle(RuntimeEvent(RuntimeRemoved{kKey})), "");
    EXPECT_EQ(handle(Connected{}), "hello[]");
}

TEST_F(Reactor, AStopBeforeTheStartIsForTheRuntimeToClaim) {
    EXPECT_EQ(stop(), "halt");
    EXPECT_EQ(start(), "");
    EXPECT_EQ(ended(model::TaskEnd::kNeverStarted), "ended:7");
    EXPECT_EQ(reactor.tasks()[0].cluster_id, "c1");
    EXPECT_EQ(stop(), "ended:7");
    EXPECT_EQ(start(), "ended:7");
}

TEST_F(Reactor, AStopIsPassedOnUntilTheEndIsSeen) {
    start();
    EXPECT_EQ(stop(), "halt");
    started();
    EXPECT_EQ(stop(), "halt");
    EXPECT_EQ(stop(true), "kill");
    EXPECT_EQ(ended(model::TaskEnd::kStopped), "ended:4");
    EXPECT_EQ(stop(true), "ended:4");
}

TEST_F(Reactor, RepeatsAnEndUntilItIsAcknowledged) {
    start();
    ended();
    EXPECT_EQ(tick(4s), "");
    EXPECT_EQ(tick(1s), "ended:0");
    EXPECT_EQ(tick(9s), "") << "doubled";
    EXPECT_EQ(tick(1s), "ended:0");
    for (int i = 0; i < 5; ++i) {
        tick(60s);
    }
    EXPECT_EQ(tick(59s), "");
    EXPECT_EQ(tick(1s), "ended:0") << "and never further apart than a minute";
    acknowledge();
    EXPECT_EQ(tick(600s), "");
}

TEST_F(Reactor, RepeatsBoundedlyManyAtATick) {
    options.repeats_per_tick_max = 2;
    std::vector<model::KnownTask> tasks;
    tasks.reserve(5);
    for (std::uint32_t i = 0; i < 5; ++i) {
        tasks.push_back({.key = {.element = {.job = JobId(i)}}, .outcome = model::TaskOutcome{}});
    }
    reactor = AgentReactor(options, tasks);
    EXPECT_EQ(tick(1s), "ended:0 ended:0");
    EXPECT_EQ(tick(1s), "ended:0 ended:0");
    EXPECT_EQ(tick(1s), "ended:0");
    EXPECT_EQ(tick(1s), "");
}

TEST_F(Reactor, AHelloIsTheWholePictureAndCountsAsAReport) {
    reactor = AgentReactor(
        options, {
                     {.key = {.element = {.job = JobId(1)}}, .outcome = model::TaskOutcome{}},
                     {.key = {.element = {.job = JobId(2)}}, .has_started = true            },
    });
    start();
    EXPECT_EQ(handle(Connected{}), "hello[ERS]");
    EXPECT_EQ(handle(model::AgentOrder(model::ReportAll{})), "hello[ERS]");
    EXPECT_EQ(tick(1s), "");
    EXPECT_EQ(tick(4s), "ended:0");
}

TEST_F(Reactor, AHelloNamesNodeBootAndMachine) {
    const MachineDescribed machine = {
        {"h", 2000, 4096},
        {{.uuid = "GPU-a", .model = "A30"}}
    };
    const auto effects = reactor.handle(machine, now);
    ASSERT_EQ(effects.size(), 1U);
    const auto& hello = std::get<model::NodeHello>(std::get<SendReport>(effects[0]).report);
    EXPECT_EQ(hello.node, "n1");
    EXPECT_EQ(hello.boot_id, "b1");
    EXPECT_EQ(hello.host, machine.host);
    EXPECT_EQ(hello.gpus, machine.gpus);
    EXPECT_EQ(
        hello.labels, (std::map<std::string, std::string>{
                          {"zone", "a"}
    }));
    EXPECT_EQ(handle(machine), "") << "nothing changed";
}

TEST_F(Reactor, WhatTheRuntimeRefusedIsAskedForAgain) {
    start();
    EXPECT_EQ(refused(), "");
    EXPECT_EQ(handle(Connected{}), "hello[]") << "it is not on the disk";
    EXPECT_EQ(start(), "");
    EXPECT_EQ(tick(4s), "");
    EXPECT_EQ(tick(1s), "launch");
    EXPECT_EQ(started(), "started");
    EXPECT_EQ(tick(60s), "");
}

TEST_F(Reactor, AStopOfARefusedStartIsNeverUndone) {
    start();
    refused();
    EXPECT_EQ(stop(), "");
    EXPECT_EQ(start(), "");
    EXPECT_EQ(tick(5s), "halt");
    refused();
    EXPECT_EQ(tick(5s), "halt");
    EXPECT_EQ(ended(model::TaskEnd::kNeverStarted), "ended:7");
}

TEST_F(Reactor, AStopOvertakesTheNewsThatTheStartWasRefused) {
    start();
    stop();
    refused();
    EXPECT_EQ(tick(5s), "halt") << "and not a launch";
}

TEST_F(Reactor, NeverDeletesOrForgetsWhatRuns) {
    start();
    started();
    EXPECT_EQ(acknowledge(), "");
    EXPECT_EQ(erase(), "");
    EXPECT_EQ(handle(Connected{}), "hello[R]");
}

TEST_F(Reactor, ADeleteMayOvertakeItsAcknowledgement) {
    start();
    ended();
    EXPECT_EQ(erase(), "remove");
    EXPECT_EQ(acknowledge(), "");
    EXPECT_EQ(erase(), "remove") << "harmless, and the runtime may know more";
}

TEST_F(Reactor, NewsOfAStartThatCameTooLateIsDropped) {
    start();
    ended();
    EXPECT_EQ(started(), "");
    acknowledge();
    EXPECT_EQ(started(), "");
    EXPECT_EQ(acknowledge(), "");
}

TEST_F(Reactor, ASampleIsSentUnderTheNodesName) {
    const auto effects = reactor.handle(Sampled{{.cpu_permille = 5}}, now);
    ASSERT_EQ(effects.size(), 1U);
    const auto& sample = std::get<model::NodeSample>(std::get<SendReport>(effects[0]).report);
    EXPECT_EQ(sample.node, "n1");
    EXPECT_EQ(sample.cpu_permille, 5);
}

}  // namespace
}  // namespace reeve::agent
