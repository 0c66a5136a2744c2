#include "api/node_status.hpp"

#include <gtest/gtest.h>

#include "api/api_world.hpp"

namespace reeve::api {
namespace {

model::GpuSample gpu(std::int64_t used, std::int64_t total, std::int64_t utilization) {
    return {
        .uuid = "GPU-1",
        .memory_used_mib = used,
        .memory_total_mib = total,
        .utilization_percent = utilization};
}

TEST(SixFields, FollowRequirement003) {
    struct Case {
        const char* name;
        model::NodeSample sample;
        bool is_available;
    };

    const auto sample = [](std::int64_t cpu, std::int64_t memory,
                           std::vector<model::GpuSample> gpus) {
        return model::NodeSample{
            .node = "a", .cpu_permille = cpu, .memory_permille = memory, .gpus = std::move(gpus)};
    };
    const std::vector<Case> cases = {
        {"idle",                    sample(10,  10,  {gpu(0, 10240, 0)}),    true },
        {"exactly 2048 MiB free",   sample(10,  10,  {gpu(8192, 10240, 0)}), false},
        {"2049 MiB free",           sample(10,  10,  {gpu(8191, 10240, 0)}), true },
        {"GPU at 80 %",             sample(10,  10,  {gpu(0, 10240, 80)}),   false},
        {"GPU at 79 %",             sample(10,  10,  {gpu(0, 10240, 79)}),   true },
        {"CPU at 90 %",             sample(900, 10,  {gpu(0, 10240, 0)}),    false},
        {"CPU at 89.9 %",           sample(899, 10,  {gpu(0, 10240, 0)}),    true },
        {"memory at 85 %",          sample(10,  850, {gpu(0, 10240, 0)}),    false},
        {"memory at 84.9 %",        sample(10,  849, {gpu(0, 10240, 0)}),    true },
        {"no GPU",                  sample(10,  10,  {}),                    false},
        {"a GPU that says nothing", sample(10,  10,  {{.uuid = "GPU-1"}}),   false},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(has(six_fields(c.sample, {}), R"("available":true)"), c.is_available) << c.name;
    }
}

TEST(SixFields, AreTheMeanAndTheSums) {
    const model::NodeSample sample{
        .node = "a",
        .cpu_permille = 125,
        .memory_permille = 420,
        .gpus = {gpu(1000, 10240, 30), gpu(3000, 10240, 51)}
    };
    EXPECT_EQ(
        six_fields(sample, {}),
        R"({"gpu_utilization":40,"gpu_memory_used":4000,"gpu_memory_total":20480,)"
        R"("cpu_usage":12.5,"memory_usage":42.0,"available":true})");
    EXPECT_EQ(
        six_fields({.node = "a", .cpu_permille = 0, .memory_permille = 1000}, {}),
        R"({"gpu_utilization":"N/A","gpu_memory_used":"N/A","gpu_memory_total":"N/A",)"
        R"("cpu_usage":0.0,"memory_usage":100.0,"available":false})");
}

TEST(NodeStatus, IsServedFromTheLastSample) {
    SampleBoard samples;
    const NodeStatusParts parts{
        .samples = samples,
        .node = "a",
        .now = [] { return kWorldNow; },
        .gpus =
            [] {
                return std::vector<model::GpuDescription>{
                    {.uuid = "GPU-1", .model = "NVIDIA A30", .is_simulated = true}
                };
            }};
    const NoIdentities identities;
    Router router(node_status_routes(parts), identities, {.is_anonymous_only = true});
    const auto ask = [&](std::string_view target) {
        HttpRequest request{.target = target, .fields = {.host = "localhost"}};
        request.method = Method::kGet;
        std::uint64_t limit = 0;
        EXPECT_FALSE(router.admit(request, limit).has_value());
        const auto sink = std::make_shared<PromiseSink>();
        router.handle(request, Responder(sink));
        return sink->answered.get_future().get();
    };
    EXPECT_EQ(ask("/status").status, 503);
    samples.put({.node = "a", .gpus = {gpu(1, 2, 3)}}, kWorldNow + std::chrono::milliseconds(-250));
    const HttpResponse status = ask("/status");
    EXPECT_EQ(status.status, 200);
    EXPECT_EQ(status.headers.at(0).first, "X-Reeve-Sample-Age-Ms");
    EXPECT_EQ(status.headers.at(0).second, "250");
    EXPECT_EQ(
        ask("/gpus").body,
        R"({"items":[{"uuid":"GPU-1","model":"NVIDIA A30","simulated":true,)"
        R"("memory_total_mib":2,"memory_used_mib":1,"utilization_percent":3,"processes":0}]})");
}

}  // namespace
}  // namespace reeve::api
