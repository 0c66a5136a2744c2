#include "gpu/simulated/library/session.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/text.hpp"
#include "gpu/simulated/simulation.hpp"

namespace reeve::gpu::simulated::library {

using abi::Return;

namespace {

/// As kShownVariable says.
std::optional<std::set<std::string>> shown_to_this_process() {
    const char* text = std::getenv(kShownVariable);
    if (text == nullptr) {
        return std::nullopt;
    }
    const std::vector<std::string> uuids = split(text, ',');
    return std::set<std::string>(uuids.begin(), uuids.end());
}

}  // namespace

Session& Session::get() {
    static Session session;
    return session;
}

Return Session::use(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (users_ > 0 && path != path_) {
        return Return::kInUse;
    }
    path_ = path;
    return Return::kSuccess;
}

Return Session::init() {
    const std::lock_guard lock(mutex_);
    if (path_.empty()) {
        const char* path = std::getenv(kStateVariable);
        path_ = path == nullptr ? "" : path;
        shown_ = shown_to_this_process();
    }
    if (path_.empty()) {
        problem_ = std::string(kStateVariable) + " does not name a state file";
        return Return::kDriverNotLoaded;
    }
    ++users_;
    const Topology* topology = nullptr;
    const Return result = read_state(topology);
    if (result != Return::kSuccess) {
        --users_;
    }
    return result;
}

Return Session::shutdown() {
    const std::lock_guard lock(mutex_);
    if (users_ == 0) {
        return Return::kUninitialized;
    }
    if (--users_ == 0) {
        event_sets_.clear();
        file_.reset();
        path_.clear();
        shown_.reset();
    }
    return Return::kSuccess;
}

const char* Session::problem() {
    const std::lock_guard lock(mutex_);
    return problem_.c_str();
}

std::string Session::path() {
    const std::lock_guard lock(mutex_);
    return path_;
}

Return Session::read_state(const Topology*& topology) {
    if (users_ == 0) {
        return Return::kUninitialized;
    }
    if (!file_) {
        file_.emplace(path_, shown_);
    }
    const Result<const Topology*> current = file_->current();
    if (!current) {
        problem_ = current.error().message;
        return Return::kDriverNotLoaded;
    }
    topology = *current;
    problem_.clear();
    return Return::kSuccess;
}

Return Session::find_device(const Topology& topology, abi::Device device, const Gpu*& gpu) {
    const auto known = std::ranges::find_if(
        devices_, [&](const auto& entry) { return entry.second.get() == device; });
    if (known == devices_.end()) {
        return Return::kInvalidArgument;
    }
    const auto found = std::ranges::find(topology.gpus, known->first, &Gpu::uuid);
    if (found == topology.gpus.end() || found->is_lost) {
        return Return::kGpuIsLost;
    }
    gpu = &*found;
    return Return::kSuccess;
}

abi::Device Session::handle_of(const std::string& uuid) {
    const std::lock_guard lock(mutex_);
    auto& device = devices_[uuid];
    if (device == nullptr) {
        device = std::make_unique<abi::DeviceTag>(abi::DeviceTag{.uuid = uuid});
    }
    return device.get();
}

abi::EventSet Session::create_event_set() {
    const std::lock_guard lock(mutex_);
    event_sets_.push_back(std::make_unique<abi::EventSetTag>());
    return event_sets_.back().get();
}

Return Session::free_event_set(abi::EventSet set) {
    const std::lock_guard lock(mutex_);
    const auto gone =
        std::erase_if(event_sets_, [&](const auto& known) { return known.get() == set; });
    return gone == 1 ? Return::kSuccess : Return::kInvalidArgument;
}

Return Session::register_events(abi::Device device, abi::EventSet set) {
    return with_device(device, [&](const View& view) {
        if (std::ranges::find(event_sets_, set, &std::unique_ptr<abi::EventSetTag>::get) ==
            event_sets_.end()) {
            return Return::kInvalidArgument;
        }
        // A second registration changes nothing: what was not delivered yet still will be.
        set->next_xid_of.try_emplace(view.gpu.uuid, view.topology.next_xid);
        return Return::kSuccess;
    });
}

Return Session::next_event(abi::EventSet set, abi::EventData& out) {
    return with_topology([&](const Topology& topology) {
        if (std::ranges::find(event_sets_, set, &std::unique_ptr<abi::EventSetTag>::get) ==
            event_sets_.end()) {
            return Return::kInvalidArgument;
        }
        for (const Xid& xid : topology.xids) {
            const auto next = set->next_xid_of.find(xid.uuid);
            if (next == set->next_xid_of.end() || xid.sequence < next->second) {
                continue;
            }
            next->second = xid.sequence + 1;
            out = {
                .device = handle_of(xid.uuid),
                .type = abi::kEventXidCritical,
                .data = static_cast<std::uint64_t>(xid.xid),
                .gpu_instance = abi::kNoInstance,
                .compute_instance = abi::kNoInstance,
            };
            return Return::kSuccess;
        }
        return Return::kTimeout;
    });
}

Return put_text(std::string_view text, char* out, std::uint32_t length) {
    if (out == nullptr) {
        return Return::kInvalidArgument;
    }
    if (text.size() + 1 > length) {
        return Return::kInsufficientSize;
    }
    std::memcpy(out, text.data(), text.size());
    out[text.size()] = '\0';
    return Return::kSuccess;
}

}  // namespace reeve::gpu::simulated::library
