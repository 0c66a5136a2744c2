#include <chrono>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "api/routes_world.hpp"

namespace reeve::api {
namespace {

using std::chrono::hours;

constexpr model::GpuAmount kWhole = {.milli = 1000, .memory_mib = 24576};

model::Grant whole(std::uint64_t gpu) {
    return {.gpus = {{.gpu = GpuId(gpu), .amount = kWhole}}};
}

/// Node jw2 has three A30s: 5 is untouched, 6 too, of 7 a quarter is left. Node jw3 is drained.
class FreeRoutes : public RoutesTest {
  protected:
    void SetUp() override {
        RoutesTest::SetUp();
        controller::View& view = world.commands.shown;
        view.at = kWorldNow;
        view.scheduling.assumed_run = hours(24);
        view.projects = {
            {.record = {.id = ProjectId(1), .name = "default"}},
            {.record = {.id = ProjectId(2), .name = "vision"}}};
        node = std::make_shared<controller::NodeStatus>(*view.nodes[0]);
        node->holdings.clear();
        node->view.free.gpus.clear();
        node->record.gpus.clear();
        for (std::uint64_t gpu = 5; gpu <= 7; ++gpu) {
            node->record.gpus.push_back(
                {.id = GpuId(gpu),
                 .uuid = "GPU-" + std::to_string(gpu),
                 .model = GpuModelId(1),
                 .total_mib = 24576});
            node->view.free.gpus.push_back(
                {.id = GpuId(gpu), .model = GpuModelId(1), .total_mib = 24576, .free = kWhole});
        }
        node->view.free.gpus.back().free = {.milli = 250, .memory_mib = 6144};
        auto drained = std::make_shared<controller::NodeStatus>(*node);
        drained->record.name = "jw3";
        drained->record.id = NodeId(2);
        drained->view.availability = scheduler::Availability::kDrained;
        view.nodes = {node, drained};
    }

    /// From `from` on two hours of GPU `gpu` are kept for a job that waits.
    void keep(std::uint64_t gpu, std::chrono::seconds from) {
        world.commands.shown.kept.push_back({
            .reservation =
                {.job = JobId(8),
                              .at = kWorldNow + from,
                              .parts = {{.node = NodeId(1), .grant = whole(gpu)}}},
            .run = hours(2)
        });
    }

    /// The node is booked for vision, from `from` on for an hour.
    void book(std::chrono::seconds from) {
        controller::BookingStatus status{.project = "vision"};
        const scheduler::Booking booking{
            .id = model::BookingId(1),
            .from = kWorldNow + from,
            .until = kWorldNow + from + hours(1),
            .projects = {ProjectId(2)},
            .parts = {{.node = NodeId(1)}}};
        status.booking = std::make_shared<const scheduler::Booking>(booking);
        world.commands.shown.bookings =
            std::make_shared<const controller::Bookings>(controller::Bookings{status});
    }

    /// The items of the answer.
    std::string free_of(const std::string& query, std::uint32_t uid = kAda) {
        const HttpResponse response = world.get("/api/v1/free" + query, uid);
        EXPECT_EQ(response.status, 200) << response.body;
        const std::size_t from = response.body.find('[');
        return response.body.substr(from, response.body.find(R"(,"as_of")") - from);
    }

    static std::string row(int gpus, const std::string& until) {
        return R"([{"node":"jw2","model":"NVIDIA A30","simulated":false,"whole_gpus":)" +
               std::to_string(gpus) +
               R"(,"largest_share_milli":1000,"largest_share_mib":24576,"cpu_millicores":7000,)"
               R"("memory_mib":60000)" +
               (until.empty() ? "" : R"(,"until":"2025-11-24T)" + until + R"(:00:00.000000Z")") +
               "}]";
    }

    std::shared_ptr<controller::NodeStatus> node;
};

TEST_F(FreeRoutes, CountDeviceByDeviceOnReadyNodes) {
    EXPECT_EQ(free_of(""), row(2, ""));
    EXPECT_EQ(free_of("?gpu=A30&memory_mib=24576&for_s=86400"), row(2, ""));
    EXPECT_EQ(free_of("?memory_mib=24577"), "[]");
    node->record.gpus[0].is_present = false;
    EXPECT_EQ(free_of(""), row(1, ""));
    node->record.gpus[1].is_present = false;
    EXPECT_TRUE(
        has(free_of(""), R"("whole_gpus":0,"largest_share_milli":250,"largest_share_mib":6144)"));
}

TEST_F(FreeRoutes, WhatIsKeptForAJobThatWaitsIsFreeUntilThen) {
    keep(5, hours(3));
    EXPECT_EQ(free_of(""), row(2, "19"));
    EXPECT_EQ(free_of("?for_s=7200"), row(2, "19"));
    EXPECT_EQ(free_of("?for_s=14400"), row(1, ""));
}

TEST_F(FreeRoutes, WhatIsKeptNowIsNotFree) {
    keep(5, hours(0));
    EXPECT_EQ(free_of(""), row(1, ""));
}

TEST_F(FreeRoutes, WhatIsReservedIsFreeForWhomItIs) {
    book(hours(2));
    EXPECT_EQ(free_of(""), row(2, "18"));
    EXPECT_EQ(free_of("?for_s=3600&project=default"), row(2, "18"));
    EXPECT_EQ(free_of("?for_s=10800&project=default"), "[]");
    EXPECT_EQ(free_of("?for_s=10800"), "[]");
    EXPECT_EQ(free_of("?for_s=10800&project=vision"), row(2, ""));
    book(hours(0));
    EXPECT_EQ(free_of(""), "[]");
}

TEST_F(FreeRoutes, NameWhatIsThereWhereSomethingIsNot) {
    const HttpResponse model = world.get("/api/v1/free?gpu=h100", kAda);
    EXPECT_EQ(model.status, 404);
    EXPECT_TRUE(has(model.body, "no GPU here is of model 'h100'; the models are: NVIDIA A30"))
        << model.body;
    EXPECT_EQ(world.get("/api/v1/free?project=none", kAda).status, 404);
    for (const char* query : {"?gpu=", "?for_s=0", "?for_s=1h", "?memory_mib=0", "?x=1"}) {
        EXPECT_EQ(world.get(std::string("/api/v1/free") + query, kAda).status, 400) << query;
    }
}

}  // namespace
}  // namespace reeve::api
