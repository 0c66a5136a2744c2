#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "api/api_world.hpp"
#include "api/audit_log.hpp"
#include "ledger/ledger_world.hpp"
#include "platform/files.hpp"

namespace reeve::api {
namespace {

class AuditEntries final : public Audit {
  public:
    void record(AuditEntry entry) override { lines.push_back(audit_line(entry, kWorldNow)); }

    std::vector<std::string> lines = {};
};

ledger::JobRow job_of(std::uint64_t id, const std::string& user) {
    ledger::JobRow row;
    row.record.id = JobId(id);
    row.record.counts[model::ElementState::kHeld] = 1;
    row.user = user;
    return row;
}

TEST(Audit, TellsOfDenialsAndOfReadsOfOthers) {
    struct Case {
        Method method;
        const char* target;
        std::uint32_t uid;
        const char* want;  // A part of the one line; "" for no line.
    };

    constexpr auto kGet = Method::kGet;
    constexpr auto kPost = Method::kPost;
    const std::vector<Case> cases = {
        {kGet,  "/api/v1/jobs",                 kNobody,
         R"("kind":"denied","source":"anonymous","by":"tcp","method":"GET","path":"/api/v1/jobs","status":401)"                                    },
        {kPost, "/api/v1/nodes/n1:drain",       kAda,
         R"("user":"ada","uid":1000,"source":"unix","by":"unix","method":"POST","path":"/api/v1/nodes/n1:drain","status":403)"                     },
        {kGet,  "/api/v1/jobs?user=bob",        kAda,
         R"("path":"/api/v1/jobs","status":403,"detail":"only an admin)"                                                                           },
        {kGet,  "/api/v1/jobs/9",               kAda,
         R"("kind":"denied","user":"ada","uid":1000,"source":"unix","by":"unix","method":"GET","path":"/api/v1/jobs/9","status":404,"whose":"bob")"},
        {kGet,  "/api/v1/jobs/9/logs",          kAda,
         R"("path":"/api/v1/jobs/9/logs","status":404,"whose":"bob")"                                                                              },
        {kGet,  "/api/v1/jobs/9/logs?follow=1", kAda,    R"("status":404,"whose":"bob")"                                                           },
        {kPost, "/api/v1/jobs/9:stop",          kAda,
         R"("path":"/api/v1/jobs/9:stop","status":404,"whose":"bob")"                                                                              },
        {kGet,  "/api/v1/jobs/9",               kRoot,
         R"("kind":"read","user":"root","uid":0,"source":"unix","by":"unix","method":"GET","path":"/api/v1/jobs/9","status":200,"whose":"bob")"    },
        {kGet,  "/api/v1/jobs/9/logs?follow=1", kRoot,   R"("kind":"read","user":"root")"                                                          },
        {kGet,  "/api/v1/jobs",                 kRoot,   R"("path":"/api/v1/jobs","status":200,"whose":"*")"                                       },
        {kGet,  "/api/v1/jobs?user=bob",        kRoot,   R"("status":200,"whose":"bob")"                                                           },
        {kGet,  "/api/v1/events",               kRoot,
         R"("kind":"read","user":"root","uid":0,"source":"unix","by":"unix","method":"GET","path":"/api/v1/events","status":200,"whose":"*")"      },
        {kGet,  "/api/v1/jobs?user=@me",        kRoot,   ""                                                                                        },
        {kGet,  "/api/v1/jobs/4711",            kAda,    ""                                                                                        },
        {kGet,  "/api/v1/jobs/9",               kBob,    ""                                                                                        },
        {kGet,  "/api/v1/jobs",                 kBob,    ""                                                                                        },
        {kGet,  "/api/v1/events",               kBob,    ""                                                                                        },
        {kGet,  "/api/v1/jobs/9/why?element=5", kBob,    ""                                                                                        },
        {kGet,  "/livez",                       kNobody, ""                                                                                        },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(std::string(c.target) + " by " + std::to_string(c.uid));
        World world;
        AuditEntries entries;
        world.audit = &entries;
        world.store.jobs = {job_of(9, "bob")};
        world.commands.reply = tl::unexpected<Error>(ledger::no_job(JobId(9), "bob"));
        world.ask({.method = c.method, .target = c.target, .uid = c.uid});
        ASSERT_EQ(entries.lines.size(), *c.want == '\0' ? 0U : 1U);
        if (!entries.lines.empty()) {
            EXPECT_TRUE(has(entries.lines[0], c.want)) << entries.lines[0];
        }
    }
}

TEST(Audit, ABulkStopTellsWhatOfItWasDenied) {
    World world;
    AuditEntries entries;
    world.audit = &entries;
    world.commands.reply = tl::unexpected<Error>(ledger::no_job(JobId(9), "bob"));
    world.post("/api/v1/jobs:stop", R"({"ids":[9,12]})", kAda);
    ASSERT_EQ(entries.lines.size(), 1U);
    EXPECT_TRUE(has(entries.lines[0], R"("kind":"denied","user":"ada")")) << entries.lines[0];
    EXPECT_TRUE(has(entries.lines[0], R"("whose":"bob","detail":"jobs 9, 12")"))
        << entries.lines[0];
}

TEST(Audit, TellsWhoActsAsAnother) {
    World world;
    AuditEntries entries;
    world.audit = &entries;
    world.store.jobs = {job_of(9, "bob")};
    const auto ask_as = [&](const char* target, const char* name, std::uint32_t uid) {
        entries.lines.clear();
        world.ask({.target = target, .uid = uid, .fields = {.acts_as = name}});
        return entries.lines.empty() ? std::string() : entries.lines.back();
    };
    const std::string list = ask_as("/api/v1/me", "ada", kRoot);
    EXPECT_TRUE(has(list, R"("kind":"acted_as","user":"ada","uid":1000,"acted_by":"root")"))
        << list;
    const std::string denied = ask_as("/api/v1/jobs/9/logs", "ada", kRoot);
    EXPECT_TRUE(has(denied, R"("kind":"denied","user":"ada","uid":1000,"acted_by":"root")"))
        << denied;
    const std::string refused = ask_as("/api/v1/jobs", "root", kAda);
    EXPECT_TRUE(has(refused, R"("kind":"denied","user":"ada","uid":1000,"source")")) << refused;
}

TEST(Audit, HasNoSecretsInIt) {
    World world;
    AuditEntries entries;
    world.audit = &entries;
    world.ask(
        {.target = "/api/v1/jobs?token=hunter2",
         .uid = kNobody,
         .fields = {.authorization = "Bearer hunter2"}});
    ASSERT_EQ(entries.lines.size(), 1U);
    EXPECT_FALSE(has(entries.lines[0], "hunter2")) << entries.lines[0];
}

class AuditLogTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "reeve-audit-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder = pattern;
    }

    void TearDown() override { EXPECT_TRUE(platform::remove_tree(folder)); }

    [[nodiscard]] AuditLogOptions options() const {
        return {.path = folder + "/audit.log", .now = [] { return kWorldNow; }};
    }

    [[nodiscard]] std::vector<std::string> lines(const std::string& name = "audit.log") const {
        std::vector<std::string> found;
        const std::string text =
            platform::read_file(folder + "/" + name, std::size_t{1} << 24).value_or("");
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = text.find('\n', at);
            found.push_back(text.substr(at, end - at));
            at = end == std::string::npos ? text.size() : end + 1;
        }
        return found;
    }

    static AuditEntry entry(int number) {
        return {.method = Method::kGet, .path = "/" + std::to_string(number), .status = 403};
    }

    std::string folder;
};

TEST_F(AuditLogTest, AppendsOverRestartsAndIsForItsOwnerAlone) {
    for (int start = 0; start < 2; ++start) {
        AuditLog log(options());
        log.start();
        log.record(entry(start));
    }
    const auto found = lines();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[1], audit_line(entry(1), kWorldNow));
    struct stat facts = {};
    ASSERT_EQ(stat((folder + "/audit.log").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);
}

TEST_F(AuditLogTest, IsBounded) {
    const auto size = static_cast<std::int64_t>(audit_line(entry(100), kWorldNow).size() + 1);
    AuditLogOptions wanted = options();
    wanted.file_bytes_max = 2 * size + 1;  // Two lines.
    wanted.files_max = 3;
    {
        AuditLog log(wanted);
        log.start();
        for (int i = 100; i < 111; ++i) {
            log.record(entry(i));
        }
    }
    EXPECT_EQ(lines(), std::vector{audit_line(entry(110), kWorldNow)});
    EXPECT_EQ(
        lines("audit.log.1"),
        (std::vector{audit_line(entry(108), kWorldNow), audit_line(entry(109), kWorldNow)}));
    EXPECT_EQ(lines("audit.log.2")[0], audit_line(entry(106), kWorldNow));
    EXPECT_EQ(platform::list_directory(folder)->size(), 3U);
}

TEST_F(AuditLogTest, OneFileIsBoundedToo) {
    AuditLogOptions wanted = options();
    wanted.file_bytes_max = 1;
    wanted.files_max = 1;
    {
        AuditLog log(wanted);
        log.start();
        log.record(entry(1));
        log.record(entry(2));
    }
    EXPECT_EQ(lines(), std::vector{audit_line(entry(2), kWorldNow)});
    EXPECT_EQ(platform::list_directory(folder)->size(), 1U);
}

TEST_F(AuditLogTest, WhatDoesNotFitIsCountedAndTold) {
    {
        AuditLog log(options());
        for (std::size_t i = 0; i < kAuditWaitingMax + 3; ++i) {
            log.record(entry(1));
        }
        EXPECT_EQ(log.counters().lost.load(), 3U);
        log.start();
    }
    const auto found = lines();
    ASSERT_EQ(found.size(), kAuditWaitingMax + 1);
    EXPECT_TRUE(has(found[0], R"("kind":"lost","count":3})")) << found[0];
}

TEST_F(AuditLogTest, WhatCannotBeWrittenIsCountedAndToldOnceItCan) {
    ASSERT_TRUE(platform::make_directory_exclusive(folder + "/audit.log"));  // No file.
    std::atomic<int> reports = 0;
    AuditLogOptions wanted = options();
    wanted.report = [&](const Error& error) {
        EXPECT_FALSE(error.context.empty());
        ++reports;
        reports.notify_all();
    };
    {
        AuditLog log(wanted);
        log.record(entry(1));
        log.record(entry(2));
        log.start();
        reports.wait(0);
        while (log.counters().lost.load() < 2) {
            std::this_thread::yield();
        }
        ASSERT_TRUE(platform::remove_tree(folder + "/audit.log"));
        log.record(entry(3));
    }
    EXPECT_EQ(reports.load(), 1);
    const auto found = lines();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_TRUE(has(found[0], R"("kind":"lost","count":2})")) << found[0];
    EXPECT_EQ(found[1], audit_line(entry(3), kWorldNow));
}

}  // namespace
}  // namespace reeve::api
