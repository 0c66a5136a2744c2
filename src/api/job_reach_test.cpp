// Whose jobs a caller may know of: one rule for every route that names a job, over a real ledger.
#include <string>

#include <gtest/gtest.h>

#include "api/api_world.hpp"
#include "ledger/ledger_world.hpp"

namespace reeve::api {
namespace {

class JobReach : public testing::Test {
  protected:
    void SetUp() override {
        model::JobTerms held = ledger::one_gpu();
        held.is_held = true;
        id = cluster.submit(held, "bob");
        ledger::JobRow row;
        row.record = *cluster.ledger.state().job(id);
        row.name = "train";
        row.user = "bob";
        row.project = "default";
        world.store.jobs = {row};
        world.commands.decide = [this](const ledger::Command& command) {
            return cluster.apply(command);
        };
    }

    HttpResponse ask(const Route& route, JobId job, std::uint32_t uid) {
        std::string target = route.pattern;
        target.replace(target.find("{id}"), 4, to_string(job));
        return world.ask({.method = route.method, .target = target, .uid = uid});
    }

    ledger::World cluster = ledger::World(1);
    World world;
    JobId id = JobId(0);
};

/// `text` with the job's id taken out.
std::string without(std::string text, JobId job) {
    for (const char* before : {"there is no job ", "/jobs/"}) {
        const std::string named = before + to_string(job);
        const std::size_t at = text.find(named);
        EXPECT_NE(at, std::string::npos) << text;
        text.replace(at, named.size(), before);
    }
    return text;
}

TEST_F(JobReach, EveryRouteAnswersOthersAsIfTheJobWereNotThere) {
    const JobId missing(7777);
    std::size_t count = 0;
    for (const Route& route : routes_of(world.parts)) {
        if (route.pattern.find("/jobs/{id}") == std::string::npos) {
            continue;
        }
        SCOPED_TRACE(std::string(word_of(route.method)) + " " + route.pattern);
        const HttpResponse hidden = ask(route, id, kAda);
        EXPECT_EQ(hidden.status, 404) << hidden.body;
        EXPECT_TRUE(has(hidden.body, "there is no job " + to_string(id))) << hidden.body;
        EXPECT_EQ(without(hidden.body, id), without(ask(route, missing, kAda).body, missing));
        EXPECT_EQ(ask(route, missing, kRoot).status, 404);
        for (const std::uint32_t uid : {kBob, kRoot}) {
            const int status = ask(route, id, uid).status;
            EXPECT_TRUE(status == 200 || status == 409) << status;  // 409: it is held already.
        }
        ++count;
    }
    EXPECT_GE(count, 9U);
}

TEST_F(JobReach, ABulkStopTellsNoMore) {
    const HttpResponse response = world.post("/api/v1/jobs:stop", R"({"ids":[1,7777]})", kAda);
    EXPECT_EQ(
        response.body,
        R"({"items":[{"id":1,"error":{"code":"NOT_FOUND","detail":"there is no job 1"}},)"
        R"({"id":7777,"error":{"code":"NOT_FOUND","detail":"there is no job 7777"}}]})");
    const auto held = static_cast<std::size_t>(model::ElementState::kHeld);
    EXPECT_EQ(cluster.ledger.state().element_counts().at(held), 1U);
}

}  // namespace
}  // namespace reeve::api
