// What each verb asks of the server, and what it makes of the answer.
#include <algorithm>

#include <gtest/gtest.h>

#include "cli/verb_call.hpp"

namespace reeve::cli {
namespace {

using Words = std::vector<std::string>;

TEST(StopVerb, MeansTheCallersOwnThatHaveNotEnded) {
    FakeTransport server;
    server.answer(200, R"({"items":[{"id":5},{"id":6}]})");
    server.answer(
        200,
        R"({"items":[{"id":5,"changed":1},{"id":6,"error":{"code":"CONFLICT","detail":"it has ended"}}]})");
    const Call made = call(server, "stop", {"-l", "a=b", "--force"});
    EXPECT_EQ(made.code.value(), 1);
    EXPECT_EQ(
        asked_of(server), (Words{
                              "GET "
                              "/api/v1/"
                              "jobs?state=pending,scheduled,running,stopping&user=@me&label=a%3Db&"
                              "fields=id&limit=1000",
                              R"(POST /api/v1/jobs:stop {"ids":[5,6],"force":true})"}));
    EXPECT_EQ(made.err, "5 is told to stop\nreeve: 6: it has ended\n");
    EXPECT_EQ(made.out, "");
}

TEST(StopVerb, SaysHowFarItIsWhereTheListTakesLong) {
    for (const int milliseconds : {100, 600}) {
        FakeTransport server;
        server.per_answer = std::chrono::milliseconds(milliseconds);
        server.answer(200, R"({"items":[{"id":9},{"id":8}],"next":"a"})");
        server.answer(200, R"({"items":[{"id":7}],"next":"b"})");
        server.answer(200, R"({"items":[{"id":6}],"next":"c"})");
        server.answer(200, R"({"items":[]})");
        server.answer(200, R"({"items":[{"id":9,"changed":1}]})");
        const Call made = call(server, "stop", {"@me"});
        EXPECT_EQ(made.code.value(), 0);
        EXPECT_EQ(asked_of(server).back(), R"(POST /api/v1/jobs:stop {"ids":[9,8,7,6]})");
        EXPECT_EQ(
            made.err,
            (milliseconds == 600 ? std::string("4 rows read so far …\n") : std::string()) +
                "9 is told to stop\n");
    }
}

TEST(StopVerb, StopsElementsOneByOne) {
    FakeTransport server;
    server.answer(200, R"({"id":7,"changed":1})");
    server.answer(404, R"({"code":"NOT_FOUND","detail":"no such element"})");
    const Call made = call(server, "stop", {"7_1,7_2"});
    EXPECT_EQ(made.code.value(), 5);
    EXPECT_EQ(
        asked_of(server), (Words{
                              R"(POST /api/v1/jobs/7:stop {"element":1})",
                              R"(POST /api/v1/jobs/7:stop {"element":2})"}));
}

TEST(HoldVerb, HandsOnTheOneError) {
    FakeTransport server;
    server.answer(409, R"({"code":"CONFLICT","detail":"job 7 runs"})");
    const Call made = call(server, "hold", {"7"});
    ASSERT_FALSE(made.code);
    EXPECT_EQ(made.code.error().message, "job 7 runs");
}

TEST(QueueVerb, ListsWhatHasNotEnded) {
    FakeTransport server;
    server.answer(
        200, R"({"items":[{"id":7,"name":"train","user":"ann","state":"queued","position":3,
        "reason":"gpu_short","submitted_at":"2024-01-01T00:00:00Z","elements":{"total":4,"succeeded":1},
        "resources":{"gpus":2}}]})");
    const Call made = call(server, "q", {"-p", "vision"});
    EXPECT_EQ(
        asked_of(server),
        Words{
            "GET /api/v1/jobs?state=pending,scheduled,running,stopping&project=vision&limit=1000"});
    for (const char* part :
         {"7 ", "train", "ann", "queued", " 3 ", "1/4", "2 x GPU, 1 CPU", "waits for GPUs"}) {
        EXPECT_NE(made.out.find(part), std::string::npos) << made.out;
    }
}

TEST(QueueVerb, WatchAppendsWhatChangesWhereItIsNoTerminal) {
    FakeTransport server;
    server.answer(200, R"({"items":[{"id":8,"state":"queued"},{"id":7,"state":"running"}]})");
    server.answer(200, R"({"items":[{"id":8,"state":"queued"},{"id":7,"state":"running"}]})");
    server.answer(200, R"({"items":[{"id":8,"state":"running"}]})");
    server.answer(200, R"({"id":7,"state":"succeeded"})");
    server.answer(200, R"({"items":[]})");
    server.answer(404, R"({"code":"NOT_FOUND","detail":"there is no job 8"})");
    server.answer(403, R"({"code":"FORBIDDEN","detail":"enough"})");
    const Call made = call(server, "q", {"--watch=3s"});
    EXPECT_EQ(made.code.error().message, "enough");
    EXPECT_EQ(
        made.out, R"({"schema":"reeve.job/v1","id":8,"state":"queued"})"
                  "\n"
                  R"({"schema":"reeve.job/v1","id":7,"state":"running"})"
                  "\n"
                  R"({"schema":"reeve.job/v1","id":8,"state":"running"})"
                  "\n"
                  R"({"schema":"reeve.job/v1","id":7,"state":"succeeded"})"
                  "\n");
    EXPECT_EQ(server.paused, std::vector<std::chrono::milliseconds>(4, std::chrono::seconds(3)));
    EXPECT_EQ(asked_of(server)[3], "GET /api/v1/jobs/7");
}

TEST(QueueVerb, WatchRedrawsOnATerminal) {
    FakeTransport server;
    server.answer(200, R"({"items":[{"id":7,"state":"running"}],"next":"x"})");
    server.answer(200, R"({"items":[]})");
    server.answer(403, R"({"code":"FORBIDDEN","detail":"enough"})");
    const Call made = call(server, "q", {"-w", "--limit", "1", "--color", "never"}, Out::kTerminal);
    EXPECT_EQ(made.code.error().message, "enough");
    EXPECT_TRUE(made.out.starts_with("\x1b[H\x1b[2JID ")) << made.out;
    EXPECT_NE(made.out.find("There are more; --limit shows them.\nEvery 2s."), std::string::npos);
    EXPECT_NE(made.out.find("\x1b[H\x1b[2JNo such job."), std::string::npos) << made.out;
    EXPECT_EQ(server.paused, std::vector<std::chrono::milliseconds>(2, std::chrono::seconds(2)));
}

TEST(QueueVerb, WatchRefusesWhatItCannotShow) {
    for (const Words& words : {
             Words{"-w", "-o", "yaml"},
             Words{"-w", "-o", "json"},
             Words{"--watch=0s"},
             Words{"--watch=soon"}
    }) {
        FakeTransport server;
        const Call made = call(server, "q", words);
        ASSERT_FALSE(made.code);
        EXPECT_NE(made.code.error().message.find("--watch"), std::string::npos);
        EXPECT_TRUE(server.asked.empty());
    }
}

TEST(QueueVerb, AJobAfterWatchIsATarget) {
    FakeTransport server;
    server.answer(403, R"({"code":"FORBIDDEN","detail":"enough"})");
    EXPECT_FALSE(call(server, "q", {"-w", "7"}).code);
    EXPECT_EQ(asked_of(server), Words{"GET /api/v1/jobs/7"});
}

TEST(ControlVerbs, SeveralJobsAreOneRequest) {
    for (const char* verb : {"hold", "release", "requeue", "stop"}) {
        FakeTransport server;
        server.answer(
            200,
            R"({"items":[{"id":7,"changed":1},{"id":9,"error":{"code":"NOT_FOUND","detail":"there is no job 9"}}]})");
        const Call made = call(server, verb, {"7", "9"});
        EXPECT_EQ(made.code.value(), 1);
        EXPECT_EQ(
            asked_of(server),
            Words{std::string("POST /api/v1/jobs:") + verb + R"( {"ids":[7,9]})"});
        EXPECT_NE(made.err.find("9: there is no job 9"), std::string::npos) << made.err;
    }
    FakeTransport server;
    server.answer(200, R"({"items":[{"id":7,"changed":1},{"id":8,"changed":1}]})");
    server.answer(200, R"({"changed":1})");
    EXPECT_EQ(call(server, "hold", {"7", "9_2", "8"}).code.value(), 0);
    EXPECT_EQ(
        asked_of(server), (Words{
                              R"(POST /api/v1/jobs:hold {"ids":[7,8]})",
                              R"(POST /api/v1/jobs/9:hold {"element":2})"}));
}

TEST(FreeVerb, AsksForWhatStaysFree) {
    FakeTransport server;
    server.answer(200, R"({"items":[]})");
    const Call made =
        call(server, "free", {"--for", "2h", "-g", "a30", "-m", "20G", "-p", "vision"});
    EXPECT_EQ(made.code.value(), 0);
    EXPECT_EQ(
        asked_of(server),
        Words{"GET /api/v1/free?gpu=a30&memory_mib=20480&for_s=7200&project=vision"});
    FakeTransport none;
    for (const Words& wrong : {
             Words{"--for", "0s"},
             Words{"--for", "x" },
             Words{"--mem", "0" }
    }) {
        const Call refused = call(none, "free", wrong);
        ASSERT_FALSE(refused.code) << wrong[1];
        EXPECT_EQ(refused.code.error().code, ErrorCode::kInvalid);
        EXPECT_TRUE(refused.code.error().message.starts_with(wrong[0] + ": "));
    }
    EXPECT_EQ(asked_of(none), Words{});
}

TEST(QueueVerb, NamesTheProjectsWhereThereIsNoSuchOne) {
    constexpr const char* kProjects = R"({"items":[{"name":"default"},{"name":"vision"}]})";
    FakeTransport server;
    server.answer(200, R"({"items":[]})");
    server.answer(200, kProjects);
    const Call made = call(server, "q", {"-p", "nosuch"});
    ASSERT_FALSE(made.code);
    EXPECT_EQ(made.code.error().code, ErrorCode::kNotFound);
    EXPECT_EQ(
        made.code.error().message, "there is no project 'nosuch'; there are: default, vision");
    FakeTransport idle;
    idle.answer(200, R"({"items":[]})");
    idle.answer(200, kProjects);
    EXPECT_EQ(call(idle, "q", {"-p", "vision"}).code.value(), 0);
}

TEST(QueueVerb, SaysThatAUserHasNoJobs) {
    FakeTransport server;
    server.answer(200, R"({"items":[]})");
    const Call made = call(server, "q", {"-u", "nosuch"});
    EXPECT_EQ(made.code.value(), 0);
    EXPECT_EQ(made.err, "No job of user 'nosuch' was found; --all looks at ended ones, too.\n");
    EXPECT_EQ(made.out.find("nosuch"), std::string::npos);
    server.answer(200, R"({"items":[]})");
    EXPECT_EQ(
        call(server, "q", {"-a", "-u", "nosuch"}).err, "No job of user 'nosuch' was found.\n");
    server.answer(200, R"({"items":[]})");
    EXPECT_EQ(call(server, "q", {}).err, "");
    server.answer(200, R"({"items":[{"id":5,"user":"ann","state":"running"}]})");
    EXPECT_EQ(call(server, "q", {"-u", "ann"}).err, "");
}

constexpr const char* kTwoGpus =
    R"({"items":[{"uuid":"GPU-00000000-aa","model":"a30","node":"jw1","milli":{"free":1000,"total":1000},
    "memory_mib":{"free":24576,"total":24576}},
    {"uuid":"GPU-11110000-bb","model":"l4","node":"jw2","milli":{"free":0,"total":1000},
    "memory_mib":{"free":0,"total":24576}}]})";

TEST(GpuShowVerb, TakesABeginningAndNoIndex) {
    struct Case {
        std::string name;
        std::string want;  // Part of what is shown, or of the error.
        ErrorCode code = ErrorCode::kInternal;
    };

    const std::vector<Case> cases = {
        {"GPU-0000", "model: \"a30\""},
        {"0000", "model: \"a30\""},
        {"1111", "model: \"l4\""},
        {"0", "GPUs have no index", ErrorCode::kInvalid},
        {"0", "GPU-00000000 (a30 on jw1), GPU-11110000 (l4 on jw2)", ErrorCode::kInvalid},
        {"111", "GPUs have no index", ErrorCode::kInvalid},
        {"GPU-", "several GPUs begin with GPU-: GPU-00000000", ErrorCode::kInvalid},
        {"GPU-2", "no GPU is GPU-2; there are GPU-00000000", ErrorCode::kNotFound},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        FakeTransport server;
        server.answer(200, kTwoGpus);
        const Call made = call(server, "gpu show", {c.name});
        const std::string said = made.code ? made.out : made.code.error().message;
        EXPECT_NE(said.find(c.want), std::string::npos) << said;
        EXPECT_EQ(made.code ? ErrorCode::kInternal : made.code.error().code, c.code);
    }
}

TEST(QuarantineList, NamesTheJobItsUserAndItsGpus) {
    FakeTransport server;
    server.answer(200, R"({"items":[{"key":"500.0.1.0","node":"jw1","user":"ann","name":"train",
        "gpus":[{"uuid":"GPU-00000000-aa","model":"a30"},
                {"uuid":"GPU-00000000-ab","model":"a30","milli":250}]},
        {"key":"501.0.1.0","node":"jw2","gpus":[]}]})");
    EXPECT_EQ(
        call(server, "quarantine list", {}).out,
        "TASK       NAME   USER  RUNS FOR  FOUND  NODE  GPUS\n"
        "500.0.1.0  train  ann   -         -      jw1   a30 GPU-00000000-aa, 0.25 of a30 "
        "GPU-00000000-ab\n"
        "501.0.1.0  -      -     -         -      jw2   -\n");
}

TEST(QueueVerb, KeepsTheReasonOnANarrowTerminal) {
    FakeTransport server;
    server.answer(
        200,
        R"({"items":[{"id":1842,"name":"a-very-long-name-of-a-job","user":"alexandra","state":"queued",
        "position":3,"reason":"node_unavailable","submitted_at":"2024-01-01T00:00:00Z",
        "resources":{"gpus":2,"gpu_model":"a30","gpu_memory_mib":20480,"cpus":4}}]})");
    const Call made = call(server, "q", {"--color", "never"}, Out::kTerminal);
    EXPECT_EQ(
        made.out,
        "ID    NAME              USER       STATE   ASKS FOR  WHERE, OR WHY NOT\n"
        "1842  a-very-long-nam…  alexandra  queued  2 x a30   a node that could run it is\n"
        "                                                     not available\n");
}

TEST(GpusVerb, KeepsTheModelAndTheHolderOnANarrowTerminal) {
    FakeTransport server;
    server.answer(
        200,
        R"({"items":[{"uuid":"GPU-00000000-1111-2222-3333-444444444444","model":"NVIDIA GeForce RTX 5090",
        "node":"jw1","simulated":true,"milli":{"free":0,"total":1000},"memory_mib":{"free":0,"total":32768},
        "observed":{"memory_used_mib":1024,"utilization_percent":80},
        "allocations":[{"owner":"unknown"},{"owner":"task","job":1842,"user":"alexandra"}]}]})");
    const Call made = call(server, "gpus", {"--color", "never"}, Out::kTerminal);
    EXPECT_EQ(
        made.out,
        "NODE  MODEL                 UUID          FREE  HELD BY\n"
        "jw1   RTX 5090 (simulated)  GPU-00000000  0     in quarantine, 1842 (alexandra)\n");
}

TEST(WhyVerb, KeepsWhoHoldsItOnANarrowTerminal) {
    FakeTransport server;
    server.answer(200, R"({"id":7,"state":"queued","position":2,"binding_count":1,"blockers":[
        {"kind":"gpu_short","text":"has 1 of 2 GPUs free, and this needs 2","node":"jw2",
         "holder":{"job":"1830","user":"bob","project":"vision"}}]})");
    server.answer(
        200, R"({"id":7,"name":"train","user":"ann","project":"vision","state":"queued"})");
    const Call made = call(server, "why", {"7", "--color", "never"}, Out::kTerminal);
    EXPECT_NE(
        made.out.find(
            "BINDING  jw2  has 1 of 2 GPUs free, and this needs 2; held by job 1830 (bob,\n"
            "              vision)\n"),
        std::string::npos)
        << made.out;
}

TEST(QueueVerb, ListsTheJobsNamed) {
    FakeTransport server;
    server.answer(200, R"({"id":7,"state":"queued"})");
    EXPECT_EQ(
        call(server, "q", {"7", "-o", "jsonl"}).out,
        "{\"schema\":\"reeve.job/v1\",\"id\":7,\"state\":\"queued\"}\n");
}

TEST(WhyVerb, WordsEveryBlocker) {
    FakeTransport server;
    server.answer(200, R"({"id":7,"state":"queued","position":2,"binding_count":1,"blockers":[
        {"kind":"gpu_short","text":"jw2: 1 of 2 GPUs free","node":"jw2","holder":{"job":"1830","user":"bob","project":"vision"},
         "holders":[{},{}]},{"kind":"meteor_strike","text":""}]})");
    server.answer(
        200, R"({"id":7,"name":"train","user":"ann","project":"vision","state":"queued"})");
    const Call made = call(server, "why", {"7_3"});
    EXPECT_EQ(asked_of(server)[0], "GET /api/v1/jobs/7/why?element=3");
    FakeTransport again;
    again.answer(200, R"({"id":7,"state":"running","binding_count":0,"blockers":[]})");
    again.answer(
        200,
        R"({"id":7,"name":"train","user":"ann","project":"vision","state":"running","node":"jw2"})");
    EXPECT_NE(
        call(again, "why", {"7"}).out.find("Nothing is in its way: it is on jw2."),
        std::string::npos);
}

TEST(WhyVerb, SaysThatItHasEnded) {
    FakeTransport server;
    server.answer(200, R"({"id":7,"state":"failed","blockers":[]})");
    server.answer(
        200, R"({"id":7,"name":"a","state":"failed","end_reason":"exit_code","exit_code":3})");
    const Call made = call(server, "why", {"7"});
    EXPECT_NE(made.out.find("  It has ended: exited with 3.\n"), std::string::npos) << made.out;
}

TEST(WhyVerb, MarksWhatBinds) {
    FakeTransport server;
    server.answer(200, R"({"id":7,"state":"queued","position":2,"binding_count":1,"blockers":[
        {"kind":"gpu_short","text":"1 of 2 GPUs free","node":"jw2","holder":{"job":"1830","user":"bob","project":"vision"},
         "holders":[{},{}]},{"kind":"meteor_strike","text":""}]})");
    server.answer(
        200, R"({"id":7,"name":"train","user":"ann","project":"vision","state":"queued"})");
    const Call made = call(server, "why", {"7"});
    EXPECT_NE(
        made.out.find("BINDING  gpu_short      jw2  1 of 2 GPUs free  held by job 1830 (bob, "
                      "vision), and 1 more\n"),
        std::string::npos)
        << made.out;
    EXPECT_NE(made.out.find("ALSO     meteor_strike       meteor strike"), std::string::npos)
        << made.out;
}

TEST(WhyVerb, EndsWithWhatWouldLetItStartNow) {
    const std::string changes = R"("changes":[
        {"kind":"gpus","text":"2 GPUs instead of 4","flags":"--gpus 2","set":{"resources":{"gpus":2}}},
        {"kind":"time_limit","text":"","flags":"--time 59m","set":{"time_limit_s":3540}},
        {"kind":"quota","text":"","command":"reeve project set vision --gpus 5"},
        {"kind":"quota","text":"the sun shone"}]})";
    const std::string head =
        R"({"id":7,"state":"queued","binding_count":1,"blockers":[{"kind":"gpu_short","text":"a"}],)";
    const std::string lines =
        "  would start now  with      --gpus 2\n"
        "                   or with   --time 59m\n"
        "                   or after  reeve project set vision --gpus 5\n"
        "                   or if     the sun shone\n";
    const std::string hint = "  (submit that, then stop this one";
    const std::string kept =
        R"("reservation":{"starts_by":"2026-01-01T00:00:00Z","nodes":["n"],"assumed":false},)";
    for (const std::string& middle : {std::string(), kept}) {
        FakeTransport server;
        server.answer(200, std::string(head).append(middle).append(changes));
        server.answer(
            200, R"({"id":7,"name":"train","user":"ann","project":"vision","state":"queued"})");
        const std::string out = call(server, "why", {"7"}).out;
        EXPECT_NE(out.find(lines), std::string::npos) << out;
        EXPECT_EQ(out.find(hint) != std::string::npos, !middle.empty());
    }
}

TEST(RunVerb, SubmitsAndPrintsTheId) {
    FakeTransport server;
    server.answer(201, R"({"id":42,"elements":1})");
    const Call made = call(server, "run", {"-d", "-C", "/d", "--gpus", "1", "true"});
    EXPECT_EQ(made.out, "42\n");
    EXPECT_EQ(
        asked_of(server),
        Words{
            R"(POST /api/v1/jobs {"command":["true"],"working_dir":"/d","resources":{"gpus":1}})"});
}

TEST(RunVerb, AttachFollowsEveryElement) {
    FakeTransport server;
    server.answer(201, R"({"id":42,"elements":2})");
    server.streams.push_back({});
    server.answer(200, R"({"id":42,"state":"failed","end_reason":"exit_code","exit_code":3})");
    server.answer(200, R"({"items":[
        {"index":1,"attempt":1,"state":"failed","end_reason":"exit_code","exit_code":9},
        {"index":1,"attempt":2,"state":"succeeded","end_reason":"exit_code","exit_code":0},
        {"index":2,"attempt":1,"state":"failed","end_reason":"exit_code","exit_code":3}]})");
    const Call made = call(server, "run", {"--attach", "--array", "1-2", "-C", "/d", "true"});
    ASSERT_TRUE(made.code) << made.code.error().message;
    EXPECT_EQ(*made.code, 3);
    EXPECT_NE(
        made.err.find("42_1 succeeded: exited with 0\n42_2 failed: exited with 3\n"),
        std::string::npos)
        << made.err;
}

TEST(FreeVerb, ShowsUntilWhen) {
    FakeTransport server;
    server.answer(200, R"({"items":[
        {"node":"jw2","model":"NVIDIA A30","simulated":true,"whole_gpus":1,"largest_share_milli":1000,
         "largest_share_mib":24576,"cpu_millicores":3500,"memory_mib":2048,"until":"2026-11-30T12:00:00Z"},
        {"node":"jw3","model":"NVIDIA A30","whole_gpus":0,"largest_share_milli":250,
         "largest_share_mib":6144,"cpu_millicores":1000,"memory_mib":1024}]})");
    EXPECT_EQ(
        call(server, "free", {"-o", "csv"}).out,
        "node,model,whole_gpus,largest_share_milli,largest_share_mib,cpu_millicores,memory_mib,"
        "until\n"
        "jw2,NVIDIA A30,1,1000,24576,3500,2048,2026-11-30T12:00:00Z\n"
        "jw3,NVIDIA A30,0,250,6144,1000,1024,\n");
}

TEST(WhyVerb, SaysWhatItHasWaitedFor) {
    const std::string head =
        R"({"id":7,"state":"queued","position":1,"binding_count":1,"blockers":[{"kind":"quota","text":"a"}],)"
        R"("changes":[],"history":[)";
    const std::string first =
        R"({"reason":"gpu_short","since":"1970-01-01T00:00:00Z","seen":"1970-01-01T00:10:00Z"})";
    const std::string second =
        R"(,{"reason":"quota","since":"1970-01-01T00:10:02Z","seen":"1970-01-01T00:20:00Z"})";
    const std::string job =
        R"({"id":7,"name":"train","user":"ann","project":"vision","state":"queued"})";
    for (const bool has_two : {false, true}) {
        FakeTransport server;
        server.answer(200, head + first + (has_two ? second : "") + "]}");
        server.answer(200, job);
        const std::string out = call(server, "why", {"7"}).out;
        EXPECT_EQ(out.find("for 10m2s ") != std::string::npos, has_two) << out;
        EXPECT_EQ(out.find("its project's quota is used up") != std::string::npos, has_two) << out;
    }
}

TEST(ProjectSetVerb, ChangesOnlyWhatIsNamed) {
    FakeTransport server;
    server.answer(200, R"({"name":"v","quota":{"gpu_milli":4000,"memory_mib":1024}})");
    server.answer(200, R"({"name":"v","quota":{}})");
    EXPECT_TRUE(
        call(server, "project set", {"v", "--gpus", "8", "--mem", "none", "--pending", "5"}).code);
    EXPECT_EQ(
        asked_of(server)[1],
        R"(PUT /api/v1/projects/v {"quota":{"gpu_milli":8000,"pending_elements":5},"user_quota":{}})");
}

TEST(ProjectSetVerb, ChangesWhatEachUserMayHold) {
    FakeTransport server;
    server.answer(200, R"({"name":"v","quota":{"gpu_milli":4000},
        "user_quota":{"gpu_milli":1000,"memory_mib":1024}})");
    server.answer(
        200, R"({"name":"v","quota":{},"user_quota":{"gpu_milli":1500,"pending_elements":5}})");
    const Call made = call(
        server, "project set",
        {"v", "--user-gpus", "1.5", "--user-mem", "none", "--user-pending", "5", "-o", "wide"});
    EXPECT_EQ(
        asked_of(server)[1], R"(PUT /api/v1/projects/v {"quota":{"gpu_milli":4000},)"
                             R"("user_quota":{"gpu_milli":1500,"pending_elements":5}})");
    EXPECT_NE(made.out.find("1.5 GPUs, 5 pending"), std::string::npos) << made.out;
    server.answer(200, R"({"name":"v","quota":{}})");
    const Call wrong = call(server, "project set", {"v", "--user-gpus", "x"});
    EXPECT_TRUE(wrong.code.error().message.starts_with("--user-gpus: 'x' is not a limit"));
}

TEST(NodeVerbs, AskByName) {
    FakeTransport server;
    server.answer(200, R"({"name":"jw2","state":"drained"})");
    EXPECT_EQ(call(server, "node drain", {"jw2", "--reason", "a \"fan\""}).err, "jw2 is drained\n");
    EXPECT_EQ(asked_of(server)[0], R"(POST /api/v1/nodes/jw2:drain {"reason":"a \"fan\""})");
}

TEST(Lists, AreShownForEachKind) {
    struct Case {
        std::string verb;
        std::string answer;
        std::string part;
    };

    const std::vector<Case> cases = {
        {"nodes",
         R"({"items":[{"name":"jw2","state":"ready","gpus":{"total":4,"free":3},"simulated":true}]})",
         "jw2 (simulated)  ready  3/4"                                                                                                 },
        {"gpus",
         R"({"items":[{"node":"jw2","model":"A30","uuid":"GPU-1","milli":{"free":750},"memory_mib":{"free":1024,"total":2048},
            "observed":{"utilization_percent":80},"allocations":[{"owner":"task","job":7,"user":"ann"}]}]})",
         "0.75  1 GiB/2 GiB  -         80 %  7 (ann)"                                                                                  },
        {"project list",
         R"({"items":[{"name":"v","quota":{"gpu_milli":4000},"used":{"gpu_milli":1500}}]})",                                    "1.5/4"},
        {"quarantine list", R"({"items":[{"key":"1.0.1.0","node":"jw2"}]})",
         "1.0.1.0  -     -     -         -      jw2"                                                                                   },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.verb);
        FakeTransport server;
        server.answer(200, c.answer);
        EXPECT_NE(call(server, c.verb, {}).out.find(c.part), std::string::npos) << c.part;
    }
}

}  // namespace
}  // namespace reeve::cli
