// What is exported but not simulated. A caller passes what it likes: the arguments are not looked
// at, and on every machine that NVML exists for it is the caller who clears them away.
#include "gpu/nvml_abi.hpp"
#include "gpu/simulated/library/session.hpp"

using reeve::gpu::abi::Return;

extern "C" Return reeve_nvml_not_supported() {
    return Return::kNotSupported;
}

#define REEVE_NVML_NOT_SUPPORTED \
    REEVE_NVML_EXPORT __attribute__((alias("reeve_nvml_not_supported"))) Return

// Nothing can be set.
REEVE_NVML_NOT_SUPPORTED nvmlDeviceSetPowerManagementLimit();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceSetApplicationsClocks();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceSetComputeMode();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceSetPersistenceMode();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceSetMigMode();

// Needs a clock, or a history.
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetTotalEnergyConsumption();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetPcieThroughput();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetAccountingStats();

// Of Windows.
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetDriverModel();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetDriverModel_v2();

// Of the host, which is a real one.
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetCpuAffinity();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetCpuAffinityWithinScope();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetNumaNodeId();  // Only of devices that are a node themselves.

REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetBAR1MemoryInfo();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetRetiredPages();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetRetiredPagesPendingStatus();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetRowRemapperHistogram();

// MIG: no device is ever cut.
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetMigDeviceHandleByIndex();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetDeviceHandleFromMigDeviceHandle();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetGpuInstanceId();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetComputeInstanceId();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetAttributes_v2();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetGpuInstanceProfileInfo();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetGpuInstanceProfileInfoV();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetGpuInstancePossiblePlacements_v2();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetGpuInstanceRemainingCapacity();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceCreateGpuInstance();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceCreateGpuInstanceWithPlacement();
REEVE_NVML_NOT_SUPPORTED nvmlGpuInstanceDestroy();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetGpuInstances();
REEVE_NVML_NOT_SUPPORTED nvmlDeviceGetGpuInstanceById();
REEVE_NVML_NOT_SUPPORTED nvmlGpuInstanceGetInfo();
REEVE_NVML_NOT_SUPPORTED nvmlGpuInstanceGetComputeInstanceProfileInfo();
REEVE_NVML_NOT_SUPPORTED nvmlGpuInstanceGetComputeInstanceProfileInfoV();
REEVE_NVML_NOT_SUPPORTED nvmlGpuInstanceCreateComputeInstance();
REEVE_NVML_NOT_SUPPORTED nvmlGpuInstanceGetComputeInstances();
REEVE_NVML_NOT_SUPPORTED nvmlGpuInstanceGetComputeInstanceById();
REEVE_NVML_NOT_SUPPORTED nvmlComputeInstanceGetInfo_v2();
REEVE_NVML_NOT_SUPPORTED nvmlComputeInstanceDestroy();
