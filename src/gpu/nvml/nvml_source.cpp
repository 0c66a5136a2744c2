#include "gpu/nvml/nvml_source.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "gpu/nvml/library.hpp"
#include "gpu/nvml/process_list.hpp"
#include "platform/files.hpp"

namespace reeve::gpu::nvml {

namespace {

using abi::Return;

constexpr std::uint64_t kMib = 1024ULL * 1024;
constexpr std::size_t kSmallFileMax = 64U << 10U;
constexpr int kXidsMost = 1000;  // At one poll; the rest comes with the next.

/// Answers of a library that can tell nothing of any device any more.
bool is_of_driver(Return result) {
    return result == Return::kUninitialized || result == Return::kDriverNotLoaded ||
           result == Return::kVersionMismatch;
}

/// Answers by which a device says that it cannot be used.
bool is_of_device(Return result) {
    return result == Return::kGpuIsLost || result == Return::kResetRequired ||
           result == Return::kIrqIssue || result == Return::kGpuNotFound ||
           result == Return::kUnknown;
}

/// Why the driver answers so, and what mends it where there is something to do.
std::string reason_of(const Library& library, Return result) {
    if (library.functions().simulation_problem != nullptr) {
        return std::string("it is simulated, and ") + library.functions().simulation_problem();
    }
    std::string text = library.text_of(result);
    switch (static_cast<int>(result)) {
        case static_cast<int>(Return::kDriverNotLoaded):
            return text + "; load it with `modprobe nvidia`, and see `dmesg` if that fails";
        case static_cast<int>(Return::kVersionMismatch):
            return text +
                   "; the driver was updated under a running kernel module: restart the machine";
        case static_cast<int>(Return::kNoPermission):
            return text + "; this user may not open /dev/nvidiactl and /dev/nvidia0";
        default: return text;
    }
}

std::string trouble_of(const Library& library, Return result) {
    switch (static_cast<int>(result)) {
        case static_cast<int>(Return::kGpuIsLost):     return "the GPU has fallen off the bus";
        case static_cast<int>(Return::kResetRequired): return "the GPU needs a reset";
        case static_cast<int>(Return::kIrqIssue):      return "the GPU's interrupts are in trouble";
        case static_cast<int>(Return::kGpuNotFound):   return "the driver no longer has the GPU";
        default:                                       return library.text_of(result);
    }
}

struct Memory {
    std::int64_t total_mib = 0;  // Less what the driver reserves.
    std::int64_t used_mib = 0;
};

struct Device {
    model::GpuDescription description;
    abi::Device handle = nullptr;  // Null after it was lost: asked for anew.
    bool has_events = false;
};

/// "MemTotal:  16384 kB" -> 16 MiB.
std::optional<std::int64_t> meminfo_mib(const std::string& text, std::string_view key) {
    const std::size_t at = text.find(std::string(key) + ":");
    if (at == std::string::npos) {
        return std::nullopt;
    }
    const std::size_t begin = text.find_first_of("0123456789", at);
    const std::size_t end = text.find_first_not_of("0123456789", begin);
    if (begin == std::string::npos || end == std::string::npos) {
        return std::nullopt;
    }
    const Result<std::int64_t> kib = parse_integer(text.substr(begin, end - begin));
    return kib ? std::optional(*kib / 1024) : std::nullopt;
}

class NvmlSource final : public model::GpuSource {
  public:
    NvmlSource(Library library, NvmlOptions options)
        : library_(std::move(library)),
          options_(std::move(options)),
          is_simulated_(f().is_simulated != nullptr) {
        char version[abi::kVersionBytes] = {};
        if (call(f().driver_version, version, abi::kVersionBytes) == Return::kSuccess) {
            driver_version_ = version;
        }
        // Without a set (an old library) there are just no XIDs to tell of.
        if (call(f().event_set_create, &events_) != Return::kSuccess) {
            events_ = nullptr;
        }
    }

    ~NvmlSource() override {
        // What a library answers to its own end changes nothing for us.
        if (events_ != nullptr) {
            static_cast<void>(call(f().event_set_free, events_));
        }
        static_cast<void>(call(f().shutdown));
    }

    NvmlSource(const NvmlSource&) = delete;
    NvmlSource& operator=(const NvmlSource&) = delete;
    NvmlSource(NvmlSource&&) = delete;
    NvmlSource& operator=(NvmlSource&&) = delete;

    Result<std::vector<model::GpuDescription>> describe() override;
    Result<std::vector<model::GpuSample>> sample() override;
    Result<std::vector<model::GpuXid>> poll_xids() override;

    [[nodiscard]] std::string driver_version() const override { return driver_version_; }

  private:
    [[nodiscard]] const Functions& f() const { return library_.functions(); }

    [[nodiscard]] tl::unexpected<Error> failed(const std::string& what, Return result) const {
        return fail(ErrorCode::kUnavailable, what + ": " + reason_of(library_, result));
    }

    void add_device(unsigned index);
    void register_events(Device& device);
    void locate(model::GpuDescription& description, abi::Device handle) const;
    [[nodiscard]] std::int32_t numa_node_of(
        const std::string& pci_bus_id, abi::Device handle) const;
    [[nodiscard]] Return memory_of(abi::Device handle, std::optional<Memory>& out) const;
    [[nodiscard]] Return unified_memory_of(abi::Device handle, std::optional<Memory>& out) const;
    [[nodiscard]] Return find_again(Device& device);
    [[nodiscard]] Return sample_device(Device& device, model::GpuSample& sample);
    [[nodiscard]] Return sample_figures(abi::Device handle, model::GpuSample& sample) const;
    [[nodiscard]] Return sample_processes(abi::Device handle, model::GpuSample& sample) const;

    void warn(const std::string& text) const {
        if (options_.on_warning) {
            options_.on_warning(text);
        }
    }

    Library library_;
    NvmlOptions options_;
    bool is_simulated_;
    std::string driver_version_;
    abi::EventSet events_ = nullptr;
    std::vector<Device> devices_;                  // By UUID.
    std::map<abi::Device, std::string> uuids_of_;  // Of every handle ever given, for events.
};

Result<std::vector<model::GpuDescription>> NvmlSource::describe() {
    unsigned count = 0;
    if (const Return result = call(f().device_count, &count); result != Return::kSuccess) {
        return failed("the NVIDIA driver cannot count its GPUs", result);
    }
    for (unsigned i = 0; i < count; ++i) {
        add_device(i);
    }
    std::ranges::sort(devices_, {}, [](const Device& d) { return d.description.uuid; });
    std::vector<model::GpuDescription> out;
    out.reserve(devices_.size());
    for (const Device& device : devices_) {
        out.push_back(device.description);
    }
    return out;
}

void NvmlSource::add_device(unsigned index) {
    abi::Device handle = nullptr;
    char uuid[abi::kUuidV2Bytes] = {};
    Return result = call(f().handle_by_index, index, &handle);
    if (result == Return::kSuccess) {
        result = call(f().uuid, handle, uuid, abi::kUuidV2Bytes);
    }
    if (result != Return::kSuccess) {
        // One that was known before keeps its description; sample() tells of its trouble.
        warn(
            "GPU " + std::to_string(index) +
            " cannot be described: " + trouble_of(library_, result));
        return;
    }
    uuids_of_[handle] = uuid;
    const auto known = std::ranges::find_if(
        devices_, [&](const Device& device) { return device.description.uuid == uuid; });
    if (known != devices_.end()) {
        return;
    }
    Device device{
        .description = {.uuid = uuid, .model = "unknown"},
          .handle = handle
    };
    device.description.is_simulated = is_simulated_;
    char name[abi::kNameBytes] = {};
    if (call(f().name, handle, name, abi::kNameBytes) == Return::kSuccess) {
        device.description.model = name;
    }
    locate(device.description, handle);
    std::optional<Memory> memory;
    static_cast<void>(memory_of(handle, memory));  // Its trouble comes with the first sample.
    device.description.total_mib = memory ? memory->total_mib : 0;
    register_events(device);
    devices_.push_back(std::move(device));
}

void NvmlSource::locate(model::GpuDescription& description, abi::Device handle) const {
    abi::PciInfo pci;
    if (call(f().pci_info, handle, &pci) == Return::kSuccess) {
        pci.bus_id[sizeof pci.bus_id - 1] = '\0';
        description.pci_bus_id = pci.bus_id;
    }
    unsigned minor = 0;
    if (call(f().minor_number, handle, &minor) == Return::kSuccess) {
        description.minor = static_cast<std::int32_t>(minor);
    }
    int compute_major = 0;
    int compute_minor = 0;
    if (call(f().compute_capability, handle, &compute_major, &compute_minor) == Return::kSuccess) {
        description.compute_major = compute_major;
        description.compute_minor = compute_minor;
    }
    description.numa_node = numa_node_of(description.pci_bus_id, handle);
}

std::int32_t NvmlSource::numa_node_of(const std::string& pci_bus_id, abi::Device handle) const {
    std::uint64_t nodes[16] = {};
    if (call(f().memory_affinity, handle, 16U, nodes, abi::AffinityScope::kNode) ==
        Return::kSuccess) {
        for (std::size_t i = 0; i < std::size(nodes); ++i) {
            if (nodes[i] != 0) {
                return static_cast<std::int32_t>(i * 64) + std::countr_zero(nodes[i]);
            }
        }
    }
    // A simulated device is none of the real machine's. The kernel writes four digits of domain, in
    // small letters; NVML eight, in capitals.
    if (is_simulated_ || pci_bus_id.size() < 8) {
        return -1;
    }
    std::string name = pci_bus_id.substr(4);
    std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    const Result<std::string> text = platform::read_file(
        options_.sysfs_root + "/bus/pci/devices/" + name + "/numa_node", kSmallFileMax);
    const Result<std::int64_t> node =
        parse_integer(text ? text->substr(0, text->find('\n')) : "-1");
    return node && *node >= 0 ? static_cast<std::int32_t>(*node) : -1;
}

Return NvmlSource::memory_of(abi::Device handle, std::optional<Memory>& out) const {
    const auto mib = [](std::uint64_t bytes) { return static_cast<std::int64_t>(bytes / kMib); };
    const auto mib_up = [&](std::uint64_t bytes) { return mib(bytes + kMib - 1); };
    abi::MemoryV2 v2;
    v2.version = abi::version_of<abi::MemoryV2>(2);
    Return result = call(f().memory_v2, handle, &v2);
    if (result == Return::kSuccess && v2.total > 0) {
        out = Memory{
            .total_mib = mib(v2.total - std::min(v2.reserved, v2.total)),
            .used_mib = mib_up(v2.used)};
        return result;
    }
    if (result == Return::kFunctionNotFound || result == Return::kArgumentVersionMismatch) {
        abi::MemoryV1 v1;
        result = call(f().memory_v1, handle, &v1);
        if (result == Return::kSuccess && v1.total > 0) {
            out = Memory{.total_mib = mib(v1.total), .used_mib = mib_up(v1.used)};
            return result;
        }
    }
    const bool is_unified = result == Return::kNotSupported || result == Return::kSuccess;
    return is_unified ? unified_memory_of(handle, out) : result;
}

/// A device that has no memory of its own uses the host's.
Return NvmlSource::unified_memory_of(abi::Device handle, std::optional<Memory>& out) const {
    std::uint64_t total = 0;
    std::uint64_t used = 0;
    if (is_simulated_) {
        const Return result = call(f().simulation_unified_memory, handle, &total, &used);
        if (result == Return::kSuccess) {
            out = Memory{
                .total_mib = static_cast<std::int64_t>(total / kMib),
                .used_mib = static_cast<std::int64_t>(used / kMib)};
        }
        return result;
    }
    const Result<std::string> text = platform::read_file(options_.meminfo, kSmallFileMax);
    const auto all = text ? meminfo_mib(*text, "MemTotal") : std::nullopt;
    const auto available = text ? meminfo_mib(*text, "MemAvailable") : std::nullopt;
    if (!all || !available) {
        return Return::kNotSupported;
    }
    out = Memory{.total_mib = *all, .used_mib = *all - *available};
    return Return::kSuccess;
}

void NvmlSource::register_events(Device& device) {
    std::uint64_t supported = 0;
    device.has_events = events_ != nullptr &&
                        call(f().supported_events, device.handle, &supported) == Return::kSuccess &&
                        (supported & abi::kEventXidCritical) != 0 &&
                        call(f().register_events, device.handle, abi::kEventXidCritical, events_) ==
                            Return::kSuccess;
}

/// A device that was lost may have come back, under a new handle.
Return NvmlSource::find_again(Device& device) {
    abi::Device handle = nullptr;
    const Return result = call(f().handle_by_uuid, device.description.uuid.c_str(), &handle);
    if (result == Return::kSuccess) {
        device.handle = handle;
        uuids_of_[handle] = device.description.uuid;
        register_events(device);
    }
    return result == Return::kNotFound ? Return::kGpuNotFound : result;
}

Result<std::vector<model::GpuSample>> NvmlSource::sample() {
    std::vector<model::GpuSample> out;
    for (Device& device : devices_) {
        model::GpuSample sample;
        Return result = device.handle == nullptr ? find_again(device) : Return::kSuccess;
        if (result == Return::kSuccess) {
            result = sample_device(device, sample);
        }
        if (is_of_driver(result)) {
            return failed("the NVIDIA driver stopped answering", result);
        }
        if (is_of_device(result)) {
            device.handle = nullptr;
            sample = {};
            sample.trouble = trouble_of(library_, result);
        }
        sample.uuid = device.description.uuid;
        out.push_back(std::move(sample));
    }
    return out;
}

Return NvmlSource::sample_device(Device& device, model::GpuSample& sample) {
    const Return result = sample_figures(device.handle, sample);
    return result == Return::kSuccess ? sample_processes(device.handle, sample) : result;
}

/// Fills in what the device tells. The first answer that is of the driver or of the device, or
/// kSuccess: any other one only leaves its figure absent.
Return NvmlSource::sample_figures(abi::Device handle, model::GpuSample& sample) const {
    Return worst = Return::kSuccess;
    const auto told = [&](Return result) {
        if (worst == Return::kSuccess && (is_of_driver(result) || is_of_device(result))) {
            worst = result;
        }
        return result == Return::kSuccess;
    };
    const auto number = [&](std::optional<std::int64_t>& into, auto function, auto... arguments) {
        unsigned value = 0;
        if (told(call(function, handle, arguments..., &value))) {
            into = value;
        }
    };
    std::optional<Memory> memory;
    if (told(memory_of(handle, memory)) && memory) {
        sample.memory_total_mib = memory->total_mib;
        sample.memory_used_mib = memory->used_mib;
    }
    abi::Utilization utilization;
    if (told(call(f().utilization, handle, &utilization))) {
        sample.utilization_percent = utilization.gpu;
    }
    abi::Temperature temperature;
    temperature.version = abi::version_of<abi::Temperature>(1);
    if (told(call(f().temperature_v, handle, &temperature))) {
        sample.temperature_celsius = temperature.celsius;
    } else {
        number(sample.temperature_celsius, f().temperature, abi::TemperatureSensor::kGpu);
    }
    number(sample.power_milliwatts, f().power);
    number(sample.sm_clock_mhz, f().clock, abi::Clock::kSm);
    number(sample.memory_clock_mhz, f().clock, abi::Clock::kMemory);
    return worst;
}

Return NvmlSource::sample_processes(abi::Device handle, model::GpuSample& sample) const {
    for (const Functions::ProcessList* list : {&f().compute, &f().graphics, &f().mps}) {
        Return result = Return::kSuccess;
        std::vector<model::GpuProcess> processes = read_processes(*list, handle, result);
        if (is_of_driver(result) || is_of_device(result)) {
            return result;
        }
        for (model::GpuProcess& process : processes) {
            process.is_graphics = list == &f().graphics;
            sample.processes.push_back(std::move(process));
        }
    }
    sample.processes = merge_processes(std::move(sample.processes));
    return Return::kSuccess;
}

Result<std::vector<model::GpuXid>> NvmlSource::poll_xids() {
    std::vector<model::GpuXid> out;
    for (int i = 0; events_ != nullptr && i < kXidsMost; ++i) {
        abi::EventData event;
        const Return result = call(f().event_set_wait, events_, &event, 0U);
        // A lost device may end the wait with its own trouble, which sample() tells of.
        if (result == Return::kTimeout || result == Return::kFunctionNotFound ||
            is_of_device(result)) {
            break;
        }
        if (result != Return::kSuccess) {
            return failed("the NVIDIA driver does not tell of errors of its GPUs", result);
        }
        const auto uuid = uuids_of_.find(event.device);
        if (event.type == abi::kEventXidCritical && uuid != uuids_of_.end()) {
            out.push_back({.uuid = uuid->second, .xid = static_cast<std::int64_t>(event.data)});
        }
    }
    return out;
}

}  // namespace

Result<std::unique_ptr<model::GpuSource>> open_nvml(const NvmlOptions& options) {
    Result<Library> library = Library::load(options.library);
    if (!library) {
        return tl::unexpected(library.error());
    }
    const Functions& functions = library->functions();
    if (!options.simulation_state.empty()) {
        const Return used = call(functions.simulation_use, options.simulation_state.c_str());
        if (used == Return::kFunctionNotFound) {
            return fail(
                ErrorCode::kUnavailable, options.library + " is not the simulation of GPUs");
        }
        if (used != Return::kSuccess) {
            return fail(
                ErrorCode::kUnavailable,
                "the simulation of GPUs already shows another machine to this process");
        }
    }
    if (const Return result = functions.init(); result != Return::kSuccess) {
        return fail(
            ErrorCode::kUnavailable,
            "the NVIDIA driver does not start: " + reason_of(*library, result));
    }
    return std::make_unique<NvmlSource>(std::move(*library), options);
}

}  // namespace reeve::gpu::nvml
