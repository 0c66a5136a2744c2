#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cli/verb_call.hpp"

namespace reeve::cli {
namespace {

constexpr const char* kDemo =
    R"({"name":"demo","state":"upcoming","start":"2026-12-01T08:00:00.123456Z",)"
    R"("end":"2026-12-01T18:00:00.000000Z","project":"vision","used":true,"maintenance":false,)"
    R"("release_at":"2026-12-01T08:15:00.123456Z","made_by":"root","nodes":[)"
    R"({"name":"n1","state":"ready"},{"name":"n2","state":"drained","gpus":["GPU-1"]}],)"
    R"("in_the_way":[{"job":"12","user":"ann","project":"nlp","node":"n1",)"
    R"("until":"2026-12-01T09:00:00.500000Z","has_time_limit":true},)"
    R"({"node":"n2","until":"2026-12-01T08:30:00Z","has_time_limit":false}]})";

TEST(ReservationAddVerb, AsksForWhatItsFlagsSay) {
    FakeTransport server;
    server.answer(201, kDemo);
    const Call made = call(
        server, "reservation add",
        {"demo", "--project", "vision", "--count", "2", "--on", "zone==a", "--gpus", "1", "--start",
         "2026-12-01 08:00", "--for", "10h", "--release-after", "0", "--ignore-running"});
    ASSERT_TRUE(made.code) << made.code.error().message;
    EXPECT_EQ(
        asked_of(server)[0],
        R"(POST /api/v1/reservations {"name":"demo","start":"2026-12-01T08:00:00Z",)"
        R"("end":"2026-12-01T18:00:00Z","project":"vision","node_count":2,"on":"zone==a",)"
        R"("gpus":1,"release_after_s":0,"ignore_running":true})");

    server.answer(201, kDemo);
    ASSERT_TRUE(call(
                    server, "reservation add",
                    {"fans", "--maintenance", "--nodes", "n1,n2", "--end", "2026-12-01T18:00:30Z"})
                    .code);
    EXPECT_EQ(
        asked_of(server)[1],
        R"(POST /api/v1/reservations {"name":"fans","end":"2026-12-01T18:00:30Z",)"
        R"("maintenance":true,"nodes":["n1","n2"]})");
}

TEST(ReservationAddVerb, SaysWhatIsMissing) {
    using Words = std::vector<std::string>;
    for (const auto& [words, said] : std::vector<std::pair<Words, std::string>>{
             {{"x", "--nodes", "n1", "--for", "1h"},                                    "--project NAME, or --m"},
             {{"x", "--nodes", "n1", "--for", "1h", "-p", "v", "--maintenance"},
              "--project NAME, or --m"                                                                          },
             {{"x", "-p", "v", "--for", "1h"},                                          "--nodes n1,n2, or --c" },
             {{"x", "-p", "v", "--nodes", "n1"},                                        "--end TIME, or --for"  },
             {{"x", "-p", "v", "--nodes", "n1", "--end", "noon"},                       "--end: 'noon' is no"   },
             {{"x", "-p", "v", "--nodes", "n1", "--start", "+x", "--for", "1h"},
              "--start: '+x' is no"                                                                             },
             {{"x", "-p", "v", "--nodes", "n1", "--for", "long"},                       "--for: "               },
             {{"x", "-p", "v", "--nodes", "n1", "--for", "1h", "--release-after", "x"},
              "--release-after: "                                                                               },
    }) {
        FakeTransport server;
        const Call made = call(server, "reservation add", words);
        ASSERT_FALSE(made.code);
        EXPECT_EQ(made.code.error().code, ErrorCode::kInvalid);
        EXPECT_NE(made.code.error().message.find(said), std::string::npos)
            << made.code.error().message;
        EXPECT_TRUE(server.asked.empty());
    }
}

TEST(ReservationAddVerb, AnAmountOfNoneIsForTheServerToRefuse) {
    FakeTransport server;
    server.answer(201, kDemo);
    ASSERT_TRUE(call(
                    server, "reservation add",
                    {"x", "-p", "v", "--count", "0", "--gpus", "0", "--end", "2026-12-01T18:00"})
                    .code);
    EXPECT_EQ(
        asked_of(server)[0],
        R"(POST /api/v1/reservations {"name":"x","end":"2026-12-01T18:00:00Z","project":"v",)"
        R"("node_count":0,"gpus":0})");
}

TEST(ReservationVerbs, ShowWhatIsInTheWayAndWhatIsWrongWithNodes) {
    FakeTransport server;
    server.answer(200, kDemo);
    EXPECT_EQ(
        call(server, "reservation show", {"demo"}).out,
        "reservation  demo, upcoming, used\n"
        "for          vision\n"
        "from         2026-12-01T08:00:00Z\n"
        "until        2026-12-01T18:00:00Z\n"
        "nodes        n1, n2 (1 GPU, drained)\n"
        "released     at 2026-12-01T08:15:00Z unless its project uses it before\n"
        "made by      root\n"
        "in the way   job 12 of ann on n1 until 2026-12-01T09:00:00Z\n"
        "             another job on n2 until 2026-12-01T08:30:00Z (without a time limit: a "
        "guess)\n");
    server.answer(200, R"({"items":[)" + std::string(kDemo) + "]}");
    const std::string list = call(server, "reservation list", {}).out;
    EXPECT_NE(
        list.find("job 12 of ann on n1 until 2026-12-01T09:00:00Z and 1 more"), std::string::npos)
        << list;
    EXPECT_NE(list.find("2026-12-01T08:00:00Z  2026-12-01T18:00:00Z"), std::string::npos) << list;
    EXPECT_EQ(asked_of(server).back(), "GET /api/v1/reservations");
}

TEST(ReservationRemoveVerb, RemovesByName) {
    FakeTransport server;
    server.answer(200, kDemo);
    EXPECT_EQ(call(server, "reservation rm", {"demo"}).err, "reservation demo is removed\n");
    EXPECT_EQ(asked_of(server)[0], "DELETE /api/v1/reservations/demo");
}

TEST(ReservationVerbs, SayWhatTheirDocumentsAre) {
    FakeTransport server;
    server.answer(200, R"({"items":[{"name":"demo"}]})");
    EXPECT_EQ(
        call(server, "reservation list", {"-o", "jsonl"}).out,
        R"({"schema":"reeve.reservation/v1","name":"demo"})"
        "\n");
}

}  // namespace
}  // namespace reeve::cli
