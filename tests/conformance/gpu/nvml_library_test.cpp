// libreeve-nvml-sim.so as a program sees it that knows NVML and nothing of Reeve.
#include <future>
#include <map>
#include <string>
#include <thread>

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gpu/nvml_abi.hpp"
#include "gpu/simulated/simulation.hpp"
#include "simulated_machine.hpp"

namespace reeve::gpu {
namespace {

using abi::Device;
using abi::Return;

// What NVML 13 offers for the needs of Reeve and of the tools beside it.
constexpr const char* kFunctions[] = {
    "nvmlInit_v2",
    "nvmlInitWithFlags",
    "nvmlShutdown",
    "nvmlSystemGetDriverVersion",
    "nvmlSystemGetNVMLVersion",
    "nvmlSystemGetCudaDriverVersion_v2",
    "nvmlSystemGetProcessName",
    "nvmlDeviceGetCount_v2",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetHandleByUUID",
    "nvmlDeviceGetHandleByPciBusId_v2",
    "nvmlDeviceGetIndex",
    "nvmlDeviceGetMinorNumber",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetName",
    "nvmlDeviceGetBrand",
    "nvmlDeviceGetSerial",
    "nvmlDeviceGetArchitecture",
    "nvmlDeviceGetCudaComputeCapability",
    "nvmlDeviceGetNumGpuCores",
    "nvmlDeviceGetBoardPartNumber",
    "nvmlDeviceGetVbiosVersion",
    "nvmlDeviceGetVirtualizationMode",
    "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetBAR1MemoryInfo",
    "nvmlDeviceGetUtilizationRates",
    "nvmlDeviceGetProcessUtilization",
    "nvmlDeviceGetEncoderUtilization",
    "nvmlDeviceGetDecoderUtilization",
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetEnforcedPowerLimit",
    "nvmlDeviceGetPowerManagementLimit",
    "nvmlDeviceGetPowerManagementLimitConstraints",
    "nvmlDeviceGetPowerManagementDefaultLimit",
    "nvmlDeviceSetPowerManagementLimit",
    "nvmlDeviceGetTotalEnergyConsumption",
    "nvmlDeviceGetTemperature",
    "nvmlDeviceGetTemperatureV",
    "nvmlDeviceGetTemperatureThreshold",
    "nvmlDeviceGetFanSpeed",
    "nvmlDeviceGetClockInfo",
    "nvmlDeviceGetMaxClockInfo",
    "nvmlDeviceGetApplicationsClock",
    "nvmlDeviceSetApplicationsClocks",
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetCurrentClocksThrottleReasons",
    "nvmlDeviceGetPerformanceState",
    "nvmlDeviceGetFieldValues",
    "nvmlDeviceGetEccMode",
    "nvmlDeviceGetTotalEccErrors",
    "nvmlDeviceGetMemoryErrorCounter",
    "nvmlDeviceGetRemappedRows",
    "nvmlDeviceGetRetiredPages",
    "nvmlDeviceGetRetiredPagesPendingStatus",
    "nvmlDeviceGetRowRemapperHistogram",
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetGraphicsRunningProcesses_v3",
    "nvmlDeviceGetMPSComputeRunningProcesses_v3",
    "nvmlDeviceGetAccountingMode",
    "nvmlDeviceGetAccountingStats",
    "nvmlEventSetCreate",
    "nvmlDeviceRegisterEvents",
    "nvmlDeviceGetSupportedEventTypes",
    "nvmlEventSetWait_v2",
    "nvmlEventSetFree",
    "nvmlDeviceGetMigMode",
    "nvmlDeviceSetMigMode",
    "nvmlDeviceGetMaxMigDeviceCount",
    "nvmlDeviceGetMigDeviceHandleByIndex",
    "nvmlDeviceIsMigDeviceHandle",
    "nvmlDeviceGetDeviceHandleFromMigDeviceHandle",
    "nvmlDeviceGetGpuInstanceId",
    "nvmlDeviceGetComputeInstanceId",
    "nvmlDeviceGetAttributes_v2",
    "nvmlDeviceGetGpuInstanceProfileInfo",
    "nvmlDeviceGetGpuInstanceProfileInfoV",
    "nvmlDeviceGetGpuInstancePossiblePlacements_v2",
    "nvmlDeviceGetGpuInstanceRemainingCapacity",
    "nvmlDeviceCreateGpuInstance",
    "nvmlDeviceCreateGpuInstanceWithPlacement",
    "nvmlGpuInstanceDestroy",
    "nvmlDeviceGetGpuInstances",
    "nvmlDeviceGetGpuInstanceById",
    "nvmlGpuInstanceGetInfo",
    "nvmlGpuInstanceGetComputeInstanceProfileInfo",
    "nvmlGpuInstanceGetComputeInstanceProfileInfoV",
    "nvmlGpuInstanceCreateComputeInstance",
    "nvmlGpuInstanceGetComputeInstances",
    "nvmlGpuInstanceGetComputeInstanceById",
    "nvmlComputeInstanceGetInfo_v2",
    "nvmlComputeInstanceDestroy",
    "nvmlDeviceGetTopologyCommonAncestor",
    "nvmlDeviceGetTopologyNearestGpus",
    "nvmlDeviceGetP2PStatus",
    "nvmlDeviceGetNvLinkState",
    "nvmlDeviceGetNvLinkVersion",
    "nvmlDeviceGetNvLinkCapability",
    "nvmlDeviceGetNvLinkRemotePciInfo_v2",
    "nvmlDeviceGetNvLinkRemoteDeviceType",
    "nvmlDeviceGetNvLinkErrorCounter",
    "nvmlDeviceGetGpuFabricInfo",
    "nvmlDeviceGetGpuFabricInfoV",
    "nvmlDeviceOnSameBoard",
    "nvmlDeviceGetPciInfo_v3",
    "nvmlDeviceGetPciInfoExt",
    "nvmlDeviceGetCpuAffinity",
    "nvmlDeviceGetCpuAffinityWithinScope",
    "nvmlDeviceGetMemoryAffinity",
    "nvmlDeviceGetNumaNodeId",
    "nvmlDeviceGetMaxPcieLinkGeneration",
    "nvmlDeviceGetCurrPcieLinkGeneration",
    "nvmlDeviceGetCurrPcieLinkWidth",
    "nvmlDeviceGetPcieThroughput",
    "nvmlDeviceGetPcieReplayCounter",
    "nvmlDeviceGetComputeMode",
    "nvmlDeviceSetComputeMode",
    "nvmlDeviceGetPersistenceMode",
    "nvmlDeviceSetPersistenceMode",
    "nvmlErrorString",
};

/// Returns once the thread waits in poll().
void until_polling(pid_t thread) {
#ifdef SYS_poll
    const std::string poll_number = std::to_string(SYS_poll);
#else  // aarch64 has ppoll alone.
    const std::string poll_number = std::to_string(SYS_ppoll);
#endif
    const std::string path = "/proc/self/task/" + std::to_string(thread) + "/syscall";
    for (std::string number; number != std::to_string(SYS_ppoll) && number != poll_number;) {
        std::this_thread::yield();
        const std::string text = platform::read_file(path, 4096).value_or("");
        number = text.substr(0, text.find(' '));
    }
}

class NvmlLibraryTest : public testing::Test {
  protected:
    void SetUp() override {
        library = ::dlopen(REEVE_NVML_SIM_LIBRARY, RTLD_NOW | RTLD_LOCAL);
        ASSERT_NE(library, nullptr) << ::dlerror();
    }

    void TearDown() override {
        if (is_started) {
            EXPECT_EQ(call("nvmlShutdown"), Return::kSuccess);
        }
        ::dlclose(library);
    }

    template <class... Arguments>
    Return call(const char* name, Arguments... arguments) {
        void* symbol = ::dlsym(library, name);
        if (symbol == nullptr) {
            return Return::kFunctionNotFound;
        }
        return reinterpret_cast<Return (*)(Arguments...)>(symbol)(arguments...);
    }

    void start(const SimulatedMachine& machine) {
        ASSERT_EQ(call("reeve_nvml_sim_use", machine.path().c_str()), Return::kSuccess);
        ASSERT_EQ(call("nvmlInit_v2"), Return::kSuccess);
        is_started = true;
    }

    Device device(unsigned index) {
        Device device = nullptr;
        EXPECT_EQ(call("nvmlDeviceGetHandleByIndex_v2", index, &device), Return::kSuccess);
        return device;
    }

    /// What a function of a device tells by a number.
    template <class Number = unsigned, class... Arguments>
    Number number(const char* name, Arguments... arguments) {
        Number value = 0;
        EXPECT_EQ(call(name, arguments..., &value), Return::kSuccess) << name;
        return value;
    }

    void* library = nullptr;
    bool is_started = false;
};

TEST_F(NvmlLibraryTest, ExportsWhatNvmlOffers) {
    for (const char* name : kFunctions) {
        EXPECT_NE(::dlsym(library, name), nullptr) << name;
    }
}

TEST_F(NvmlLibraryTest, BearsTheNameOfTheDriversLibrary) {
    // The dynamic loader knows a loaded library by its soname.
    void* again = ::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_NOLOAD);
    ASSERT_NE(again, nullptr) << ::dlerror();
    EXPECT_NE(::dlsym(again, "reeve_nvml_is_simulated"), nullptr);
    ::dlclose(again);
}

TEST_F(NvmlLibraryTest, AnswersNothingBeforeItsStart) {
    unsigned count = 0;
    EXPECT_EQ(call("nvmlDeviceGetCount_v2", &count), Return::kUninitialized);
    EXPECT_EQ(call("nvmlShutdown"), Return::kUninitialized);
    EXPECT_EQ(call("nvmlInit_v2"), Return::kDriverNotLoaded);
}

TEST_F(NvmlLibraryTest, RefusesWhatIsWrong) {
    const SimulatedMachine machine("2xA30");
    start(machine);
    Device other = nullptr;
    char text[8] = {};
    unsigned number = 0;
    EXPECT_EQ(call("nvmlDeviceGetHandleByIndex_v2", 2U, &other), Return::kInvalidArgument);
    EXPECT_EQ(call("nvmlDeviceGetHandleByUUID", "GPU-none", &other), Return::kNotFound);
    EXPECT_EQ(
        call("nvmlDeviceGetHandleByUUID", static_cast<const char*>(nullptr), &other),
        Return::kInvalidArgument);
    EXPECT_EQ(call("nvmlDeviceGetUUID", device(0), text, 8U), Return::kInsufficientSize);
    EXPECT_EQ(
        call("nvmlDeviceGetPowerUsage", device(0), static_cast<unsigned*>(nullptr)),
        Return::kInvalidArgument);
    EXPECT_EQ(
        call("nvmlDeviceGetPowerUsage", static_cast<Device>(nullptr), &number),
        Return::kInvalidArgument);
    EXPECT_EQ(call("nvmlDeviceSetMigMode", device(0), 1U, &number), Return::kNotSupported);
    abi::MemoryV2 memory;
    EXPECT_EQ(
        call("nvmlDeviceGetMemoryInfo_v2", device(0), &memory), Return::kArgumentVersionMismatch);
    const SimulatedMachine second("1xA30");
    EXPECT_EQ(call("reeve_nvml_sim_use", second.path().c_str()), Return::kInUse);
}

TEST_F(NvmlLibraryTest, FindsADeviceByEveryName) {
    const SimulatedMachine machine("2xA30");
    start(machine);
    for (const char* bus : {"00000000:2A:00.0", "0000:2a:00.0"}) {
        Device found = nullptr;
        EXPECT_EQ(call("nvmlDeviceGetHandleByPciBusId_v2", bus, &found), Return::kSuccess);
        EXPECT_EQ(found, device(1));
    }
    EXPECT_EQ(number("nvmlDeviceGetIndex", device(1)), 1U);
    abi::PciInfo pci;
    ASSERT_EQ(call("nvmlDeviceGetPciInfo_v3", device(1), &pci), Return::kSuccess);
    EXPECT_STREQ(pci.bus_id, "00000000:2A:00.0");
    EXPECT_STREQ(pci.bus_id_legacy, "0000:2A:00.0");
    EXPECT_EQ(pci.bus, 0x2aU);
    EXPECT_EQ(pci.device_id, 0x20b710deU);
}

TEST_F(NvmlLibraryTest, BothVersionsOfMemoryAgree) {
    const SimulatedMachine machine("1xRTX3080");
    start(machine);
    ASSERT_TRUE(simulated::set_use(
        machine.path(), "0", {.pid = static_cast<std::uint32_t>(::getpid()), .memory_mib = 100}));
    abi::MemoryV1 first;
    abi::MemoryV2 second;
    second.version = abi::version_of<abi::MemoryV2>(2);
    ASSERT_EQ(call("nvmlDeviceGetMemoryInfo", device(0), &first), Return::kSuccess);
    ASSERT_EQ(call("nvmlDeviceGetMemoryInfo_v2", device(0), &second), Return::kSuccess);
    EXPECT_EQ(first.total, second.total);
    EXPECT_EQ(first.free, second.free);
    EXPECT_EQ(first.used, second.used + second.reserved);
    EXPECT_EQ(second.total, second.free + second.used + second.reserved);
    EXPECT_EQ(second.used, 100ULL * 1024 * 1024);
}

TEST_F(NvmlLibraryTest, JoinsEightH100ByNvswitch) {
    const SimulatedMachine machine("8xH100");
    start(machine);
    EXPECT_EQ(number("nvmlDeviceGetP2PStatus", device(0), device(7), 2U), 0U);
    EXPECT_EQ(number("nvmlDeviceGetTopologyCommonAncestor", device(0), device(3)), 40U);
    EXPECT_EQ(number("nvmlDeviceGetTopologyCommonAncestor", device(0), device(4)), 50U);
    std::map<std::string, int> switches;
    for (unsigned link = 0; link < 18; ++link) {
        EXPECT_EQ(number("nvmlDeviceGetNvLinkState", device(0), link), 1U);
        EXPECT_EQ(number("nvmlDeviceGetNvLinkRemoteDeviceType", device(0), link), 2U);
        abi::PciInfo remote;
        ASSERT_EQ(
            call("nvmlDeviceGetNvLinkRemotePciInfo_v2", device(0), link, &remote),
            Return::kSuccess);
        ++switches[remote.bus_id];
    }
    EXPECT_EQ(switches.size(), 4U);
    unsigned state = 0;
    EXPECT_EQ(call("nvmlDeviceGetNvLinkState", device(0), 18U, &state), Return::kInvalidArgument);
    abi::FabricV3 fabric;
    fabric.version = abi::version_of<abi::FabricV3>(3);
    ASSERT_EQ(call("nvmlDeviceGetGpuFabricInfoV", device(0), &fabric), Return::kSuccess);
    EXPECT_EQ(fabric.state, 3U);
    EXPECT_EQ(fabric.health_summary, 1);
    unsigned count = 8;
    Device nearest[8] = {};
    ASSERT_EQ(
        call("nvmlDeviceGetTopologyNearestGpus", device(0), 40U, &count, nearest),
        Return::kSuccess);
    EXPECT_EQ(count, 3U);
}

TEST_F(NvmlLibraryTest, JoinsDesktopsByNothing) {
    const SimulatedMachine machine("4xRTX5090");
    start(machine);
    EXPECT_EQ(number("nvmlDeviceGetP2PStatus", device(0), device(1), 2U), 5U);
    EXPECT_EQ(number("nvmlDeviceGetP2PStatus", device(0), device(1), 0U), 1U);
    unsigned state = 0;
    EXPECT_EQ(call("nvmlDeviceGetNvLinkState", device(0), 0U, &state), Return::kNotSupported);
    EXPECT_EQ(call("nvmlDeviceGetEccMode", device(0), &state, &state), Return::kNotSupported);
}

TEST_F(NvmlLibraryTest, FieldsAreToldOneByOne) {
    const SimulatedMachine machine("1xA30");
    start(machine);
    abi::FieldValue values[3];
    values[0].field = 186;  // Power, now.
    values[1].field = 83;   // Energy: not simulated.
    values[2].field = 230;  // Recovery action.
    ASSERT_EQ(call("nvmlDeviceGetFieldValues", device(0), 3, values), Return::kSuccess);
    EXPECT_EQ(values[0].result, Return::kSuccess);
    EXPECT_EQ(values[0].value.unsigned_long, 30'000U);
    EXPECT_EQ(values[1].result, Return::kNotSupported);
    EXPECT_EQ(values[2].value.unsigned_long, 0U);
}

TEST_F(NvmlLibraryTest, AWaitForAnEventEndsWithItOrInTime) {
    const SimulatedMachine machine("2xA30");
    start(machine);
    abi::EventSet set = nullptr;
    ASSERT_EQ(call("nvmlEventSetCreate", &set), Return::kSuccess);
    ASSERT_EQ(
        call("nvmlDeviceRegisterEvents", device(1), abi::kEventXidCritical, set), Return::kSuccess);
    abi::EventData event;
    EXPECT_EQ(call("nvmlEventSetWait_v2", set, &event, 0U), Return::kTimeout);
    EXPECT_EQ(call("nvmlEventSetWait_v2", set, &event, 5U), Return::kTimeout);
    ASSERT_TRUE(simulated::report_xid(machine.path(), "0", 13));  // Nobody listens to that one.
    EXPECT_EQ(call("nvmlEventSetWait_v2", set, &event, 5U), Return::kTimeout);
    std::promise<pid_t> thread;
    auto waits = std::async(std::launch::async, [&] {
        thread.set_value(::gettid());
        return call("nvmlEventSetWait_v2", set, &event, 20'000U);
    });
    until_polling(thread.get_future().get());
    ASSERT_TRUE(simulated::report_xid(machine.path(), "1", 48));
    EXPECT_EQ(waits.get(), Return::kSuccess);
    EXPECT_EQ(event.device, device(1));
    EXPECT_EQ(event.data, 48U);
    EXPECT_EQ(call("nvmlEventSetFree", set), Return::kSuccess);
    EXPECT_EQ(call("nvmlEventSetFree", set), Return::kInvalidArgument);
    EXPECT_EQ(call("nvmlEventSetWait_v2", set, &event, 0U), Return::kInvalidArgument);
}

TEST_F(NvmlLibraryTest, ShowsWhatTheEnvironmentSaysAlone) {
    const SimulatedMachine machine("4xA30");
    const std::string second = machine.uuid(1);
    ASSERT_EQ(::setenv("REEVE_NVML_SIM", machine.path().c_str(), 1), 0);
    const auto count_with = [&](const std::string& shown) {
        EXPECT_EQ(::setenv("REEVE_NVML_SIM_GPUS", shown.c_str(), 1), 0);
        EXPECT_EQ(call("nvmlInit_v2"), Return::kSuccess);
        const unsigned count = number("nvmlDeviceGetCount_v2");
        Device found = nullptr;
        EXPECT_EQ(
            call("nvmlDeviceGetHandleByUUID", second.c_str(), &found),
            shown.find(second) == std::string::npos ? Return::kNotFound : Return::kSuccess);
        EXPECT_EQ(call("nvmlShutdown"), Return::kSuccess);
        return count;
    };
    EXPECT_EQ(count_with(""), 0U) << "as a job without GPUs";
    EXPECT_EQ(count_with(second), 1U);
    EXPECT_EQ(count_with(machine.uuid(3) + "," + second), 2U);
    EXPECT_EQ(count_with("GPU-of-another-node"), 0U);
    EXPECT_EQ(::setenv("REEVE_NVML_SIM_GPUS", "", 1), 0);
    start(machine);
    EXPECT_EQ(number("nvmlDeviceGetCount_v2"), 4U) << "who names the file sees all of it";
    ::unsetenv("REEVE_NVML_SIM");
    ::unsetenv("REEVE_NVML_SIM_GPUS");
}

TEST_F(NvmlLibraryTest, AnotherTopologyTakesTheDevicesAway) {
    const SimulatedMachine machine("2xA30");
    start(machine);
    const Device gone = device(1);
    ASSERT_TRUE(simulated::ensure_simulation(machine.path(), "1xL4", "other"));
    EXPECT_EQ(number("nvmlDeviceGetCount_v2"), 1U);
    unsigned watts = 0;
    EXPECT_EQ(call("nvmlDeviceGetPowerUsage", gone, &watts), Return::kGpuIsLost);
}

}  // namespace
}  // namespace reeve::gpu
