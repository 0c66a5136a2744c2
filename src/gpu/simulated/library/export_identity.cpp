// What a device is, and where it sits.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "gpu/simulated/library/session.hpp"

using reeve::gpu::abi::Device;
using reeve::gpu::abi::PciInfo;
using reeve::gpu::abi::PciInfoExt;
using reeve::gpu::abi::Return;
using namespace reeve::gpu::simulated;
using namespace reeve::gpu::simulated::library;

namespace {

constexpr std::uint32_t kVendorNvidia = 0x10DE;
constexpr const char* kSimulatedMark = "SIMULATED";  // Where a driver tells a board's own numbers.

struct Place {
    unsigned domain = 0;
    unsigned bus = 0;
    unsigned device = 0;
};

Place place_of(const std::string& bus_id) {
    Place place;
    std::sscanf(bus_id.c_str(), "%x:%x:%x", &place.domain, &place.bus, &place.device);
    return place;
}

PciInfo pci_info_of(const View& view) {
    const Place place = place_of(view.gpu.pci_bus_id);
    PciInfo info;
    info.domain = place.domain;
    info.bus = place.bus;
    info.device = place.device;
    info.device_id = (static_cast<std::uint32_t>(view.model.pci_device_id) << 16U) | kVendorNvidia;
    std::snprintf(
        info.bus_id_legacy, sizeof info.bus_id_legacy, "%04X:%02X:%02X.0", place.domain & 0xFFFFU,
        place.bus & 0xFFU, place.device & 0xFFU);
    std::snprintf(info.bus_id, sizeof info.bus_id, "%s", view.gpu.pci_bus_id.c_str());
    return info;
}

/// Sets bit `index` of a set that the caller gives in machine words.
Return put_bit(std::int64_t index, unsigned words, std::uint64_t* set) {
    if (set == nullptr || words == 0) {
        return Return::kInvalidArgument;
    }
    std::memset(set, 0, words * sizeof *set);
    if (index / 64 >= words) {
        return Return::kInsufficientSize;
    }
    set[index / 64] = std::uint64_t{1} << (static_cast<std::uint64_t>(index) % 64);
    return Return::kSuccess;
}

}  // namespace

REEVE_NVML_EXPORT Return nvmlDeviceGetIndex(Device device, unsigned* index) {
    return with_device(device, [&](const View& view) { return put(index, view.index()); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetMinorNumber(Device device, unsigned* minor) {
    return with_device(device, [&](const View& view) { return put(minor, view.gpu.minor); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetUUID(Device device, char* uuid, unsigned length) {
    return with_device(
        device, [&](const View& view) { return put_text(view.gpu.uuid, uuid, length); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetName(Device device, char* name, unsigned length) {
    return with_device(
        device, [&](const View& view) { return put_text(view.model.name, name, length); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetBrand(Device device, unsigned* brand) {
    return with_device(device, [&](const View& view) { return put(brand, view.model.brand); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetSerial(Device device, char* serial, unsigned length) {
    return with_device(device, [&](const View& view) {
        if (!view.model.has_ecc) {  // Only boards for servers tell one.
            return Return::kNotSupported;
        }
        const std::string text = kSimulatedMark + std::string("-") + std::to_string(view.index());
        return put_text(text, serial, length);
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetBoardPartNumber(Device device, char* text, unsigned length) {
    return with_device(device, [&](const View&) { return put_text(kSimulatedMark, text, length); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetVbiosVersion(Device device, char* text, unsigned length) {
    return with_device(device, [&](const View&) { return put_text(kSimulatedMark, text, length); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetArchitecture(Device device, unsigned* architecture) {
    return with_device(
        device, [&](const View& view) { return put(architecture, view.model.architecture); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetCudaComputeCapability(Device device, int* major, int* minor) {
    return with_device(device, [&](const View& view) {
        const Return first = put(major, view.model.compute_major);
        return first == Return::kSuccess ? put(minor, view.model.compute_minor) : first;
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetNumGpuCores(Device device, unsigned* cores) {
    return with_device(device, [&](const View& view) { return put(cores, view.model.cores); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetVirtualizationMode(Device device, unsigned* mode) {
    return with_device(device, [&](const View&) { return put(mode, 0); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetPciInfo_v3(Device device, PciInfo* info) {
    return with_device(device, [&](const View& view) { return put(info, pci_info_of(view)); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetPciInfoExt(Device device, PciInfoExt* info) {
    return with_device(device, [&](const View& view) {
        if (info == nullptr) {
            return Return::kInvalidArgument;
        }
        if (info->version != reeve::gpu::abi::version_of<PciInfoExt>(1)) {
            return Return::kArgumentVersionMismatch;
        }
        const PciInfo plain = pci_info_of(view);
        info->domain = plain.domain;
        info->bus = plain.bus;
        info->device = plain.device;
        info->device_id = plain.device_id;
        info->subsystem_id = 0;
        info->base_class = 3;                          // PCI: display controller,
        info->sub_class = view.model.has_fan ? 0 : 2;  // VGA or 3D.
        std::memcpy(info->bus_id, plain.bus_id, sizeof info->bus_id);
        return Return::kSuccess;
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetMemoryAffinity(
    Device device, unsigned words, std::uint64_t* nodes, unsigned /*scope*/) {
    return with_device(
        device, [&](const View& view) { return put_bit(view.gpu.numa_node, words, nodes); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetMaxPcieLinkGeneration(Device device, unsigned* generation) {
    return with_device(
        device, [&](const View& view) { return put(generation, view.model.pcie_generation); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetCurrPcieLinkGeneration(Device device, unsigned* generation) {
    return with_device(device, [&](const View& view) {
        // An idle link falls back to the first generation.
        return put(generation, view.utilization() == 0 ? 1 : view.model.pcie_generation);
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetMaxPcieLinkWidth(Device device, unsigned* width) {
    return with_device(device, [&](const View&) { return put(width, 16); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetCurrPcieLinkWidth(Device device, unsigned* width) {
    return with_device(device, [&](const View&) { return put(width, 16); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetPcieReplayCounter(Device device, unsigned* count) {
    return with_device(device, [&](const View&) { return put(count, 0); });
}
