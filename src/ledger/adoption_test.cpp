#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

using model::TaskEnd;

TEST(Ledger, WhatIsOursButUnknownIsQuarantined) {
    World world(1);
    const model::TaskKey key{
        .element = {JobId(500), 0}
    };
    model::NodeHello hello = world.hello;
    hello.tasks = {
        {.key = key, .cluster_id = "c", .gpus = {{"GPU-0", 1000, 10000}}, .has_started = true},
        {.key = {.element = {JobId(9), 0}}, .cluster_id = "another", .has_started = true}
    };
    world.say(hello);
    world.say(hello);
    EXPECT_EQ(world.ledger.state().allocations().size(), 1U);
    EXPECT_TRUE(world.ledger.take_unwanted().empty()) << "never killed by itself";
    const JobId job = world.submit(one_gpu());
    EXPECT_EQ(world.state(job), "queued") << "it keeps its GPU";
    ASSERT_TRUE(world.apply(ControlQuarantine{
        .actor = {.identity = {"root"}, .is_admin = true},
          .task = key
    }));
    EXPECT_EQ(world.ledger.take_unwanted().size(), 1U);
    world.say(model::TaskEnded{.node = "n1", .key = key, .outcome = {.end = TaskEnd::kStopped}});
    EXPECT_EQ(world.state(job), "scheduled");
}

model::NodeHello hello_with(const World& world, model::KnownTask task) {
    model::NodeHello hello = world.hello;
    task.cluster_id = "c";
    task.gpus = {
        {"GPU-0", 1000, 10000}
    };
    task.has_started = true;
    hello.tasks = {std::move(task)};
    return hello;
}

TEST(Ledger, AnEarlierWordOfWhatEndedInThisTurnIsNoQuarantine) {
    World world(1);
    const JobId job = world.submit(one_gpu());
    world.start(job);
    const model::TaskKey key = world.key(job);
    ASSERT_TRUE(world.apply(Report{
        model::TaskEnded{.node = "n1", .key = key, .outcome = {.end = TaskEnd::kTimeLimit}}
    }));
    ASSERT_TRUE(world.apply(Report{hello_with(world, {.key = key})}));  // Sent before the end.
    world.step();
    EXPECT_TRUE(world.ledger.state().allocations().empty());
    EXPECT_EQ(world.ledger.take_unwanted().size(), 1U) << "its agent says again how it ended";
}

TEST(Ledger, ARestartOfTheNodeEndsWhatWasInQuarantine) {
    World world(1);
    const model::TaskKey key{
        .element = {JobId(500), 0}
    };
    world.say(hello_with(world, {.key = key}));
    EXPECT_EQ(world.ledger.state().allocations().size(), 1U);
    world.hello.boot_id = "b2";
    world.say(world.hello);
    EXPECT_TRUE(world.ledger.state().allocations().empty());
}

Result<Reply> adopt(World& world, const model::TaskKey& key) {
    auto reply = world.apply(ControlQuarantine{
        .actor = {.identity = {"root"}, .is_admin = true},
        .control = QuarantineControl::kAdopt,
        .task = key
    });
    world.step();
    return reply;
}

TEST(Ledger, WhatRunsAndIsStillWaitedForIsAdoptedAndNotStartedAgain) {
    for (const bool is_held : {false, true}) {
        SCOPED_TRACE(is_held);
        World world(1);
        ASSERT_TRUE(world.apply(ControlNode{
            .actor = {.identity = {"root"}, .is_admin = true},
              .node = "n1"
        }));
        const JobId job = world.submit({.name = "t", .gpus = {.count = 1}, .is_held = is_held});
        world.now = world.now + std::chrono::seconds(9);
        const Instant began = world.now + -std::chrono::seconds(5);
        world.say(hello_with(world, {.key = world.key(job), .started_at = began}));
        EXPECT_EQ(world.state(job), "running");
        EXPECT_EQ(world.ledger.state().element({job, 0})->started_at, began);
        ASSERT_EQ(world.ledger.state().allocations().size(), 1U);
        const auto& [id, held] = *world.ledger.state().allocations().begin();
        EXPECT_EQ(held.owner, model::AllocationOwner::kTask);
        EXPECT_EQ(held.grant.host.cpu_millicores, 1000);
        world.end(job, {.exit_code = 0});
        EXPECT_EQ(world.state(job), "gone");
        EXPECT_TRUE(world.ledger.state().allocations().empty());
    }
}

TEST(Ledger, WhatItsNodeSaysStillRunsIsNotReleased) {
    World world(1);
    const model::TaskKey key{
        .element = {JobId(500), 0}
    };
    const auto release = [&] {
        return world.apply(ControlQuarantine{
            .actor = {.identity = {"root"}, .is_admin = true},
            .control = QuarantineControl::kRelease,
            .task = key
        });
    };
    const auto& allocations = world.ledger.state().allocations();
    world.say(hello_with(world, {.key = key}));
    const auto refused = release();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
    EXPECT_EQ(refused.error().message, "n1 says that 500.0.1.0 still runs; stop it, or adopt it");
    EXPECT_EQ(allocations.size(), 1U);

    world.now = world.now + std::chrono::minutes(1);  // It is silent: the operator knows better.
    ASSERT_TRUE(world.apply(Tick{}));
    EXPECT_TRUE(release());
    world.step();
    EXPECT_TRUE(allocations.empty());

    world.say(hello_with(world, {.key = key}));
    EXPECT_EQ(allocations.size(), 1U) << "it runs after all";
    world.say(world.hello);  // Which names it no more.
    EXPECT_TRUE(release());
    world.step();
    EXPECT_TRUE(allocations.empty());
}

TEST(Ledger, AnOperatorMakesAQuarantinedTaskAJobAgain) {
    World world(1);
    const model::TaskKey key{
        .element = {JobId(500), 0},
          .attempt = 3
    };
    const model::TaskOrder order{
        .key = key,
        .cluster_id = "c",
        .identity = {"ada", 1000, 1000},
        .project = "gone",
        .spec_json = R"({"name":"old","command":["/bin/true"],"resources":{"gpus":1},)"
                     R"("priority":"gone"})"
    };
    const Instant began = world.now + -std::chrono::hours(3);
    world.say(
        hello_with(world, {.key = key, .started_at = began, .order_json = model::to_json(order)}));
    world.now = world.now + std::chrono::seconds(5);
    ASSERT_TRUE(adopt(world, key));
    EXPECT_EQ(world.state(JobId(500)), "running");
    EXPECT_EQ(world.ledger.state().element({JobId(500), 0})->started_at, began);
    EXPECT_EQ(world.ledger.state().element({JobId(500), 0})->scheduled_at, began);
    EXPECT_EQ(world.ledger.state().job(JobId(500))->submitted_at, began);
    EXPECT_EQ(
        world.ledger.state().job(JobId(500))->user, world.ledger.state().user_named("ada")->id);
    EXPECT_EQ(world.ledger.state().element({JobId(500), 0})->attempt, 3U);
    EXPECT_EQ(world.ledger.state().job(JobId(500))->priority, 0) << "nothing is named so any more";
    EXPECT_EQ(adopt(world, key).error().code, ErrorCode::kNotFound);
    const JobId next = world.submit(one_gpu());
    EXPECT_GT(next, JobId(500));
    EXPECT_EQ(world.state(next), "queued") << "the GPU is held";
    world.end(JobId(500), {.exit_code = 0});
    EXPECT_EQ(world.state(JobId(500)), "gone");
    EXPECT_EQ(world.state(next), "scheduled");
}

TEST(Ledger, AnAdoptionIsKeptWithWhoDidIt) {
    for (const bool is_array : {false, true}) {
        SCOPED_TRACE(is_array);
        World world(1);
        const model::TaskKey key{
            .element = {JobId(500), 7}
        };
        const std::string array = is_array ? R"(,"array":{"first":1,"last":9})" : "";
        const model::TaskOrder order{
            .key = key,
            .cluster_id = "c",
            .identity = {"ada", 1000, 1000},
            .spec_json = R"({"command":["/bin/true"],"resources":{"gpus":1})" + array + "}"
        };
        world.say(hello_with(world, {.key = key, .order_json = model::to_json(order)}));
        ASSERT_TRUE(world.apply(ControlQuarantine{
            .actor = {.identity = {"root"}, .is_admin = true},
            .control = QuarantineControl::kAdopt,
            .task = key
        }));
        const std::vector<model::ControlRecord> found = world.controls();
        ASSERT_EQ(found.size(), 1U);
        const model::ControlRecord want{
            .job = JobId(500),
            .rev = found[0].rev,
            .control = Control::kAdopt,
            .index = is_array ? std::optional(7U) : std::nullopt,
            .actor = "root",
            .at = world.now};
        EXPECT_EQ(found[0], want);
    }
}

TEST(Ledger, WhatCannotBeAdoptedStaysInQuarantine) {
    struct Case {
        std::string order_json;
        std::uint32_t attempt;
        bool is_known;
        ErrorCode code;
    };

    const model::TaskOrder order{
        .cluster_id = "c", .identity = {"ada", 1, 1},
             .spec_json = "{}"
    };
    const std::vector<Case> cases = {
        {"",                    1, false, ErrorCode::kConflict},
        {"nonsense",            1, false, ErrorCode::kConflict},
        {model::to_json(order), 1, false, ErrorCode::kInvalid },
        {model::to_json(order), 2, true,  ErrorCode::kConflict},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.order_json);
        World world(2);
        const JobId job = c.is_known ? world.submit(one_gpu()) : JobId(500);
        const model::TaskKey key{
            .element = {job, 0},
              .attempt = c.attempt
        };
        world.say(hello_with(world, {.key = key, .order_json = c.order_json}));
        const auto held = world.ledger.state().allocations();
        EXPECT_EQ(adopt(world, key).error().code, c.code);
        EXPECT_EQ(world.ledger.state().allocations(), held);
    }
}

}  // namespace
}  // namespace reeve::ledger
