#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

TEST(Fit, AnImpossibleRequestNamesWhatIsTooMuch) {
    struct Case {
        model::GpuAsk gpus;
        std::int64_t cpu_millicores;
        std::int64_t memory_mib;
        const char* want;
    };

    const std::vector<Case> cases = {
        {{.count = 8},                  1000,  0,      "no node has 8 GPUs; the largest has 2"     },
        {{.count = 1, .model = "h100"},
         1000,                                 0,
         "no node has a GPU of model 'h100'; there are: NVIDIA A30"                                },
        {{.memory_mib = 20480},         1000,  0,      "no GPU has 20 GiB; the largest has 9.7 GiB"},
        {{},
         99000,                                128000,
         "no node has 99 CPUs; the largest has 16; no node has 125 GiB of memory; "
         "the largest has 62.5 GiB"                                                                },
        {{.count = 2},                  20000, 0,      "no node has all of it at once"             },
    };
    World world(2);
    model::NodeHello other = world.hello;
    other.node = "n2";
    other.gpus.clear();
    other.host.cpu_millicores = 16000;
    world.say(other);
    for (const Case& c : cases) {
        SCOPED_TRACE(c.want);
        if (c.cpu_millicores == 20000) {
            other.host.cpu_millicores = 32000;
            world.say(other);
        }
        const Result<Reply> reply = world.try_submit({
            {.gpus = c.gpus, .cpu_millicores = c.cpu_millicores, .memory_mib = c.memory_mib}
        });
        ASSERT_FALSE(reply);
        EXPECT_EQ(reply.error().code, ErrorCode::kUnsatisfiable);
        EXPECT_EQ(
            reply.error().message,
            std::string("no node can ever run this: ") + c.want +
                "; the largest node is n1 (2 x NVIDIA A30, 16 CPUs, 62.5 GiB)");
    }
}

TEST(Fit, SaysOfSimulatedGpusThatTheyAre) {
    World world(2);
    model::NodeHello hello = world.hello;
    for (model::GpuDescription& gpu : hello.gpus) {
        gpu.is_simulated = true;
    }
    world.say(hello);
    const auto refused = [&](const model::GpuAsk& gpus) {
        return world
            .try_submit({
                {.gpus = gpus, .cpu_millicores = 1000}
        })
            .error()
            .message;
    };
    EXPECT_NE(
        refused({.count = 8}).find("(2 x NVIDIA A30 (simulated), 16 CPUs"), std::string::npos);
    EXPECT_NE(
        refused({.count = 1, .model = "h100"}).find("; there are: NVIDIA A30 (simulated)"),
        std::string::npos);
}

TEST(Fit, AProjectThatIsNotThereIsAnsweredWithThoseThatAre) {
    World world(2);
    model::JobTerms terms = one_gpu();
    terms.project = "nosuch";
    const Error error = world.try_submit({terms}).error();
    EXPECT_EQ(error.code, ErrorCode::kNotFound);
    EXPECT_EQ(error.message, "there is no project 'nosuch'; there are: default");
}

TEST(Fit, AGpuThatIsLostMayComeBack) {
    World world(2);
    model::NodeHello hello = world.hello;
    hello.gpus.pop_back();
    world.say(hello);
    model::JobTerms two = one_gpu();
    two.gpus.count = 2;
    const JobId job = world.submit(two);
    EXPECT_EQ(world.state(job), "queued");
    world.say(world.hello);
    EXPECT_EQ(world.state(job), "scheduled");
}

TEST(Fit, WhatIsOverAQuotaByItselfIsRefused) {
    World world(2);
    const Actor root{.identity = {"root"}, .is_admin = true};
    ASSERT_TRUE(
        world.apply(PutProject{.actor = root, .name = "lab", .quota = {.gpu_milli = 1000}}));
    ASSERT_TRUE(world.apply(PutProject{.actor = root, .name = "sub", .parent = "lab"}));
    model::JobTerms terms = one_gpu();
    terms.project = "sub";
    world.submit(terms);
    EXPECT_TRUE(world.try_submit({terms})) << "it waits for the first";
    terms.gpus.count = 2;
    const Result<Reply> reply = world.try_submit({terms});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::kQuota);
    EXPECT_EQ(reply.error().message, "project 'lab' may hold 1 GPU at once, and this needs 2 GPUs");
}

}  // namespace
}  // namespace reeve::ledger
