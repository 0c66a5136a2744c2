#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/routes_world.hpp"

namespace reeve::api {
namespace {

using JobRoutesTest = RoutesTest;

TEST_F(JobRoutesTest, TheTimelineNamesWhoeverCausedWhat) {
    ledger::JobRow& job = world.store.jobs[1];
    job.record.counts = {};
    job.record.counts[ElementState::kCancelled] = 1;
    const auto at = [](int seconds) { return kWorldNow + std::chrono::seconds(seconds); };
    job.record.ended_at = at(9);
    model::ElementRecord first = element(8, 1, ElementState::kFailed);
    first.intent = model::StopIntent::kRequeue;
    first.ended_at = at(5);
    first.state = ElementState::kQueued;
    model::ElementRecord second = element(8, 2, ElementState::kCancelled);
    second.scheduled_at = model::kNever;
    second.ended_at = at(9);
    world.store.elements = {first, second};
    const auto control = [&](std::uint64_t rev, model::JobControl what, std::string actor,
                             int when) {
        return model::ControlRecord{
            .job = JobId(8),
            .rev = Revision(rev),
            .control = what,
            .actor = std::move(actor),
            .at = at(when)};
    };
    world.store.controls = {
        control(2, model::JobControl::kHold, "ann", -2),
        control(3, model::JobControl::kRelease, "ben", -1),
        control(4, model::JobControl::kRequeue, "cat", 4),
        control(5, model::JobControl::kStopForced, "dan", 9),
        control(6, model::JobControl::kAdopt, "eve", 4)};
    world.store.controls[2].index = 0;
    world.store.jobs[1].record.submitted_at = at(-3);
    const HttpResponse response = world.get("/api/v1/jobs/8/timeline", kAda);
    EXPECT_EQ(response.status, 200) << response.body;
    std::size_t from = 0;
    for (
        const char* part :
        {R"("kind":"job.submitted","object":"job/8","actor":"ada")",
         R"("kind":"job.hold","object":"job/8","actor":"ann"})",
         R"("kind":"job.release","object":"job/8","actor":"ben"})",
         R"("kind":"element.scheduled","object":"element/8","attempt":1,"node":"jw2"})",
         R"("kind":"element.requeue","object":"element/8","actor":"cat"})",
         R"("kind":"job.adopt","object":"job/8","actor":"eve"})",
         R"("kind":"element.requeued","object":"element/8","attempt":1,"node":"jw2","actor":"cat")",
         R"("kind":"job.stop","object":"job/8","actor":"dan","message":"without grace"})",
         R"("kind":"element.cancelled","object":"element/8","attempt":2,"node":"jw2","actor":"dan")",
         R"("kind":"job.ended","object":"job/8","actor":"dan"})"}) {
        const std::size_t found = response.body.find(part, from);
        EXPECT_NE(found, std::string::npos) << part << "\n" << response.body;
        from = found == std::string::npos ? from : found;
    }
    const HttpResponse second_page = world.get("/api/v1/jobs/8/timeline?cursor=0.1", kAda);
    EXPECT_FALSE(has(second_page.body, "job.hold")) << second_page.body;
}

TEST_F(JobRoutesTest, WhyAnswersForTheElementThatIsAskedFor) {
    ledger::JobRow array = job(5, "ada", ElementState::kQueued);
    array.record.is_array = true;
    array.record.range = {.first = 10, .last = 20, .step = 2};
    array.record.next = 2;
    array.record.taken = {3};
    array.record.counts = {};
    array.record.counts[ElementState::kQueued] = 4;
    array.record.counts[ElementState::kRunning] = 1;
    array.record.counts[ElementState::kHeld] = 1;
    world.store.jobs.push_back(array);
    model::ElementRecord waits = element(5, 2, ElementState::kQueued);
    waits.key.index = 10;
    waits.not_before = kWorldNow + std::chrono::hours(1);
    model::ElementRecord runs = element(5, 1, ElementState::kRunning);
    runs.key.index = 12;
    model::ElementRecord held = element(5, 1, ElementState::kHeld);
    held.key.index = 16;
    world.store.elements = {waits, runs, held};
    world.commands.shown.at = kWorldNow;

    struct Case {
        const char* query;
        int status;
        std::vector<const char*> parts;
        const char* missing;
    };

    const std::vector<Case> cases = {
        {"",            200, {R"("id":5,"state":"running")", R"("position":)"},                    "element\":"},
        {"?element=10", 200, {R"("element":10,"state":"queued")", "attempt 2 waits until"},        "held"      },
        {"?element=12", 200, {R"("element":12,"state":"running","blockers":[])"},                  "position"  },
        {"?element=14",
         200,                {R"("element":14,"state":"queued","position":)", R"("gpu_short")"},
         "attempt"                                                                                             },
        {"?element=16",
         200,                {R"("element":16,"state":"held","binding")", "`reeve release 5_16`"},
         "position"                                                                                            },
        {"?element=11", 404, {"job 5 has no element 11"},                                          "state"     },
        {"?element=9",  404, {"job 5 has no element 9"},                                           "state"     },
        {"?element=22", 404, {"job 5 has no element 22"},                                          "state"     },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.query);
        const HttpResponse response = world.get("/api/v1/jobs/5/why" + std::string(c.query), kAda);
        EXPECT_EQ(response.status, c.status) << response.body;
        for (const char* part : c.parts) {
            EXPECT_TRUE(has(response.body, part)) << part << "\n" << response.body;
        }
        EXPECT_FALSE(has(response.body, c.missing)) << response.body;
    }
    EXPECT_EQ(world.get("/api/v1/jobs/8/why?element=0", kAda).status, 200);
    EXPECT_EQ(world.get("/api/v1/jobs/8/why?element=1", kAda).status, 404);
}

TEST_F(JobRoutesTest, WhySaysWhatAJobDoesThatIsWaitedFor) {
    ledger::JobRow waits = job(5, "ada", ElementState::kQueued);
    waits.record.after = {{.job = JobId(7)}, {.job = JobId(9)}};
    world.store.jobs.push_back(waits);
    const std::string body = world.get("/api/v1/jobs/5/why", kAda).body;
    EXPECT_TRUE(has(body, "job 7 has to succeed first; it is running")) << body;
    EXPECT_TRUE(has(body, "job 9 has to succeed first\"")) << "that is bob's\n" << body;
}

TEST_F(JobRoutesTest, ThatSomeNodesAreNotMeantIsNoHeadlineIfOthersAre) {
    auto other = std::make_shared<controller::NodeStatus>(*node_with_gpu("ada"));
    other->record.id = NodeId(9);
    other->record.name = "aa";
    other->view.id = NodeId(9);
    world.commands.shown.nodes = {other, node_with_gpu("ada")};
    world.store.jobs[1].on = "node.name==jw2";
    const std::string body = world.get("/api/v1/jobs/8/why", kAda).body;
    EXPECT_TRUE(has(body, R"("binding":{"kind":"gpu_short")")) << body;
    world.store.jobs[1].on = "node.name==nowhere";
    EXPECT_TRUE(has(world.get("/api/v1/jobs/8/why", kAda).body, R"("binding":{"kind":"labels")"));
}

TEST_F(JobRoutesTest, WhyEndsWithWhatWouldLetItStartNow) {
    auto node = std::make_shared<controller::NodeStatus>(*node_with_gpu("ada"));
    node->view.free.gpus[0].free = {.milli = 500, .memory_mib = 12288};
    world.commands.shown.nodes = {node};
    world.commands.shown.at = kWorldNow;
    world.commands.shown.usage.pending_elements = 2;
    const std::string path = "/api/v1/jobs/8/why";
    EXPECT_TRUE(
        has(world.get(path, kAda).body,
            R"("changes":[{"kind":"share","text":"0.5 of a GPU instead of 1 GPU",)"
            R"("flags":"--gpus a30:0.5","set":{"resources":{"gpus":0.5}}}])"))
        << world.get(path, kAda).body;
    world.store.jobs[1].host.memory_mib = 65536;
    EXPECT_TRUE(
        has(world.get(path, kAda).body,
            R"("changes":[{"kind":"several","text":"0.5 of a GPU instead of 1 GPU and 58 GiB of )"
            R"(memory instead of 64 GiB","flags":"--gpus a30:0.5 --mem 58G",)"
            R"("set":{"resources":{"gpus":0.5,"memory_mib":59392}}}])"))
        << world.get(path, kAda).body;
    world.store.jobs[1].gpus = {.milli = 250, .model = "l40s"};
    world.store.jobs[1].host.memory_mib = 0;
    EXPECT_TRUE(has(world.get(path, kAda).body, R"("set":{"resources":{"gpu_model":"a30"}}})"))
        << world.get(path, kAda).body;
    world.store.jobs[1].record.counts = {};
    world.store.jobs[1].record.counts[model::ElementState::kHeld] = 1;
    world.store.jobs[1].gpus = {.milli = 250};
    EXPECT_TRUE(has(
        world.get(path, kAda).body,
        R"("changes":[{"kind":"release","text":"it is released","command":"reeve release 8"}])"))
        << world.get(path, kAda).body;
    EXPECT_TRUE(has(world.get("/api/v1/jobs/7/why", kAda).body, R"("changes":[])"));
}

TEST_F(JobRoutesTest, AChangeMayAskThatTheJobIsAsItWasRead) {
    world.store.jobs[2].record.rev = Revision(918);
    const HttpResponse read = world.get("/api/v1/jobs/7", kAda);
    ASSERT_EQ(read.headers.size(), 1U);
    EXPECT_EQ(read.headers[0].first, "ETag");
    EXPECT_EQ(read.headers[0].second, "\"918\"");

    struct Case {
        std::optional<std::string_view> if_match;
        std::optional<std::vector<std::uint64_t>> want;
        bool is_good = true;
    };

    const std::vector<Case> cases = {
        {{}, {}},
        {"*", {}},
        {R"("918")", {{918}}},
        {R"("918", "7"  ,"x")", {{918, 7}}},
        {R"(W/"918")", {std::vector<std::uint64_t>()}},
        {"", {}, false},
        {"918", {}, false},
        {R"("918)", {}, false},
        {R"("918",)", {}, false},
        {R"(")", {}, false},
    };
    world.commands.reply =
        ledger::Reply(ledger::Controlled{.element_count = 1, .rev = Revision(920)});
    for (const Case& c : cases) {
        SCOPED_TRACE(c.if_match.value_or("absent"));
        world.commands.seen.clear();
        const HttpResponse response = world.ask(
            {.method = Method::kPost,
             .target = "/api/v1/jobs/7:stop",
             .uid = kAda,
             .fields = {.if_match = c.if_match}});
        EXPECT_EQ(response.status, c.is_good ? 200 : 400) << response.body;
        if (!c.is_good) {
            EXPECT_TRUE(world.commands.seen.empty());
            continue;
        }
        EXPECT_EQ(response.headers.at(0).second, "\"920\"");
        const auto& if_rev = only_command<ledger::ControlJobs>().if_rev;
        ASSERT_EQ(if_rev.has_value(), c.want.has_value());
        for (std::size_t i = 0; c.want && i < c.want->size(); ++i) {
            EXPECT_EQ(if_rev->at(i).value(), c.want->at(i));
        }
    }
    world.commands.reply = fail(ErrorCode::kPrecondition, "it has changed");
    EXPECT_EQ(world.post("/api/v1/jobs/7:stop", "", kAda).status, 412);
    const HttpResponse bulk = world.ask(
        {.method = Method::kPost,
         .target = "/api/v1/jobs:stop",
         .body = R"({"ids":[7]})",
         .fields = {.if_match = "\"918\""}});
    EXPECT_EQ(bulk.status, 400) << bulk.body;  // It could not be kept.
}

TEST_F(JobRoutesTest, ADryRunSaysWhatWouldComeOfIt) {
    model::JobRecord record;
    record.counts[ElementState::kQueued] = 3;
    record.range = {.first = 1, .last = 3};
    record.is_array = true;
    world.commands.reply = ledger::Reply(ledger::Checked{.job = record});
    const std::string body =
        R"({"command":["a"],"resources":{"gpus":1},"array":{"first":1,"last":3}})";
    const HttpResponse response = world.post("/api/v1/jobs?dry_run=true", body, kBob);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_TRUE(
        has(response.body, R"({"elements":3,"reason":"gpu_short","state":"queued","position":3,)"))
        << response.body;
    EXPECT_FALSE(has(response.body, "ada")) << response.body;
    EXPECT_TRUE(has(response.body, R"("changes":[])")) << "no part of the GPU is free";
    EXPECT_TRUE(only_command<ledger::SubmitJobs>().is_dry_run);
    auto node = std::make_shared<controller::NodeStatus>(*node_with_gpu("ada"));
    node->view.free.gpus[0].free = {.milli = 500, .memory_mib = 12288};
    world.commands.shown.nodes = {node};
    const HttpResponse share = world.post("/api/v1/jobs?dry_run=true", body, kBob);
    EXPECT_TRUE(has(share.body, R"("flags":"--gpus 0.5")")) << share.body;
    world.commands.reply = fail(ErrorCode::kUnsatisfiable, "no node can ever run this");
    EXPECT_EQ(world.post("/api/v1/jobs?dry_run=1", body).status, 422);
    EXPECT_EQ(world.post("/api/v1/jobs?dry_run=yes", body).status, 400);
    EXPECT_EQ(world.post("/api/v1/jobs?dry_run=1", "{}").status, 400);
    world.commands.seen.clear();
    world.commands.reply = ledger::Reply(ledger::Submitted{.first_job = JobId(4), .job_count = 1});
    EXPECT_EQ(world.post("/api/v1/jobs?dry_run=0", body).status, 201);
    EXPECT_FALSE(only_command<ledger::SubmitJobs>().is_dry_run);
}

TEST_F(JobRoutesTest, ADryRunOfABatchSaysWhatWouldComeOfEach) {
    model::JobRecord record;
    record.counts[ElementState::kQueued] = 1;
    world.commands.reply = ledger::Reply(ledger::Checked{.job = record});
    const std::string body =
        R"({"jobs":[{"command":["a"],"resources":{"gpus":1}},{"command":["b"],"resources":{"gpus":1}}]})";
    const HttpResponse response = world.post("/api/v1/jobs:batch?dry_run=1", body, kBob);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_TRUE(
        has(response.body,
            R"({"items":[{"elements":1,"reason":"gpu_short","state":"queued","position":3,)"))
        << response.body;
    EXPECT_TRUE(
        has(response.body, R"({"elements":1,"reason":"gpu_short","state":"queued","position":4,)"))
        << "behind the first one: " << response.body;
    ASSERT_EQ(world.commands.seen.size(), 3U) << "together, for what they ask in all, and each";
    for (std::size_t i = 0; i < 3; ++i) {
        const auto& command = std::get<ledger::SubmitJobs>(world.commands.seen[i]);
        EXPECT_TRUE(command.is_dry_run);
        EXPECT_EQ(command.jobs.size(), i == 0 ? 2U : 1U);
    }
    int count = 0;
    world.commands.decide = [&](const ledger::Command&) -> Result<ledger::Reply> {
        if (++count == 1) {
            return fail(ErrorCode::kQuota, "jobs[1]: too many wait");
        }
        return ledger::Reply(ledger::Checked{.job = record});
    };
    const HttpResponse refused = world.post("/api/v1/jobs:batch?dry_run=1", body, kBob);
    EXPECT_EQ(refused.status, 422);
    EXPECT_TRUE(has(refused.body, "jobs[1]: too many wait")) << refused.body;
    std::string many = R"({"jobs":[)";
    for (int i = 0; i <= 100; ++i) {
        many += i == 0 ? "" : ",";
        many += R"({"command":["true"]})";
    }
    EXPECT_EQ(world.post("/api/v1/jobs:batch?dry_run=1", many + "]}", kBob).status, 400);
    EXPECT_EQ(world.post("/api/v1/jobs:batch?dry_run=yes", body).status, 400);
}

}  // namespace
}  // namespace reeve::api
