#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gpu/nvml_abi.hpp"
#include "gpu/simulated/behaviour.hpp"
#include "gpu/simulated/state_file.hpp"
#include "gpu/simulated/topology.hpp"

/// An exported function of libreeve-nvml-sim.so.
#define REEVE_NVML_EXPORT extern "C" __attribute__((visibility("default")))

namespace reeve::gpu::abi {

/// What a handle points to: the same for as long as the library is loaded, whatever the file says.
struct DeviceTag {
    std::string uuid;
};

/// Delivers each XID of a registered device once, from the registration on.
struct EventSetTag {
    std::map<std::string, std::uint64_t> next_xid_of;  // By UUID: the next sequence to look at.
};

}  // namespace reeve::gpu::abi

namespace reeve::gpu::simulated::library {

/// One device at the moment of one call.
struct View {
    const Topology& topology;
    const Gpu& gpu;
    const GpuModel& model;

    [[nodiscard]] std::vector<ProcessUse> processes() const { return alive(gpu.processes); }

    [[nodiscard]] std::int64_t utilization() const { return utilization_percent(processes()); }

    [[nodiscard]] std::size_t index() const {
        return static_cast<std::size_t>(&gpu - topology.gpus.data());
    }
};

/// What one process has loaded: a state file, and the handles given out. Any thread; one lock.
class Session {
  public:
    /// The one of this process. Ends when the library is unloaded, or with the process.
    [[nodiscard]] static Session& get();

    /// Names the state file, in place of that of REEVE_NVML_SIM, and shows all of it. kInUse if
    /// another one is in use.
    [[nodiscard]] abi::Return use(const std::string& path);

    [[nodiscard]] abi::Return init();
    [[nodiscard]] abi::Return shutdown();

    /// Why the last call could not read the state file, or "".
    [[nodiscard]] const char* problem();

    [[nodiscard]] abi::Device handle_of(const std::string& uuid);
    [[nodiscard]] abi::EventSet create_event_set();
    [[nodiscard]] abi::Return free_event_set(abi::EventSet set);
    [[nodiscard]] abi::Return register_events(abi::Device device, abi::EventSet set);

    /// The oldest XID that the set has not delivered. kTimeout if there is none.
    [[nodiscard]] abi::Return next_event(abi::EventSet set, abi::EventData& out);

    [[nodiscard]] std::string path();

    /// `answer(topology)`, on what the file says now.
    template <class Answer>
    [[nodiscard]] abi::Return with_topology(const Answer& answer) {
        try {
            const std::lock_guard lock(mutex_);
            if (answering_ != nullptr) {  // An answer asks again: of the same state.
                return answer(*answering_);
            }
            const abi::Return read = read_state(answering_);
            const abi::Return result = read == abi::Return::kSuccess ? answer(*answering_) : read;
            answering_ = nullptr;
            return result;
        } catch (const std::bad_alloc&) {  // No exception may cross the C interface.
            answering_ = nullptr;
            return abi::Return::kMemory;
        }
    }

    /// `answer(view)`, unless the handle is of no device or the device is lost.
    template <class Answer>
    [[nodiscard]] abi::Return with_device(abi::Device device, const Answer& answer) {
        return with_topology([&](const Topology& topology) {
            const Gpu* gpu = nullptr;
            const abi::Return found = find_device(topology, device, gpu);
            if (found != abi::Return::kSuccess) {
                return found;
            }
            return answer(View{topology, *gpu, topology.models.at(gpu->model)});
        });
    }

  private:
    [[nodiscard]] abi::Return read_state(const Topology*& topology);
    [[nodiscard]] abi::Return find_device(
        const Topology& topology, abi::Device device, const Gpu*& gpu);

    std::recursive_mutex mutex_;           // Answers ask for handles, and of a second device.
    const Topology* answering_ = nullptr;  // During an answer: what the file said at its start.
    std::int64_t users_ = 0;               // Calls of init less those of shutdown.
    std::string path_;
    std::optional<std::set<std::string>> shown_;  // UUIDs; absent: all.
    std::string problem_;
    std::optional<StateFile> file_;
    std::map<std::string, std::unique_ptr<abi::DeviceTag>> devices_;
    std::vector<std::unique_ptr<abi::EventSetTag>> event_sets_;
};

template <class Answer>
[[nodiscard]] abi::Return with_topology(const Answer& answer) {
    return Session::get().with_topology(answer);
}

template <class Answer>
[[nodiscard]] abi::Return with_device(abi::Device device, const Answer& answer) {
    return Session::get().with_device(device, answer);
}

/// Puts `value` where a caller wants it. kInvalidArgument for nowhere.
template <class Out, class Value>
[[nodiscard]] abi::Return put(Out* out, Value value) {
    if (out == nullptr) {
        return abi::Return::kInvalidArgument;
    }
    *out = static_cast<Out>(value);
    return abi::Return::kSuccess;
}

/// kNotSupported for what the model does not have.
template <class Out>
[[nodiscard]] abi::Return put(Out* out, std::optional<std::int64_t> value) {
    return value ? put(out, *value) : abi::Return::kNotSupported;
}

/// With its end mark. kInsufficientSize if it does not fit.
[[nodiscard]] abi::Return put_text(std::string_view text, char* out, std::uint32_t length);

}  // namespace reeve::gpu::simulated::library
