#include "gpu/simulated/behaviour.hpp"

#include <gtest/gtest.h>

#include "gpu/simulated/models.hpp"
#include "gpu/simulated/simulation.hpp"

namespace reeve::gpu::simulated {
namespace {

const GpuModel& model_of(const Topology& topology) {
    return topology.models.begin()->second;
}

TEST(Behaviour, UseIsTheSumOfTheProcesses) {
    const std::vector<ProcessUse> two = {
        {.pid = 1, .memory_mib = 100, .utilization_percent = 60, .start_ticks = 0},
        {.pid = 2, .memory_mib = 50,  .utilization_percent = 70, .start_ticks = 0}
    };
    EXPECT_EQ(memory_used_mib({}), 0);
    EXPECT_EQ(utilization_percent({}), 0);
    EXPECT_EQ(memory_used_mib(two), 150);
    EXPECT_EQ(utilization_percent(two), 100);
    EXPECT_EQ(utilization_percent({two[0]}), 60);
}

TEST(Behaviour, FiguresAreThoseOfTheModelAndRiseWithUse) {
    for (const std::string& name : known_models()) {
        SCOPED_TRACE(name);
        const Topology topology = topology_of(name, "").value();
        const GpuModel& model = model_of(topology);
        EXPECT_EQ(power_milliwatts(model, 0), model.power_idle_watts * 1000);
        EXPECT_EQ(power_milliwatts(model, 100), model.power_limit_watts * 1000);
        EXPECT_LE(sm_clock_mhz(model, 100), model.sm_clock_mhz);
        EXPECT_LT(sm_clock_mhz(model, 0), sm_clock_mhz(model, 100));
        EXPECT_EQ(fan_percent(model, 50).has_value(), model.has_fan);
        EXPECT_EQ(memory_clock_mhz(model, 50).has_value(), model.memory_clock_mhz > 0);
        for (std::int64_t use = 1; use <= 100; ++use) {
            EXPECT_GT(power_milliwatts(model, use), power_milliwatts(model, use - 1));
            EXPECT_GE(temperature_celsius(use), temperature_celsius(use - 1));
        }
    }
}

TEST(Behaviour, ALostDeviceTellsItsTroubleAndNothingElse) {
    Topology topology = topology_of("A30", "").value();
    topology.gpus[0].is_lost = true;
    const model::GpuSample sample = sample_of(
        topology, topology.gpus[0],
        {
            {.pid = 1, .memory_mib = 1, .utilization_percent = 1, .start_ticks = 0}
    });
    EXPECT_FALSE(sample.trouble.empty());
    EXPECT_FALSE(sample.memory_used_mib);
    EXPECT_FALSE(sample.utilization_percent);
    EXPECT_TRUE(sample.processes.empty());
}

TEST(Behaviour, WhatJobsMayUseIsWhatTheDriverLeaves) {
    const Topology topology = topology_of("RTX3080", "").value();
    const model::GpuDescription description = description_of(topology, topology.gpus[0]);
    EXPECT_EQ(
        description.total_mib, model_of(topology).memory_mib - model_of(topology).reserved_mib);
    EXPECT_TRUE(description.is_simulated);
}

}  // namespace
}  // namespace reeve::gpu::simulated
