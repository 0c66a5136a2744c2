#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cli/log_printer.hpp"
#include "cli/verb_call.hpp"

// show, logs, wait: what became of a job.
namespace reeve::cli {
namespace {

using Words = std::vector<std::string>;

TEST(ShowVerb, ShowsTheJobAndItsTimeline) {
    FakeTransport server;
    server.answer(
        200,
        R"({"id":7,"name":"train","user":"ann","project":"vision","state":"failed","end_reason":"oom",
        "enforcement":"none","gpus":[{"uuid":"GPU-1","node":"jw2","milli":250,"simulated":true}],"labels":{"a":"b"},"on":"zone!=b"})");
    server.answer(
        200,
        R"({"items":[{"at":"2024-01-01T00:00:00Z","kind":"element.failed","object":"element/7_0",
        "actor":"reeve","attempt":2,"node":"jw2","reason":"oom"}]})");
    const Call made = call(server, "show", {"7"});
    EXPECT_EQ(
        asked_of(server),
        (Words{"GET /api/v1/jobs/7?include=spec", "GET /api/v1/jobs/7/timeline?limit=1000"}));
    for (const char* part :
         {"7 train  failed", "ran out of memory", "limits not enforced", "0.25 of it",
          "(simulated)", "a=b", "zone!=b",
          "element.failed  on jw2, attempt 2, ran out of memory"}) {
        EXPECT_NE(made.out.find(part), std::string::npos) << part << "\n" << made.out;
    }
}

TEST(ShowVerb, SaysThePriorityAndItsName) {
    const auto show = [](const std::string& members) {
        FakeTransport server;
        server.answer(200, R"({"id":7,"state":"queued",)" + members + "}");
        server.answer(200, R"({"items":[]})");
        const std::string out = call(server, "show", {"7"}).out;
        const std::size_t at = out.find("  priority ");
        return at == std::string::npos ? "" : out.substr(at, out.find('\n', at) - at);
    };
    EXPECT_EQ(show(R"("priority":0,"spec":{})"), "");
    EXPECT_EQ(show(R"("priority":-5,"spec":{"priority":-5})"), "  priority   -5");
    EXPECT_EQ(show(R"("priority":100,"spec":{"priority":"urgent"})"), "  priority   100 (urgent)");
    EXPECT_EQ(show(R"("priority":0,"spec":{"priority":"usual"})"), "  priority   0 (usual)");
}

TEST(ShowVerb, SaysThatTheLogWasCut) {
    const auto show = [](Result<HttpAnswer> page) {
        FakeTransport server;
        server.answer(200, R"({"id":7,"state":"running","started_at":"2024-01-01T00:00:00Z"})");
        server.answers.push_back(std::move(page));
        server.answer(200, R"({"items":[]})");
        const Call made = call(server, "show", {"7"});
        EXPECT_EQ(asked_of(server)[1], "GET /api/v1/jobs/7/logs?limit=1");
        return made.out;
    };
    EXPECT_EQ(show(HttpAnswer{200, "a", "1"}).find("log "), std::string::npos);
    EXPECT_NE(
        show(HttpAnswer{200, "a", "1", "100-350"})
            .find("  log        too long: 250 bytes of its middle were dropped"),
        std::string::npos);
    const HttpAnswer gone{404, R"({"code":"NOT_FOUND","detail":"no folder"})"};
    EXPECT_NE(show(gone).find("  log        gone: no folder\n"), std::string::npos);
}

TEST(LogsVerb, PrintsPageByPage) {
    FakeTransport server;
    server.answers.emplace_back(HttpAnswer{200, "one\n", "4"});
    server.answers.emplace_back(HttpAnswer{200, "", "4"});
    const Call made = call(server, "logs", {"7_2", "--attempt", "1", "--stderr"});
    EXPECT_EQ(made.out, "one\n");
    EXPECT_EQ(
        asked_of(server)[1],
        "GET /api/v1/jobs/7/logs?rank=0&element=2&attempt=1&stream=stderr&limit=4194304&offset=4");
}

TEST(LogsVerb, SaysWhyThereIsNothing) {
    struct Case {
        std::string job;
        std::string said;
    };

    const std::vector<Case> cases = {
        {R"({"id":7,"state":"queued","reason":"gpu_short"})",
         "7 has not started: it is queued (waits for GPUs)"                                        },
        {R"({"id":7,"state":"cancelled","end_reason":"cancelled"})",            "7 never started: "},
        {R"({"id":7,"state":"running","started_at":"2024-01-01T00:00:00Z"})",
         "7 has printed nothing yet.\n"                                                            },
        {R"({"id":7,"state":"succeeded","started_at":"2024-01-01T00:00:00Z"})",
         "7 has printed nothing.\n"                                                                },
    };
    for (const Case& c : cases) {
        FakeTransport server;
        server.answers.emplace_back(HttpAnswer{200, "", "0"});
        server.answer(200, c.job);
        const Call made = call(server, "logs", {"7"});
        EXPECT_EQ(made.code.value(), 0);
        EXPECT_EQ(made.out, "");
        EXPECT_NE(made.err.find(c.said), std::string::npos) << made.err;
    }
}

TEST(LogsVerb, RefusesAnAttemptThatNeverWas) {
    FakeTransport server;
    server.answers.emplace_back(HttpAnswer{200, "", "0"});
    server.answer(200, R"({"id":7,"state":"running","attempt":1})");
    EXPECT_EQ(
        call(server, "logs", {"7", "--attempt", "2"}).code.error().code, ErrorCode::kNotFound);
}

TEST(LogsVerb, SaysHowAnElementIsNamed) {
    FakeTransport server;
    server.answer(400, R"({"code":"INVALID","detail":"job 27 is an array: say which"})");
    EXPECT_TRUE(
        call(server, "logs", {"27"}).code.error().message.ends_with("write: reeve logs 27_1"));
}

TEST(LogsVerb, Tail) {
    for (const auto& [lines, want] : std::vector<std::pair<std::string, std::string>>{
             {"2", "two\nthree\n"     },
             {"0", ""                 },
             {"9", "one\ntwo\nthree\n"},
             {"1", "three\n"          }
    }) {
        FakeTransport server;
        server.answers.emplace_back(HttpAnswer{200, "one\ntwo\nthree\n", "14"});
        EXPECT_EQ(call(server, "logs", {"7", "--tail", lines}).out, want);
    }
}

TEST(LogsVerb, FollowsFromWhereItWas) {
    FakeTransport server;
    server.answer(200, R"({"id":7,"state":"running","attempt":1})");
    server.answers.emplace_back(HttpAnswer{200, "one\n", "4"});
    server.answers.emplace_back(HttpAnswer{200, "", "4"});
    server.streams.push_back(
        {.parts = {"event: log\nid: 8\ndata: {\"text\":\"two\\n\"}\n\nevent: end\ndata: {}\n\n"}});
    server.streams.push_back({});
    server.answer(200, R"({"id":7,"state":"succeeded","attempt":1})");
    EXPECT_EQ(call(server, "logs", {"-f", "7"}).out, "one\ntwo\n");
    EXPECT_EQ(server.asked[3].target, "/api/v1/jobs/7/logs?follow=1&rank=0&attempt=1");
    EXPECT_EQ(server.asked[3].headers.back(), "Last-Event-ID: 4");
}

TEST(LogsVerb, FollowsTryAfterTry) {
    FakeTransport server;
    server.answer(200, R"({"id":7,"state":"running","attempt":1})");
    server.answers.emplace_back(HttpAnswer{200, "a1\n", "3"});
    server.answers.emplace_back(HttpAnswer{200, "", "3"});
    server.streams.push_back({.parts = {"event: end\ndata: {}\n\n"}});
    server.streams.push_back({.parts = {"data: {}\n\n"}});
    server.answer(200, R"({"id":7,"state":"running","attempt":1})");  // Its end is not known yet.
    server.answer(200, R"({"id":7,"state":"queued","attempt":2})");
    server.streams.push_back(
        {.parts = {"event: log\ndata: {\"text\":\"a2\\n\"}\n\nevent: end\ndata: {}\n\n"}});
    server.streams.push_back({});
    server.answer(200, R"({"id":7,"state":"failed","attempt":2})");
    const Call made = call(server, "logs", {"-f", "7"});
    EXPECT_EQ(made.code.value(), 0);
    EXPECT_EQ(made.out, "a1\na2\n");
    EXPECT_EQ(made.err, "7, attempt 2:\n");
}

TEST(LogsVerb, FollowsTheOneTryThatWasNamed) {
    FakeTransport server;
    server.answers.emplace_back(HttpAnswer{200, "a1\n", "3"});
    server.answers.emplace_back(HttpAnswer{200, "", "3"});
    server.streams.push_back({.parts = {"event: end\ndata: {}\n\n"}});
    EXPECT_EQ(call(server, "logs", {"-f", "7", "--attempt", "1"}).out, "a1\n");
}

TEST(LogsVerb, MarksWhatWasDropped) {
    FakeTransport server;
    server.answers.emplace_back(HttpAnswer{200, "one\ntw", "6", "6-1006"});
    server.answers.emplace_back(HttpAnswer{200, "", "1006", "6-1006"});
    server.answers.emplace_back(HttpAnswer{200, "ee\n", "1009", "6-1006"});
    server.answers.emplace_back(HttpAnswer{200, "", "1009", "6-1006"});
    EXPECT_EQ(call(server, "logs", {"7"}).out, "one\ntw\n[… 1000 bytes left out …]\nee\n");
    EXPECT_TRUE(server.answers.empty());
}

TEST(LogsVerb, TailReadsOnBehindWhatWasDropped) {
    for (const auto& [lines, want] : std::vector<std::pair<std::string, std::string>>{
             {"1", "ee\n"                                    },
             {"2", "[… 1000 bytes left out …]\nee\n"         },
             {"9", "one\ntw\n[… 1000 bytes left out …]\nee\n"},
    }) {
        FakeTransport server;
        server.answers.emplace_back(HttpAnswer{200, "one\ntw", "6", "6-1006"});
        server.answers.emplace_back(HttpAnswer{200, "", "1006", "6-1006"});
        server.answers.emplace_back(HttpAnswer{200, "ee\n", "1009", "6-1006"});
        EXPECT_EQ(call(server, "logs", {"7", "--tail", lines}).out, want);
        EXPECT_TRUE(server.answers.empty());
    }
    FakeTransport server;  // The last bytes begin in what was dropped.
    server.answers.emplace_back(HttpAnswer{200, "", "1006", "6-1006"});
    server.answers.emplace_back(HttpAnswer{200, "ee\n", "1009", "6-1006"});
    EXPECT_EQ(call(server, "logs", {"7", "--tail", "5"}).out, "[… 1000 bytes left out …]\nee\n");
}

TEST(LogsVerb, FollowMarksWhatWasDropped) {
    FakeTransport server;
    server.answer(200, R"({"id":7,"state":"running","attempt":1})");
    server.answers.emplace_back(HttpAnswer{200, "one", "3"});
    server.answers.emplace_back(HttpAnswer{200, "", "3"});
    server.streams.push_back(
        {.parts = {"event: log\nid: 503\ndata: {\"offset\":500,\"next\":503,\"text\":\"two\"}\n\n"
                   "event: end\ndata: {\"next\":510}\n\n"}});
    server.streams.push_back({});
    server.answer(200, R"({"id":7,"state":"succeeded","attempt":1})");
    EXPECT_EQ(
        call(server, "logs", {"-f", "7"}).out,
        "one\n[… 497 bytes left out …]\ntwo\n[… 7 bytes left out …]\n");
}

TEST(LogHole, IsTwoOffsets) {
    EXPECT_EQ(parse_hole("6-1006"), (LogHole{6, 1006}));
    for (const char* bad : {"", "6", "6-", "-6", "7-6", "6-6", "-6-7", "a-b"}) {
        EXPECT_EQ(parse_hole(bad), std::nullopt) << bad;
    }
}

TEST(WaitVerb, ExitsAsTheJobDid) {
    FakeTransport server;
    server.streams.push_back({});
    server.answer(200, R"({"id":7,"state":"failed","end_reason":"signal","signal":15})");
    const Call made = call(server, "wait", {"7"});
    EXPECT_EQ(made.code.value(), 143);
    EXPECT_EQ(made.err, "7 failed: killed by SIGTERM\n");
}

TEST(WaitVerb, SaysWhichElementOfAnArrayFailedFirst) {
    FakeTransport server;
    server.streams.push_back({});
    server.answer(
        200,
        R"({"id":7,"state":"failed","elements":{"total":4,"failed":1,"timed_out":1,"succeeded":2}})");
    server.answer(200, R"({"items":[
        {"index":1,"attempt":1,"state":"failed","end_reason":"exit_code","exit_code":9},
        {"index":1,"attempt":2,"state":"succeeded","end_reason":"exit_code","exit_code":0},
        {"index":2,"attempt":1,"state":"failed","end_reason":"exit_code","exit_code":3},
        {"index":3,"attempt":1,"state":"timed_out","end_reason":"time_limit"}]})");
    const Call made = call(server, "wait", {"7"});
    EXPECT_EQ(made.code.value(), 1);
    EXPECT_EQ(made.err, "7 failed: 1 of 4 failed, 1 of 4 timed out: 7_2 exited with 3\n");
}

TEST(WaitVerb, SaysThatAllOfAnArraySucceeded) {
    FakeTransport server;
    server.streams.push_back({});
    server.answer(200, R"({"id":7,"state":"succeeded","elements":{"total":4,"succeeded":4}})");
    EXPECT_EQ(call(server, "wait", {"7"}).err, "7 succeeded: all 4 succeeded\n");
}

TEST(QueueVerb, TellsHowAnArrayEnded) {
    FakeTransport server;
    server.answer(
        200,
        R"({"items":[{"id":7,"state":"failed","elements":{"total":5,"failed":1,"succeeded":4}}]})");
    EXPECT_NE(call(server, "q", {"-a"}).out.find("1 of 5 failed"), std::string::npos);
}

TEST(StopVerb, FiltersWhatIsNamed) {
    FakeTransport server;
    server.answer(200, R"({"items":[]})");
    const Call made = call(server, "stop", {"63", "-l", "a=1"});
    ASSERT_FALSE(made.code);
    EXPECT_TRUE(made.code.error().message.starts_with("63 does not match -l a=1"));
    EXPECT_EQ(asked_of(server), Words{"GET /api/v1/jobs?label=a%3D1&id=63&fields=id&limit=1000"})
        << "not all that the filter means";
    server.answer(200, R"({"items":[{"id":63}]})");
    server.answer(200, R"({"changed":1})");
    EXPECT_EQ(call(server, "stop", {"63", "-l", "a=1"}).err, "63 is told to stop\n");
}

TEST(RunVerb, SaysThatAVirtualEnvironmentStaysHere) {
    ASSERT_EQ(::setenv("VIRTUAL_ENV", "/venv", 1), 0);
    const auto said = [](const std::vector<std::string>& words) {
        FakeTransport server;
        server.answer(201, R"({"id":42,"elements":1})");
        return call(server, "run", words).err;
    };
    EXPECT_NE(said({"-d", "python"}).find("-e PATH"), std::string::npos);
    EXPECT_EQ(said({"-d", "-e", "PATH", "python"}).find("/venv"), std::string::npos);
    EXPECT_EQ(said({"-d", "/bin/true"}).find("/venv"), std::string::npos);
    ASSERT_EQ(::unsetenv("VIRTUAL_ENV"), 0);
}

TEST(LogsVerb, SaysThatStandardErrorIsInTheOneLog) {
    FakeTransport server;
    server.answers.emplace_back(HttpAnswer{200, "", "0"});
    server.answer(200, R"({"id":7,"state":"running","started_at":"2024-01-01T00:00:00Z"})");
    server.answer(200, R"({"id":7,"state":"running","spec":{"command":["a"]}})");
    const Call made = call(server, "logs", {"7", "--stderr"});
    EXPECT_NE(made.err.find("7 has one log for both"), std::string::npos) << made.err;
}

TEST(WaitVerb, GivesUpWhenItsTimeIsOver) {
    FakeTransport server;
    const Call wrong = call(server, "wait", {"7", "--timeout", "soon"});
    EXPECT_EQ(wrong.code.error().code, ErrorCode::kInvalid);
    server.per_answer = std::chrono::seconds(2);
    server.streams.push_back({});
    server.answer(200, R"({"id":7,"state":"running"})");
    const Call made = call(server, "wait", {"7", "--timeout", "1s"});
    ASSERT_FALSE(made.code);
    EXPECT_EQ(made.code.error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(made.code.error().message, "7 is still running after 1s (--timeout); it goes on");
}

TEST(WhyVerb, SaysWhoStopsItAndWhenItIsKilled) {
    const auto explain = [](const std::string& job, const std::string& timeline) {
        FakeTransport server;
        server.answer(200, R"({"id":7,"state":"stopping","blockers":[]})");
        server.answer(
            200, R"({"id":7,"name":"a","user":"ann","project":"p","state":"stopping",)" + job);
        server.answer(200, R"({"items":[)" + timeline + "]}");
        server.answer(200, R"({"id":7,"spec":{"stop":{"grace_s":3000000000}}})");
        return call(server, "why", {"7"}).out;
    };
    const std::string started = R"("node":"vm","started_at":"2024-01-01T00:00:00Z")";
    const std::string stopped =
        explain(started + "}", R"({"at":"2024-01-02T00:00:00Z","kind":"job.stop","actor":"root"})");
    EXPECT_NE(stopped.find("  It is being stopped (asked for by root "), std::string::npos)
        << stopped;
    EXPECT_NE(stopped.find("); it is killed in "), std::string::npos) << stopped;
    EXPECT_EQ(stopped.find("Nothing is in its way"), std::string::npos) << stopped;
    const std::string forced = explain(
        started + "}",
        R"({"at":"2024-01-02T00:00:00Z","kind":"job.stop","actor":"root","message":"without grace"})");
    EXPECT_NE(forced.find("; it is being killed."), std::string::npos) << forced;
    const std::string overdue = explain(
        started + R"(,"time_limit_s":60})",
        R"({"at":"2023-01-02T00:00:00Z","kind":"job.requeue","actor":"root"})");
    EXPECT_NE(
        overdue.find("It is being stopped: its time limit of 1m was reached"), std::string::npos)
        << overdue;
}

TEST(WhyVerb, SaysHowManyHoldersHaveNoTimeLimit) {
    FakeTransport server;
    server.answer(
        200, R"({"id":7,"state":"queued","binding_count":1,"blockers":[{"kind":"gpu_short",
        "text":"a","holder":{"job":"1","until":"2024-01-01T00:00:00Z"},
        "holders":[{"job":"1","until":"2024-01-01T00:00:00Z"},{"job":"2"}]}]})");
    server.answer(200, R"({"id":7,"name":"a","state":"queued"})");
    const std::string out = call(server, "why", {"7"}).out;
    EXPECT_NE(out.find(", and 1 more without a time limit"), std::string::npos) << out;
}

TEST(ShowVerb, SaysWhatIsCooperative) {
    const auto limits = [](const std::string& members) {
        FakeTransport server;
        server.answer(200, R"({"id":7,"state":"queued",)" + members + "}");
        server.answer(200, R"({"items":[]})");
        const std::string out = call(server, "show", {"7"}).out;
        const std::size_t at = out.find("  limits ");
        return at == std::string::npos ? "" : out.substr(at, out.find('\n', at) - at);
    };
    EXPECT_EQ(
        limits(R"("enforcement":"cgroup-v1","gpus":[{"milli":1000}])"), "  limits     cgroup-v1");
    EXPECT_EQ(limits(R"("enforcement":"none")"), "  limits     limits not enforced: no cgroups");
    EXPECT_NE(
        limits(R"("enforcement":"none","gpus":[{"milli":1000}])").find("; GPUs: cooperative"),
        std::string::npos);
    EXPECT_NE(
        limits(R"("enforcement":"cgroup-v2","gpus":[{"milli":500}])")
            .find("cgroup-v2; memory of the GPU: cooperative"),
        std::string::npos);
}

TEST(ShowVerb, WhoeverAskedForARequeueDidNotEndIt) {
    FakeTransport server;
    server.answer(200, R"({"id":7,"state":"queued"})");
    server.answer(200, R"({"items":[{"at":"2024-01-01T00:00:00Z","kind":"element.requeued",
        "object":"element/7","actor":"root","node":"vm","reason":"exit_code","exit_code":3}]})");
    const std::string out = call(server, "show", {"7"}).out;
    EXPECT_NE(out.find("on vm, exited with 3, asked for by root"), std::string::npos) << out;
}

TEST(QueueVerb, NamesElements) {
    FakeTransport server;
    for (int i = 0; i < 2; ++i) {
        server.answer(
            200, R"({"id":120,"state":"running","position":1,"elements":{"total":10,"failed":2}})");
        server.answer(200, R"({"items":[{"index":2,"attempt":1,"state":"cancelled"}]})");
    }
    EXPECT_EQ(call(server, "q", {"120_2", "-o", "name"}).out, "120_2\n");
    EXPECT_EQ(asked_of(server)[1], "GET /api/v1/jobs/120/elements?cursor=1.4294967295&limit=1000");
    const std::string out = call(server, "q", {"120_2", "-o", "cols=ID,STATE,POS,DONE"}).out;
    EXPECT_NE(out.find("120_2  cancelled"), std::string::npos) << out;
    EXPECT_EQ(out.find("2/10"), std::string::npos) << out;
}

TEST(RunVerb, AsksTheServerWhatWouldComeOfIt) {
    FakeTransport server;
    server.answer(422, R"({"code":"UNSATISFIABLE","detail":"no node can ever run this"})");
    const Call refused =
        call(server, "run", {"--dry-run=server", "--gpus", "9"}, Out::kPipe, {"true"});
    ASSERT_FALSE(refused.code);
    EXPECT_EQ(refused.code.error().code, ErrorCode::kUnsatisfiable);
    EXPECT_TRUE(asked_of(server).front().starts_with("POST /api/v1/jobs?dry_run=1 "));
    server.answer(200, R"({"state":"queued"})");
    const Call made = call(server, "run", {"--dry-run=server"}, Out::kPipe, {"true"});
    EXPECT_NE(made.out.find(R"("schema": "reeve.dry-run/v1")"), std::string::npos) << made.out;
    const Call wrong = call(server, "run", {"--dry-run=never"}, Out::kPipe, {"true"});
    EXPECT_EQ(wrong.code.error().code, ErrorCode::kInvalid);
    const Call empty = call(server, "run", {"--file", ""}, Out::kPipe);
    EXPECT_EQ(empty.code.error().code, ErrorCode::kInvalid);
}

TEST(StopVerb, KillsWhatOutlivesItsGrace) {
    FakeTransport server;
    server.per_answer = std::chrono::seconds(1);
    server.answer(200, R"({"id":7,"changed":1})");
    server.streams.push_back({});
    server.answer(200, R"({"id":7,"state":"stopping"})");
    server.answer(200, R"({"id":7,"changed":1})");
    EXPECT_EQ(call(server, "stop", {"7", "--grace", "1s"}).code.value(), 0);
    EXPECT_EQ(asked_of(server).back(), R"(POST /api/v1/jobs/7:stop {"force":true})");

    FakeTransport ended;
    ended.answer(200, R"({"id":7,"changed":1})");
    ended.streams.push_back({});
    ended.answer(200, R"({"id":7,"state":"cancelled"})");
    EXPECT_EQ(call(ended, "stop", {"7", "--grace", "10s"}).code.value(), 0);
    EXPECT_EQ(
        call(ended, "stop", {"7", "--grace", "10s", "--force"}).code.error().code,
        ErrorCode::kInvalid);
}

}  // namespace
}  // namespace reeve::cli
