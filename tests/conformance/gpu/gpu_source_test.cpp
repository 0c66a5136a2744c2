#include "model/gpu_source.hpp"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "gpu/nvml/nvml_source.hpp"
#include "gpu/simulated/simulation.hpp"
#include "simulated_machine.hpp"

namespace reeve::gpu {
namespace {

using Source = std::unique_ptr<model::GpuSource>;

struct Implementation {
    const char* name;
    std::function<Result<Source>(const std::string& state)> open;
};

void PrintTo(const Implementation& implementation, std::ostream* out) {
    *out << implementation.name;
}

class GpuSourceTest : public testing::TestWithParam<Implementation> {
  protected:
    static Source open(const SimulatedMachine& machine) {
        Result<Source> source = GetParam().open(machine.path());
        EXPECT_TRUE(source) << source.error().message;
        return std::move(*source);
    }

    static model::GpuSample sample_of(model::GpuSource& source, const std::string& uuid) {
        const auto samples = source.sample();
        EXPECT_TRUE(samples) << samples.error().message;
        for (const model::GpuSample& sample : *samples) {
            if (sample.uuid == uuid) {
                return sample;
            }
        }
        ADD_FAILURE() << "no sample of " << uuid;
        return {};
    }

    static std::vector<std::int64_t> xids_of(model::GpuSource& source, const std::string& uuid) {
        const auto xids = source.poll_xids();
        EXPECT_TRUE(xids) << xids.error().message;
        std::vector<std::int64_t> out;
        for (const model::GpuXid& xid : *xids) {
            EXPECT_EQ(xid.uuid, uuid);
            out.push_back(xid.xid);
        }
        return out;
    }
};

INSTANTIATE_TEST_SUITE_P(
    Every,
    GpuSourceTest,
    testing::Values(
        Implementation{
            "nvml",
            [](const std::string& state) {
                return nvml::open_nvml(
                    {.library = REEVE_NVML_SIM_LIBRARY, .simulation_state = state});
            }},
        Implementation{"simulated", simulated::open_simulated}),
    testing::PrintToStringParamName());

TEST_P(GpuSourceTest, DescribesEveryGpuByUuid) {
    for (const char* preset :
         {"1xRTX3080", "4xRTX5090", "1xA30", "1xGB10", "8xH100", "2xA30,3xL4"}) {
        SCOPED_TRACE(preset);
        const SimulatedMachine machine(preset);
        const Source source = open(machine);
        EXPECT_EQ(source->driver_version(), "580.95.05");
        const auto gpus = source->describe();
        ASSERT_TRUE(gpus) << gpus.error().message;
        EXPECT_EQ(gpus->size(), simulated::list_gpus(machine.path()).value().size());
        std::string before;
        for (const model::GpuDescription& gpu : *gpus) {
            EXPECT_LT(before, gpu.uuid);
            before = gpu.uuid;
            EXPECT_TRUE(gpu.uuid.starts_with("GPU-"));
            EXPECT_GT(gpu.total_mib, 8000);
            EXPECT_GE(gpu.minor, 0);
            EXPECT_GE(gpu.numa_node, 0);
            EXPECT_EQ(gpu.pci_bus_id.size(), 16U);
            EXPECT_TRUE(gpu.is_simulated);
        }
    }
}

TEST_P(GpuSourceTest, TellsOfAModelWhatItIs) {
    struct Case {
        const char* preset;
        const char* model;
        std::int64_t total_mib;
        std::int32_t major;
        std::int32_t minor;
    };

    const std::vector<Case> cases = {
        {"1xRTX3080", "NVIDIA GeForce RTX 3080", 9986,   8,  6},
        {"4xRTX5090", "NVIDIA GeForce RTX 5090", 32124,  12, 0},
        {"1xA30",     "NVIDIA A30",              24175,  8,  0},
        {"1xGB10",    "NVIDIA GB10",             122570, 12, 1},
        {"8xH100",    "NVIDIA H100 80GB HBM3",   81008,  9,  0},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.preset);
        const SimulatedMachine machine(c.preset);
        const auto gpus = open(machine)->describe();
        ASSERT_TRUE(gpus);
        const model::GpuDescription& gpu = gpus->front();
        EXPECT_EQ(gpu.model, c.model);
        EXPECT_EQ(gpu.total_mib, c.total_mib);
        EXPECT_EQ(gpu.compute_major, c.major);
        EXPECT_EQ(gpu.compute_minor, c.minor);
    }
}

TEST_P(GpuSourceTest, SamplesAreInTheOrderOfTheDescriptions) {
    const SimulatedMachine machine("8xH100");
    const Source source = open(machine);
    const auto gpus = source->describe();
    const auto samples = source->sample();
    ASSERT_TRUE(gpus && samples);
    ASSERT_EQ(samples->size(), gpus->size());
    for (std::size_t i = 0; i < gpus->size(); ++i) {
        EXPECT_EQ((*samples)[i].uuid, (*gpus)[i].uuid);
        EXPECT_EQ((*samples)[i].memory_total_mib, (*gpus)[i].total_mib);
    }
}

TEST_P(GpuSourceTest, UseOfAProcessComesAndGoesWithIt) {
    for (const char* preset : {"2xA30", "2xGB10"}) {
        SCOPED_TRACE(preset);
        const SimulatedMachine machine(preset);
        const Source source = open(machine);
        ASSERT_TRUE(source->describe());
        const std::string uuid = machine.uuid(1);
        const model::GpuSample idle = sample_of(*source, uuid);
        EXPECT_EQ(idle.memory_used_mib, 0);
        EXPECT_EQ(idle.utilization_percent, 0);

        Idler idler;
        ASSERT_TRUE(simulated::set_use(
            machine.path(), uuid,
            {.pid = idler.pid(), .memory_mib = 4096, .utilization_percent = 80}));
        const model::GpuSample busy = sample_of(*source, uuid);
        EXPECT_EQ(busy.memory_used_mib, 4096);
        EXPECT_EQ(busy.utilization_percent, 80);
        EXPECT_GT(busy.power_milliwatts, idle.power_milliwatts);
        EXPECT_GT(busy.temperature_celsius, idle.temperature_celsius);
        EXPECT_GT(busy.sm_clock_mhz, idle.sm_clock_mhz);
        const std::vector<model::GpuProcess> want = {
            {.pid = idler.pid(), .memory_mib = 4096}
        };
        EXPECT_EQ(busy.processes, want);
        EXPECT_TRUE(sample_of(*source, machine.uuid(0)).processes.empty());

        idler.end();
        const model::GpuSample after = sample_of(*source, uuid);
        EXPECT_EQ(after.memory_used_mib, 0);
        EXPECT_EQ(after.utilization_percent, 0);
        EXPECT_TRUE(after.processes.empty());
    }
}

TEST_P(GpuSourceTest, WhatAModelCannotTellIsAbsent) {
    const SimulatedMachine machine("1xGB10");
    const Source source = open(machine);
    ASSERT_TRUE(source->describe());
    EXPECT_EQ(sample_of(*source, machine.uuid(0)).memory_clock_mhz, std::nullopt);
}

TEST_P(GpuSourceTest, ManyProcessesAreAllListed) {
    const SimulatedMachine machine("1xH100");
    const Source source = open(machine);
    ASSERT_TRUE(source->describe());
    std::vector<std::unique_ptr<Idler>> idlers;
    std::set<std::uint32_t> pids;
    for (int i = 0; i < 70; ++i) {  // More than the first buffer holds.
        idlers.push_back(std::make_unique<Idler>());
        pids.insert(idlers.back()->pid());
        ASSERT_TRUE(simulated::set_use(
            machine.path(), "0", {.pid = idlers.back()->pid(), .memory_mib = 1}));
    }
    std::set<std::uint32_t> listed;
    for (const model::GpuProcess& process : sample_of(*source, machine.uuid(0)).processes) {
        EXPECT_TRUE(listed.insert(process.pid).second);
    }
    EXPECT_EQ(listed, pids);
}

TEST_P(GpuSourceTest, ALostGpuHasTroubleUntilItIsRestored) {
    const SimulatedMachine machine("2xA30");
    const Source source = open(machine);
    const auto before = source->describe();
    ASSERT_TRUE(before);
    const std::string uuid = machine.uuid(0);
    ASSERT_TRUE(simulated::lose_gpu(machine.path(), uuid));
    for (int i = 0; i < 2; ++i) {
        const model::GpuSample lost = sample_of(*source, uuid);
        EXPECT_EQ(lost.trouble, "the GPU has fallen off the bus");
        EXPECT_EQ(lost.memory_used_mib, std::nullopt);
        EXPECT_EQ(lost.utilization_percent, std::nullopt);
        EXPECT_EQ(sample_of(*source, machine.uuid(1)).trouble, "");
    }
    EXPECT_EQ(source->describe().value(), *before);  // What it was, it still is.
    EXPECT_EQ(xids_of(*source, uuid), std::vector<std::int64_t>{79});

    ASSERT_TRUE(simulated::restore_gpu(machine.path(), uuid));
    const model::GpuSample back = sample_of(*source, uuid);
    EXPECT_EQ(back.trouble, "");
    EXPECT_EQ(back.memory_used_mib, 0);
    ASSERT_TRUE(simulated::report_xid(machine.path(), uuid, 48));
    EXPECT_EQ(xids_of(*source, uuid), std::vector<std::int64_t>{48});
}

TEST_P(GpuSourceTest, AnXidOfALostGpuIsToldAfterItsReturn) {
    const SimulatedMachine machine("1xA30");
    const Source source = open(machine);
    ASSERT_TRUE(source->describe());
    const std::string uuid = machine.uuid(0);
    ASSERT_TRUE(simulated::lose_gpu(machine.path(), "0"));
    EXPECT_NE(sample_of(*source, uuid).trouble, "");
    ASSERT_TRUE(simulated::restore_gpu(machine.path(), "0"));
    EXPECT_EQ(sample_of(*source, uuid).trouble, "");
    EXPECT_EQ(xids_of(*source, uuid), std::vector<std::int64_t>{79});
}

TEST_P(GpuSourceTest, AnXidComesExactlyOnce) {
    const SimulatedMachine machine("2xA30");
    ASSERT_TRUE(simulated::report_xid(machine.path(), "1", 13));  // Before anybody listens.
    const Source source = open(machine);
    ASSERT_TRUE(source->describe());
    const std::string uuid = machine.uuid(1);
    EXPECT_TRUE(xids_of(*source, uuid).empty());
    for (const std::int64_t xid : {31, 48, 31}) {
        ASSERT_TRUE(simulated::report_xid(machine.path(), uuid, xid));
    }
    ASSERT_TRUE(source->describe());  // Registers nothing twice.
    EXPECT_EQ(xids_of(*source, uuid), (std::vector<std::int64_t>{31, 48, 31}));
    EXPECT_TRUE(xids_of(*source, uuid).empty());
}

TEST_P(GpuSourceTest, WithoutAStateFileItSaysWhichIsMissing) {
    const auto none = GetParam().open("/nonexistent/gpus.json");
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(none.error().message.find("/nonexistent/gpus.json"), std::string::npos)
        << none.error().message;
}

TEST_P(GpuSourceTest, AStateFileThatBreaksIsNamed) {
    const SimulatedMachine machine("1xA30");
    const Source source = open(machine);
    ASSERT_TRUE(source->describe());
    const std::string good = platform::read_file(machine.path(), 1U << 20U).value();
    ASSERT_TRUE(platform::write_file(machine.path(), "{}"));
    for (const Error& error :
         {source->sample().error(), source->describe().error(), source->poll_xids().error()}) {
        EXPECT_EQ(error.code, ErrorCode::kUnavailable);
        EXPECT_NE(error.message.find(machine.path()), std::string::npos) << error.message;
    }
    ASSERT_TRUE(platform::write_file(machine.path(), good));
    EXPECT_TRUE(source->sample());
}

}  // namespace
}  // namespace reeve::gpu
