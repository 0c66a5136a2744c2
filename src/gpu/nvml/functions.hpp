#pragma once

#include <cstdint>

#include "gpu/nvml_abi.hpp"

namespace reeve::gpu::nvml {

/// The functions of a loaded library; null where it has none, under any of its names.
struct Functions {
    abi::Return (*init)() = nullptr;
    abi::Return (*shutdown)() = nullptr;
    abi::Return (*driver_version)(char*, unsigned) = nullptr;
    const char* (*error_text)(abi::Return) = nullptr;

    abi::Return (*device_count)(unsigned*) = nullptr;
    abi::Return (*handle_by_index)(unsigned, abi::Device*) = nullptr;
    abi::Return (*handle_by_uuid)(const char*, abi::Device*) = nullptr;
    abi::Return (*uuid)(abi::Device, char*, unsigned) = nullptr;
    abi::Return (*name)(abi::Device, char*, unsigned) = nullptr;
    abi::Return (*minor_number)(abi::Device, unsigned*) = nullptr;
    abi::Return (*pci_info)(abi::Device, abi::PciInfo*) = nullptr;
    abi::Return (*compute_capability)(abi::Device, int*, int*) = nullptr;
    abi::Return (*memory_affinity)(abi::Device, unsigned, std::uint64_t*, abi::AffinityScope) =
        nullptr;

    abi::Return (*memory_v2)(abi::Device, abi::MemoryV2*) = nullptr;
    abi::Return (*memory_v1)(abi::Device, abi::MemoryV1*) = nullptr;
    abi::Return (*utilization)(abi::Device, abi::Utilization*) = nullptr;
    abi::Return (*power)(abi::Device, unsigned*) = nullptr;
    abi::Return (*temperature_v)(abi::Device, abi::Temperature*) = nullptr;
    abi::Return (*temperature)(abi::Device, abi::TemperatureSensor, unsigned*) = nullptr;
    abi::Return (*clock)(abi::Device, abi::Clock, unsigned*) = nullptr;

    abi::Return (*event_set_create)(abi::EventSet*) = nullptr;
    abi::Return (*event_set_free)(abi::EventSet) = nullptr;
    abi::Return (*event_set_wait)(abi::EventSet, abi::EventData*, unsigned) = nullptr;
    abi::Return (*register_events)(abi::Device, std::uint64_t, abi::EventSet) = nullptr;
    abi::Return (*supported_events)(abi::Device, std::uint64_t*) = nullptr;

    /// One kind of process list: rows of 24 bytes (32 with some drivers) in _v3 and _v2, of 16 in
    /// the first version.
    struct ProcessList {
        abi::Return (*v3)(abi::Device, unsigned*, void*) = nullptr;
        abi::Return (*v2)(abi::Device, unsigned*, void*) = nullptr;
        abi::Return (*v1)(abi::Device, unsigned*, void*) = nullptr;
    };

    ProcessList compute;
    ProcessList graphics;
    ProcessList mps;

    // Of the simulation alone.
    int (*is_simulated)() = nullptr;
    abi::Return (*simulation_use)(const char*) = nullptr;
    const char* (*simulation_problem)() = nullptr;
    abi::Return (*simulation_unified_memory)(abi::Device, std::uint64_t*, std::uint64_t*) = nullptr;
};

/// Calls what may be missing: then the answer is that of a driver too old for it.
template <class... Parameters, class... Arguments>
[[nodiscard]] abi::Return call(abi::Return (*function)(Parameters...), Arguments... arguments) {
    return function == nullptr ? abi::Return::kFunctionNotFound : function(arguments...);
}

}  // namespace reeve::gpu::nvml
