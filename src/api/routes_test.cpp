#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "api/routes_world.hpp"

namespace reeve::api {
namespace {

TEST_F(RoutesTest, ListsAllJobsToAnAdminAndTheirOwnToOthers) {
    const HttpResponse all = world.get("/api/v1/jobs?limit=2");
    EXPECT_EQ(all.status, 200) << all.body;
    EXPECT_TRUE(has(all.body, R"("id":9,"name":"train","user":"bob")")) << all.body;
    EXPECT_TRUE(has(all.body, R"("next":"0.8")")) << all.body;
    EXPECT_TRUE(has(all.body, R"("as_of":{"cursor":"1:0","revision":0,)")) << all.body;
    const HttpResponse own = world.get("/api/v1/jobs", kAda);
    EXPECT_FALSE(has(own.body, "bob")) << own.body;
    EXPECT_TRUE(has(own.body, R"("id":7)")) << own.body;
    EXPECT_EQ(world.get("/api/v1/jobs?user=bob", kAda).status, 403);
    EXPECT_EQ(world.get("/api/v1/jobs?user=@me", kAda).status, 200);
}

TEST_F(RoutesTest, PassesTheFilterOn) {
    const HttpResponse response = world.get(
        "/api/v1/jobs?state=pending,completed&user=ada&project=vision&name=x%20y&label=a=b,c=&"
        "id=9,7&order=queue&limit=7&cursor=-5.12");
    EXPECT_EQ(response.status, 200) << response.body;
    const FakeStore& store = world.store;
    EXPECT_EQ(
        store.filter.states,
        (std::vector{ElementState::kQueued, ElementState::kHeld, ElementState::kSucceeded}));
    EXPECT_EQ(store.filter.user, "ada");
    EXPECT_EQ(store.filter.project, "vision");
    EXPECT_EQ(store.filter.name, "x y");
    EXPECT_EQ(
        store.filter.labels, (std::map<std::string, std::string>{
                                 {"a", "b"},
                                 {"c", "" }
    }));
    EXPECT_EQ(store.filter.ids, (std::vector{JobId(9), JobId(7)}));
    EXPECT_EQ(store.order, ledger::JobOrder::kQueue);
    EXPECT_EQ(store.limit, 7U);
    EXPECT_EQ(store.after->rank, -5);
    EXPECT_EQ(store.after->id, JobId(12));
}

TEST_F(RoutesTest, RefusesParametersThatMeanNothing) {
    for (const char* target :
         {"/api/v1/jobs?state=runing",
          "/api/v1/jobs?state=",
          "/api/v1/jobs?limit=0",
          "/api/v1/jobs?limit=1001",
          "/api/v1/jobs?limit=1x",
          "/api/v1/jobs?limit=-1",
          "/api/v1/jobs?order=name",
          "/api/v1/jobs?label=x",
          "/api/v1/jobs?id=",
          "/api/v1/jobs?id=0",
          "/api/v1/jobs?id=7,x",
          "/api/v1/jobs?label=a=b%01",
          "/api/v1/jobs?label=a%20b=c",
          "/api/v1/jobs?label==x",
          "/api/v1/jobs?cursor=x",
          "/api/v1/jobs?cursor=1.2.3",
          "/api/v1/jobs?cursor=1.-2",
          "/api/v1/jobs?user=a%20b",
          "/api/v1/jobs?user=",
          "/api/v1/jobs/0",
          "/api/v1/jobs/x",
          "/api/v1/jobs/9007199254740992",
          "/api/v1/jobs/-1",
          "/api/v1/jobs/7?include=x",
          "/api/v1/jobs/7?include=",
          "/api/v1/jobs/7/elements?cursor=1",
          "/api/v1/jobs/7/why?element=-1",
          "/api/v1/jobs/7/logs?offset=x",
          "/api/v1/jobs/7/logs?limit=0",
          "/api/v1/jobs/7/logs?stream=x",
          "/api/v1/jobs/7/logs?follow=2",
          "/api/v1/jobs/7/logs?attempt=0",
          "/api/v1/jobs/7/logs?rank=65536",
          "/api/v1/events?since=x",
          "/api/v1/events?since=1:",
          "/api/v1/events?since=1:2:3",
          "/api/v1/events?job=0"}) {
        const HttpResponse response = world.get(target);
        EXPECT_EQ(response.status, 400) << target << ": " << response.body;
        EXPECT_TRUE(has(response.body, R"("code":"INVALID")")) << target;
    }
}

TEST_F(RoutesTest, AJobOfSomebodyElseIsNotThere) {
    for (const char* below :
         {"", "/elements", "/why", "/when", "/timeline", "/logs", "/logs?follow=1"}) {
        EXPECT_EQ(world.get(std::string("/api/v1/jobs/9") + below, kAda).status, 404) << below;
        EXPECT_EQ(world.get(std::string("/api/v1/jobs/4711") + below, kAda).status, 404) << below;
    }
    const HttpResponse hidden = world.get("/api/v1/jobs/9", kAda);
    HttpResponse missing = world.get("/api/v1/jobs/5", kAda);
    EXPECT_TRUE(has(hidden.body, "there is no job 9"));
    EXPECT_TRUE(has(missing.body, "there is no job 5"));
}

TEST_F(RoutesTest, ShowsAJobWithItsGpus) {
    world.store.allocations = {world.commands.shown.nodes[0]->holdings[0].allocation};
    const HttpResponse response = world.get("/api/v1/jobs/7?include=spec", kAda);
    EXPECT_EQ(response.status, 200) << response.body;
    for (const char* part :
         {R"("state":"running")",
          R"("attempt":2,"node":"jw2","gpus":[{"uuid":"GPU-5","node":"jw2",)",
          R"("model":"NVIDIA A30","simulated":false,"milli":1000,"memory_mib":24576}])",
          R"("resources":{"gpus":1,"gpu_model":"a30","cpus":1.5,"memory_mib":1024})",
          R"("elements":{"total":1,)", R"("spec":{"command":["true"]}})"}) {
        EXPECT_TRUE(has(response.body, part)) << part << "\n" << response.body;
    }
    EXPECT_FALSE(has(response.body, "position"));
    EXPECT_FALSE(has(response.body, "reason"));
}

TEST_F(RoutesTest, APendingJobHasAPositionAndAReason) {
    const HttpResponse response = world.get("/api/v1/jobs/8", kAda);
    EXPECT_TRUE(has(response.body, R"("reason":"gpu_short","position":2)")) << response.body;
}

TEST_F(RoutesTest, AListHasThePositionOfEachQueuedJobInEitherOrder) {
    world.store.jobs.insert(world.store.jobs.begin() + 1, job(4, "ada", ElementState::kRunning));
    for (const char* order : {"id", "queue"}) {
        const HttpResponse list =
            world.get("/api/v1/jobs?order=" + std::string(order) + "&state=queued,running");
        EXPECT_TRUE(has(list.body, R"("reason":"gpu_short","position":1)")) << list.body;
        EXPECT_TRUE(has(list.body, R"("reason":"gpu_short","position":2)")) << list.body;
        EXPECT_FALSE(has(list.body, R"("position":3)")) << list.body;
    }
    const HttpResponse own = world.get("/api/v1/jobs?user=ada", kAda);
    EXPECT_TRUE(has(own.body, R"("position":2)")) << own.body;  // Of the whole queue.
    EXPECT_FALSE(has(own.body, R"("position":1)")) << own.body;
}

TEST_F(RoutesTest, WhyNamesHoldersOnlyToThoseWhoMayKnowThem) {
    const HttpResponse own = world.get("/api/v1/jobs/8/why", kAda);
    EXPECT_EQ(own.status, 200) << own.body;
    EXPECT_TRUE(has(own.body, R"("binding":{"kind":"gpu_short")")) << own.body;
    EXPECT_TRUE(has(own.body, R"("holder":{"job":"7","user":"ada","project":"secret-project"})"))
        << own.body;
    const HttpResponse others = world.get("/api/v1/jobs/9/why", kBob);
    EXPECT_EQ(others.status, 200) << others.body;
    EXPECT_TRUE(has(others.body, R"("holder":{})")) << others.body;
    EXPECT_FALSE(has(others.body, "ada")) << others.body;
    EXPECT_FALSE(has(others.body, "secret-project")) << others.body;
}

TEST_F(RoutesTest, GpusNameHoldersOnlyToThoseWhoMayKnowThem) {
    const HttpResponse own = world.get("/api/v1/gpus", kAda);
    EXPECT_TRUE(has(own.body, R"("owner":"task","job":7,"element":0,"user":"ada")")) << own.body;
    const HttpResponse others = world.get("/api/v1/gpus", kBob);
    EXPECT_TRUE(has(others.body, R"("owner":"other","state":"reserved","milli":1000)"))
        << others.body;
    EXPECT_FALSE(has(others.body, "ada")) << others.body;
    EXPECT_FALSE(has(others.body, "secret-project")) << others.body;
}

TEST_F(RoutesTest, ObservedUseIsShownBesideReservedUse) {
    world.samples.put(
        {.node = "jw2",
         .cpu_permille = 125,
         .memory_permille = 500,
         .gpus = {{.uuid = "GPU-5", .memory_used_mib = 100, .utilization_percent = 7}}},
        kWorldNow + std::chrono::milliseconds(-1500));
    const HttpResponse gpus = world.get("/api/v1/gpus");
    EXPECT_TRUE(has(
        gpus.body,
        R"("observed":{"age_ms":1500,"memory_used_mib":100,"utilization_percent":7,"processes":0})"))
        << gpus.body;
    const HttpResponse node = world.get("/api/v1/nodes/jw2");
    EXPECT_TRUE(
        has(node.body, R"("observed":{"age_ms":1500,"cpu_percent":12.5,"memory_percent":50.0})"))
        << node.body;
    EXPECT_TRUE(has(node.body, R"("heard_at":"2025-11-24T15:59:58.500000Z")")) << node.body;
    EXPECT_TRUE(has(node.body, R"("cpu_millicores":{"total":8000,"free":7000})")) << node.body;
    EXPECT_TRUE(has(node.body, R"("gpus":{"total":1,"free":0})")) << node.body;
    EXPECT_EQ(world.get("/api/v1/nodes/jw3").status, 404);
}

TEST_F(RoutesTest, AGpuTellsTheErrorsOfItsDriverTheNewestFirst) {
    EXPECT_FALSE(has(world.get("/api/v1/gpus").body, "xids"));
    world.samples.put(
        {
            .node = "jw2",
            .gpus = {{.uuid = "GPU-5"}},
            .xids =
                {{.uuid = "GPU-5", .xid = 31, .at = kWorldNow},
                     {.uuid = "GPU-9", .xid = 48, .at = kWorldNow},
                     {.uuid = "GPU-5", .xid = 222, .at = kWorldNow}}
    },
        kWorldNow);
    const HttpResponse gpus = world.get("/api/v1/gpus", kBob);
    EXPECT_TRUE(
        has(gpus.body, R"("xids":[{"xid":222,"at":"2025-11-24T16:00:00.000000Z"},)"
                       R"({"xid":31,"at":"2025-11-24T16:00:00.000000Z",)"
                       R"("message":"a program's access to memory that is not there"}])"))
        << gpus.body;
    EXPECT_TRUE(
        has(world.get("/api/v1/gpus?fields=uuid,xids").body, R"([{"uuid":"GPU-5","xids":[)"));
}

TEST_F(RoutesTest, MetricsHaveThePowerDrawInWatts) {
    world.samples.put(
        {.node = "jw2", .gpus = {{.uuid = "GPU-5", .power_milliwatts = 70500}}}, kWorldNow);
    const HttpResponse metrics = world.get("/metrics");
    EXPECT_TRUE(has(
        metrics.body, R"(DCGM_FI_DEV_POWER_USAGE{node="jw2",uuid="GPU-5",simulated="false"} 70.5)"))
        << metrics.body;
}

TEST_F(RoutesTest, TheTimelineFollowsTheAttempts) {
    world.store.elements[0].state = ElementState::kFailed;
    world.store.elements[0].end_reason = model::EndReason::kExitCode;
    world.store.elements[0].exit_code = 3;
    world.store.elements[0].ended_at = kWorldNow;
    const HttpResponse response = world.get("/api/v1/jobs/7/timeline", kAda);
    EXPECT_EQ(response.status, 200) << response.body;
    const std::string& body = response.body;
    const std::size_t submitted = body.find(R"("kind":"job.submitted","object":"job/7")");
    const std::size_t failed = body.find(R"("kind":"element.failed","object":"element/7")");
    const std::size_t second = body.find(R"("attempt":2)");
    EXPECT_LT(submitted, failed) << body;
    EXPECT_LT(failed, second) << body;
    EXPECT_TRUE(has(body, R"("reason":"exit_code","exit_code":3)")) << body;
    const HttpResponse first = world.get("/api/v1/jobs/7/timeline?limit=1", kAda);
    EXPECT_TRUE(has(first.body, R"("next":"0.1")")) << first.body;
    const HttpResponse rest = world.get("/api/v1/jobs/7/timeline?cursor=0.1", kAda);
    EXPECT_FALSE(has(rest.body, "job.submitted")) << rest.body;
}

TEST_F(RoutesTest, WhenIsToldOfWhatWaits) {
    world.commands.shown.projects = {{.record = {.id = ProjectId(1), .name = "vision"}}};
    const HttpResponse when = world.get("/api/v1/jobs/8/when", kAda);
    EXPECT_EQ(when.status, 200) << when.body;
    EXPECT_TRUE(has(when.body, R"("id":8,"state":"queued","kind":"expected","expected_at":")"))
        << when.body;
    const HttpResponse running = world.get("/api/v1/jobs/7/when", kAda);
    EXPECT_TRUE(has(running.body, R"("kind":"not_pending")")) << running.body;
}

TEST_F(RoutesTest, WhenIsAnsweredFromTheSamplesAtHand) {
    EXPECT_FALSE(has(world.get("/api/v1/jobs/8/when", kAda).body, "forecast"));
    auto past = std::make_shared<scheduler::Calibration>();
    past->put(0, {.verdict = scheduler::Verdict::kInside});
    past->put(1, {.verdict = scheduler::Verdict::kAfter});
    world.commands.shown.calibration = past;
    controller::ForecastSheet sheet{
        .rev = Revision(5), .at = kWorldNow + -std::chrono::seconds(7), .samples = 40};
    sheet.jobs[JobId(8)] = {
        .by_limits =
            {.kind = controller::WhenKind::kExpected, .at = kWorldNow + std::chrono::hours(9)},
        .said = scheduler::Said{
                        .interval = {.from = std::chrono::minutes(60), .until = std::chrono::minutes(120)}}
    };
    world.parts.forecasts = [&] {
        return std::make_shared<const controller::ForecastSheet>(sheet);
    };
    const std::string body = world.get("/api/v1/jobs/8/when", kAda).body;
    EXPECT_TRUE(has(body, R"("confidence_percent":80,"samples":40,"revision":5,"age_s":7)"))
        << body;
    EXPECT_TRUE(has(body, R"("past_forecasts":2,"past_inside":1)")) << body;
    EXPECT_TRUE(has(body, R"("forecast":{"from":")")) << body;
    sheet.jobs.clear();
    EXPECT_FALSE(has(world.get("/api/v1/jobs/8/when", kAda).body, "forecast"))
        << "a job that is in no sample yet";
}

TEST_F(RoutesTest, AllThatIsShortOnANodeIsNamed) {
    auto node = std::make_shared<controller::NodeStatus>(*node_with_gpu("ada"));
    node->view.free.host.cpu_millicores = 1000;
    node->view.free.gpus[0].free = {.milli = -1000, .memory_mib = -5};
    world.commands.shown.nodes = {node};
    const HttpResponse why = world.get("/api/v1/jobs/8/why", kAda);
    EXPECT_TRUE(has(why.body, R"("kind":"cpu_short")")) << why.body;
    EXPECT_TRUE(has(why.body, R"("kind":"gpu_short")")) << why.body;
    EXPECT_TRUE(has(why.body, R"("binding_count":2)")) << why.body;
    EXPECT_TRUE(has(world.get("/api/v1/jobs", kAda).body, R"("reason":"cpu_short")"));
    const HttpResponse gpus = world.get("/api/v1/gpus", kAda);
    EXPECT_TRUE(has(gpus.body, R"("milli":{"total":1000,"free":0})")) << gpus.body;
    EXPECT_FALSE(has(gpus.body, R"("free":-)")) << gpus.body;
}

TEST_F(RoutesTest, AJobThatNeverLeftTheQueueSaysWhyItEnded) {
    struct Case {
        ElementState state;
        std::vector<model::Dependency> after;
        const char* want;
    };

    const std::vector<Case> cases = {
        {ElementState::kFailed,
         {{model::DependencyKind::kNotOk, JobId(4)}, {model::DependencyKind::kOk, JobId(5)}},
         R"(reason":"dependency_never","message":"job 4 succeeded; job 5 did not succeed")"                                  },
        {ElementState::kFailed,    {},                                                        R"(reason":"dependency_never")"},
        {ElementState::kCancelled, {},                                                        R"(reason":"cancelled")"       },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.want);
        ledger::JobRow row = job(8, "ada", c.state);
        row.record.ended_at = kWorldNow;
        row.record.after = c.after;
        world.store.jobs[1] = row;
        const std::string end = std::string(R"("end_)") + c.want;
        EXPECT_TRUE(has(world.get("/api/v1/jobs/8", kAda).body, end));
        EXPECT_TRUE(has(world.get("/api/v1/jobs", kAda).body, end));
        const HttpResponse timeline = world.get("/api/v1/jobs/8/timeline", kAda);
        EXPECT_TRUE(
            has(timeline.body, R"("kind":"job.ended","object":"job/8",")" + std::string(c.want)))
            << timeline.body;
    }
}

TEST_F(RoutesTest, SubmitsAJob) {
    world.commands.reply =
        ledger::Reply(ledger::Submitted{.first_job = JobId(1842), .job_count = 1});
    const HttpResponse response = world.ask(
        {.method = Method::kPost,
         .target = "/api/v1/jobs",
         .body = R"({"command":["train","--fast"],"array":{"first":1,"last":4}})",
         .uid = kAda,
         .fields = {.idempotency_key = "k1"}});
    EXPECT_EQ(response.status, 201) << response.body;
    EXPECT_EQ(response.body, R"({"id":1842,"elements":4})");
    ASSERT_EQ(response.headers.size(), 1U);
    EXPECT_EQ(response.headers[0].second, "/api/v1/jobs/1842");
    const auto& command = only_command<ledger::SubmitJobs>();
    EXPECT_EQ(command.actor.identity, (model::Identity{.user = "ada", .uid = kAda, .gid = 100}));
    EXPECT_FALSE(command.actor.is_admin);
    EXPECT_EQ(command.actor.request_id, "id-1");
    EXPECT_EQ(command.actor.source, "unix");
    EXPECT_EQ(command.idempotency_key, "k1");
    EXPECT_NE(command.fingerprint, 0U);
    ASSERT_EQ(command.jobs.size(), 1U);
    EXPECT_TRUE(has(command.jobs[0].spec_json, R"("--fast")"));
}

TEST_F(RoutesTest, AReplayedSubmissionSaysSo) {
    world.commands.reply =
        ledger::Reply(ledger::Submitted{.first_job = JobId(3), .job_count = 2, .is_replay = true});
    const HttpResponse response =
        world.post("/api/v1/jobs:batch", R"({"jobs":[{"command":["a"]},{"command":["b"]}]})");
    EXPECT_EQ(response.body, R"({"ids":[3,4]})");
    ASSERT_EQ(response.headers.size(), 1U);
    EXPECT_EQ(response.headers[0].first, "Idempotent-Replay");
}

TEST_F(RoutesTest, AWrongSubmissionNeverReachesTheWriter) {
    EXPECT_EQ(world.post("/api/v1/jobs", "").status, 400);
    EXPECT_EQ(world.post("/api/v1/jobs", "{}").status, 400);
    EXPECT_EQ(world.post("/api/v1/jobs", R"({"command":["a"],"comand":1})").status, 400);
    EXPECT_EQ(world.post("/api/v1/jobs:batch", R"({"jobs":[]})").status, 400);
    EXPECT_EQ(world.post("/api/v1/jobs", std::string(100'000, '[')).status, 400);
    EXPECT_EQ(
        world
            .ask(
                {.method = Method::kPost,
                 .target = "/api/v1/jobs",
                 .body = R"({"command":["a"]})",
                 .fields = {.idempotency_key = "a b"}})
            .status,
        400);
    EXPECT_TRUE(world.commands.seen.empty());
}

TEST_F(RoutesTest, ARefusalOfTheWriterIsAProblem) {
    world.commands.reply = fail(ErrorCode::kUnsatisfiable, "the largest node has 1 GPU", "secret");
    const HttpResponse response = world.post("/api/v1/jobs", R"({"command":["a"]})");
    EXPECT_EQ(response.status, 422);
    EXPECT_TRUE(has(response.body, R"("code":"UNSATISFIABLE")")) << response.body;
    EXPECT_FALSE(has(response.body, "secret"));
}

TEST_F(RoutesTest, Controls) {
    struct Case {
        const char* target;
        const char* body;
        ledger::Control control;
        std::optional<std::uint32_t> index;
    };

    const std::vector<Case> cases = {
        {"/api/v1/jobs/7:stop",    "",                  ledger::Control::kStop,       {}},
        {"/api/v1/jobs/7:stop",    R"({"force":true})", ledger::Control::kStopForced, {}},
        {"/api/v1/jobs/7:stop",    R"({"element":3})",  ledger::Control::kStop,       3 },
        {"/api/v1/jobs/7:hold",    "{}",                ledger::Control::kHold,       {}},
        {"/api/v1/jobs/7:release", R"({"element":0})",  ledger::Control::kRelease,    0 },
        {"/api/v1/jobs/7:requeue", "",                  ledger::Control::kRequeue,    {}},
    };
    world.commands.reply = ledger::Reply(ledger::Controlled{.element_count = 2});
    for (const Case& c : cases) {
        SCOPED_TRACE(std::string(c.target) + c.body);
        world.commands.seen.clear();
        const HttpResponse response = world.post(c.target, c.body, kAda);
        EXPECT_EQ(response.body, R"({"id":7,"changed":2})");
        const auto& command = only_command<ledger::ControlJobs>();
        EXPECT_EQ(command.control, c.control);
        ASSERT_EQ(command.targets.size(), 1U);
        EXPECT_EQ(command.targets[0].job, JobId(7));
        EXPECT_EQ(command.targets[0].index, c.index);
    }
    world.commands.seen.clear();
    EXPECT_EQ(world.post("/api/v1/jobs/7:hold", R"({"force":true})").status, 400);
    EXPECT_EQ(world.post("/api/v1/jobs/7:stop", R"({"element":-1})").status, 400);
    EXPECT_EQ(world.post("/api/v1/jobs/7:stop", R"({"element":0.5})").status, 400);
    EXPECT_EQ(world.post("/api/v1/jobs/7:stop", R"({"force":1})").status, 400);
    EXPECT_EQ(world.post("/api/v1/jobs/7:stop", R"([])").status, 400);
    EXPECT_TRUE(world.commands.seen.empty());
}

TEST_F(RoutesTest, EachJobOfABulkStopAnswersForItself) {
    world.commands.reply = fail(ErrorCode::kConflict, "it has already ended");
    const HttpResponse response = world.post("/api/v1/jobs:stop", R"({"ids":[7,9]})");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(
        response.body,
        R"({"items":[{"id":7,"error":{"code":"CONFLICT","detail":"it has already ended"}},)"
        R"({"id":9,"error":{"code":"CONFLICT","detail":"it has already ended"}}]})");
    EXPECT_EQ(world.commands.seen.size(), 2U);
    EXPECT_EQ(world.post("/api/v1/jobs:stop", R"({"ids":[]})").status, 400);
    EXPECT_EQ(world.post("/api/v1/jobs:stop", R"({"ids":["7"]})").status, 400);
}

TEST_F(RoutesTest, EveryControlTakesSeveralJobs) {
    world.commands.reply = ledger::Reply(ledger::Controlled{.element_count = 1});
    const std::vector<std::pair<std::string, ledger::Control>> controls = {
        {"stop",    ledger::Control::kStop   },
        {"hold",    ledger::Control::kHold   },
        {"release", ledger::Control::kRelease},
        {"requeue", ledger::Control::kRequeue},
    };
    for (const auto& [word, control] : controls) {
        world.commands.seen.clear();
        const HttpResponse response = world.post("/api/v1/jobs:" + word, R"({"ids":[7,8]})", kAda);
        EXPECT_EQ(response.body, R"({"items":[{"id":7,"changed":1},{"id":8,"changed":1}]})");
        ASSERT_EQ(world.commands.seen.size(), 2U);
        const auto& command = std::get<ledger::ControlJobs>(world.commands.seen[1]);
        EXPECT_EQ(command.control, control);
        EXPECT_EQ(command.targets.at(0).job, JobId(8));
        EXPECT_EQ(command.actor.identity.user, "ada");
    }
    EXPECT_EQ(world.post("/api/v1/jobs:hold", R"({"ids":[7],"force":true})").status, 400);
}

TEST_F(RoutesTest, NodesAndQuarantineAreControlledByAdmins) {
    EXPECT_EQ(world.post("/api/v1/nodes/jw2:drain", "", kAda).status, 403);
    const HttpResponse drained = world.post("/api/v1/nodes/jw2:drain", R"({"reason":"fan swap"})");
    EXPECT_EQ(drained.status, 200) << drained.body;
    EXPECT_TRUE(has(drained.body, R"("name":"jw2")"));
    EXPECT_EQ(only_command<ledger::ControlNode>().reason, "fan swap");
    EXPECT_EQ(world.post("/api/v1/nodes/jw2:lost", R"({"reason":"x"})").status, 400);
    EXPECT_EQ(world.post("/api/v1/nodes/jw2:drain", R"({"reason":"a\nb"})").status, 400);
    EXPECT_EQ(
        world.post("/api/v1/nodes/jw2:drain", "{\"reason\":\"" + std::string(257, 'a') + "\"}")
            .status,
        400);
    world.commands.seen.clear();
    EXPECT_EQ(world.post("/api/v1/quarantine/7.0.1.0:stop", "").status, 204);
    EXPECT_EQ(only_command<ledger::ControlQuarantine>().task.element.job, JobId(7));
    EXPECT_EQ(world.post("/api/v1/quarantine/x:stop", "").status, 400);
    EXPECT_EQ(world.get("/api/v1/quarantine", kAda).status, 403);
}

TEST_F(RoutesTest, Projects) {
    controller::ProjectStatus vision;
    vision.record.name = "vision";
    vision.record.quota.gpu_milli = 4000;
    vision.record.user_quota.running_elements = 3;
    vision.record.guaranteed_gpu_milli = 2000;
    vision.usage.gpu_milli = 1500;
    world.commands.shown.projects = {vision};
    const HttpResponse shown = world.get("/api/v1/projects/vision", kAda);
    EXPECT_TRUE(has(
        shown.body,
        R"("quota":{"gpu_milli":4000},"user_quota":{"running_elements":3},"guaranteed_gpu_milli":2000,"used":{"gpu_milli":1500,)"))
        << shown.body;
    EXPECT_EQ(world.get("/api/v1/projects/nlp", kAda).status, 404);
    EXPECT_EQ(world.post("/api/v1/projects", R"({"name":"x"})", kAda).status, 403);
    EXPECT_EQ(world.post("/api/v1/projects", R"({"name":"vision"})").status, 409);
    EXPECT_EQ(world.post("/api/v1/projects", R"({"quota":{}})").status, 400);
    EXPECT_EQ(world.post("/api/v1/projects", R"({"name":"x","quota":{"gpu":1}})").status, 400);
    EXPECT_EQ(world.post("/api/v1/projects", R"({"name":"x","parent":"nlp"})").status, 404);
    EXPECT_EQ(world.post("/api/v1/projects", R"({"name":"No Spaces"})").status, 400);
    EXPECT_TRUE(world.commands.seen.empty());
    const HttpResponse put = world.ask(
        {.method = Method::kPut,
         .target = "/api/v1/projects/vision",
         .body = R"({"quota":{"gpu_milli":0,"pending_elements":5},"user_quota":{"memory_mib":7},)"
                 R"("guaranteed_gpu_milli":0})"});
    EXPECT_EQ(put.status, 200) << put.body;
    const auto& command = only_command<ledger::PutProject>();
    EXPECT_EQ(command.user_quota, (model::Quota{.memory_mib = 7}));
    EXPECT_EQ(command.guaranteed_gpu_milli, 0);
    EXPECT_EQ(command.quota, (model::Quota{.gpu_milli = 0, .pending_elements = 5}));
}

TEST_F(RoutesTest, QuarantineSaysWhoseJobItIsAndWhatItHolds) {
    auto node = std::make_shared<controller::NodeStatus>(*node_with_gpu("ada"));
    controller::Holding& holding = node->holdings.front();
    holding.allocation.owner = model::AllocationOwner::kUnknown;
    holding.name = "train";
    holding.started_at = kWorldNow;
    world.commands.shown.nodes = {node};
    const std::string body = world.get("/api/v1/quarantine").body;
    for (const char* part :
         {R"("key":"7.0.1.0","node":"jw2","user":"ada","name":"train","started_at":")",
          R"("gpus":[{"uuid":"GPU-5")"}) {
        EXPECT_TRUE(has(body, part)) << body;
    }
    holding.user = "";
    holding.name = "";
    holding.started_at = model::kNever;
    EXPECT_TRUE(
        has(world.get("/api/v1/quarantine").body, R"({"key":"7.0.1.0","node":"jw2","gpus":)"));
    EXPECT_TRUE(has(world.get("/api/v1/nodes").body, R"("running":0)")) << "it is no job's";
}

TEST_F(RoutesTest, TheServerTellsAboutItself) {
    const HttpResponse me = world.get("/api/v1/me", kAda);
    EXPECT_EQ(
        me.body, R"({"user":"ada","uid":1000,"gid":100,"role":"user","source":"unix",)"
                 R"("server":{"version":"1.2.3","cluster_id":"c1"}})");
    const HttpResponse acted =
        world.ask({.target = "/api/v1/me", .uid = kRoot, .fields = {.acts_as = "ada"}});
    EXPECT_TRUE(has(acted.body, R"("user":"ada","uid":1000)")) << acted.body;
    EXPECT_TRUE(has(acted.body, R"("acted_by":"root")")) << acted.body;
    EXPECT_EQ(world.get("/livez", kNobody).body, "ok\n");
    EXPECT_EQ(world.get("/readyz", kNobody).body, "ok\n");
    const HttpResponse metrics = world.get("/metrics");
    EXPECT_TRUE(has(metrics.body, "reeve_build_info{version=\"1.2.3\"} 1\n")) << metrics.body;
    EXPECT_TRUE(
        has(metrics.body,
            R"(reeve_gpu_reserved_milli{node="jw2",uuid="GPU-5",simulated="false"} 1000)"))
        << metrics.body;
    world.commands.shown.storage_trouble = "no space left";
    EXPECT_EQ(world.get("/readyz", kNobody).status, 503);
    EXPECT_EQ(world.get("/livez", kNobody).status, 200);
    world.commands.shown.storage_trouble.clear();
    std::string trouble = "no spawner";
    world.parts.trouble = [&trouble] { return trouble; };
    const HttpResponse unready = world.get("/readyz", kNobody);
    EXPECT_EQ(unready.status, 503);
    EXPECT_TRUE(has(unready.body, "no spawner")) << unready.body;
    trouble.clear();
    EXPECT_EQ(world.get("/readyz", kNobody).body, "ok\n");
}

TEST_F(RoutesTest, BacksUpForAdmins) {
    EXPECT_EQ(
        world.post("/api/v1/server:backup", R"({"path":"/b/x"})").body,
        R"({"path":"/b/x","size_bytes":4096})");
    EXPECT_EQ(world.post("/api/v1/server:backup", R"({"path":"x"})").status, 400);
    EXPECT_EQ(world.post("/api/v1/server:backup", R"({})").status, 400);
    EXPECT_EQ(world.post("/api/v1/server:backup", R"({"path":"/b/x"})", kAda).status, 403);
}

}  // namespace
}  // namespace reeve::api
