#include <vector>

#include <gtest/gtest.h>

#include "cli/fake_transport.hpp"
#include "cli/sim_flags.hpp"
#include "cli/verb_call.hpp"

namespace reeve::cli {
namespace {

using Words = std::vector<std::string>;

/// `reeve sim FLAGS run REST -- COMMAND`.
Call sim(FakeTransport& server, const Words& words, const Words& command = {}) {
    return call(server, "sim", words, Out::kPipe, command);
}

constexpr const char* kAnswer =
    R"({"before":{"jobs":2,"started":2,"started_in_horizon":2,"never":0,"held":0,"not_reached":0,)"
    R"("wait_mean_s":3600,"wait_max_s":7200,"queue_empty_at":"2999-01-01T00:00:00Z",)"
    R"("gpu_permille":753,"starts":2,"is_cut_short":false},)"
    R"("after":{"jobs":2,"started":0,"started_in_horizon":0,"never":0,"held":0,"not_reached":1,)"
    R"("wait_mean_s":0,"wait_max_s":0,"starts":7,"is_cut_short":true},)"
    R"("sooner":1,"later":0,"unchanged":0,"cancelled":1,"unknown":0,)"
    R"("hypothetical":[{"name":"new","project":"p","after":{"kind":"never"}}],)"
    R"("jobs":[{"id":5,"name":"train","user":"ada","project":"p",)"
    R"("before":{"kind":"expected","expected_at":"2000-01-01T00:00:00Z","nodes":["n1"]},)"
    R"("after":{"kind":"expected","expected_at":"1999-12-31T22:00:00Z","nodes":["n2"]},)"
    R"("later_by_s":-7200}],"jobs_total":3,"has_more_queued":false,"horizon_s":604800,)"
    R"("assumed_run_s":86400,"as_of":{"cursor":"1:9","revision":9,"time":"2000-01-01T00:00:00Z"}})";

std::string asked(const Words& words, const Words& command = {}) {
    FakeTransport server;
    server.answer(200, kAnswer);
    const Call call = sim(server, words, command);
    EXPECT_TRUE(call.code) << call.code.error().message;
    return server.asked.empty() ? "" : server.asked.front().body;
}

TEST(Sim, AsksForWhatTheFlagsSay) {
    EXPECT_EQ(asked({}), R"({"limit":20})");
    EXPECT_EQ(asked({"--all", "--horizon", "1d"}), R"({"horizon_s":86400,"limit":20000})");
    EXPECT_EQ(
        asked({"--drain", "n1,n2", "--resume", "n3", "--remove", "n4"}),
        R"({"drain":["n1","n2"],"resume":["n3"],"remove":["n4"],"limit":20})");
    EXPECT_EQ(
        asked({"--add-nodes", "2xbox1", "--add-nodes", "1x8xH100:80G"}),
        R"({"add_nodes":[{"count":2,"like":"box1"},)"
        R"({"count":1,"gpu_memory_mib":81920,"gpus":8,"gpu_model":"H100"}],"limit":20})");
    EXPECT_EQ(
        asked(
            {"--cancel", "3,4", "--priority", "5=-7", "--time", "5=2h", "--hold", "6", "--backfill",
             "easy", "--policy", "fgd"}),
        R"({"change_jobs":[{"id":3,"do":"cancel"},{"id":4,"do":"cancel"},)"
        R"({"id":5,"priority":-7,"time_limit_s":7200},{"id":6,"do":"hold"}],)"
        R"("backfill":"easy","policy":"fgd","limit":20})");
    EXPECT_EQ(
        asked({"--priority", "5=urgent"}),
        R"({"change_jobs":[{"id":5,"priority":"urgent"}],"limit":20})")
        << "the server knows what that is";
}

TEST(Sim, TriesJobsThatAreWrittenAsForRun) {
    const std::string one = asked({"--count", "3", "run", "--gpus", "2", "-t", "2h"}, {"x", "y"});
    EXPECT_NE(one.find(R"("command":["x","y"])"), std::string::npos) << one;
    EXPECT_NE(one.find(R"("time_limit_s":7200)"), std::string::npos) << one;
    EXPECT_NE(one.find(R"("count":3)"), std::string::npos) << one;
    const std::string given = asked({"--job", "4x --gpus 1", "--job", "--gpus 2"});
    EXPECT_NE(given.find(R"("count":4)"), std::string::npos) << given;
    EXPECT_NE(given.find(R"("name":"new")"), std::string::npos) << given;
}

TEST(Sim, AQuotaChangesWhatItNames) {
    FakeTransport server;
    server.answer(200, R"({"name":"vision","quota":{"gpu_milli":4000,"running_elements":2}})");
    server.answer(200, kAnswer);
    EXPECT_TRUE(sim(server, {"--quota", "vision:gpus=8,running=none,pending=0"}).code);
    EXPECT_EQ(
        server.asked.back().body,
        R"({"projects":[{"name":"vision","quota":{"gpu_milli":8000,"pending_elements":0}}],)"
        R"("limit":20})");
}

TEST(Sim, AQuotaMayChangeWhatIsGuaranteed) {
    FakeTransport server;
    server.answer(200, R"({"name":"vision","quota":{}})");
    server.answer(200, kAnswer);
    server.answer(200, R"({"name":"vision","quota":{},"guaranteed_gpu_milli":2000})");
    server.answer(200, kAnswer);
    EXPECT_TRUE(sim(server, {"--quota", "vision:guaranteed=1.5"}).code);
    EXPECT_NE(
        server.asked.back().body.find(
            R"({"name":"vision","quota":{},"guaranteed_gpu_milli":1500})"),
        std::string::npos);
    EXPECT_TRUE(sim(server, {"--quota", "vision:guaranteed=none"}).code);
    EXPECT_NE(server.asked.back().body.find(R"("guaranteed_gpu_milli":0)"), std::string::npos);
}

TEST(Sim, WhatIsWrongIsNamedWithItsFlag) {
    const std::vector<std::pair<Words, std::string>> rows = {
        {{"--add-nodes", "n1"},                "--add-nodes: 'n1' is not COUNTxNODE"         },
        {{"--add-nodes", "0xn1"},              "--add-nodes: '0xn1' is not COUNTxNODE"       },
        {{"--quota", "vision"},                "--quota: 'vision' is not PROJECT:LIMIT=VALUE"},
        {{"--cancel", "0"},                    "--cancel: '0' is not a job"                  },
        {{"--cancel", "1", "--hold", "1"},     "--hold: job 1 is named twice"                },
        {{"--priority", "5"},                  "--priority: '5' is not JOB=VALUE"            },
        {{"--priority", "5=Very high"},        "--priority: expects a whole number from"     },
        {{"--time", "5=soon"},                 "--time: 'soon' is not a duration"            },
        {{"--time", "5=1h", "--time", "5=2h"}, "--time: job 5 comes twice"                   },
        {{"--horizon", "x"},                   "--horizon: 'x' is not a time"                },
        {{"--count", "2"},                     "--count is of the job that follows `run`"    },
        {{"--count", "0", "run"},              "--count: '0' is not a number of jobs"        },
        {{"walk"},                             "'walk' is nothing that sim knows"            },
        {{"run", "--gpsu", "2"},               "unknown flag --gpsu; did you mean --gpus?"   },
        {{"--job", "/nowhere.yaml"},           "--job: cannot read /nowhere.yaml"            },
    };
    for (const auto& [words, message] : rows) {
        FakeTransport server;
        const Call call = sim(server, words);
        ASSERT_FALSE(call.code) << message;
        EXPECT_TRUE(call.code.error().message.starts_with(message)) << call.code.error().message;
    }
}

TEST(Sim, ShowsTotalsFirstAndThenWhatChangesMost) {
    FakeTransport server;
    server.answer(200, kAnswer);
    const std::string out = sim(server, {}).out;
    for (const char* part :
         {"their mean wait           1h", "GPUs in use until then    75.3 %",
          "1 start sooner, 0 later, 0 as before, 1 cancelled\n", "new      never", "2h sooner  n2",
          "… and 2 more; --all shows them", "cut short after the changes: after 7 starts",
          "As of revision 9"}) {
        EXPECT_NE(out.find(part), std::string::npos) << part << "\n" << out;
    }
    for (std::size_t from = 0; from < out.size();) {
        const std::size_t end = out.find('\n', from);
        EXPECT_LE(end - from, 82U) << out.substr(from, end - from);
        from = end + 1;
    }
}

}  // namespace
}  // namespace reeve::cli
