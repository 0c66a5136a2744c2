#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "api/http_server_world.hpp"

namespace reeve::api {
namespace {

class AnswerWatchTest : public HttpServerTest {
  protected:
    /// True as soon as nobody waits for the answer any more. Meanwhile others are answered.
    bool waits_in_vain(const AnswerWatch& watch) {
        constexpr int kOthers = 10'000;
        LoopbackClient other = connect();
        for (int i = 0; i < kOthers && !watch.is_in_vain(); ++i) {
            EXPECT_FALSE(other.ask(get("/other")).empty());
        }
        return watch.is_in_vain();
    }
};

TEST_F(AnswerWatchTest, AWatchedAnswerIsInVainOnceItsClientHasGone) {
    serve({});
    std::pair<Responder, std::shared_ptr<const AnswerWatch>> watched(Responder(nullptr), nullptr);
    {
        LoopbackClient client = connect();
        ASSERT_TRUE(client.send(get("/watched")));
        watched = service.watched.get_future().get();
        EXPECT_FALSE(watched.second->is_in_vain());
    }
    EXPECT_TRUE(waits_in_vain(*watched.second));
}

TEST_F(AnswerWatchTest, WhoClosesOnlyForWritingIsAnsweredAllTheSame) {
    serve({});
    LoopbackClient client = connect();
    ASSERT_TRUE(client.send(get("/watched")));
    client.shut_down_sending();
    const auto [responder, watch] = service.watched.get_future().get();
    EXPECT_TRUE(waits_in_vain(*watch));
    responder.send({.body = "short"});
    EXPECT_TRUE(client.read_answer().ends_with("short"));
}

TEST_F(AnswerWatchTest, WhatIsPipelinedBehindAWatchedRequestIsNotLost) {
    serve({});
    LoopbackClient client = connect();
    ASSERT_TRUE(client.send(get("/watched")));
    const auto [responder, watch] = service.watched.get_future().get();
    constexpr int kMany = 2000;  // More than is read ahead.
    std::string more;
    for (int i = 0; i < kMany; ++i) {
        more += get("/b");
    }
    std::thread sending([&] { EXPECT_TRUE(client.send(more)); });
    EXPECT_FALSE(connect().ask(get("/other")).empty());  // Some of it has been read by now.
    EXPECT_FALSE(watch->is_in_vain());
    responder.send({.body = "first"});
    EXPECT_TRUE(client.read_answer().ends_with("first"));
    for (int i = 0; i < kMany; ++i) {
        ASSERT_TRUE(client.read_answer().ends_with("/b  tcp")) << i;
    }
    sending.join();
}

TEST_F(AnswerWatchTest, AStopGivesUpWatchedAnswers) {
    serve({});
    LoopbackClient client = connect();
    ASSERT_TRUE(client.send(get("/watched")));
    const auto watched = service.watched.get_future().get();
    std::thread answering([&watched] {
        while (!watched.second->is_in_vain()) {
            std::this_thread::yield();
        }
        watched.first.send({.body = "stopped"});
    });
    server->stop(milliseconds(10'000));
    answering.join();
    EXPECT_TRUE(client.read_answer().ends_with("stopped"));
}

}  // namespace
}  // namespace reeve::api
