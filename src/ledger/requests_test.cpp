#include <string>

#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

model::JobTerms with_memory(std::int64_t mib, std::string on = "") {
    return {.name = "t", .on = std::move(on), .memory_mib = mib};
}

void expect_limit(const Result<Reply>& reply, const std::string& words) {
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::kLimit);
    EXPECT_NE(reply.error().message.find(words), std::string::npos) << reply.error().message;
}

ControlJobs cancel(JobId job) {
    return {.actor = {.identity = {"ada"}}, .control = Control::kStop, .targets = {{job, {}}}};
}

/// By a cancel, or by itself.
void end_one(World& world, JobId job, bool is_cancelled) {
    if (is_cancelled) {
        EXPECT_TRUE(world.control(Control::kStop, job));
    } else {
        world.start(job);
    }
    world.end(job, {});
    EXPECT_EQ(world.state(job), "gone");
}

void expect_nothing_known(const World& world) {
    EXPECT_TRUE(world.ledger.state().requests().empty());
    EXPECT_EQ(world.ledger.state().core().request_count(), 0U);
    EXPECT_EQ(world.ledger.state().node_classes().expression_count(), 0U);
}

TEST(Requests, ThatDifferHaveALimit) {
    World world(1, {.requests_max = 3});
    for (int mib = 1; mib <= 3; ++mib) {
        ASSERT_TRUE(world.try_submit({with_memory(mib)}));
    }
    expect_limit(world.try_submit({with_memory(4)}), "ask for 3 different amounts and nodes");
    EXPECT_TRUE(world.try_submit({with_memory(2)})) << "known, so nothing new";
    expect_limit(
        world.try_submit({with_memory(1), with_memory(4)}),
        "jobs[1]: the jobs that have not ended");
    EXPECT_EQ(world.ledger.state().requests().size(), 3U);
}

TEST(Requests, ThatDifferInNodesHaveALimit) {
    World world(1, {.expressions_max = 2});
    ASSERT_TRUE(world.try_submit({with_memory(1, "!a")}));
    ASSERT_TRUE(world.try_submit({with_memory(1, "!b")}));
    expect_limit(
        world.try_submit({with_memory(1, "!c")}), "on: the jobs that have not ended name 2");
    EXPECT_TRUE(world.try_submit({with_memory(9, "!b")})) << "other amounts, a known expression";
    EXPECT_TRUE(world.try_submit({with_memory(9)}));
}

TEST(Requests, AreGoneWithTheLastJobThatAsksForThem) {
    World world(1, {.requests_max = 3, .expressions_max = 2});
    const JobId lives = world.submit(with_memory(1, "!a"));
    model::RequestId last(0);
    for (int mib = 2; mib < 50; ++mib) {
        const std::string on = "!" + std::string(static_cast<std::size_t>(mib), 'b');
        const JobId job = world.submit(with_memory(mib, on));
        const model::RequestId request = world.ledger.state().job(job)->request;
        EXPECT_GT(request, last) << "a number is not given again: what ended still has it";
        last = request;
        EXPECT_EQ(world.ledger.state().requests().size(), 2U);
        EXPECT_EQ(world.ledger.state().node_classes().expression_count(), 2U);
        EXPECT_EQ(world.ledger.state().core().request_count(), 2U);
        end_one(world, job, mib % 2 == 0);
    }
    EXPECT_EQ(world.state(lives), "scheduled");
    end_one(world, lives, true);
    expect_nothing_known(world);
}

TEST(Requests, StayWhileOneJobAsksForThem) {
    World world(1);
    const JobId first = world.submit(with_memory(5, "!a"));
    const JobId second = world.submit(with_memory(5, "!a"));
    model::JobTerms terms = with_memory(5, "!a");
    terms.array = {.first = 0, .last = 2};
    const JobId array = world.submit(terms);
    const model::RequestId request = world.ledger.state().job(first)->request;
    EXPECT_EQ(world.ledger.state().requests().at(request).jobs, 3U);
    end_one(world, first, true);
    end_one(world, second, false);
    ASSERT_TRUE(world.control(Control::kStop, array, 1));
    world.end(array, {}, 1);
    ASSERT_EQ(world.ledger.state().requests().size(), 1U);
    EXPECT_EQ(world.ledger.state().job(array)->request, request);
    EXPECT_EQ(world.ledger.state().requests().at(request).jobs, 1U);
    ASSERT_TRUE(world.control(Control::kStop, array));
    world.end(array, {}, 0);
    world.end(array, {}, 2);
    expect_nothing_known(world);
}

TEST(Requests, AreNotGoneBeforeTheEndOfTheirLastJobIsDurable) {
    World world(1);
    const JobId job = world.submit(with_memory(5, "!a"));
    const model::RequestId request = world.ledger.state().job(job)->request;
    ASSERT_TRUE(world.apply(cancel(job)));
    world.ledger.undo();
    EXPECT_EQ(world.ledger.state().requests().at(request).jobs, 1U);
    world.step();
    EXPECT_EQ(world.ledger.state().requests().size(), 1U);

    ASSERT_TRUE(world.apply(cancel(job)));  // And asked for again in the same turn.
    world.say(model::TaskEnded{.node = "n1", .key = world.key(job)});
    const JobId again = world.submit(with_memory(5, "!a"));
    EXPECT_GT(world.ledger.state().job(again)->request, request);
    world.start(again);
    ASSERT_TRUE(world.apply(Report{
        model::TaskEnded{.node = "n1", .key = world.key(again)}
    }));
    const JobId once_more = world.submit(with_memory(5, "!a"));
    EXPECT_EQ(world.state(again), "gone");
    EXPECT_EQ(world.ledger.state().requests().size(), 1U);
    EXPECT_EQ(world.ledger.state().requests().begin()->second.jobs, 1U);
    end_one(world, once_more, true);
    expect_nothing_known(world);
}

TEST(Requests, OfWhatIsRefusedOrOnlyTriedAreNotKept) {
    World world(1);
    EXPECT_FALSE(world.try_submit({with_memory(5, "!a"), with_memory(1'000'000, "!b")}));
    SubmitJobs command{.actor = {.identity = {"ada", 1000, 1000}}, .is_dry_run = true};
    command.jobs.push_back({.terms = with_memory(7, "!c"), .spec_json = "{}"});
    EXPECT_TRUE(world.apply(std::move(command)));
    expect_nothing_known(world);
    world.step();
    expect_nothing_known(world);
}

TEST(Requests, ThatNoJobAsksForAfterARestartAreDropped) {
    Ledger ledger({}, {.cluster_id = "c", .last_request = model::RequestId(9)});
    ledger.restore(model::RequestRecord{.id = model::RequestId(4), .on = "!a"});
    ledger.begin(kStart);
    ledger.committed();
    EXPECT_TRUE(ledger.state().requests().empty());
    SubmitJobs command{.actor = {.identity = {"ada", 1000, 1000}}};
    command.jobs.push_back({.terms = with_memory(7), .spec_json = "{}"});
    ASSERT_TRUE(ledger.apply(std::move(command), {}, kStart));
    EXPECT_EQ(ledger.state().requests().begin()->first, model::RequestId(10));
}

TEST(Requests, AreLearntByElementsFromWhatIsAccepted) {
    World world(1, {.scheduling = {.policy = scheduler::Policy::kFillValue}});
    const auto learnt = [&] { return world.ledger.state().core().learnt(); };
    model::JobTerms array = with_memory(5);
    array.array = model::ArrayRange{.first = 1, .last = 49};
    world.submit(array);
    EXPECT_EQ(learnt(), nullptr) << "too few";
    EXPECT_FALSE(world.try_submit({with_memory(5), with_memory(1'000'000)}));
    SubmitJobs tried{.actor = {.identity = {"ada", 1000, 1000}}, .is_dry_run = true};
    tried.jobs.push_back({.terms = with_memory(5), .spec_json = "{}"});
    EXPECT_TRUE(world.apply(std::move(tried)));
    EXPECT_EQ(learnt(), nullptr) << "it was not accepted";
    world.submit(one_gpu());
    ASSERT_NE(learnt(), nullptr);
    ASSERT_EQ(learnt()->size(), 2U);
    EXPECT_EQ(learnt()->front().count, 49U);
    EXPECT_EQ(learnt()->back().count, 1U);
}

TEST(Requests, OfTheTimeBeforeAreLearntWithTheModelsThatThereAre) {
    Ledger ledger({.scheduling = {.policy = scheduler::Policy::kFgd}}, {.cluster_id = "c"});
    ledger.restore(model::GpuModelRecord{.id = GpuModelId(3), .name = "NVIDIA A30"});
    ledger.remember(
        {
            .gpus = {.count = 2, .model = "a30"},
              .on = "!a"
    },
        1000);
    const auto learnt = ledger.state().core().learnt();
    ASSERT_NE(learnt, nullptr);
    const auto& gpus = std::get<model::WholeGpus>(learnt->front().request.gpus);
    EXPECT_EQ(gpus.models, std::vector{GpuModelId(3)});
    EXPECT_EQ(learnt->front().count, 1000U);
}

TEST(Requests, AreNotLearntForAPolicyThatDoesNot) {
    World world(1);
    model::JobTerms array = with_memory(5);
    array.array = model::ArrayRange{.first = 1, .last = 100};
    world.submit(array);
    EXPECT_EQ(world.ledger.state().core().learnt(), nullptr);
}

}  // namespace
}  // namespace reeve::ledger
