// Goal: nobody holds more than the quotas of the project, of those above it and of each user say,
// and who may hold more goes on at once.
#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

TEST(Quotas, HoldAtEveryAncestor) {
    World world(4);
    const Actor admin{.identity = {"root"}, .is_admin = true};
    ASSERT_TRUE(
        world.apply(PutProject{.actor = admin, .name = "lab", .quota = {.gpu_milli = 2000}}));
    ASSERT_TRUE(world.apply(PutProject{
        .actor = admin, .name = "vision", .parent = "lab", .quota = {.pending_elements = 2}}));
    EXPECT_FALSE(world.apply(PutProject{.actor = {.identity = {"ada"}}, .name = "mine"}));
    model::JobTerms terms = one_gpu();
    terms.project = "vision";
    const JobId first = world.submit(terms);
    const JobId second = world.submit(terms);
    const JobId third = world.submit(terms);
    EXPECT_EQ(world.state(second), "scheduled");
    EXPECT_EQ(world.state(third), "queued") << "the lab's two GPUs are taken";
    world.submit(terms);
    EXPECT_EQ(world.try_submit({terms}).error().code, ErrorCode::kQuota);
    world.end(first, {});
    EXPECT_EQ(world.state(third), "scheduled");
}

TEST(Quotas, OfUsersHoldInTheirProject) {
    World world(4);
    const Actor admin{.identity = {"root"}, .is_admin = true};
    PutProject vision{
        .actor = admin,
        .name = "vision",
        .user_quota = model::Quota{.gpu_milli = 1000, .pending_elements = 2}
    };
    ASSERT_TRUE(world.apply(vision));
    model::JobTerms terms = one_gpu();
    terms.project = "vision";
    const JobId first = world.submit(terms);
    const JobId second = world.submit(terms);
    EXPECT_EQ(world.state(first), "scheduled");
    EXPECT_EQ(world.state(second), "queued") << "one GPU is what ada may hold";
    EXPECT_EQ(world.state(world.submit(terms, "bob")), "scheduled") << "and bob";
    EXPECT_EQ(world.state(world.submit(one_gpu())), "scheduled") << "elsewhere she may";

    world.submit(terms);
    const Error full = world.try_submit({terms}).error();
    EXPECT_EQ(full.code, ErrorCode::kQuota);
    EXPECT_EQ(
        full.message,
        "each user of project 'vision' may have 2 elements pending; you have 2 and this adds 1");
    terms.gpus.count = 2;
    EXPECT_EQ(
        world.try_submit({terms}, "bob").error().message,
        "each user of project 'vision' may hold 1 GPU at once, and this needs 2 GPUs");

    world.end(first, {});
    EXPECT_EQ(world.state(second), "scheduled");
    world.end(second, {});
    world.step();
    const ProjectId id = world.ledger.state().project_named("vision")->id;
    const UserId ada = world.ledger.state().user_named("ada")->id;
    EXPECT_EQ(
        world.ledger.state().usage(id, ada),
        (model::Usage{.gpu_milli = 1000, .cpu_millicores = 1000, .running_elements = 1}));
}

TEST(Quotas, OfUsersThatGrowLetThemGoOn) {
    World world(4);
    const Actor admin{.identity = {"root"}, .is_admin = true};
    PutProject project{
        .actor = admin, .name = "default", .user_quota = model::Quota{.running_elements = 1}};
    ASSERT_TRUE(world.apply(project));
    world.submit(one_gpu());
    const JobId second = world.submit(one_gpu());
    const JobId third = world.submit(one_gpu());
    EXPECT_EQ(world.state(second), "queued");
    project.user_quota.reset();
    ASSERT_TRUE(world.apply(project));
    world.step();
    EXPECT_EQ(world.state(second), "queued") << "what is not said stays";
    project.user_quota = model::Quota{.running_elements = 2};
    ASSERT_TRUE(world.apply(project));
    world.step();
    EXPECT_EQ(world.state(second), "scheduled");
    EXPECT_EQ(world.state(third), "queued");
    project.user_quota = model::Quota();
    ASSERT_TRUE(world.apply(project));
    world.step();
    EXPECT_EQ(world.state(third), "scheduled");
}

// ---- Guarantees.

PutProject guarantee(const std::string& name, std::int64_t gpus) {
    return {
        .actor = {.identity = {"root"}, .is_admin = true},
        .name = name,
        .guaranteed_gpu_milli = gpus * model::kWholeGpuMilli
    };
}

TEST(Quotas, WhatIsGuaranteedIsLentToWhatCanBeStoppedAndGivenBack) {
    World world(3);
    ASSERT_TRUE(world.apply(guarantee("vision", 2)));
    EXPECT_EQ(world.state(world.submit(one_gpu())), "scheduled") << "one is nobody's";
    const JobId firm = world.submit(one_gpu());
    EXPECT_EQ(world.state(firm), "queued");
    model::JobTerms terms = one_gpu();
    terms.is_preemptible = true;
    const JobId lent = world.submit(terms);
    const JobId newest = world.submit(terms);
    EXPECT_EQ(world.state(lent), "scheduled");
    EXPECT_EQ(world.state(newest), "scheduled");

    terms = one_gpu();
    terms.project = "vision";
    const JobId due = world.submit(terms);
    EXPECT_EQ(world.state(due), "queued");
    EXPECT_EQ(world.state(newest), "stopping");
    EXPECT_EQ(world.state(lent), "scheduled");
    world.end(newest, {.end = model::TaskEnd::kStopped});
    EXPECT_EQ(world.state(due), "scheduled");
    EXPECT_EQ(world.state(newest), "queued");

    ASSERT_TRUE(world.apply(guarantee("vision", 0)));
    world.end(due, {});
    EXPECT_EQ(world.state(firm), "scheduled") << "nothing is guaranteed any more";
}

TEST(Quotas, WhatIsGuaranteedAboveIsDueToANewProjectAtOnce) {
    World world(2);
    ASSERT_TRUE(world.apply(guarantee("vision", 1)));
    PutProject part = guarantee("detection", 0);
    part.parent = "vision";
    ASSERT_TRUE(world.apply(part));
    model::JobTerms terms = one_gpu();
    terms.is_preemptible = true;
    world.submit(terms);
    const JobId lent = world.submit(terms);
    terms.is_preemptible = false;
    terms.project = "detection";
    world.submit(terms);
    EXPECT_EQ(world.state(lent), "stopping");
}

TEST(Quotas, MoreGpusLetMoreBeLent) {
    World world(1);
    ASSERT_TRUE(world.apply(guarantee("vision", 1)));
    const JobId firm = world.submit(one_gpu());
    EXPECT_EQ(world.state(firm), "queued");
    world.hello.gpus.push_back({.uuid = "GPU-7", .model = "NVIDIA A30", .total_mib = 10'000});
    world.say(world.hello);
    EXPECT_EQ(world.state(firm), "scheduled");
}

TEST(Quotas, AGuaranteeIsWithinTheLimitAndWithinWhatTheProjectAboveIsGuaranteed) {
    World world(4);
    PutProject vision = guarantee("vision", 4);
    vision.quota.gpu_milli = 3000;
    EXPECT_EQ(
        world.apply(vision).error().message,
        "guaranteed_gpu_milli: the project would be guaranteed 4 GPUs, with all below it, and its "
        "limit is 3 GPUs");
    ASSERT_TRUE(world.apply(guarantee("vision", 4)));
    PutProject part = guarantee("detection", 3);
    part.parent = "vision";
    ASSERT_TRUE(world.apply(part));
    part.name = "tracking";
    EXPECT_EQ(
        world.apply(part).error().message,
        "guaranteed_gpu_milli: project 'vision' would be guaranteed 4 GPUs, and those below it 6 "
        "GPUs of them");
    part.guaranteed_gpu_milli = 1000;
    ASSERT_TRUE(world.apply(part));
    EXPECT_EQ(
        world.apply(guarantee("vision", 3)).error().message,
        "guaranteed_gpu_milli: the project would be guaranteed 3 GPUs, and those below it 4 GPUs "
        "of them");
    vision = guarantee("vision", 0);
    vision.quota.gpu_milli = 3000;
    EXPECT_EQ(
        world.apply(vision).error().message,
        "guaranteed_gpu_milli: the project would be guaranteed 4 GPUs, with all below it, and its "
        "limit is 3 GPUs");
    ASSERT_TRUE(world.apply(guarantee("vision", 0)));
}

}  // namespace
}  // namespace reeve::ledger
