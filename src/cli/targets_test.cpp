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
         {"", "train", "0", "-5", "7-5", "5-", "1_", "_1", "1_x", "1_4294967295", "1,,2", "@all",
          "1.5", "9007199254740992", "+1"}) {
        const auto list = parse_targets({word}, {});
        ASSERT_FALSE(list) << word;
        EXPECT_EQ(list.error().code, ErrorCode::kInvalid);
    }
    EXPECT_EQ(parse_targets({"1-10001"}, {}).error().code, ErrorCode::kTooLarge);
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

TEST(Targets, AreLookedUp) {
    FakeTransport server;
    SeededRandom random(1);
    Client client(server, random, [](std::chrono::milliseconds) {});
    server.answer(200, R"({"items":[{"id":42}]})");
    server.answer(200, R"({"items":[{"id":5},{"id":6}]})");
    const auto found = look_up(
        client, {.named = {{9, 1}}, .is_last = true, .selector = Selector{.is_mine = true}});
    ASSERT_TRUE(found);
    EXPECT_EQ(
        *found, (std::vector<Target>{
                    {9,  1 },
                    {42, {}},
                    {5,  {}},
                    {6,  {}}
    }));

    server.answer(200, R"({"items":[]})");
    EXPECT_EQ(look_up(client, {.is_last = true}).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(look_up_one(client, {}).error().code, ErrorCode::kInvalid);
    server.answer(200, R"({"items":[]})");
    EXPECT_EQ(
        look_up_some(client, parse_targets({"@running"}, {}).value()).error().code,
        ErrorCode::kNotFound);
    EXPECT_EQ(
        look_up_one(
            client,
            {
                .named = {{1, {}}, {2, {}}}
    })
            .error()
            .code,
        ErrorCode::kInvalid);
}

}  // namespace
}  // namespace reeve::cli
