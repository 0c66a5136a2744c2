#include "api/router.hpp"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "api/json_text.hpp"
#include "api/problem.hpp"

namespace reeve::api {
namespace {

class FakeIdentities final : public Identities {
  public:
    [[nodiscard]] Caller of_process(std::uint32_t uid, std::uint32_t gid) const override {
        return {
            .user = uid == 0 ? "root" : "ada",
            .uid = uid,
            .gid = gid,
            .role = uid == 0 ? Role::kAdmin : Role::kUser,
            .source = CallerSource::kUnix};
    }

    [[nodiscard]] std::optional<Caller> of_token(std::string_view token) const override {
        if (token != "good") {
            return std::nullopt;
        }
        return Caller{.user = "bob", .uid = 7, .role = Role::kUser, .source = CallerSource::kToken};
    }

    [[nodiscard]] std::optional<Caller> of_user(const std::string& name) const override {
        if (name == "ops") {
            return Caller{.user = "ops", .uid = 8, .role = Role::kAdmin};
        }
        return name == "ada" || name == "root"
                   ? std::optional(of_process(name == "ada" ? 1000 : 0, 1))
                   : std::nullopt;
    }
};

class RecordingSink final : public AnswerSink {
  public:
    void answer(HttpResponse response) override { answered = std::move(response); }

    std::shared_ptr<EventStream> open_stream(
        HttpResponse /*head*/, StreamCallbacks /*calls*/) override {
        return nullptr;
    }

    std::optional<HttpResponse> answered;
};

HttpRequest request(Method method, std::string_view target) {
    return {.method = method, .target = target, .fields = {.host = "localhost:8081"}};
}

class RouterTest : public testing::Test {
  protected:
    Route route(Method method, std::string pattern, Permission permission) {
        return {
            .method = method,
            .pattern = std::move(pattern),
            .permission = permission,
            .query = {"limit"},
            .handler = [this](HttpRequest& asked, const Responder& responder) {
                seen = asked.captures.empty() ? "-" : asked.captures.front().second;
                responder.send({.body = "done"});
            }};
    }

    Router make(RouterOptions options = {}) {
        return Router(
            {
                route(Method::kGet, "/jobs", Permission::kJobsRead),
                route(Method::kPost, "/jobs", Permission::kJobsSubmit),
                route(Method::kPost, "/jobs:batch", Permission::kJobsSubmit),
                route(Method::kGet, "/jobs/{id}", Permission::kJobsRead),
                route(Method::kPost, "/jobs/{id}:stop", Permission::kJobsControl),
                route(Method::kPost, "/nodes/{name}:drain", Permission::kClusterControl),
                route(Method::kGet, "/me", Permission::kAny),
                route(Method::kGet, "/livez", Permission::kAnonymous),
                route(Method::kGet, "/status", Permission::kCompat),
            },
            identities, std::move(options));
    }

    /// The status that the request ends with: 200 if its handler was called.
    int status(Router& router, HttpRequest asked) {
        std::uint64_t limit = 0;
        if (auto refusal = router.admit(asked, limit)) {
            last = *refusal;
            return refusal->status;
        }
        auto sink = std::make_shared<RecordingSink>();
        router.handle(asked, Responder(sink));
        last = sink->answered.value_or(HttpResponse{.status = -1});
        return last.status;
    }

    FakeIdentities identities;
    std::string seen;
    HttpResponse last;
};

TEST_F(RouterTest, WhoMayDoWhat) {
    struct Case {
        const char* name;
        Method method;
        const char* target;
        int anonymous;
        int user;
        int admin;
    };

    const std::vector<Case> cases = {
        {"alive",     Method::kGet,  "/livez",         200, 200, 200},
        {"compat",    Method::kGet,  "/status",        401, 200, 200},
        {"me",        Method::kGet,  "/me",            401, 200, 200},
        {"list",      Method::kGet,  "/jobs",          401, 200, 200},
        {"submit",    Method::kPost, "/jobs",          401, 200, 200},
        {"stop",      Method::kPost, "/jobs/1:stop",   401, 200, 200},
        {"drain",     Method::kPost, "/nodes/n:drain", 401, 403, 200},
        {"undrained", Method::kGet,  "/nodes/n:drain", 405, 405, 405},
    };
    Router router = make();
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        HttpRequest asked = request(c.method, c.target);
        EXPECT_EQ(status(router, asked), c.anonymous);
        asked.peer = {.is_unix = true, .uid = 1000, .gid = 1000};
        EXPECT_EQ(status(router, asked), c.user);
        asked.peer.uid = 0;
        EXPECT_EQ(status(router, asked), c.admin);
    }
}

TEST_F(RouterTest, ATableOfRolesDeniesWhatItDoesNotName) {
    EXPECT_FALSE(may(Role::kUser, static_cast<Permission>(200)));
    EXPECT_FALSE(may(Role::kAdmin, static_cast<Permission>(200)));
    EXPECT_FALSE(may(static_cast<Role>(200), Permission::kAny));
    EXPECT_EQ(Route{}.permission, Permission::kClusterControl)
        << "a forgotten one is the strictest";
}

TEST_F(RouterTest, AdministratorsActAsOthersWithTheRightsOfThose) {
    Router router = make();
    const auto as = [&](std::uint32_t uid, const char* name, const char* target = "/me") {
        HttpRequest asked =
            request(target == std::string("/me") ? Method::kGet : Method::kPost, target);
        asked.peer = {.is_unix = true, .uid = uid, .gid = 1};
        asked.fields.acts_as = name;
        return status(router, asked);
    };
    EXPECT_EQ(as(0, "ada"), 200);
    EXPECT_EQ(as(0, "ada", "/nodes/n:drain"), 403) << "ada may not";
    EXPECT_EQ(as(0, "ops", "/nodes/n:drain"), 200);
    EXPECT_EQ(as(0, "root", "/nodes/n:drain"), 200) << "themselves";
    EXPECT_EQ(as(1000, "ada"), 200) << "likewise";
    EXPECT_EQ(as(1000, "ops"), 403);
    EXPECT_EQ(last.problem->message, "you are ada, and only an administrator acts as another user");
    EXPECT_EQ(as(1000, "nobody"), 403) << "who is there is not told";
    EXPECT_EQ(as(0, "nobody"), 404);
    EXPECT_EQ(as(0, ""), 400);

    HttpRequest unknown = request(Method::kGet, "/me");
    unknown.fields.acts_as = "ada";
    EXPECT_EQ(status(router, unknown), 401);
}

TEST_F(RouterTest, WhoIsActedAsIsTheCallerAndWhoActsIsKnown) {
    Router router = make();
    HttpRequest asked = request(Method::kGet, "/me");
    asked.peer = {.is_unix = true, .uid = 0, .gid = 0};
    asked.fields.acts_as = "ada";
    std::uint64_t limit = 0;
    EXPECT_FALSE(router.admit(asked, limit));
    EXPECT_EQ(asked.caller.user, "ada");
    EXPECT_EQ(asked.caller.uid, 1000U);
    EXPECT_EQ(asked.caller.role, Role::kUser);
    EXPECT_EQ(asked.caller.source, CallerSource::kUnix);
    EXPECT_EQ(asked.caller.acted_by, "root");
}

TEST_F(RouterTest, NobodyButRootActsAsRoot) {
    class Named final : public Identities {
      public:
        [[nodiscard]] Caller of_process(std::uint32_t uid, std::uint32_t gid) const override {
            return {.user = "ops", .uid = uid, .gid = gid, .role = Role::kAdmin};
        }

        [[nodiscard]] std::optional<Caller> of_token(std::string_view /*token*/) const override {
            return std::nullopt;
        }

        [[nodiscard]] std::optional<Caller> of_user(const std::string& name) const override {
            const std::uint32_t uid = name == "root" ? 0 : name == "daemon" ? 9 : 1009;
            return Caller{.user = name, .uid = uid, .role = Role::kUser};
        }
    };

    const Named named;
    Router router({route(Method::kGet, "/me", Permission::kAny)}, named, {});
    HttpRequest asked = request(Method::kGet, "/me");
    asked.peer = {.is_unix = true, .uid = 8, .gid = 8};
    asked.fields.acts_as = "ada";
    EXPECT_EQ(status(router, asked), 200);
    for (const char* of_system : {"root", "daemon"}) {
        asked.fields.acts_as = of_system;
        asked.peer.uid = 8;
        EXPECT_EQ(status(router, asked), 403) << of_system;
        asked.peer.uid = 0;
        EXPECT_EQ(status(router, asked), 200) << of_system << ", by root of another name";
    }
}

TEST_F(RouterTest, TokensAreWhoTheySay) {
    Router router = make();
    HttpRequest asked = request(Method::kGet, "/me");
    asked.fields.authorization = "Bearer good";
    EXPECT_EQ(status(router, asked), 200);
    asked.fields.authorization = "bearer good";
    EXPECT_EQ(status(router, asked), 200);
    for (const char* bad : {"Bearer bad", "Bearer ", "Basic Z29vZA==", "good"}) {
        asked.fields.authorization = bad;
        EXPECT_EQ(status(router, asked), 401) << bad;
    }
    asked = request(Method::kGet, "/livez");
    asked.fields.authorization = "Bearer bad";
    EXPECT_EQ(status(router, asked), 401) << "a wrong token is never nobody";
}

TEST_F(RouterTest, TheCompatDoorOpensToAnonymousCallersOnlyAsConfigured) {
    Router router = make({.allows_anonymous_compat = true});
    EXPECT_EQ(status(router, request(Method::kGet, "/status")), 200);
    EXPECT_EQ(status(router, request(Method::kGet, "/jobs")), 401);
}

TEST_F(RouterTest, FindsRoutes) {
    struct Case {
        Method method;
        const char* target;
        int status;
        const char* seen;
    };

    const std::vector<Case> cases = {
        {Method::kGet,    "/jobs",                 200, "-"  },
        {Method::kHead,   "/jobs",                 200, "-"  },
        {Method::kPost,   "/jobs:batch",           200, "-"  },
        {Method::kGet,    "/jobs/7",               200, "7"  },
        {Method::kGet,    "/jobs/a%20b",           200, "a b"},
        {Method::kGet,    "/jobs/a+b",             200, "a+b"},
        {Method::kPost,   "/jobs/7:stop",          200, "7"  },
        {Method::kGet,    "/jobs/7?limit=5",       200, "7"  },
        {Method::kGet,    "/jobs/7:stop",          405, ""   },
        {Method::kDelete, "/jobs",                 405, ""   },
        {Method::kOther,  "/jobs",                 405, ""   },
        {Method::kGet,    "/jobs/",                404, ""   },
        {Method::kGet,    "/jobs/7:go",            404, ""   },
        {Method::kPost,   "/jobs/:stop",           404, ""   },
        {Method::kGet,    "/Jobs",                 404, ""   },
        {Method::kGet,    "/",                     404, ""   },
        {Method::kGet,    "/a/b/c/d/e/f/g/h/i",    404, ""   },
        {Method::kGet,    "/jobs/7?limt=5",        400, ""   },
        {Method::kGet,    "/jobs?limit=1&limit=2", 400, ""   },
        {Method::kGet,    "/jobs/%00",             400, ""   },
        {Method::kGet,    "/jobs/%ff",             400, ""   },
        {Method::kGet,    "/jobs/%4",              400, ""   },
        {Method::kGet,    "jobs",                  400, ""   },
        {Method::kOther,  "*",                     400, ""   },
    };
    Router router = make();
    for (const Case& c : cases) {
        SCOPED_TRACE(c.target);
        seen.clear();
        HttpRequest asked = request(c.method, c.target);
        asked.peer = {.is_unix = true, .uid = 0};
        EXPECT_EQ(status(router, asked), c.status);
        EXPECT_EQ(seen, c.seen);
    }
}

TEST_F(RouterTest, SaysWhichMethodsAPathTakes) {
    Router router = make();
    EXPECT_EQ(status(router, request(Method::kDelete, "/jobs")), 405);
    ASSERT_EQ(last.headers.size(), 1U);
    EXPECT_EQ(last.headers[0].first, "Allow");
    EXPECT_EQ(last.headers[0].second, "GET, HEAD, POST");
}

TEST_F(RouterTest, RefusesForeignHostsAndOrigins) {
    struct Case {
        const char* host;
        const char* origin;
        int status;
    };

    const std::vector<Case> cases = {
        {"localhost",      "",                       200},
        {"LocalHost:8081", "",                       200},
        {"127.0.0.1:8081", "",                       200},
        {"[::1]:8081",     "",                       200},
        {"gpu.lab:8081",   "",                       200},
        {"evil.example",   "",                       403},
        {"localhost.evil", "",                       403},
        {"[::2]:8081",     "",                       403},
        {"",               "",                       403},
        {"localhost:8081", "http://localhost:8081",  200},
        {"localhost:8081", "https://localhost:8081", 200},
        {"localhost:8081", "http://localhost:3000",  403},
        {"localhost:8081", "http://evil.example",    403},
        {"localhost:8081", "null",                   403},
    };
    Router router = make({.hosts = {"gpu.lab"}});
    for (const Case& c : cases) {
        SCOPED_TRACE(std::string(c.host) + " from " + c.origin);
        HttpRequest asked = request(Method::kGet, "/livez");
        asked.fields.host = c.host;
        asked.fields.origin = c.origin;
        EXPECT_EQ(status(router, asked), c.status);
    }
    HttpRequest local = request(Method::kGet, "/livez");
    local.fields.host = "anything";
    local.peer.is_unix = true;
    EXPECT_EQ(status(router, local), 200) << "no browser gets at a Unix socket";
}

TEST_F(RouterTest, ABodyIsJsonAndOnlyWhereOneBelongs) {
    Router router = make();
    HttpRequest asked = request(Method::kPost, "/jobs");
    asked.peer.is_unix = true;
    asked.body = "{}";
    EXPECT_EQ(status(router, asked), 400);
    asked.fields.content_type = "application/x-www-form-urlencoded";
    EXPECT_EQ(status(router, asked), 400);
    asked.fields.content_type = "application/JSON; charset=utf-8";
    EXPECT_EQ(status(router, asked), 200);

    std::uint64_t limit = 1;
    HttpRequest get = request(Method::kGet, "/livez");
    EXPECT_FALSE(router.admit(get, limit).has_value());
    EXPECT_EQ(limit, 0U);
    HttpRequest post = request(Method::kPost, "/jobs");
    post.peer.is_unix = true;
    EXPECT_FALSE(router.admit(post, limit).has_value());
    EXPECT_EQ(limit, kBodyMax);
}

TEST(Problem, SaysWhatTheUserNeedsAndNothingElse) {
    HttpResponse response = refuse(Error{ErrorCode::kStorageFull, "no \"room\"", "sqlite: /var/x"});
    response.reasons_json = R"([{"kind":"x"}])";
    render_problem(response, "/jobs", "id-1");
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_EQ(
        response.body,
        R"({"type":"urn:reeve:problem:storage-full","title":"Nothing can be made durable",)"
        R"("status":503,"detail":"no \"room\"","instance":"/jobs","code":"STORAGE_FULL",)"
        R"("request_id":"id-1","reasons":[{"kind":"x"}]})");
}

TEST(Problem, LeavesAnAnswerAlone) {
    HttpResponse response = {.body = "{}"};
    render_problem(response, "/", "id");
    EXPECT_EQ(response.body, "{}");
    EXPECT_EQ(response.content_type, "application/json");
}

TEST(Problem, EveryCodeHasATypeOfItsOwn) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::kStorageFull); ++i) {
        HttpResponse response = refuse(static_cast<ErrorCode>(i), "x");
        render_problem(response, "/", "id");
        EXPECT_NE(response.body.find("urn:reeve:problem:"), std::string::npos);
        EXPECT_EQ(response.status, row_of(static_cast<ErrorCode>(i)).http);
    }
}

TEST(JsonText, WritesWhatItIsGiven) {
    JsonText json;
    json.begin_object();
    json.field("text", "a\"\n\xC3\xA4");
    json.field("broken", std::string("a\xFF\xE2\x82z"));
    json.field("number", std::int64_t{-5});
    json.field("large", std::uint64_t{18446744073709551615U});
    json.field("truth", true);
    json.field("half", 0.5);
    json.field("at", Instant(std::chrono::microseconds(1'764'000'000'000'042)));
    json.key("list");
    json.begin_array();
    json.value(1);
    json.raw(R"({"a":1})");
    json.end_array();
    json.end_object();
    EXPECT_EQ(
        json.take(),
        "{\"text\":\"a\\\"\\n\xC3\xA4\",\"broken\":\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\","
        "\"number\":-5,\"large\":18446744073709551615,\"truth\":true,\"half\":0.5,"
        "\"at\":\"2025-11-24T16:00:00.000042Z\",\"list\":[1,{\"a\":1}]}");
}

}  // namespace
}  // namespace reeve::api
