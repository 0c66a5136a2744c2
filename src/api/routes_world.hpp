#pragma once

#include <memory>
#include <string>
#include <variant>

#include <gtest/gtest.h>

#include "api/api_world.hpp"

// For tests of the routes: three jobs on a node with one GPU.
namespace reeve::api {

using model::ElementState;

/// Job `id` of `user`, one element, in `state`.
inline ledger::JobRow job(std::uint64_t id, const std::string& user, ElementState state) {
    ledger::JobRow row;
    row.record.id = JobId(id);
    row.record.submitted_at = kWorldNow;
    row.record.counts[state] = 1;
    row.name = "train";
    row.user = user;
    row.project = "vision";
    row.gpus = {.count = 1, .model = "a30"};
    row.host = {.cpu_millicores = 1500, .memory_mib = 1024};
    return row;
}

inline model::ElementRecord element(std::uint64_t id, std::uint32_t attempt, ElementState state) {
    model::ElementRecord record;
    record.key = {.job = JobId(id)};
    record.attempt = attempt;
    record.state = state;
    record.scheduled_at = kWorldNow;
    record.node = NodeId(1);
    record.allocation = AllocationId(id);
    return record;
}

inline std::shared_ptr<const controller::NodeStatus> node_with_gpu(const std::string& holder) {
    auto node = std::make_shared<controller::NodeStatus>();
    node->record.id = NodeId(1);
    node->record.name = "jw2";
    node->record.host = {.cpu_millicores = 8000, .memory_mib = 65536};
    node->record.gpus = {
        {.id = GpuId(5), .uuid = "GPU-5", .model = GpuModelId(1), .total_mib = 24576}
    };
    node->view.id = NodeId(1);
    node->view.host_total = node->record.host;
    node->view.free.host = {.cpu_millicores = 7000, .memory_mib = 60000};
    node->view.free.gpus = {
        {.id = GpuId(5), .model = GpuModelId(1), .total_mib = 24576}
    };
    controller::Holding holding;
    holding.allocation.id = AllocationId(7);
    holding.allocation.task.element.job = JobId(7);
    holding.allocation.node = NodeId(1);
    holding.allocation.grant.gpus = {
        {.gpu = GpuId(5), .amount = {.milli = 1000, .memory_mib = 24576}}
    };
    holding.user = holder;
    holding.project = "secret-project";
    node->holdings = {holding};
    return node;
}

class RoutesTest : public testing::Test {
  protected:
    void SetUp() override {
        world.store.jobs = {
            job(9, "bob", ElementState::kQueued),
            job(8, "ada", ElementState::kQueued),
            job(7, "ada", ElementState::kRunning),
        };
        world.store.jobs[2].element = element(7, 2, ElementState::kRunning);
        world.store.elements = {
            element(7, 1, ElementState::kFailed), element(7, 2, ElementState::kRunning)};
        world.commands.shown.gpu_models = {
            {GpuModelId(1), "NVIDIA A30"}
        };
        world.commands.shown.nodes = {node_with_gpu("ada")};
        world.commands.shown.cluster_id = "c1";
    }

    template <class Command>
    const Command& only_command() {
        EXPECT_EQ(world.commands.seen.size(), 1U);
        return std::get<Command>(world.commands.seen.at(0));
    }

    World world;
};

}  // namespace reeve::api
