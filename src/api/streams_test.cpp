#include <string>

#include <gtest/gtest.h>

#include "api/api_world.hpp"

namespace reeve::api {
namespace {

ledger::Event event(std::uint64_t rev, std::string kind, std::string user, std::string json) {
    return {
        .rev = Revision(rev),
        .kind = std::move(kind),
        .user = std::move(user),
        .json = std::move(json)};
}

class StreamsTest : public testing::Test {
  protected:
    void SetUp() override {
        world.store.events = {
            event(1, "internal", "", "{}"),
            event(2, "job.submitted", "ada", R"({"object":"job/7","payload":{}})"),
            event(3, "job.submitted", "bob", R"({"object":"job/70","payload":{}})"),
            event(
                4, "element.running", "ada", R"({"object":"element/7","payload":{"job":7,"x":1}})"),
            event(5, "node.changed", "", R"({"object":"node/jw2","payload":{}})"),
            event(6, "allocation.bound", "", R"({"object":"allocation/1","payload":{"job":99}})"),
        };
        world.commands.shown.rev = Revision(6);
        ledger::JobRow row;
        row.record.id = JobId(7);
        row.record.counts[model::ElementState::kRunning] = 1;
        row.user = "ada";
        world.store.jobs = {row};
        auto node = std::make_shared<controller::NodeStatus>();
        node->record.id = NodeId(1);
        node->record.name = "jw2";
        world.commands.shown.nodes = {node};
    }

    void start_task() {
        model::ElementRecord element;
        element.key = {.job = JobId(7)};
        element.attempt = 3;
        element.node = NodeId(1);
        const std::scoped_lock lock(world.store.mutex);
        world.store.elements = {element};
    }

    void push(ledger::Event added) {
        const std::scoped_lock lock(world.store.mutex);
        world.store.events.push_back(std::move(added));
    }

    /// What a watcher that is caught up has been sent.
    std::string events(const std::string& target, std::uint32_t uid) {
        EXPECT_EQ(world.get(target, uid).status, 200);
        // One more, which everybody sees, marks the end.
        push(event(
            world.store.newest().value() + 1, "node.changed", "", R"({"object":"node/mark"})"));
        world.events.on_commit();
        return world.stream->read_to("node/mark\"}\n\n");
    }

    World world;
};

TEST_F(StreamsTest, EventsGoOnFromACursor) {
    const std::string all = events("/api/v1/events?since=1:2", kRoot);
    EXPECT_EQ(
        all,
        "id: 1:3\nevent: job.submitted\ndata: {\"object\":\"job/70\",\"payload\":{}}\n\n"
        "id: 1:4\nevent: element.running\ndata: "
        "{\"object\":\"element/7\",\"payload\":{\"job\":7,\"x\":1}}\n\n"
        "id: 1:5\nevent: node.changed\ndata: {\"object\":\"node/jw2\",\"payload\":{}}\n\n"
        "id: 1:6\nevent: allocation.bound\ndata: "
        "{\"object\":\"allocation/1\",\"payload\":{\"job\":99}}\n\n"
        "id: 1:7\nevent: node.changed\ndata: {\"object\":\"node/mark\"}\n\n");
}

TEST_F(StreamsTest, LastEventIdGoesBeforeSince) {
    world.ask({.target = "/api/v1/events?since=0", .fields = {.last_event_id = "1:5"}});
    EXPECT_TRUE(world.stream->read_to("\n\n").starts_with("id: 1:6\n"));
}

TEST_F(StreamsTest, WithoutACursorOnlyWhatIsNew) {
    EXPECT_EQ(
        events("/api/v1/events", kRoot),
        "id: 1:7\nevent: node.changed\ndata: {\"object\":\"node/mark\"}\n\n");
}

TEST_F(StreamsTest, EventsOfTheKindsThatAreAskedFor) {
    const std::string seen = events("/api/v1/events?since=0&kinds=job.submitted,node.*", kRoot);
    EXPECT_TRUE(has(seen, "event: job.submitted\n")) << seen;
    EXPECT_TRUE(has(seen, "event: node.changed\n")) << seen;
    EXPECT_FALSE(has(seen, "event: element.running\n")) << seen;
    EXPECT_FALSE(has(seen, "event: allocation.bound\n")) << seen;
    for (const char* bad : {"", "job", "job.", "job.*,", ",job.*", "*", "Job.x", "job.%20"}) {
        const HttpResponse refused = world.get(std::string("/api/v1/events?kinds=") + bad);
        EXPECT_EQ(refused.status, 400) << bad;
        EXPECT_TRUE(has(refused.body, "kinds: expects")) << refused.body;
    }
}

TEST_F(StreamsTest, OthersJobsAreNotTold) {
    const std::string seen = events("/api/v1/events?since=0", kAda);
    EXPECT_TRUE(has(seen, "job/7\"")) << seen;
    EXPECT_TRUE(has(seen, "node/jw2")) << seen;
    EXPECT_FALSE(has(seen, "job/70")) << seen;
    EXPECT_FALSE(has(seen, "allocation")) << seen;
    EXPECT_FALSE(has(seen, "internal")) << seen;
}

TEST_F(StreamsTest, OneJobsEventsAreNotAnothers) {
    const ledger::Event submitted = world.store.events[1];
    EXPECT_TRUE(is_about(submitted, JobId(7)));
    EXPECT_FALSE(is_about(submitted, JobId(70)));
    EXPECT_FALSE(is_about(world.store.events[2], JobId(7)));
    EXPECT_TRUE(is_about(world.store.events[3], JobId(7)));
    EXPECT_TRUE(is_about(world.store.events[5], JobId(99)));
    EXPECT_FALSE(is_about(world.store.events[5], JobId(9)));
    const ledger::Event trick =
        event(9, "job.submitted", "ada", R"({"object":"job/1","payload":{"name":"\"job\":7,"}})");
    EXPECT_FALSE(is_about(trick, JobId(7)));
}

TEST_F(StreamsTest, WhatIsGoneIsAGap) {
    for (const char* since : {"2:3", "1:999", "999"}) {
        EXPECT_EQ(world.get(std::string("/api/v1/events?since=") + since).status, 200);
        EXPECT_EQ(
            world.stream->read_to("\n\n"), "event: gap\nid: 1:6\ndata: {\"cursor\":\"1:6\"}\n\n")
            << since;
    }
    {
        const std::scoped_lock lock(world.store.mutex);
        world.store.floor = Revision(3);
    }
    EXPECT_EQ(world.get("/api/v1/events?since=1:2").status, 200);
    EXPECT_EQ(world.stream->read_to("\n\n"), "event: gap\nid: 1:6\ndata: {\"cursor\":\"1:6\"}\n\n");
}

TEST_F(StreamsTest, ALongBacklogComesPageByPage) {
    for (std::uint64_t rev = 7; rev <= 2600; ++rev) {
        push(event(rev, "node.changed", "", "{}"));
    }
    EXPECT_EQ(world.get("/api/v1/events?since=6").status, 200);
    for (std::uint64_t rev = 7; rev <= 2600; ++rev) {
        ASSERT_EQ(
            world.stream->read_to("\n\n"),
            "id: 1:" + std::to_string(rev) + "\nevent: node.changed\ndata: {}\n\n");
    }
}

TEST_F(StreamsTest, LogsAreReadByOffset) {
    world.task_logs.text = "hello\nworld\n";
    const HttpResponse waiting = world.get("/api/v1/jobs/7/logs", kAda);
    EXPECT_EQ(waiting.status, 200);
    EXPECT_EQ(waiting.body, "") << "it has not started";
    start_task();
    const HttpResponse all = world.get("/api/v1/jobs/7/logs", kAda);
    EXPECT_EQ(all.body, "hello\nworld\n");
    EXPECT_EQ(all.content_type, "text/plain; charset=utf-8");
    EXPECT_EQ(all.headers.at(0).second, "12");
    EXPECT_EQ(to_string(world.task_logs.last.task), "7.0.3.0");
    EXPECT_EQ(world.task_logs.last.node, "jw2");
    EXPECT_EQ(world.get("/api/v1/jobs/7/logs?offset=6&limit=3", kAda).body, "wor");
    EXPECT_EQ(world.get("/api/v1/jobs/7/logs?offset=-6", kAda).body, "world\n");
    EXPECT_EQ(world.get("/api/v1/jobs/7/logs?offset=-600", kAda).body, "hello\nworld\n");
    EXPECT_EQ(world.get("/api/v1/jobs/7/logs?element=1", kAda).status, 404);
}

TEST_F(StreamsTest, LogsThatNoTaskWroteAreNotFound) {
    EXPECT_EQ(world.get("/api/v1/jobs/7/logs?attempt=1", kAda).status, 200) << "it is to come";
    start_task();
    const HttpResponse later = world.get("/api/v1/jobs/7/logs?attempt=7", kAda);
    EXPECT_EQ(later.status, 404);
    EXPECT_TRUE(has(later.body, "job 7 has no attempt 7 yet; the newest is 3")) << later.body;
    EXPECT_EQ(world.get("/api/v1/jobs/7/logs?attempt=7&follow=1", kAda).status, 404);
    const HttpResponse rank = world.get("/api/v1/jobs/7/logs?rank=3", kAda);
    EXPECT_EQ(rank.status, 404);
    EXPECT_TRUE(has(rank.body, "job 7 has no rank 3")) << rank.body;
}

TEST_F(StreamsTest, ALogWithoutItsMiddleSaysWhichBytesAreGone) {
    start_task();
    world.task_logs.text = "hello\nworld\n";
    EXPECT_EQ(world.get("/api/v1/jobs/7/logs", kAda).headers.size(), 1);
    world.task_logs.dropped_begin = 6;
    world.task_logs.dropped_end = 9;
    const HttpResponse cut = world.get("/api/v1/jobs/7/logs", kAda);
    ASSERT_EQ(cut.headers.size(), 2);
    EXPECT_EQ(cut.headers[1].first, "X-Reeve-Log-Dropped");
    EXPECT_EQ(cut.headers[1].second, "6-9");
}

TEST_F(StreamsTest, ALogThatIsGoneIsSaidToBe) {
    start_task();
    world.task_logs.exists = false;
    EXPECT_EQ(world.get("/api/v1/jobs/7/logs", kAda).status, 200) << "it may be about to start";
    world.store.jobs[0].record.ended_at = kWorldNow;
    const HttpResponse gone = world.get("/api/v1/jobs/7/logs", kAda);
    EXPECT_EQ(gone.status, 404);
    EXPECT_TRUE(has(gone.body, "the log is gone: jw2 has no folder of task 7.0.3.0")) << gone.body;
}

TEST_F(StreamsTest, AFollowedLogGoesOnUntilItsTaskEnds) {
    EXPECT_EQ(world.get("/api/v1/jobs/7/logs?follow=1", kAda).status, 200);
    start_task();
    world.task_logs.append("one\n");
    EXPECT_EQ(
        world.stream->read_to("\n\n"),
        "event: log\nid: 4\ndata: {\"offset\":0,\"next\":4,\"text\":\"one\\n\"}\n\n");
    world.task_logs.append("\xFF");
    EXPECT_EQ(
        world.stream->read_to("\n\n"),
        "event: log\nid: 5\ndata: {\"offset\":4,\"next\":5,\"base64\":\"/w==\"}\n\n");
    world.task_logs.finish();
    EXPECT_EQ(world.stream->read_to("\n\n"), "event: end\nid: 5\ndata: {\"next\":5}\n\n");
    EXPECT_TRUE(world.stream->wait_until_over());
}

TEST_F(StreamsTest, AFollowedLogGoesOnFromLastEventId) {
    start_task();
    world.task_logs.text = "one\ntwo\n";
    world.ask({.target = "/api/v1/jobs/7/logs?follow=1", .fields = {.last_event_id = "4"}});
    EXPECT_TRUE(has(world.stream->read_to("\n\n"), R"("text":"two\n")"));
}

TEST_F(StreamsTest, AJobThatNeverStartedHasAnEndToo) {
    world.store.jobs[0].record.counts = {};
    world.store.jobs[0].record.counts[model::ElementState::kCancelled] = 1;
    world.store.jobs[0].record.ended_at = kWorldNow;
    world.get("/api/v1/jobs/7/logs?follow=1", kAda);
    EXPECT_EQ(world.stream->read_to("\n\n"), "event: end\nid: 0\ndata: {\"next\":0}\n\n");
}

TEST(LogEvent, KeepsCharactersWhole) {
    struct Case {
        const char* name;
        std::string bytes;
        const char* want;
        std::size_t taken;
    };

    const std::vector<Case> cases = {
        {"plain",          "ab",        R"({"offset":10,"next":12,"text":"ab"})",         2},
        {"cut character",  "ab\xC3",    R"({"offset":10,"next":12,"text":"ab"})",         2},
        {"only a cut one", "\xE2\x82",  R"({"offset":10,"next":12,"base64":"4oI="})",     2},
        {"broken inside",  "a\xFFzzzz", R"({"offset":10,"next":16,"base64":"Yf96enp6"})", 6},
    };
    for (const Case& c : cases) {
        std::string bytes = c.bytes;
        EXPECT_EQ(log_event(10, bytes), c.want) << c.name;
        EXPECT_EQ(bytes.size(), c.taken) << c.name;
    }
}

// From RFC 4648, section 10.
TEST(Base64, IsTheStandards) {
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foo"), "Zm9v");
    EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace reeve::api
