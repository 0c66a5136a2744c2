#include "scheduler/device_sets.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace reeve::scheduler {

using model::accepts;
using model::GpuAmount;

namespace {

auto order_of(const DeviceState& device) {
    return std::tuple(device.model, device.total_mib, device.free.milli, device.free.memory_mib);
}

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
    constexpr std::uint64_t kPrime = 0x9E3779B97F4A7C15ULL;
    const std::uint64_t next = (hash ^ value) * kPrime;
    return next ^ (next >> 29U);
}

std::uint64_t hash_of(const std::vector<DeviceState>& devices) {
    std::uint64_t hash = devices.size();
    for (const DeviceState& device : devices) {
        hash = mixed(hash, device.model.value());
        hash = mixed(hash, static_cast<std::uint64_t>(device.total_mib));
        hash = mixed(hash, static_cast<std::uint64_t>(device.free.milli));
        hash = mixed(hash, static_cast<std::uint64_t>(device.free.memory_mib));
    }
    return hash >> 1U;  // Never FlatMap::kNoKey.
}

bool is_wanted(const model::WholeGpus& ask, const DeviceState& device) {
    return accepts(ask.models, device.model) && device.total_mib >= ask.total_mib_min;
}

/// What is free of `device`, in milli, by the scarcer of compute and memory.
std::int64_t hole_of(const DeviceState& device) {
    const std::int64_t by_memory =
        model::kWholeGpuMilli * device.free.memory_mib / device.total_mib;
    return std::min(device.free.milli, by_memory);
}

}  // namespace

DeviceState state_of(const model::Gpu& gpu) {
    return {.model = gpu.model, .total_mib = gpu.total_mib, .free = gpu.free};
}

bool is_untouched(const DeviceState& device) noexcept {
    return device.free == GpuAmount{.milli = model::kWholeGpuMilli, .memory_mib = device.total_mib};
}

DemandOfKind demand_of_kind(const DeviceSets::Demand& demand, const DeviceKind& kind) {
    if (const auto* whole = std::get_if<model::WholeGpus>(&demand)) {
        return {
            .is_accepted =
                accepts(whole->models, kind.model) && kind.total_mib >= whole->total_mib_min,
            .milli = model::kWholeGpuMilli};
    }
    const auto& share = std::get<model::GpuShare>(demand);
    const GpuAmount amount = amount_of(share, kind.total_mib);
    const std::int64_t by_memory =
        (model::kWholeGpuMilli * amount.memory_mib + kind.total_mib - 1) / kind.total_mib;
    const std::int64_t milli = std::max(amount.milli, by_memory);
    return {
        .is_accepted = accepts(share.models, kind.model) && milli <= model::kWholeGpuMilli,
        .milli = milli};
}

DeviceSetId DeviceSets::intern(std::vector<DeviceState> devices) {
    std::ranges::sort(devices, {}, order_of);
    const std::uint64_t hash = hash_of(devices);
    constexpr DeviceSetId kNone = UINT32_MAX;
    DeviceSetId* const newest = set_ids_.find(hash);
    for (DeviceSetId at = newest == nullptr ? kNone : *newest; at != kNone; at = older_[at]) {
        if (sets_[at].devices == devices) {
            return at;
        }
    }
    DeviceSet set;
    for (const DeviceState& device : devices) {
        const KindId kind = kind_of({.model = device.model, .total_mib = device.total_mib});
        const std::int64_t hole = hole_of(device);
        set.free_milli += device.free.milli;
        set.untouched += is_untouched(device) ? 1 : 0;
        if (set.runs.empty() || set.runs.back().kind != kind || set.runs.back().hole != hole) {
            set.runs.push_back({.kind = kind, .hole = hole, .count = 0});
        }
        ++set.runs.back().count;
    }
    set.devices = std::move(devices);
    const auto id = static_cast<DeviceSetId>(sets_.size());
    sets_.push_back(std::move(set));
    older_.push_back(newest == nullptr ? kNone : *newest);
    if (newest == nullptr) {
        set_ids_.insert(hash, id);
    } else {
        *newest = id;
    }
    return id;
}

DemandId DeviceSets::intern(const Demand& demand) {
    const auto [place, is_new] = demand_ids_.try_emplace(
        model::Request{.gpus = demand}, static_cast<DemandId>(demands_.size()));
    if (is_new) {
        demands_.push_back(demand);
    }
    return place->second;
}

std::span<const DeviceOption> DeviceSets::options(DeviceSetId set, DemandId demand) {
    const std::uint64_t key = key_of(set, demand);
    const Range* known = ranges_.find(key);
    if (known == nullptr) {
        const std::vector<DeviceOption> found =
            std::visit([&](const auto& ask) { return compute(set, ask); }, demands_[demand]);
        ranges_.insert(key, {.first = options_.size(), .count = found.size()});
        options_.insert(options_.end(), found.begin(), found.end());
        known = ranges_.find(key);
    }
    return std::span(options_).subspan(known->first, known->count);
}

void DeviceSets::clear() {
    sets_.clear();
    set_ids_.clear();
    older_.clear();
    demands_.clear();
    demand_ids_.clear();
    kinds_.clear();
    ranges_.clear();
    options_.clear();
}

KindId DeviceSets::kind_of(const DeviceKind& kind) {
    const auto found = std::ranges::find(kinds_, kind);
    if (found == kinds_.end()) {
        kinds_.push_back(kind);
        return static_cast<KindId>(kinds_.size() - 1);
    }
    return static_cast<KindId>(found - kinds_.begin());
}

std::vector<DeviceOption> DeviceSets::compute(DeviceSetId set, const model::WholeGpus& ask) {
    std::vector<DeviceState> after = sets_[set].devices;
    std::int64_t left = ask.count;
    for (DeviceState& device : after) {
        if (left > 0 && is_wanted(ask, device) && is_untouched(device)) {
            device.free = {};
            --left;
        }
    }
    if (left > 0) {
        return {};
    }
    return {{.after = intern(std::move(after))}};
}

std::vector<DeviceOption> DeviceSets::compute(DeviceSetId set, const model::GpuShare& ask) {
    std::vector<DeviceOption> found;
    const std::vector<DeviceState> devices = sets_[set].devices;
    for (std::size_t i = 0; i < devices.size(); ++i) {
        const DeviceState& device = devices[i];
        const GpuAmount amount = amount_of(ask, device.total_mib);
        const bool is_repeated = i > 0 && devices[i - 1] == device;
        if (is_repeated || !accepts(ask.models, device.model) || !fits(amount, device.free)) {
            continue;
        }
        std::vector<DeviceState> after = devices;
        after[i].free.milli -= amount.milli;
        after[i].free.memory_mib -= amount.memory_mib;
        const std::int64_t milli_left = after[i].free.milli;
        found.push_back(
            {.after = intern(std::move(after)), .device = device, .milli_left = milli_left});
    }
    std::ranges::sort(found, {}, [](const DeviceOption& option) {
        return std::pair(option.milli_left, order_of(option.device));
    });
    return found;
}

}  // namespace reeve::scheduler
