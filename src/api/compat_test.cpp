#include <string>
#include <variant>

#include <gtest/gtest.h>

#include "api/api_world.hpp"

namespace reeve::api {
namespace {

constexpr const char* kBody =
    R"({"user":"ada","data_url":"s3://d","config_file":"c.py; rm -rf /","work_dir":"/w"})";

class CompatTest : public testing::Test {
  protected:
    void SetUp() override {
        model::JobSpec spec;
        spec.execution.argv = {"train", "{config_file}", "--dir={work_dir}", "{work_dir}", "{x}"};
        spec.execution.environment = {
            {"DATA_URL", "{data_url}"}
        };
        world.parts.compat.submit_template = spec;
        world.parts.compat.anonymous = {.user = "reeve", .uid = 42, .gid = 43};
        world.commands.reply =
            ledger::Reply(ledger::Submitted{.first_job = JobId(5), .job_count = 1});
    }

    const ledger::SubmitJobs& command() {
        return std::get<ledger::SubmitJobs>(world.commands.seen.at(0));
    }

    World world;
};

TEST_F(CompatTest, FillsInWholeArgumentsAndNothingElse) {
    const HttpResponse response = world.post("/submit", kBody, kAda);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.body, R"({"status":"queued","job_id":5,"position":1})");
    const auto spec = model::parse_job_spec(command().jobs.at(0).spec_json);
    ASSERT_TRUE(spec.has_value()) << spec.error().message;
    EXPECT_EQ(
        spec->execution.argv,
        (std::vector<std::string>{"train", "c.py; rm -rf /", "--dir={work_dir}", "/w", "{x}"}));
    EXPECT_EQ(spec->execution.environment.at("DATA_URL"), "s3://d");
    EXPECT_EQ(command().actor.identity.user, "ada");
}

TEST_F(CompatTest, BelievesTheUserOnlyFromAnAdmin) {
    EXPECT_EQ(world.post("/submit", kBody, kBob).status, 403);
    EXPECT_TRUE(world.commands.seen.empty());
    world.parts.compat.account_of = [](const std::string& user) {
        return user == "ada" ? std::optional(model::Identity{.user = "ada", .uid = 1000, .gid = 9})
                             : std::nullopt;
    };
    EXPECT_EQ(world.post("/submit", kBody, kRoot).status, 200);
    EXPECT_EQ(command().actor.identity.uid, 1000U);
    EXPECT_FALSE(command().actor.is_admin) << "it runs as the user, with the user's rights";
}

TEST_F(CompatTest, AnonymousCallersHaveToBeLetIn) {
    EXPECT_EQ(world.post("/submit", kBody, kNobody).status, 401);
    EXPECT_EQ(world.get("/status", kNobody).status, 401);
    world.allows_anonymous_compat = true;
    EXPECT_EQ(world.post("/submit", kBody, kNobody).status, 200);
    EXPECT_EQ(command().actor.identity.user, "reeve");
    EXPECT_EQ(command().jobs.at(0).terms.labels.at("submitted-for"), "ada");
    EXPECT_EQ(world.get("/status", kNobody).status, 200);
}

TEST_F(CompatTest, AMissingFieldIsRefused) {
    for (const char* body :
         {"", "{}", R"({"user":"ada","data_url":"d","config_file":"c"})",
          R"({"user":"ada","data_url":"d","config_file":"c","work_dir":""})",
          R"({"user":"ada","data_url":"d","config_file":"c","work_dir":1})",
          R"({"user":"a,b","data_url":"d","config_file":"c","work_dir":"w"})",
          R"({"user":"ada","data_url":"d","config_file":"c","work_dir":"w","x":1})",
          R"({"user":"ada","data_url":"d","config_file":"c","work_dir":"a\u0000b"})"}) {
        EXPECT_EQ(world.post("/submit", body, kAda).status, 400) << body;
    }
    EXPECT_TRUE(world.commands.seen.empty());
}

TEST_F(CompatTest, WithoutATemplateItSaysWhatIsMissing) {
    world.parts.compat.submit_template.reset();
    const HttpResponse response = world.post("/submit", kBody, kAda);
    EXPECT_EQ(response.status, 422);
    EXPECT_TRUE(has(response.body, "compat.submit_template")) << response.body;
}

TEST_F(CompatTest, StatusHasItsThreeFields) {
    ledger::JobRow row;
    row.record.id = JobId(5);
    row.record.submitted_at = kWorldNow;
    row.record.counts[model::ElementState::kQueued] = 1;
    row.user = "bob";
    world.store.jobs = {row};
    world.commands.shown.element_counts[static_cast<std::size_t>(model::ElementState::kQueued)] = 1;
    world.commands.shown.element_counts[static_cast<std::size_t>(model::ElementState::kRunning)] =
        2;
    const HttpResponse response = world.get("/status", kBob);
    EXPECT_EQ(
        response.body, R"({"queue_length":1,"running_jobs":2,"queued_jobs":[{"user":"bob",)"
                       R"("timestamp":"2025-11-24T16:00:00.000000Z","job_id":5,"position":1}]})");
    EXPECT_TRUE(has(world.get("/status", kAda).body, R"("user":"other")"));
    EXPECT_EQ(world.store.order, ledger::JobOrder::kQueue);
    EXPECT_EQ(world.store.limit, 10U);
}

TEST_F(CompatTest, StatusNamesWhoeverRunsAJobAndNotWhomItIsSaidToBeFor) {
    const auto queued = [](std::uint64_t id, const std::string& user, const std::string& label) {
        ledger::JobRow row;
        row.record.id = JobId(id);
        row.record.submitted_at = kWorldNow;
        row.record.counts[model::ElementState::kQueued] = 1;
        row.user = user;
        if (!label.empty()) {
            row.labels = {
                {"submitted-for", label}
            };
        }
        return row;
    };
    world.allows_anonymous_compat = true;
    world.store.jobs = {queued(5, "reeve", "root"), queued(6, "bob", "ada"), queued(7, "ada", "")};
    const auto users = [&](std::uint32_t uid) {
        const std::string body = world.get("/status", uid).body;
        std::string found;
        for (std::size_t at = 0; (at = body.find(R"("user":")", at)) != std::string::npos;) {
            at += 8;
            found += body.substr(at, body.find('"', at) - at) + ";";
        }
        return found;
    };
    EXPECT_EQ(users(kNobody), "reeve for root;other;other;");
    EXPECT_EQ(users(kAda), "other;other;ada;");
    EXPECT_EQ(users(kRoot), "reeve for root;bob for ada;ada;");
}

}  // namespace
}  // namespace reeve::api
