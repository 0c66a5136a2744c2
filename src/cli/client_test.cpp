#include "cli/client.hpp"

#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>

#include "cli/curl_transport.hpp"
#include "cli/fake_transport.hpp"
#include "cli/job_watch.hpp"
#include "cli/words.hpp"

namespace reeve::cli {
namespace {

using std::chrono::milliseconds;

struct World {
    FakeTransport server;
    SeededRandom random{7};
    std::vector<milliseconds> pauses;
    Client client{server, random, [this](milliseconds pause) { pauses.push_back(pause); }};
};

std::string problem(const std::string& code, const std::string& detail) {
    return R"({"code":")" + code + R"(","detail":")" + detail + R"(","request_id":"r1"})";
}

TEST(Client, TriesAgainWhileTheServerIsAwayAndKeepsTheKey) {
    World world;
    world.server.unavailable();
    world.server.answer(503, problem("UNAVAILABLE", "starting"));
    world.server.answer(201, R"({"id":7})");
    const auto answer = world.client.submit("/api/v1/jobs", "{}");
    ASSERT_TRUE(answer);
    EXPECT_EQ(integer_at(*answer, "id"), 7);
    ASSERT_EQ(world.server.asked.size(), 3U);
    EXPECT_TRUE(world.server.asked[0].headers[0].starts_with("Idempotency-Key: "));
    EXPECT_EQ(world.server.asked[0].headers, world.server.asked[2].headers);
    ASSERT_EQ(world.pauses.size(), 2U);
    EXPECT_GE(world.pauses[0], milliseconds(100));
    EXPECT_LE(world.pauses[0], milliseconds(150));
    EXPECT_GE(world.pauses[1], milliseconds(200));
}

TEST(Client, GivesUpAfterFiveTries) {
    World world;
    for (int i = 0; i < 9; ++i) {
        world.server.unavailable();
    }
    const auto answer = world.client.submit("/x", "{}");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(world.server.asked.size(), 5U);
    EXPECT_FALSE(world.client.get("/x"));
    EXPECT_EQ(world.server.asked.size(), 8U);
}

TEST(Client, DoesNotRepeatWhatIsNotSafeToRepeat) {
    World world;
    world.server.unavailable();
    EXPECT_FALSE(world.client.post("/api/v1/jobs/1:stop", "{}"));
    EXPECT_EQ(world.server.asked.size(), 1U);
}

TEST(Client, SaysWithEachRequestWhomItActsAs) {
    World world;
    FakeTransport& server = world.server;
    Client& client = world.client;
    const auto has_header = [&] {
        const auto& headers = server.asked.back().headers;
        return std::ranges::find(headers, "X-Reeve-As: ada") != headers.end();
    };
    server.answer(200, "{}");
    EXPECT_TRUE(client.get("/a"));
    EXPECT_FALSE(has_header());
    client.act_as("ada");
    for (int i = 0; i < 2; ++i) {
        server.answer(200, "{}");
    }
    EXPECT_TRUE(client.get("/a"));
    EXPECT_TRUE(has_header());
    EXPECT_TRUE(client.submit("/b", "{}"));
    EXPECT_TRUE(has_header());
    server.streams.push_back({});
    EXPECT_TRUE(client.follow({.target = "/c", .on_open = [] { return Go::kStop; }}));
    EXPECT_TRUE(has_header());
}

TEST(Client, ReadsProblems) {
    struct Case {
        std::string name;
        HttpAnswer answer;
        ErrorCode code;
        std::string message;
    };

    const std::vector<Case> cases = {
        {"a code decides",       {422, problem("QUOTA", "over")}, ErrorCode::kQuota,       "over"                   },
        {"also over the status",
         {422, problem("UNSATISFIABLE", "never")},
         ErrorCode::kUnsatisfiable,
         "never"                                                                                                    },
        {"the status alone",     {404, "<html>"},                 ErrorCode::kNotFound,    "the server answered 404"},
        {"a proxy's 502",        {502, ""},                       ErrorCode::kUnavailable, "the server answered 502"},
        {"a bug",
         {500, problem("INTERNAL", "oops")},
         ErrorCode::kInternal,
         "oops (request r1, for whoever runs the server)"                                                           },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        const Error error = error_of(c.answer);
        EXPECT_EQ(error.code, c.code);
        EXPECT_EQ(error.message, c.message);
    }
}

TEST(Client, JoinsThePagesOfAList) {
    World world;
    world.server.answer(
        200, R"({"items":[{"id":3},{"id":2}],"next":"a:1","as_of":{"revision":9}})");
    world.server.answer(200, R"({"items":[{"id":1}],"as_of":{"revision":12}})");
    const auto all = world.client.get_all("/api/v1/jobs?state=done", 5000);
    ASSERT_TRUE(all);
    EXPECT_EQ(to_compact((*all)["items"]), R"([{"id":3},{"id":2},{"id":1}])");
    EXPECT_EQ(integer_at(*all, "as_of.revision"), 9);  // A watch goes on from the first page's.
    EXPECT_EQ(text_at(*all, "next"), "");
    EXPECT_EQ(world.server.asked[1].target, "/api/v1/jobs?state=done&limit=1000&cursor=a:1");
}

TEST(Client, AsksForTheNextPageWhileItReadsOne) {
    World world;
    const auto page = [](const std::string& items, const std::string& next) {
        const std::string named = next.empty() ? "" : R"(,"next":")" + next + "\"";
        return HttpAnswer{
            .status = 200,
            .body = R"({"items":[)" + items + "]" + named + "}",
            .next_cursor = next};
    };
    world.server.answers = {page("1", "a:1"), page("2", "a:2"), page("3", "")};
    const auto all = world.client.get_all("/x", 2001);
    ASSERT_TRUE(all);
    EXPECT_EQ(to_compact((*all)["items"]), "[1,2,3]");
    ASSERT_EQ(world.server.asked.size(), 3U);
    EXPECT_EQ(world.server.asked[2].target, "/x?limit=1000&cursor=a:2");

    world.server.asked.clear();
    world.server.answers = {page("1", "a:1"), page("2", "a:2")};
    EXPECT_FALSE(world.client.get_all("/x", 3000)) << "there is no third answer";
    EXPECT_EQ(world.server.asked.size(), 3U);

    world.server.asked.clear();
    world.server.answers = {
        HttpAnswer{.status = 200, .body = "no JSON", .next_cursor = "a:1"},
        page("2", "")
    };
    EXPECT_FALSE(world.client.get_all("/x", 3000));
    EXPECT_EQ(world.server.asked.size(), 2U) << "what was asked ahead has come before it returns";

    world.server.asked.clear();
    world.server.answers = {page("1,2", "a:1")};
    EXPECT_TRUE(world.client.get_all("/x", 2)) << "no more is asked for than is wanted";
    EXPECT_EQ(world.server.asked.size(), 1U);
}

TEST(Client, StopsAtTheRowsAskedForAndKeepsTheWayOn) {
    World world;
    world.server.answer(200, R"({"items":[1,2],"next":"b"})");
    const auto all = world.client.get_all("/x", 2);
    ASSERT_TRUE(all);
    EXPECT_EQ(text_at(*all, "next"), "b");
    EXPECT_EQ(world.server.asked.size(), 1U);
}

TEST(Events, AreCutAsTheStandardSays) {
    EventParser parser;
    std::vector<std::string> seen;
    const auto sink = [&](const Event& event) {
        seen.push_back(event.name + "|" + event.id + "|" + event.data);
        return Go::kOn;
    };
    const std::string text =
        ": hello\n\nevent: log\r\nid: 5\r\ndata: a\r\ndata:  b\r\n\r\ndata\n\nevent: end\nid: "
        "6\n\n";
    for (const char c : text) {  // However it is cut on the way.
        EXPECT_EQ(parser.feed(std::string_view(&c, 1), sink), Go::kOn);
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"log|5|a\n b", "|5|", "end|6|"}));
}

TEST(Events, ReconnectWhereTheyLeftOff) {
    World world;
    world.server.streams.push_back({.parts = {"id: 5\ndata: a\n\nid: 9\ndata: b\n\nid: 10\nda"}});
    world.server.streams.push_back({.parts = {"id: 12\ndata: c\n\n"}});
    std::string seen;
    const auto done = world.client.follow({.target = "/log", .on_event = [&](const Event& event) {
                                               seen += event.data;
                                               return event.data == "c" ? Go::kStop : Go::kOn;
                                           }});
    EXPECT_TRUE(done);
    EXPECT_EQ(seen, "abc");
    ASSERT_EQ(world.server.asked.size(), 2U);
    EXPECT_EQ(world.server.asked[1].headers.back(), "Last-Event-ID: 9");
}

TEST(Events, AreWaitedForLongerOnceTheyHaveCome) {
    World world;
    const auto on_event = [](const Event&) { return Go::kOn; };
    for (int i = 0; i < 20; ++i) {
        world.server.streams.push_back({});
    }
    EXPECT_EQ(
        world.client.follow({.target = "/x", .on_event = on_event}).error().code,
        ErrorCode::kUnavailable);
    EXPECT_EQ(world.server.asked.size(), 12U);
    world.server.streams.clear();
    for (int i = 0; i < 20; ++i) {
        world.server.streams.push_back({
            .answer = {503, problem("UNAVAILABLE", "starting")}
        });
    }
    EXPECT_EQ(
        world.client.follow({.target = "/x", .on_event = on_event}).error().message, "starting");
    EXPECT_EQ(world.server.asked.size(), 15U);
}

TEST(Events, EndAtAProblem) {
    World world;
    world.server.streams.push_back({
        .answer = {404, problem("NOT_FOUND", "no such job")}
    });
    const auto done =
        world.client.follow({.target = "/log", .on_event = [](const Event&) { return Go::kOn; }});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message, "no such job");
}

TEST(FollowLog, WritesTextAndBytesUntilTheEnd) {
    World world;
    world.server.streams.push_back({
        .parts = {
                  "event: log\nid: 3\ndata: {\"offset\":0,\"next\":3,\"text\":\"hi\\n\"}\n\n", "event: log\nid: 5\ndata: {\"offset\":3,\"next\":5,\"base64\":\"/wA=\"}\n\n",
                  "event: end\nid: 5\ndata: {\"next\":5}\n\n"}
    });
    std::ostringstream written;
    LogPrinter printer(written);
    LogFollow follow{.job = 7, .query = "element=2"};
    follow.interrupted = [] { return Go::kOn; };
    const auto ended = follow_log(world.client, follow, printer);
    ASSERT_TRUE(ended);
    EXPECT_TRUE(*ended);
    EXPECT_EQ(written.str(), std::string("hi\n\xFF\0", 5));
    EXPECT_EQ(world.server.asked[0].target, "/api/v1/jobs/7/logs?follow=1&element=2");
}

TEST(Watch, LooksAtOnceAndAfterEachEvent) {
    World world;
    world.server.streams.push_back({
        .parts = {"data: {}\n\n", "data: {}\n\n"}
    });
    world.server.answer(200, R"({"id":7,"state":"queued"})");
    world.server.answer(200, R"({"id":7,"state":"running"})");
    world.server.answer(200, R"({"id":7,"state":"succeeded"})");
    std::string states;
    const auto done = watch(
        world.client, {7, {}},
        [&](const Json& job) {
            states += text_at(job, "state") + " ";
            return text_at(job, "state") == "succeeded" ? Go::kStop : Go::kOn;
        },
        [] { return Go::kOn; });
    ASSERT_TRUE(done);
    EXPECT_TRUE(*done);
    EXPECT_EQ(states, "queued running succeeded ");
}

TEST(GetTarget, OfAnElementHasTheFieldsOfItsNewestAttempt) {
    World world;
    world.server.answer(200, R"({"id":7,"name":"a","state":"running","elements":{"total":9}})");
    world.server.answer(
        200,
        R"({"items":[{"index":1,"attempt":1,"state":"running"},{"index":2,"attempt":1,"state":"queued"},
                {"index":2,"attempt":2,"state":"failed","exit_code":3}]})");
    const auto job = get_target(world.client, {7, 2});
    ASSERT_TRUE(job);
    EXPECT_EQ(text_at(*job, "name"), "a");
    EXPECT_EQ(text_at(*job, "state"), "failed");
    EXPECT_EQ(integer_at(*job, "attempt"), 2);
}

TEST(GetTarget, OfAnElementThatNeverStartedSaysHowThatEnded) {
    World world;
    const auto answer = [&](const std::string& end, const std::string& state) {
        world.server.answer(
            200, R"({"id":7,"state":"failed","elements":{"total":9},"position":1)" + end + "}");
        world.server.answer(200, R"({"items":[{"index":1,"attempt":1,"state":"succeeded"}]})");
        world.server.answer(200, R"({"id":7,"element":2,"state":")" + state + R"("})");
    };
    answer(R"(,"end_reason":"dependency_never","message":"job 6 did not succeed")", "failed");
    const auto never = get_target(world.client, {7, 2});
    ASSERT_TRUE(never);
    EXPECT_EQ(world.server.asked.back().target, "/api/v1/jobs/7/why?element=2");
    EXPECT_EQ(integer_at(*never, "index"), 2);
    EXPECT_EQ(text_at(*never, "state"), "failed");
    EXPECT_EQ(
        end_in_words(*never), "what it waited for cannot happen any more: job 6 did not succeed");
    answer("", "cancelled");
    const auto cancelled = get_target(world.client, {7, 2});
    ASSERT_TRUE(cancelled);
    EXPECT_EQ(text_at(*cancelled, "state"), "cancelled");
    EXPECT_EQ(end_in_words(*cancelled), "was stopped");
    answer("", "queued");
    EXPECT_EQ(text_at(*get_target(world.client, {7, 2}), "state"), "queued");
}

TEST(GetTarget, KnowsOnlyElementsThatThereAre) {
    World world;
    world.server.answer(200, R"({"id":7,"state":"queued","elements":{"total":9}})");
    world.server.answer(200, R"({"items":[]})");
    world.server.answer(404, problem("NOT_FOUND", "job 7 has no element 12"));
    const auto job = get_target(world.client, {7, 12});
    ASSERT_FALSE(job);
    EXPECT_EQ(job.error().code, ErrorCode::kNotFound);
}

TEST(ServerAddress, SaysWhatItAccepts) {
    EXPECT_EQ(parse_server_address("unix:/run/reeve.sock")->socket, "/run/reeve.sock");
    EXPECT_EQ(parse_server_address("http://127.0.0.1:8081/")->url, "http://127.0.0.1:8081");
    EXPECT_EQ(parse_server_address("https://reeve.example")->url, "https://reeve.example");
    for (const char* bad :
         {"", "unix:", "unix:reeve.sock", "127.0.0.1:8081", "ftp://x", "http://", "http://a/b",
          "http://127.0.0.1.example:80", "http://reeve.example:8081"}) {
        const auto address = parse_server_address(bad);
        ASSERT_FALSE(address) << bad;
        EXPECT_EQ(address.error().code, ErrorCode::kInvalid);
    }
}

TEST(CurlTransport, SaysWhereNobodyAnswers) {
    auto transport = open_transport({
        .server = {"/nonexistent/reeve.sock", ""}
    });
    ASSERT_TRUE(transport);
    const auto answer = (*transport)->send({.target = "/livez"});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(answer.error().message.find("unix:/nonexistent/reeve.sock"), std::string::npos);
}

TEST(Escaped, KeepsWhatMayStandInAQuery) {
    EXPECT_EQ(escaped("a b&c=é/@me,x:1"), "a%20b%26c%3D%C3%A9%2F@me,x:1");
}

TEST(Base64, Decodes) {
    EXPECT_EQ(decode_base64("aGVsbG8="), "hello");
    EXPECT_EQ(decode_base64(""), "");
    EXPECT_EQ(decode_base64("a*"), "");
}

}  // namespace
}  // namespace reeve::cli
