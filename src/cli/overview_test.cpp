#include "cli/overview.hpp"

#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>

#include "cli/fake_transport.hpp"

namespace reeve::cli {
namespace {

constexpr const char* kMe =
    R"({"user":"ann","role":"user","source":"unix","server":{"version":"0.1.0"}})";
constexpr const char* kNodes =
    R"({"items":[{"name":"jw1","state":"ready","gpus":{"total":4,"free":1}},
    {"name":"jw2","state":"drained","simulated":true,"gpus":{"total":4,"free":4}}]})";
constexpr const char* kNoGpus = R"({"items":[]})";
constexpr const char* kNoJobs = R"({"items":[]})";
constexpr const char* kNoProject = R"({"code":"NOT_FOUND","detail":"there is no project"})";

struct World {
    FakeTransport server;
    std::ostringstream out;
    std::ostringstream err;
    CliEnvironment environment{.out = out, .err = err};
    Session session{environment};

    World() {
        session.flags.server = "unix:/s";
        session.flags.output = "table";
    }

    Result<int> print() {
        EXPECT_TRUE(session.settle());
        session.use(server);
        return print_overview(session);
    }
};

TEST(Overview, OfABusyUserInFiveLines) {
    World world;
    world.server.answer(200, kMe);
    world.server.answer(200, kNodes);
    world.server.answer(200, kNoGpus);
    world.server.answer(200, R"({"items":[
        {"id":9,"name":"held","state":"held","reason":"held"},
        {"id":8,"name":"far","state":"queued","position":">10,000","reason":"behind"},
        {"id":7,"name":"near","state":"queued","position":41,"reason":"gpu_short"},
        {"id":6,"name":"train","state":"running","started_at":"2024-01-01T00:00:00Z"},
        {"id":5,"name":"eval","state":"scheduled"}]})");
    world.server.answer(200, R"({"name":"vision","quota":{"gpu_milli":4000,"running_elements":10},
        "used":{"gpu_milli":2500,"running_elements":2,"cpu_millicores":7000}})");
    world.session.flags.project = "vision";
    ASSERT_EQ(world.print().value(), 0);
    const std::string text = world.out.str();
    EXPECT_EQ(std::ranges::count(text, '\n'), 5) << text;
    for (const char* part :
         {"server   0.1.0 at unix:/s: 1 of 8 GPUs free on 2 nodes (simulated), 1 not ready\n",
          "running  2: 6 train (", "), 5 eval\n",
          "waiting  3, first 7 near at position 41: waits for GPUs\n",
          "quota    vision: GPUs 2.5/4, running 2/10\n",
          "next     reeve why 7   (all verbs: reeve --help)\n"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
    }
    EXPECT_EQ(world.server.asked[4].target, "/api/v1/projects/vision");
}

TEST(Overview, OfSomebodyWithoutJobs) {
    World world;
    world.server.answer(200, kMe);
    world.server.answer(200, R"({"items":[{"state":"ready","gpus":{"total":1,"free":1}}]})");
    world.server.answer(200, kNoGpus);
    world.server.answer(200, kNoJobs);
    world.server.answer(404, kNoProject);
    ASSERT_EQ(world.print().value(), 0);
    EXPECT_EQ(
        world.out.str(),
        "server   0.1.0 at unix:/s: 1 of 1 GPUs free on 1 node\n"
        "running  0\nwaiting  0\n"
        "next     reeve run --gpus 1 -- nvidia-smi   (all verbs: reeve --help)\n");
}

TEST(Overview, ProposesWhatRunsOnSimulatedGpus) {
    World world;
    world.server.answer(200, kMe);
    world.server.answer(200, R"({"items":[{"state":"ready","gpus":{"total":1,"free":1}}]})");
    world.server.answer(200, R"({"items":[{"uuid":"GPU-1","simulated":true}]})");
    world.server.answer(200, kNoJobs);
    world.server.answer(404, kNoProject);
    ASSERT_EQ(world.print().value(), 0);
    EXPECT_NE(world.out.str().find("next     reeve run --gpus 1 -- env "), std::string::npos)
        << world.out.str();
}

TEST(Overview, ManyJobsAreCutAndSayingSo) {
    World world;
    world.server.answer(200, kMe);
    world.server.answer(200, kNodes);
    world.server.answer(200, kNoGpus);
    std::string items;
    for (int i = 0; i < 1000; ++i) {
        items += (i == 0 ? "" : ",") + std::string(R"({"id":1,"name":"a","state":"running"})");
    }
    world.server.answer(200, R"({"items":[)" + items + R"(],"next":"x"})");
    world.server.answer(200, R"({"name":"default","quota":{},"used":{}})");
    ASSERT_EQ(world.print().value(), 0);
    const std::string text = world.out.str();
    EXPECT_NE(text.find("running  1000+: 1 a, 1 a, 1 a, …\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("quota"), std::string::npos) << text;
    EXPECT_NE(text.find("next     reeve logs -f 1 "), std::string::npos) << text;
}

TEST(Overview, AsADocument) {
    World world;
    world.server.answer(200, kMe);
    world.server.answer(200, kNodes);
    world.server.answer(200, kNoGpus);
    world.server.answer(200, R"({"items":[{"id":7,"name":"n","state":"queued"}]})");
    world.server.answer(404, kNoProject);
    world.session.flags.output = "jsonl";
    ASSERT_EQ(world.print().value(), 0);
    EXPECT_EQ(
        world.out.str(), "{\"schema\":\"reeve.overview/v1\",\"me\":" + std::string(kMe) +
                             R"(,"gpus":{"free":1,"total":8},"running":[],)"
                             R"("waiting":[{"id":7,"name":"n","state":"queued"}]})"
                             "\n");
}

TEST(Overview, TellsAnAdministratorWhatIsInQuarantine) {
    const char* admin = R"({"user":"root","role":"admin","server":{"version":"0.1.0"}})";
    for (const auto& [strays, want] : std::vector<std::pair<std::string, std::string>>{
             {R"({"items":[{"key":"5.0.1.0"}]})",
              "quarantine  1 task that the server does not know: reeve quarantine list\n"},
             {R"({"items":[]})",                  ""                                     }
    }) {
        World world;
        world.server.answer(200, admin);
        world.server.answer(200, kNodes);
        world.server.answer(200, kNoGpus);
        world.server.answer(200, kNoJobs);
        world.server.answer(404, kNoProject);
        world.server.answer(200, strays);
        ASSERT_EQ(world.print().value(), 0);
        const std::string text = world.out.str();
        EXPECT_NE(text.find(want), std::string::npos) << text;
        EXPECT_EQ(text.find("quarantine") == std::string::npos, want.empty()) << text;
    }
}

std::string lost_gpus(int count) {
    std::string items = R"({"uuid":"GPU-well","model":"NVIDIA A30","node":"jw1"})";
    for (int i = 1; i <= count; ++i) {
        items += R"(,{"uuid":"GPU-)" + std::to_string(i) +
                 R"(","model":"NVIDIA A30","node":"jw2","trouble":"it is gone"})";
    }
    return R"({"items":[)" + items + "]}";
}

TEST(Overview, NamesTheGpusThatAreLost) {
    for (const auto& [count, want] : std::vector<std::pair<int, std::string>>{
             {0, ""                                                               },
             {1, "trouble  GPU-1 (NVIDIA A30 on jw2): it is gone\n"               },
             {3, "it is gone; GPU-3 (NVIDIA A30 on jw2): it is gone\n"            },
             {5, "GPU-3 (NVIDIA A30 on jw2): it is gone; and 2 more: reeve gpus\n"},
    }) {
        for (const bool is_json : {false, true}) {
            SCOPED_TRACE(std::to_string(count) + (is_json ? " json" : ""));
            World world;
            world.session.flags.output = is_json ? "json" : "table";
            world.server.answer(200, kMe);
            world.server.answer(200, kNodes);
            world.server.answer(200, lost_gpus(count));
            world.server.answer(200, kNoJobs);
            world.server.answer(404, kNoProject);
            ASSERT_EQ(world.print().value(), 0);
            const std::string text = world.out.str();
            EXPECT_EQ(text.find("trouble") == std::string::npos, count == 0) << text;
            EXPECT_EQ(text.find("GPU-well"), std::string::npos) << text;
            EXPECT_NE(text.find(is_json ? "" : want), std::string::npos) << text;
        }
    }
}

TEST(Overview, HandsErrorsOn) {
    World world;
    world.server.answer(200, kMe);
    world.server.answer(200, kNodes);
    world.server.answer(200, kNoGpus);
    world.server.answer(200, kNoJobs);
    world.server.answer(401, R"({"code":"UNAUTHENTICATED","detail":"who are you?"})");
    const auto code = world.print();
    ASSERT_FALSE(code);
    EXPECT_EQ(code.error().code, ErrorCode::kUnauthenticated);
}

}  // namespace
}  // namespace reeve::cli
