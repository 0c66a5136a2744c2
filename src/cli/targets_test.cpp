#include "cli/targets.hpp"

#include <gtest/gtest.h>

#include "cli/fake_transport.hpp"

namespace reeve::cli {
namespace {

TEST(Targets, AreReadAsWritten) {
    struct Case {
        std::vector<std::string> words;
        std::vector<std::string> labels;
        TargetList want;
    };

    const std::vector<Case> cases = {
        {{},                  {},      {}                                                                    },
        {{"1842"},            {},      {.named = {{1842, {}}}}                                               },
        {{"1842_7"},          {},      {.named = {{1842, 7}}}                                                },
        {{"5-7"},             {},      {.named = {{5, {}}, {6, {}}, {7, {}}}}                                },
        {{"1,5_0", "9"},      {},      {.named = {{1, {}}, {5, 0}, {9, {}}}}                                 },
        {{"last", "3"},       {},      {.named = {{3, {}}}, .is_last = true}                                 },
        {{"@me"},             {},      {.selector = Selector{.is_mine = true}}                               },
        {{"@me", "@pending"}, {},      {.selector = Selector{.is_mine = true, .states = {"pending"}}}        },
        {{"@running"},        {},      {.selector = Selector{.states = {"scheduled", "running", "stopping"}}}},
        {{"1-9:4"},           {},      {.named = {{1, {}}, {5, {}}, {9, {}}}}                                },
        {{"1-8:4"},           {},      {.named = {{1, {}}, {5, {}}}}                                         },
        {{"train,1"},         {},      {.named = {{1, {}}}, .names = {"train"}}                              },
        {{"a-1", "7b_2"},     {},      {.names = {"a-1", "7b_2"}}                                            },
        {{"größe 2"},         {},      {.names = {"größe 2"}}                                                },
        {{},                  {"a=b"}, {.selector = Selector{.labels = {"a=b"}}}                             },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.words.empty() ? "-" : c.words.front());
        const auto list = parse_targets(c.words, c.labels);
        ASSERT_TRUE(list) << list.error().message;
        EXPECT_EQ(*list, c.want);
    }
}

TEST(Targets, RefuseWhatIsNone) {
    for (const char* word :
         {"", "0", "-5", "-a", "1-9:0", "1-9:", "1:2", "7-5", "5-", "1_", "_1", "1_4294967295",
          "1,,2", "@all", "1.5", "9007199254740992", "+1"}) {
        const auto list = parse_targets({word}, {});
        ASSERT_FALSE(list) << word;
        EXPECT_EQ(list.error().code, ErrorCode::kInvalid);
    }
    const auto wide = parse_targets({"1-20001:2"}, {});
    EXPECT_EQ(wide.error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(
        wide.error().message,
        "'1-20001:2' means 10001 jobs; a command takes 10000 by id, and any number by @me, "
        "@running, @pending or -l key=value");
    EXPECT_EQ(
        parse_targets({"1-9000", "1-2000"}, {}).error().message.substr(0, 20),
        "these are 11000 jobs");
    EXPECT_TRUE(parse_targets({"1-10000"}, {}));
    EXPECT_FALSE(parse_targets({}, {"a"}));
    EXPECT_FALSE(parse_targets({}, {"=b"}));
}

TEST(Targets, BecomeAQuery) {
    EXPECT_EQ(jobs_path({}), "/api/v1/jobs");
    EXPECT_EQ(
        jobs_path({
            .is_mine = true,
            .states = {"pending", "running"},
            .labels = {"a=b c"},
            .project = "v"
    }),
        "/api/v1/jobs?state=pending,running&user=@me&project=v&label=a%3Db%20c");
}

struct World {
    FakeTransport server;
    SeededRandom random = SeededRandom(1);
    Client client = Client(server, random, [](std::chrono::milliseconds) {});
};

TEST(Targets, AreLookedUp) {
    World world;
    world.server.answer(200, R"({"items":[{"id":42}]})");
    const auto named = look_up(world.client, {.named = {{9, 1}}, .is_last = true});
    ASSERT_TRUE(named);
    EXPECT_EQ(
        *named, (std::vector<Target>{
                    {9,  1 },
                    {42, {}}
    }));
    world.server.answer(200, R"({"items":[{"id":5},{"id":6}]})");
    const auto mine = look_up(world.client, {.selector = Selector{.is_mine = true}});
    ASSERT_TRUE(mine);
    EXPECT_EQ(
        *mine, (std::vector<Target>{
                   {5, {}},
                   {6, {}}
    }));

    world.server.answer(200, R"({"items":[]})");
    EXPECT_EQ(look_up(world.client, {.is_last = true}).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(look_up_one(world.client, {}).error().code, ErrorCode::kInvalid);
    world.server.answer(200, R"({"items":[]})");
    EXPECT_EQ(
        look_up_some(world.client, parse_targets({"@running"}, {}).value()).error().code,
        ErrorCode::kNotFound);
    EXPECT_EQ(
        look_up_one(world.client, parse_targets({"1,2"}, {}).value()).error().code,
        ErrorCode::kInvalid);
}

TEST(Targets, WhatIsNamedHasToMatchTheFilters) {
    World world;
    const TargetList list = parse_targets({"5,6_2", "7", "@running"}, {"a=b"}).value();
    world.server.answer(200, R"({"items":[{"id":7},{"id":6},{"id":5}]})");
    const auto all = look_up(world.client, list);
    ASSERT_TRUE(all) << all.error().message;
    EXPECT_EQ(
        *all, (std::vector<Target>{
                  {5, {}},
                  {6, 2 },
                  {7, {}}
    }));
    world.server.answer(200, R"({"items":[{"id":6}]})");
    const auto some = look_up(world.client, list);
    ASSERT_FALSE(some);
    EXPECT_EQ(some.error().code, ErrorCode::kNotFound);
    EXPECT_EQ(
        some.error().message,
        "5, 7 do not match state scheduled,running,stopping, -l a=b, and what is named has to; "
        "nothing was done");
}

TEST(Targets, ASelectorMeansAllOfThemHoweverManyThereAre) {
    World world;
    std::uint64_t id = 12'500;
    while (id > 0) {
        std::string items;
        for (int row = 0; row < 1000 && id > 0; ++row, --id) {
            items += (items.empty() ? R"({"id":)" : R"(,{"id":)") + std::to_string(id) + "}";
        }
        world.server.answer(
            200, R"({"items":[)" + items + "]" + (id > 0 ? R"(,"next":"c)" : R"(,"x":"c)") +
                     std::to_string(id) + R"("})");
    }
    const auto all = look_up(world.client, parse_targets({"@pending"}, {}).value());
    ASSERT_TRUE(all) << all.error().message;
    ASSERT_EQ(all->size(), 12'500U);
    EXPECT_EQ(all->front().job, 12'500U);
    EXPECT_EQ(all->back().job, 1U);
    ASSERT_EQ(world.server.asked.size(), 13U);
    EXPECT_EQ(
        world.server.asked[12].target,
        "/api/v1/jobs?state=pending&fields=id&limit=1000&cursor=c500");
}

TEST(Targets, AreNotLookedUpInPartIfAPageFails) {
    World world;
    world.server.answer(200, R"({"items":[{"id":9}],"next":"c"})");
    world.server.answer(403, R"({"code":"FORBIDDEN","detail":"not any more"})");
    const auto all = look_up(world.client, parse_targets({"@pending"}, {}).value());
    ASSERT_FALSE(all);
    EXPECT_EQ(all.error().message, "not any more");
}

TEST(Targets, ANameMeansTheOnlyOneThatGoesOn) {
    World world;
    const TargetList list = parse_targets({"train"}, {}).value();
    world.server.answer(200, R"({"items":[{"id":5}]})");
    EXPECT_EQ(
        look_up(world.client, list).value(), (std::vector<Target>{
                                                 {5, {}}
    }));
    EXPECT_EQ(
        world.server.asked[0].target,
        "/api/v1/jobs?state=pending,scheduled,running,stopping&user=@me&name=train&limit=12");
    world.server.answer(200, R"({"items":[{"id":9},{"id":5}]})");
    const auto several = look_up(world.client, list);
    ASSERT_FALSE(several);
    EXPECT_EQ(several.error().code, ErrorCode::kConflict);
    EXPECT_EQ(
        several.error().message, "several jobs of yours are named 'train': 9, 5; name one by id");
}

TEST(Targets, ANameMeansTheNewestOfWhatHasEnded) {
    World world;
    world.server.answer(200, R"({"items":[]})");
    world.server.answer(200, R"({"items":[{"id":4}]})");
    EXPECT_EQ(look_up_job(world.client, "train").value(), 4U);
    EXPECT_EQ(world.server.asked[1].target, "/api/v1/jobs?user=@me&name=train&limit=1");
    world.server.answer(200, R"({"items":[]})");
    world.server.answer(200, R"({"items":[]})");
    EXPECT_EQ(look_up_job(world.client, "train").error().code, ErrorCode::kNotFound);
    EXPECT_EQ(look_up_job(world.client, "7_1").error().code, ErrorCode::kInvalid);
    EXPECT_EQ(look_up_job(world.client, "12").value(), 12U);
}

}  // namespace
}  // namespace reeve::cli
