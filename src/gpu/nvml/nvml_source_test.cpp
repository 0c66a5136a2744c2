#include "gpu/nvml/nvml_source.hpp"

#include <cstdlib>
#include <vector>

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "platform/files.hpp"

namespace reeve::gpu::nvml {
namespace {

std::string fake(const std::string& name) {
    return std::string(REEVE_NVML_FAKES) + "/" + name + ".so";
}

TEST(NvmlSource, WithoutADriverItSaysWhatToInstall) {
    for (const char* name :
         {"libreeve-there-is-no-such-library.so.1", "/nonexistent/libnvidia-ml.so.1"}) {
        SCOPED_TRACE(name);
        const auto source = open_nvml({.library = name});
        ASSERT_FALSE(source);
        EXPECT_EQ(source.error().code, ErrorCode::kUnavailable);
        EXPECT_NE(source.error().message.find("no NVIDIA driver"), std::string::npos);
        EXPECT_NE(source.error().message.find("nvidia-driver"), std::string::npos);
        EXPECT_NE(source.error().message.find("--gpus-simulated"), std::string::npos);
    }
}

TEST(NvmlSource, WhatCannotServeIsRefusedWithTheReason) {
    struct Case {
        const char* name;
        NvmlOptions options;
        const char* says;
    };

    const std::vector<Case> cases = {
        {"no library file",    {.library = "/etc/passwd"},          "cannot be loaded"   },
        {"another library",    {.library = fake("nothing")},        "is no NVML library" },
        {"a mismatch",         {.library = fake("mismatched")},     "restart the machine"},
        {"not the simulation",
         {.library = fake("old_driver"), .simulation_state = "/x"},
         "is not the simulation"                                                         },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        const auto source = open_nvml(c.options);
        ASSERT_FALSE(source);
        EXPECT_EQ(source.error().code, ErrorCode::kUnavailable);
        EXPECT_NE(source.error().message.find(c.says), std::string::npos) << source.error().message;
    }
}

TEST(NvmlSource, AnOldDriverOnlyLeavesFiguresAbsent) {
    const auto source = open_nvml({.library = fake("old_driver")});
    ASSERT_TRUE(source) << source.error().message;
    const auto gpus = (*source)->describe();
    ASSERT_TRUE(gpus) << gpus.error().message;
    ASSERT_EQ(gpus->size(), 1U);
    const model::GpuDescription want{.uuid = "GPU-old", .model = "Tesla K80", .total_mib = 11441};
    EXPECT_EQ(gpus->front(), want);
    EXPECT_EQ((*source)->driver_version(), "");

    const auto samples = (*source)->sample();
    ASSERT_TRUE(samples) << samples.error().message;
    ASSERT_EQ(samples->size(), 1U);
    const model::GpuSample& sample = samples->front();
    EXPECT_EQ(sample.memory_used_mib, 100);
    EXPECT_EQ(sample.memory_total_mib, 11441);
    EXPECT_EQ(sample.temperature_celsius, 41);
    EXPECT_EQ(sample.power_milliwatts, std::nullopt);
    EXPECT_EQ(sample.utilization_percent, std::nullopt);
    EXPECT_EQ(sample.sm_clock_mhz, std::nullopt);
    EXPECT_EQ(sample.trouble, "");
    const std::vector<model::GpuProcess> processes = {
        {.pid = 11, .memory_mib = 60          },
        {.pid = 12, .memory_mib = std::nullopt}
    };
    EXPECT_EQ(sample.processes, processes);

    const auto xids = (*source)->poll_xids();
    ASSERT_TRUE(xids);
    EXPECT_TRUE(xids->empty());
}

TEST(NvmlSource, ADeviceThatComesBackIsAskedByItsNewHandle) {
    const auto source = open_nvml({.library = fake("returning")});
    ASSERT_TRUE(source) << source.error().message;
    ASSERT_EQ((*source)->describe().value().size(), 1U);
    const auto xid = [&] { return (*source)->poll_xids().value(); };
    const auto sample = [&] { return (*source)->sample().value().front(); };
    void* library = ::dlopen(fake("returning").c_str(), RTLD_NOW | RTLD_NOLOAD);
    ASSERT_NE(library, nullptr);
    const auto move = [&](const char* name) {
        reinterpret_cast<void (*)()>(::dlsym(library, name))();
    };
    EXPECT_EQ(sample().power_milliwatts, 30'000);
    ASSERT_EQ(xid().size(), 1U);

    move("reeve_fake_lose");
    EXPECT_EQ(sample().trouble, "the GPU has fallen off the bus");
    EXPECT_EQ(sample().trouble, "the driver no longer has the GPU");
    EXPECT_EQ(sample().power_milliwatts, std::nullopt);
    EXPECT_TRUE(xid().empty());
    EXPECT_EQ((*source)->describe().value().size(), 1U);

    move("reeve_fake_restore");
    EXPECT_EQ(sample().trouble, "");
    EXPECT_EQ(sample().power_milliwatts, 30'000);
    const std::vector<model::GpuXid> xids = xid();  // It was registered again.
    ASSERT_EQ(xids.size(), 1U);
    EXPECT_EQ(xids[0].uuid, "GPU-returning");
    EXPECT_EQ(xids[0].xid, 45);
    ::dlclose(library);
}

class Early535Test : public testing::Test {
  protected:
    void SetUp() override {
        char made[] = "/tmp/reeve-nvml-XXXXXX";
        ASSERT_NE(::mkdtemp(made), nullptr);
        folder = made;
        const std::string device = folder + "/bus/pci/devices/0000:3a:00.0";
        ASSERT_TRUE(platform::make_directories(device));
        ASSERT_TRUE(platform::write_file(device + "/numa_node", "1\n"));
        ASSERT_TRUE(platform::write_file(
            folder + "/meminfo",
            "MemTotal:       125829120 kB\nMemFree: 1 kB\nMemAvailable:   104857600 kB\n"));
    }

    void TearDown() override { EXPECT_TRUE(platform::remove_tree(folder)); }

    std::string folder;
};

TEST_F(Early535Test, EveryDeviceTellsWhatItCan) {
    std::vector<std::string> warnings;
    const auto source = open_nvml(
        {.library = fake("early_535"),
         .sysfs_root = folder,
         .meminfo = folder + "/meminfo",
         .on_warning = [&](const std::string& text) { warnings.push_back(text); }});
    ASSERT_TRUE(source) << source.error().message;
    EXPECT_EQ((*source)->driver_version(), "535.98");
    const auto gpus = (*source)->describe();
    ASSERT_TRUE(gpus);
    ASSERT_EQ(gpus->size(), 2U);  // By UUID.
    EXPECT_EQ((*gpus)[0].uuid, "GPU-a");
    EXPECT_EQ((*gpus)[0].total_mib, 122880);  // The host's.
    EXPECT_EQ((*gpus)[0].numa_node, -1);
    EXPECT_EQ((*gpus)[1].uuid, "GPU-b");
    EXPECT_EQ((*gpus)[1].total_mib, 24175);  // Whole MiB that are surely there.
    EXPECT_EQ((*gpus)[1].numa_node, 1);
    EXPECT_FALSE((*gpus)[1].is_simulated);
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_NE(warnings[0].find("GPU 2"), std::string::npos);

    const auto samples = (*source)->sample();
    ASSERT_TRUE(samples);
    ASSERT_EQ(samples->size(), 2U);
    EXPECT_EQ((*samples)[0].memory_used_mib, 20480);
    ASSERT_EQ((*samples)[0].processes.size(), 1U);
    EXPECT_EQ((*samples)[1].memory_used_mib, 2);
    // All hundred, read at 32 bytes each, and none twice.
    ASSERT_EQ((*samples)[1].processes.size(), 100U);
    for (std::uint32_t i = 0; i < 100; ++i) {
        const model::GpuProcess want{.pid = 1000 + i, .memory_mib = i + 1};
        EXPECT_EQ((*samples)[1].processes[i], want);
    }
}

}  // namespace
}  // namespace reeve::gpu::nvml
