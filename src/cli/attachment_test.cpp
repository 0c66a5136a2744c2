#include "cli/attachment.hpp"

#include <sstream>

#include <gtest/gtest.h>

#include "cli/environment.hpp"
#include "cli/fake_transport.hpp"

namespace reeve::cli {
namespace {

struct Attached {
    FakeTransport server;
    std::ostringstream out;
    std::ostringstream err;
    SeededRandom random{1};
    Client client{server, random, [](std::chrono::milliseconds) {}};
    CliEnvironment environment{.out = out, .err = err};
    Session session{environment};
};

TEST(Attachment, ShowsTheLogAndEndsAsTheJobDoes) {
    Attached world;
    world.server.streams.push_back({.parts = {"data: {}\n\n"}});  // Events: it waits, then starts.
    world.server.answer(200, R"({"state":"queued","reason":"gpu_short"})");
    world.server.answer(200, R"({"state":"running","started_at":"2024-01-01T00:00:00Z"})");
    world.server.streams.push_back({
        .parts = {"event: log\nid: 2\ndata: {\"text\":\"hi\"}\n\n", "event: end\ndata: {}\n\n"}
    });
    world.server.streams.push_back({});
    world.server.answer(
        200,
        R"({"state":"failed","started_at":"2024-01-01T00:00:00Z","end_reason":"exit_code","exit_code":5})");
    Attachment attachment(world.session, world.client, 7, [] { return std::nullopt; });
    const auto code = attachment.follow();
    ASSERT_TRUE(code) << code.error().message;
    EXPECT_EQ(*code, 5);
    EXPECT_EQ(world.out.str(), "hi");
    EXPECT_EQ(world.err.str(), "Job 7 exited with 5\n");
}

TEST(Attachment, ShowsStandardErrorOnOursIfItIsApart) {
    Attached world;
    std::chrono::milliseconds now(0);
    world.session.clock = [&now] { return now += std::chrono::milliseconds(400); };
    world.server.streams.push_back({.parts = {"data: {}\n\n"}});
    world.server.answer(200, R"({"state":"running","started_at":"2024-01-01T00:00:00Z"})");
    world.server.streams.push_back({
        .parts = {
                  "event: log\ndata: {\"text\":\"a\"}\n\n", "event: log\ndata: {\"text\":\"b\"}\n\n",
                  "event: log\ndata: {\"text\":\"c\"}\n\n", "event: end\ndata: {}\n\n"}
    });
    world.server.answers.emplace_back(HttpAnswer{200, "one\n", "4"});  // At 800 ms.
    world.server.answers.emplace_back(HttpAnswer{200, "", "4"});
    world.server.unavailable();  // At 1600 ms, three tries: left for the next time.
    world.server.unavailable();
    world.server.unavailable();
    world.server.answers.emplace_back(HttpAnswer{200, "two\n", "8"});
    world.server.answers.emplace_back(HttpAnswer{200, "", "8"});
    world.server.streams.push_back({});
    world.server.answer(
        200, R"({"state":"succeeded","started_at":"2024-01-01T00:00:00Z","exit_code":0})");
    Attachment attachment(world.session, world.client, 7, [] { return std::nullopt; });
    attachment.split_output();
    const auto code = attachment.follow();
    ASSERT_TRUE(code) << code.error().message;
    EXPECT_EQ(world.out.str(), "abc");
    EXPECT_EQ(world.err.str(), "one\ntwo\n");
    EXPECT_EQ(
        world.server.asked[3].target,
        "/api/v1/jobs/7/logs?stream=stderr&attempt=1&limit=4194304&offset=0");
}

TEST(Attachment, ShowsOneAttemptAfterTheOther) {
    Attached world;
    world.server.streams.push_back({.parts = {}});
    world.server.answer(
        200, R"({"state":"running","attempt":1,"started_at":"2024-01-01T00:00:00Z"})");
    world.server.streams.push_back({
        .parts = {"event: log\ndata: {\"text\":\"a1\"}\n\n", "event: end\ndata: {}\n\n"}
    });
    world.server.streams.push_back({.parts = {"data: {}\n\n"}});
    world.server.answer(
        200, R"({"state":"running","attempt":1,"started_at":"2024-01-01T00:00:00Z"})");
    world.server.answer(200, R"({"state":"queued","attempt":2,"reason":"retry_backoff"})");
    world.server.streams.push_back({.parts = {"data: {}\n\n"}});
    world.server.answer(200, R"({"state":"queued","attempt":2,"reason":"retry_backoff"})");
    world.server.answer(  // The second try was over so soon that the third one is seen first.
        200, R"({"state":"succeeded","attempt":3,"started_at":"2024-01-01T00:00:09Z"})");
    for (const char* text : {"a2", "a3"}) {
        world.server.streams.push_back({
            .parts = {
                      std::string("event: log\ndata: {\"text\":\"") + text + "\"}\n\n",
                      "event: end\ndata: {}\n\n"}
        });
    }
    Attachment attachment(world.session, world.client, 7, [] { return std::nullopt; });
    const auto code = attachment.follow();
    ASSERT_TRUE(code) << code.error().message;
    EXPECT_EQ(*code, 0);
    EXPECT_EQ(world.out.str(), "a1a2a3");
    EXPECT_EQ(world.err.str(), "Job 7, attempt 2:\nJob 7, attempt 3:\n");
    EXPECT_EQ(world.server.asked.back().target, "/api/v1/jobs/7/logs?follow=1&attempt=3");
}

TEST(Attachment, ShowsNothingOfAnAttemptThatNeverStarted) {
    Attached world;
    world.server.streams.push_back({.parts = {}});
    world.server.answer(200, R"({"state":"cancelled","attempt":2,"end_reason":"cancelled"})");
    world.server.streams.push_back({
        .parts = {"event: log\ndata: {\"text\":\"a1\"}\n\n", "event: end\ndata: {}\n\n"}
    });
    Attachment attachment(world.session, world.client, 7, [] { return std::nullopt; });
    const auto code = attachment.follow();
    ASSERT_TRUE(code) << code.error().message;
    EXPECT_EQ(*code, 1);
    EXPECT_EQ(world.out.str(), "a1");
    EXPECT_EQ(world.err.str(), "Job 7 was stopped\n");
}

TEST(Attachment, ASecondInterruptStopsTheJob) {
    Attached world;
    world.server.streams.push_back({.parts = {"data: {}\n\n"}});
    world.server.answer(200, R"({"state":"running","started_at":"2024-01-01T00:00:00Z"})");
    world.server.streams.push_back({.parts = {"event: log\nid: 2\ndata: {\"text\":\"hi\"}\n\n"}});
    world.server.answer(200, R"({"id":7,"changed":1})");
    int signals = 2;
    Attachment attachment(world.session, world.client, 7, [&]() -> std::optional<int> {
        return signals-- > 0 ? std::optional(2) : std::nullopt;
    });
    const auto code = attachment.follow();
    ASSERT_TRUE(code) << code.error().message;
    EXPECT_EQ(*code, 130);
    EXPECT_EQ(world.server.asked.back().target, "/api/v1/jobs/7:stop");
}

}  // namespace
}  // namespace reeve::cli
