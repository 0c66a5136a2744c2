#pragma once

#include <cstddef>
#include <cstdint>

/// The binary interface of libnvidia-ml.so.1 (NVML 13, x86-64 and aarch64, LP64), declared anew
/// from its published sizes and offsets: the part that Reeve calls, and that its simulation
/// answers. Functions and their signatures: gpu/nvml/functions.hpp calls them,
/// gpu/simulated/library/ exports them.
namespace reeve::gpu::abi {

/// What every function but nvmlErrorString answers.
// NOLINTNEXTLINE(performance-enum-size): of the C interface.
enum class Return : std::int32_t {
    kSuccess = 0,
    kUninitialized = 1,
    kInvalidArgument = 2,
    kNotSupported = 3,
    kNoPermission = 4,
    kNotFound = 6,
    kInsufficientSize = 7,
    kDriverNotLoaded = 9,
    kTimeout = 10,
    kIrqIssue = 11,
    kLibraryNotFound = 12,
    kFunctionNotFound = 13,
    kCorruptedInforom = 14,
    kGpuIsLost = 15,
    kResetRequired = 16,
    kOperatingSystem = 17,
    kVersionMismatch = 18,  // Of the library and the kernel module.
    kInUse = 19,
    kMemory = 20,
    kNoData = 21,
    kArgumentVersionMismatch = 25,
    kNotReady = 27,
    kGpuNotFound = 28,
    kInvalidState = 29,
    kUnknown = 999,
};

// Opaque: only the library looks into them.
using Device = struct DeviceTag*;
using EventSet = struct EventSetTag*;

// Sizes of the buffers that callers must bring.
constexpr std::uint32_t kUuidBytes = 80;
constexpr std::uint32_t kUuidV2Bytes = 96;
constexpr std::uint32_t kNameBytes = 96;
constexpr std::uint32_t kSerialBytes = 30;
constexpr std::uint32_t kVersionBytes = 80;
constexpr std::uint32_t kVbiosBytes = 32;
constexpr std::uint32_t kPartNumberBytes = 80;
constexpr std::uint32_t kPciBusIdBytes = 32;
constexpr std::uint32_t kPciBusIdLegacyBytes = 16;

/// "No MIG" in the instance ids of a process.
constexpr std::uint32_t kNoInstance = 0xFFFFFFFFU;
/// The memory of a process that the driver does not tell.
constexpr std::uint64_t kMemoryNotAvailable = ~std::uint64_t{0};
constexpr std::uint64_t kEventXidCritical = 0x8;

// NOLINTNEXTLINE(performance-enum-size): of the C interface.
enum class Clock : std::uint32_t { kGraphics = 0, kSm = 1, kMemory = 2, kVideo = 3 };
// NOLINTNEXTLINE(performance-enum-size): of the C interface.
enum class TemperatureSensor : std::uint32_t { kGpu = 0 };
// NOLINTNEXTLINE(performance-enum-size): of the C interface.
enum class AffinityScope : std::uint32_t { kNode = 0, kSocket = 1 };

struct PciInfo {
    char bus_id_legacy[kPciBusIdLegacyBytes] = {};
    std::uint32_t domain = 0;
    std::uint32_t bus = 0;
    std::uint32_t device = 0;
    std::uint32_t device_id = 0;  // Device << 16 | vendor.
    std::uint32_t subsystem_id = 0;
    char bus_id[kPciBusIdBytes] = {};
};

struct PciInfoExt {
    std::uint32_t version = 0;
    std::uint32_t domain = 0;
    std::uint32_t bus = 0;
    std::uint32_t device = 0;
    std::uint32_t device_id = 0;
    std::uint32_t subsystem_id = 0;
    std::uint32_t base_class = 0;
    std::uint32_t sub_class = 0;
    char bus_id[kPciBusIdBytes] = {};
};

/// `used` counts what the driver reserves.
struct MemoryV1 {
    std::uint64_t total = 0;
    std::uint64_t free = 0;
    std::uint64_t used = 0;
};

struct MemoryV2 {
    std::uint32_t version = 0;
    std::uint64_t total = 0;
    std::uint64_t reserved = 0;
    std::uint64_t free = 0;
    std::uint64_t used = 0;
};

struct Bar1Memory {
    std::uint64_t total = 0;
    std::uint64_t free = 0;
    std::uint64_t used = 0;
};

struct Utilization {
    std::uint32_t gpu = 0;
    std::uint32_t memory = 0;
};

struct ProcessV1 {
    std::uint32_t pid = 0;
    std::uint64_t used_memory = 0;
};

/// Of the _v2 and _v3 lists.
struct Process {
    std::uint32_t pid = 0;
    std::uint64_t used_memory = 0;
    std::uint32_t gpu_instance = kNoInstance;
    std::uint32_t compute_instance = kNoInstance;
};

/// What early 535 drivers wrote into the _v3 list instead.
struct ProcessProtected {
    std::uint32_t pid = 0;
    std::uint64_t used_memory = 0;
    std::uint32_t gpu_instance = kNoInstance;
    std::uint32_t compute_instance = kNoInstance;
    std::uint64_t protected_memory = 0;
};

struct ProcessUtilization {
    std::uint32_t pid = 0;
    std::uint64_t timestamp_us = 0;
    std::uint32_t sm = 0;
    std::uint32_t memory = 0;
    std::uint32_t encoder = 0;
    std::uint32_t decoder = 0;
};

struct EventData {
    Device device = nullptr;
    std::uint64_t type = 0;
    std::uint64_t data = 0;  // Of an XID event: the XID.
    std::uint32_t gpu_instance = kNoInstance;
    std::uint32_t compute_instance = kNoInstance;
};

struct Temperature {
    std::uint32_t version = 0;
    TemperatureSensor sensor = TemperatureSensor::kGpu;
    std::int32_t celsius = 0;
};

union FieldNumber {
    double real;
    std::int32_t signed_int;
    std::uint32_t unsigned_int;
    std::uint64_t unsigned_long;
    std::int64_t signed_long;
};

// NOLINTNEXTLINE(performance-enum-size): of the C interface.
enum class FieldType : std::uint32_t { kUnsignedInt = 1, kUnsignedLongLong = 3 };

struct FieldValue {
    std::uint32_t field = 0;
    std::uint32_t scope = 0;
    std::int64_t timestamp_us = 0;
    std::int64_t latency_us = 0;
    FieldType type = FieldType::kUnsignedInt;
    Return result = Return::kSuccess;
    FieldNumber value = {};
};

struct FabricV1 {
    unsigned char cluster_uuid[16] = {};
    Return status = Return::kSuccess;
    std::uint32_t clique = 0;
    std::uint32_t state = 0;
};

struct FabricV2 {
    std::uint32_t version = 0;
    unsigned char cluster_uuid[16] = {};
    Return status = Return::kSuccess;
    std::uint32_t clique = 0;
    std::uint32_t state = 0;
    std::uint32_t health_mask = 0;
};

struct FabricV3 {
    std::uint32_t version = 0;
    unsigned char cluster_uuid[16] = {};
    Return status = Return::kSuccess;
    std::uint32_t clique = 0;
    std::uint32_t state = 0;
    std::uint32_t health_mask = 0;
    unsigned char health_summary = 0;
};

struct RowRemapperHistogram {
    std::uint32_t max = 0;
    std::uint32_t high = 0;
    std::uint32_t partial = 0;
    std::uint32_t low = 0;
    std::uint32_t none = 0;
};

/// The `version` of a versioned struct: its size, and its number above it.
template <class Struct>
constexpr std::uint32_t version_of(std::uint32_t number) noexcept {
    return static_cast<std::uint32_t>(sizeof(Struct)) | (number << 24U);
}

static_assert(sizeof(void*) == 8 && sizeof(unsigned long) == 8, "LP64 only");
static_assert(sizeof(PciInfo) == 68 && offsetof(PciInfo, device_id) == 28);
static_assert(offsetof(PciInfo, bus_id) == 36);
static_assert(sizeof(PciInfoExt) == 64 && offsetof(PciInfoExt, bus_id) == 32);
static_assert(sizeof(MemoryV1) == 24 && offsetof(MemoryV1, used) == 16);
static_assert(sizeof(MemoryV2) == 40 && offsetof(MemoryV2, used) == 32);
static_assert(version_of<MemoryV2>(2) == 0x02000028);
static_assert(sizeof(Bar1Memory) == 24 && sizeof(Utilization) == 8);
static_assert(sizeof(ProcessV1) == 16 && offsetof(ProcessV1, used_memory) == 8);
static_assert(sizeof(Process) == 24 && offsetof(Process, gpu_instance) == 16);
static_assert(sizeof(ProcessProtected) == 32);
static_assert(sizeof(ProcessUtilization) == 32 && offsetof(ProcessUtilization, sm) == 16);
static_assert(sizeof(EventData) == 32 && offsetof(EventData, data) == 16);
static_assert(sizeof(Temperature) == 12 && version_of<Temperature>(1) == 0x0100000c);
static_assert(sizeof(FieldValue) == 40 && offsetof(FieldValue, value) == 32);
static_assert(sizeof(FabricV1) == 28 && sizeof(FabricV2) == 36 && sizeof(FabricV3) == 40);
static_assert(offsetof(FabricV3, health_summary) == 36);
static_assert(sizeof(RowRemapperHistogram) == 20);

}  // namespace reeve::gpu::abi
