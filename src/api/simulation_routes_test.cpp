#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/routes_world.hpp"

namespace reeve::api {
namespace {

class SimulationTest : public RoutesTest {
  protected:
    void SetUp() override {
        RoutesTest::SetUp();
        world.store.jobs.pop_back();  // A queue holds what waits.
        world.commands.shown.projects = {{.record = {.id = ProjectId(1), .name = "vision"}}};
    }

    HttpResponse simulate(const std::string& body, std::uint32_t uid) {
        return world.post("/api/v1/simulations", body, uid);
    }
};

TEST_F(SimulationTest, TellsBeforeAndAfterOfWhatTheCallerMaySee) {
    const HttpResponse mine = simulate(
        R"({"drain":["jw2"],"jobs":[{"spec":{"command":["x"],"project":"vision"},"count":2}]})",
        kAda);
    EXPECT_EQ(mine.status, 200) << mine.body;
    EXPECT_TRUE(has(mine.body, R"("before":{"jobs":2,"started":2)")) << mine.body;
    EXPECT_TRUE(has(mine.body, R"("after":{"jobs":2,"started":0)")) << mine.body;
    EXPECT_TRUE(has(mine.body, R"("later":2)")) << mine.body;
    EXPECT_TRUE(has(mine.body, R"("id":8,"name":"train","user":"ada")")) << mine.body;
    EXPECT_TRUE(has(mine.body, R"("hypothetical":[{"name":"x","project":"vision","after":)"))
        << mine.body;
    EXPECT_FALSE(has(mine.body, "bob")) << mine.body;
    EXPECT_TRUE(has(mine.body, R"("jobs_total":1)")) << mine.body;

    const HttpResponse all = simulate(R"({"limit":1})", kRoot);
    EXPECT_TRUE(has(all.body, R"("jobs_total":2)")) << all.body;
    EXPECT_TRUE(has(all.body, R"("unchanged":2)")) << all.body;
}

TEST_F(SimulationTest, IsNotWorkedOutForAClientThatHasGone) {
    world.has_client_gone = true;
    const HttpResponse stopped = simulate("{}", kAda);
    EXPECT_EQ(stopped.status, 503) << stopped.body;
    EXPECT_TRUE(has(stopped.body, "the simulation was stopped")) << stopped.body;
    world.has_client_gone = false;
    EXPECT_EQ(simulate("{}", kAda).status, 200) << "the next one has its turn";
}

TEST_F(SimulationTest, OthersJobsAreNotThere) {
    const HttpResponse hidden = simulate(R"({"change_jobs":[{"id":9,"do":"cancel"}]})", kAda);
    EXPECT_EQ(hidden.status, 404);
    EXPECT_TRUE(has(hidden.body, "there is no job 9")) << hidden.body;
    const HttpResponse mine =
        simulate(R"({"change_jobs":[{"id":8,"do":"cancel"}],"backfill":"none"})", kAda);
    EXPECT_TRUE(has(mine.body, R"("after":{"kind":"cancelled"})")) << mine.body;
}

TEST_F(SimulationTest, WhatIsWrongIsNamed) {
    const std::vector<std::pair<std::string, std::string>> rows = {
        {R"({"drian":["n"]})",                                        R"(did you mean \"drain\"?)"                 },
        {R"({"drain":"n"})",                                          "drain: expects a list of 1000 strings"      },
        {R"({"drain":["jw9"]})",                                      "there is no node 'jw9'; did you mean 'jw2'?"},
        {R"({"jobs":[{"count":2}]})",                                 "jobs[0].spec: is missing"                   },
        {R"({"jobs":[{"spec":{"command":["x"],"nam":"y"}}]})",        "jobs[0].spec: "                             },
        {R"({"jobs":[{"spec":{"command":["x"]},"count":0}]})",        "jobs[0].count: expects"                     },
        {R"({"jobs":[{"spec":{"command":["x"],"project":"nope"}}]})", "there is no project 'nope'"                 },
        {R"({"add_nodes":[{"like":"jw2","gpus":2}]})",                "add_nodes[0].like: expects"                 },
        {R"({"add_nodes":[{}]})",                                     "add_nodes[0].like: expects"                 },
        {R"({"add_nodes":[{"gpus":2,"gpu_model":"H100"}]})",          "no node has a GPU of model 'H100'"          },
        {R"({"projects":[{"name":"vision"}]})",                       "projects[0].quota: is missing"              },
        {R"({"projects":[{"name":"x","quota":{}}]})",                 "there is no project 'x'"                    },
        {R"({"change_jobs":[{"id":8}]})",                             "change_jobs[0].do: is missing"              },
        {R"({"change_jobs":[{"id":8,"do":"kill"}]})",                 "do: expects cancel, hold or release"        },
        {R"({"change_jobs":[{"id":8,"priority":5000}]})",
         "priority: expects a whole number from -1000"                                                             },
        {R"({"change_jobs":[{"id":8,"priority":"Very high"}]})",
         "priority: expects a whole number from -1000"                                                             },
        {R"({"change_jobs":[{"id":8,"priority":"low"}]})",            "priority: none is named 'low'"              },
        {R"({"backfill":"lazy"})",                                    "backfill: "                                 },
        {R"({"policy":"lazy"})",                                      "policy: "                                   },
        {R"({"horizon_s":0})",                                        "horizon_s: expects"                         },
        {R"({"limit":20001})",                                        "limit: expects"                             },
    };
    for (const auto& [body, words] : rows) {
        const HttpResponse refused = simulate(body, kAda);
        EXPECT_GE(refused.status, 400) << body;
        EXPECT_LT(refused.status, 500) << refused.body;
        EXPECT_TRUE(has(refused.body, words)) << refused.body;
    }
}

}  // namespace
}  // namespace reeve::api
