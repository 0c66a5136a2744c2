// How devices are joined.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "gpu/simulated/library/session.hpp"

namespace abi = reeve::gpu::abi;
using abi::Device;
using abi::Return;
using namespace reeve::gpu::simulated;
using namespace reeve::gpu::simulated::library;

namespace {

// Levels of nvmlGpuTopologyLevel_t.
constexpr unsigned kSameDevice = 0;
constexpr unsigned kHostBridge = 30;
constexpr unsigned kSameNode = 40;
constexpr unsigned kSystem = 50;

// nvmlGpuP2PStatus_t and its index.
constexpr unsigned kP2pOk = 0;
constexpr unsigned kP2pChipset = 1;
constexpr unsigned kP2pNotSupported = 5;
constexpr unsigned kP2pIndexNvlink = 2;
constexpr unsigned kP2pIndexes = 5;

constexpr std::int64_t kHopper = 9;  // The first to tell of a fabric.
constexpr unsigned kFabricCompleted = 3;
constexpr unsigned char kFabricHealthy = 1;

constexpr unsigned kRemoteSwitch = 2;     // nvmlIntNvLinkDeviceType_t
constexpr std::uint32_t kNvswitches = 4;  // Of an HGX board; the links are spread over them.
constexpr std::uint32_t kNvswitchPciId = 0x22A310DE;
constexpr unsigned kNvlinkCapabilities = 6;
constexpr unsigned kNvlinkCapabilitySli = 4;

unsigned ancestor_of(const View& a, const View& b) {
    if (a.gpu.uuid == b.gpu.uuid) {
        return kSameDevice;
    }
    if (a.gpu.numa_node != b.gpu.numa_node) {
        return kSystem;
    }
    return a.model.has_fan ? kHostBridge : kSameNode;
}

unsigned p2p_of(const View& a, const View& b, unsigned index) {
    if (index == kP2pIndexNvlink) {
        return a.gpu.has_nvswitch && b.gpu.has_nvswitch ? kP2pOk : kP2pNotSupported;
    }
    // Desktop boards do not reach one another over PCIe.
    return a.model.has_fan || b.model.has_fan ? kP2pChipset : kP2pOk;
}

template <class Answer>
Return with_devices(Device first, Device second, const Answer& answer) {
    return with_device(first, [&](const View& a) {
        return with_device(second, [&](const View& b) { return answer(a, b); });
    });
}

/// `answer(view)` for a link that the model has.
template <class Answer>
Return with_link(Device device, unsigned link, const Answer& answer) {
    return with_device(device, [&](const View& view) {
        if (view.model.nvlinks == 0) {
            return Return::kNotSupported;
        }
        return link < view.model.nvlinks ? answer(view) : Return::kInvalidArgument;
    });
}

template <class Fabric>
void fill_fabric(const View& view, Fabric& fabric) {
    std::memset(fabric.cluster_uuid, 0, sizeof fabric.cluster_uuid);  // One board is one fabric.
    fabric.status = Return::kSuccess;
    fabric.clique = 0;
    fabric.state =
        view.gpu.has_nvswitch && view.model.architecture >= kHopper ? kFabricCompleted : 0;
}

}  // namespace

REEVE_NVML_EXPORT Return
nvmlDeviceGetTopologyCommonAncestor(Device first, Device second, unsigned* level) {
    return with_devices(
        first, second, [&](const View& a, const View& b) { return put(level, ancestor_of(a, b)); });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetTopologyNearestGpus(Device device, unsigned level, unsigned* count, Device* devices) {
    return with_device(device, [&](const View& view) {
        if (count == nullptr) {
            return Return::kInvalidArgument;
        }
        std::vector<Device> found;
        for (const Gpu& gpu : view.topology.gpus) {
            const View other{view.topology, gpu, view.topology.models.at(gpu.model)};
            if (gpu.uuid != view.gpu.uuid && !gpu.is_lost && ancestor_of(view, other) == level) {
                found.push_back(Session::get().handle_of(gpu.uuid));
            }
        }
        const unsigned room = *count;
        *count = static_cast<unsigned>(found.size());
        if (devices == nullptr || room < found.size()) {
            return found.empty() || devices == nullptr ? Return::kSuccess
                                                       : Return::kInsufficientSize;
        }
        std::ranges::copy(found, devices);
        return Return::kSuccess;
    });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetP2PStatus(Device first, Device second, unsigned index, unsigned* status) {
    return with_devices(first, second, [&](const View& a, const View& b) {
        return index < kP2pIndexes ? put(status, p2p_of(a, b, index)) : Return::kInvalidArgument;
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceOnSameBoard(Device first, Device second, int* is_same) {
    return with_devices(first, second, [&](const View& a, const View& b) {
        return put(is_same, a.gpu.uuid == b.gpu.uuid ? 1 : 0);
    });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetNvLinkState(Device device, unsigned link, unsigned* is_active) {
    return with_link(device, link, [&](const View& view) {
        return put(is_active, view.gpu.has_nvswitch ? 1 : 0);
    });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetNvLinkVersion(Device device, unsigned link, unsigned* version) {
    return with_link(
        device, link, [&](const View& view) { return put(version, view.model.nvlink_version); });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetNvLinkCapability(Device device, unsigned link, unsigned capability, unsigned* has) {
    return with_link(device, link, [&](const View&) {
        return capability < kNvlinkCapabilities
                   ? put(has, capability == kNvlinkCapabilitySli ? 0 : 1)
                   : Return::kInvalidArgument;
    });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetNvLinkRemotePciInfo_v2(Device device, unsigned link, abi::PciInfo* info) {
    return with_link(device, link, [&](const View& view) {
        if (!view.gpu.has_nvswitch) {
            return Return::kNotSupported;
        }
        abi::PciInfo remote;
        remote.bus = 5 + link % kNvswitches;
        remote.device_id = kNvswitchPciId;
        std::snprintf(
            remote.bus_id_legacy, sizeof remote.bus_id_legacy, "0000:%02X:00.0",
            remote.bus & 0xFFU);
        std::snprintf(
            remote.bus_id, sizeof remote.bus_id, "00000000:%02X:00.0", remote.bus & 0xFFU);
        return put(info, remote);
    });
}

REEVE_NVML_EXPORT Return
nvmlDeviceGetNvLinkRemoteDeviceType(Device device, unsigned link, unsigned* type) {
    return with_link(device, link, [&](const View& view) {
        return view.gpu.has_nvswitch ? put(type, kRemoteSwitch) : Return::kNotSupported;
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetNvLinkErrorCounter(
    Device device, unsigned link, unsigned /*counter*/, std::uint64_t* count) {
    return with_link(device, link, [&](const View&) { return put(count, 0); });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetGpuFabricInfo(Device device, abi::FabricV1* fabric) {
    return with_device(device, [&](const View& view) {
        if (fabric == nullptr) {
            return Return::kInvalidArgument;
        }
        fill_fabric(view, *fabric);
        return Return::kSuccess;
    });
}

REEVE_NVML_EXPORT Return nvmlDeviceGetGpuFabricInfoV(Device device, abi::FabricV3* fabric) {
    return with_device(device, [&](const View& view) {
        if (fabric == nullptr) {
            return Return::kInvalidArgument;
        }
        const bool is_third = fabric->version == abi::version_of<abi::FabricV3>(3);
        if (!is_third && fabric->version != abi::version_of<abi::FabricV2>(2)) {
            return Return::kArgumentVersionMismatch;
        }
        fill_fabric(view, *fabric);
        fabric->health_mask = 0;
        if (is_third) {  // The second version ends before this field.
            fabric->health_summary = fabric->state == kFabricCompleted ? kFabricHealthy : 0;
        }
        return Return::kSuccess;
    });
}
