// Reservations over the API; each answer is held to the contract.
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "api/routes_world.hpp"

namespace reeve::api {
namespace {

using std::chrono::hours;

constexpr const char* kAll = "/api/v1/reservations";

controller::BookingStatus booking_of(const std::string& name, bool is_maintenance) {
    controller::BookingStatus status;
    status.record = {
        .id = model::BookingId(1),
        .name = name,
        .from = kWorldNow + hours(1),
        .until = kWorldNow + hours(3),
        .parts = {{.node = NodeId(1)}},
        .release_after_s = 900,
        .made_by = "root"};
    if (!is_maintenance) {
        status.record.project = ProjectId(1);
        status.project = "vision";
        status.release_at = status.record.from + std::chrono::seconds(900);
        status.record.parts.front() = {
            .node = NodeId(1), .is_whole = false, .gpus = {GpuId(5)}, .host = {}};
    }
    status.booking = std::make_shared<const scheduler::Booking>(scheduler::Booking{
        .id = status.record.id,
        .from = status.record.from,
        .until = status.record.until,
        .projects = is_maintenance ? std::vector<ProjectId>() : std::vector{ProjectId(1)},
        .parts = status.record.parts});
    return status;
}

class ReservationRoutes : public RoutesTest {
  protected:
    void SetUp() override {
        RoutesTest::SetUp();
        world.commands.shown.at = kWorldNow;
        world.commands.shown.bookings = std::make_shared<const controller::Bookings>(
            controller::Bookings{booking_of("fans", true), booking_of("demo", false)});
    }
};

TEST_F(ReservationRoutes, AreListedByStartAndShownWithWhatIsInTheWay) {
    const HttpResponse all = world.get(kAll, kAda);
    EXPECT_EQ(all.status, 200);
    EXPECT_LT(all.body.find("\"demo\""), all.body.find("\"fans\"")) << "by start, then by name";

    const HttpResponse demo = world.get(std::string(kAll) + "/demo", kAda);
    EXPECT_TRUE(has(demo.body, R"("state":"upcoming")")) << demo.body;
    EXPECT_TRUE(has(demo.body, R"("project":"vision","used":false,"maintenance":false)"))
        << demo.body;
    EXPECT_TRUE(has(demo.body, R"("nodes":[{"name":"jw2","state":"ready","gpus":["GPU-5"]}])"))
        << demo.body;
    EXPECT_TRUE(has(demo.body, R"("in_the_way":[{"job":"7","user":"ada")")) << demo.body;
    EXPECT_TRUE(has(demo.body, R"("has_time_limit":false)")) << demo.body;

    EXPECT_TRUE(has(demo.body, R"("release_at":")")) << demo.body;

    const HttpResponse to_others = world.get(std::string(kAll) + "/demo", kBob);
    EXPECT_TRUE(has(to_others.body, R"("in_the_way":[{"node":"jw2","until":)")) << to_others.body;
    EXPECT_FALSE(has(to_others.body, "secret-project"));
    EXPECT_EQ(world.get(std::string(kAll) + "/none", kAda).status, 404);
}

TEST_F(ReservationRoutes, AreNotReleasedOnceTheyAreOver) {
    auto brief = booking_of("brief", false);
    brief.record.until = *brief.release_at;
    world.commands.shown.bookings =
        std::make_shared<const controller::Bookings>(controller::Bookings{brief});
    const HttpResponse over_before = world.get(std::string(kAll) + "/brief", kAda);
    EXPECT_FALSE(has(over_before.body, "release_at")) << over_before.body;
}

TEST_F(ReservationRoutes, ShowANodeThatTakesNoWork) {
    auto node = std::make_shared<controller::NodeStatus>(*world.commands.shown.nodes.front());
    node->view.availability = scheduler::Availability::kDrained;
    world.commands.shown.nodes.front() = node;
    const HttpResponse fans = world.get(std::string(kAll) + "/fans", kAda);
    EXPECT_TRUE(has(fans.body, R"("maintenance":true)")) << fans.body;
    EXPECT_TRUE(has(fans.body, R"("nodes":[{"name":"jw2","state":"drained"}])")) << fans.body;
}

TEST_F(ReservationRoutes, AnAdministratorMakesAndRemovesThem) {
    const std::string body =
        R"({"name":"demo","start":"2026-12-01T08:00:00Z","end":"2026-12-01T18:00:00Z",)"
        R"("project":"vision","node_count":2,"on":"zone==a","gpus":1,"ignore_running":true})";
    EXPECT_EQ(world.post(kAll, body, kAda).status, 403);
    EXPECT_TRUE(world.commands.seen.empty());
    const HttpResponse made = world.post(kAll, body);
    EXPECT_EQ(made.status, 201) << made.body;
    const auto& command = only_command<ledger::PutBooking>();
    EXPECT_TRUE(command.actor.is_admin);
    EXPECT_EQ(command.until - *command.from, hours(10));
    EXPECT_EQ(command.project, "vision");
    EXPECT_EQ(command.node_count, 2);
    EXPECT_EQ(command.on, "zone==a");
    EXPECT_EQ(command.gpus, 1);
    EXPECT_EQ(command.release_after_s, 900) << "by default";
    EXPECT_TRUE(command.is_ignoring_running);

    const Ask removal{.method = Method::kDelete, .target = std::string(kAll) + "/demo"};
    Ask by_ada = removal;
    by_ada.uid = kAda;
    EXPECT_EQ(world.ask(by_ada).status, 403);
    const HttpResponse removed = world.ask(removal);
    EXPECT_EQ(removed.status, 200);
    EXPECT_TRUE(has(removed.body, R"("name":"demo")"));
    EXPECT_EQ(std::get<ledger::DropBooking>(world.commands.seen.back()).name, "demo");
    world.commands.reply = fail(ErrorCode::kNotFound, "there is no reservation 'x'");
    EXPECT_EQ(
        world.ask({.method = Method::kDelete, .target = std::string(kAll) + "/x"}).status, 404);
}

TEST_F(ReservationRoutes, MaintenanceBeginsNowAndIsNeverReleasedUnlessItIsSaid) {
    const HttpResponse made = world.post(
        kAll, R"({"name":"fans","end":"2026-12-01T18:00:00Z","maintenance":true,"nodes":["jw2"]})");
    EXPECT_EQ(made.status, 201) << made.body;
    const auto& command = only_command<ledger::PutBooking>();
    EXPECT_FALSE(command.from);
    EXPECT_EQ(command.project, "");
    EXPECT_EQ(command.nodes, std::vector<std::string>{"jw2"});
    EXPECT_EQ(command.release_after_s, 0);
}

TEST_F(ReservationRoutes, SayWhatIsWrongWithABody) {
    constexpr const char* kRest = R"("end":"2026-12-01T18:00:00Z","project":"v"})";
    for (const auto& [body, said] : std::vector<std::pair<std::string, std::string>>{
             {std::string("{") + kRest,                                   "name: is missing"         },
             {R"({"name":"x","project":"v"})",                            "end: is missing"          },
             {R"({"name":"x","end":"tomorrow","project":"v"})",           "is not a time in UTC like"},
             {R"({"name":"x","start":"1","end":"2026-12-01T18:00:00Z"})", "start: '1' is not"        },
             {R"({"name":"x","end":"2026-12-01T18:00:00Z"})",             "one of the two"           },
             {std::string(R"({"name":"x","maintenance":true,)") + kRest,  "one of the two"           },
             {std::string(R"({"name":"x","gpus":0,)") + kRest,            "gpus"                     },
             {std::string(R"({"name":"x","node_count":0,)") + kRest,      "node_count"               },
             {std::string(R"({"name":"x","who":1,)") + kRest,             "who"                      },
    }) {
        const HttpResponse refused = world.post(kAll, body);
        EXPECT_EQ(refused.status, 400) << body;
        EXPECT_TRUE(has(refused.body, said)) << refused.body;
    }
    EXPECT_TRUE(world.commands.seen.empty());
}

}  // namespace
}  // namespace reeve::api
