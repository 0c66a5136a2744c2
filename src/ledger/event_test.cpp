#include "ledger/event.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace reeve::ledger {
namespace {

using model::ElementState;
using std::chrono::microseconds;

constexpr Instant kNoon = Instant(microseconds(1'795'532'400'000'000));  // 2026-11-24T15:00:00Z

Names names() {
    return {
        .user = [](UserId id) { return id == UserId(1) ? std::string("alice") : std::string(); },
        .project = [](ProjectId) { return std::string("vision"); },
        .node = [](NodeId) { return std::string("jw2"); },
        .owner = [](JobId) { return std::string("bob"); }};
}

Change change_of(Body body) {
    return {.rev = Revision(12), .at = kNoon, .actor = "alice", .body = std::move(body)};
}

model::JobRecord job_in(ElementState state) {
    model::JobRecord job{.id = JobId(1842), .user = UserId(1), .priority = -3};
    job.counts[state] = 1;
    return job;
}

TEST(FormatUtc, IsTheGregorianCalendar) {
    struct Case {
        std::int64_t microseconds_since_epoch;
        const char* want;
    };

    const std::vector<Case> cases = {
        {0,                       "1970-01-01T00:00:00.000000Z"   },
        {-1,                      "1969-12-31T23:59:59.999999Z"   },
        {951'782'400'000'000,     "2000-02-29T00:00:00.000000Z"   },
        {951'868'799'999'999,     "2000-02-29T23:59:59.999999Z"   },
        {951'868'800'000'000,     "2000-03-01T00:00:00.000000Z"   },
        {1'795'532'400'000'001,   "2026-11-24T15:00:00.000001Z"   },
        {4'107'542'399'000'000,   "2100-02-28T23:59:59.000000Z"   },
        {4'107'542'400'000'000,   "2100-03-01T00:00:00.000000Z"   },
        {-62'135'596'800'000'000, "0001-01-01T00:00:00.000000Z"   },
        {-62'167'219'200'000'000, "0000-01-01T00:00:00.000000Z"   },
        {253'402'300'799'000'000, "9999-12-31T23:59:59.000000Z"   },
        {INT64_MAX,               "294247-01-10T04:00:54.775807Z" },
        {INT64_MIN,               "-290308-12-21T19:59:05.224192Z"},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(format_utc(Instant(microseconds(c.microseconds_since_epoch))), c.want);
    }
}

TEST(JsonQuoted, EscapesWhatJsonWantsEscaped) {
    struct Case {
        std::string text;
        const char* want;
    };

    const std::vector<Case> cases = {
        {"", R"("")"},
        {"plain", R"("plain")"},
        {"say \"hi\"", R"("say \"hi\"")"},
        {"C:\\x", R"("C:\\x")"},
        {"a\nb\rc\td", R"("a\nb\rc\td")"},
        {std::string("\0\x1f", 2), R"("\u0000\u001f")"},
        {"\x7f naïve 日本", "\"\x7f naïve 日本\""},
        {"\"", R"("\"")"},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(json_quoted(c.text), c.want);
    }
}

TEST(EventOf, AJobThatIsSubmitted) {
    JobPut put;
    put.after = job_in(ElementState::kQueued);
    put.texts = JobTexts{.name = "train \"x\""};
    Change change = change_of(put);
    change.source = "token";
    change.request_id = "r-7";
    const Event event = event_of(change, names());
    EXPECT_EQ(event.rev, Revision(12));
    EXPECT_EQ(event.kind, "job.submitted");
    EXPECT_EQ(event.user, "alice");
    EXPECT_EQ(
        event.json,
        R"({"revision":12,"time":"2026-11-24T15:00:00.000000Z","kind":"job.submitted",)"
        R"("object":"job/1842","actor":"alice","source":"token","request_id":"r-7","payload":{"name":"train \"x\"",)"
        R"("state":"queued","user":"alice","project":"vision","priority":-3}})");
}

TEST(EventOf, AJobThatCouldNeverStart) {
    JobPut put;
    put.before = job_in(ElementState::kQueued);
    put.after = job_in(ElementState::kFailed);
    put.after->ended_at = kNoon;
    put.after->after = {
        {model::DependencyKind::kOk, JobId(3)}
    };
    const Event event = event_of(change_of(put), names());
    EXPECT_EQ(event.kind, "job.ended");
    EXPECT_NE(
        event.json.find(R"("reason":"dependency_never","message":"job 3 did not succeed")"),
        std::string::npos)
        << event.json;
}

TEST(EventOf, AnElementThatEnds) {
    ElementPut put;
    put.user = UserId(1);
    put.is_array = true;
    put.after = model::ElementRecord{
        .key = {.job = JobId(1842), .index = 7},
        .state = ElementState::kFailed,
        .end_reason = model::EndReason::kExitCode,
        .exit_code = 3,
        .node = NodeId(2)
    };
    const Event event = event_of(change_of(put), names());
    EXPECT_EQ(event.kind, "element.failed");
    EXPECT_EQ(
        event.json,
        R"({"revision":12,"time":"2026-11-24T15:00:00.000000Z","kind":"element.failed",)"
        R"("object":"element/1842_7","actor":"alice","payload":{"job":1842,"state":"failed",)"
        R"("user":"alice","project":"vision","attempt":1,"node":"jw2","reason":"exit_code",)"
        R"("exit_code":3}})");
}

TEST(EventOf, WhatHappensToAGpu) {
    NodePut put{
        {.after = model::NodeRecord{.id = NodeId(1), .name = "jw2"}},
        GpuIncident{.uuid = "GPU-5", .xid = 79, .text = "the GPU has fallen off the bus"}
    };
    EXPECT_EQ(
        event_of(change_of(put), names()).json,
        R"({"revision":12,"time":"2026-11-24T15:00:00.000000Z","kind":"gpu.xid",)"
        R"("object":"gpu/GPU-5","actor":"alice","payload":{"node":"jw2","xid":79,)"
        R"("message":"the GPU has fallen off the bus"}})");
    put.incident = {
        .kind = GpuIncidentKind::kContested,
        .uuid = "GPU-5",
        .task = model::TaskKey{.element = {.job = JobId(7)}}};
    const Event conflict = event_of(change_of(put), names());
    EXPECT_NE(
        conflict.json.find(R"("payload":{"node":"jw2","job":7,"task":"7.0.1.0"}})"),
        std::string::npos)
        << conflict.json;
}

TEST(EventOf, TheKindsAndWhoseTheyAre) {
    JobPut changed;
    changed.before = job_in(ElementState::kQueued);
    changed.after = job_in(ElementState::kHeld);
    JobPut ended = changed;
    ended.after = job_in(ElementState::kCancelled);
    ended.after->ended_at = kNoon;
    JobPut after_its_end = ended;
    after_its_end.before = after_its_end.after;
    JobPut removed;
    removed.before = job_in(ElementState::kQueued);
    NodePut node;
    node.after = model::NodeRecord{.id = NodeId(1), .name = "jw2"};
    NodePut node_changed = node;
    node_changed.before = node.after;
    const NodePut node_removed{{.before = node.after}};
    const Put<model::AllocationRecord> bound{
        .after = model::AllocationRecord{.state = model::AllocationState::kBound}};
    const Put<model::AllocationRecord> withdrawn{.before = model::AllocationRecord{}};

    const auto incident = [](GpuIncidentKind kind, std::optional<model::TaskKey> task = {}) {
        return NodePut{
            {.before = model::NodeRecord{}, .after = model::NodeRecord{}},
            GpuIncident{.kind = kind,                  .task = task                }
        };
    };
    using enum GpuIncidentKind;

    struct Case {
        Body body;
        const char* kind;
        const char* user;
    };

    const std::vector<Case> cases = {
        {changed, "job.changed", "alice"},
        {ended, "job.ended", "alice"},
        {after_its_end, "job.changed", "alice"},
        {removed, "job.removed", "alice"},
        {node, "node.added", ""},
        {node_changed, "node.changed", ""},
        {node_removed, "node.removed", ""},
        {incident(kXid), "gpu.xid", ""},
        {incident(kLost), "gpu.lost", ""},
        {incident(kRestored), "gpu.restored", ""},
        {incident(kContested, model::TaskKey{}), "gpu.conflict", "bob"},
        {bound, "allocation.bound", "bob"},
        {withdrawn, "allocation.removed", "bob"},
        {Put<model::ProjectRecord>{.after = model::ProjectRecord{}}, "project.changed", ""},
        {Put<model::UserRecord>{.after = model::UserRecord{.id = UserId(1)}}, "internal", ""},
        {Put<model::RequestRecord>{.after = model::RequestRecord{}}, "internal", ""},
        {Put<model::GpuModelRecord>{.after = model::GpuModelRecord{}}, "internal", ""},
        {Put<model::ControlRecord>{.after = model::ControlRecord{}}, "internal", ""},
        {Put<model::IdempotencyRecord>{.after = model::IdempotencyRecord{}}, "internal", ""},
    };
    for (const Case& c : cases) {
        const Event event = event_of(change_of(c.body), names());
        EXPECT_EQ(event.kind, c.kind);
        EXPECT_EQ(event.user, c.user) << c.kind;
        EXPECT_EQ(event.json.empty(), event.kind == "internal") << c.kind;
        EXPECT_EQ(event.json.find('\n'), std::string::npos) << c.kind;
    }
}

TEST(EventOf, AnArrayCountsItsElements) {
    JobPut put;
    put.after = job_in(ElementState::kQueued);
    put.after->is_array = true;
    put.after->counts[ElementState::kRunning] = 4;
    const Event event = event_of(change_of(put), names());
    EXPECT_NE(event.json.find(R"("elements":{"queued":1,"running":4})"), std::string::npos)
        << event.json;
}

}  // namespace
}  // namespace reeve::ledger
