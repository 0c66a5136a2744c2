#include "scheduler/class_mix.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <tuple>
#include <utility>

namespace reeve::scheduler {
namespace {

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
    constexpr std::uint64_t kPrime = 0x9E3779B97F4A7C15ULL;
    const std::uint64_t next = (hash ^ value) * kPrime;
    return next ^ (next >> 29U);
}

std::uint64_t mixed(std::uint64_t hash, std::int64_t value) {
    return mixed(hash, static_cast<std::uint64_t>(value));
}

std::uint64_t mixed(std::uint64_t hash, const std::optional<std::int64_t>& value) {
    return value ? mixed(mixed(hash, std::uint64_t{1}), *value) : mixed(hash, std::uint64_t{2});
}

template <class Id>
std::uint64_t mixed(std::uint64_t hash, const std::optional<std::vector<Id>>& ids) {
    if (!ids) {
        return mixed(hash, std::uint64_t{3});
    }
    for (const Id id : *ids) {
        hash = mixed(hash, id.value());
    }
    return mixed(hash, ids->size());
}

std::uint64_t mixed(std::uint64_t hash, const model::WholeGpus& ask) {
    return mixed(mixed(mixed(hash, ask.count), ask.total_mib_min), ask.models);
}

std::uint64_t mixed(std::uint64_t hash, const model::GpuShare& ask) {
    return mixed(mixed(mixed(hash, ask.milli), ask.memory_mib), ask.models);
}

auto order_of(const model::WholeGpus& ask) {
    return std::tuple(ask.count, ask.total_mib_min, ask.models);
}

auto order_of(const model::GpuShare& ask) {
    return std::tuple(ask.milli, ask.memory_mib, ask.models);
}

template <class Ask>
bool goes_before_as(const model::Request& left, const model::Request& right) {
    return order_of(std::get<Ask>(left.gpus)) < order_of(std::get<Ask>(right.gpus));
}

}  // namespace

std::uint64_t hash_of(const model::Request& request) {
    std::uint64_t hash = mixed(request.gpus.index(), request.host.cpu_millicores);
    hash = mixed(mixed(hash, request.host.memory_mib), request.node_classes);
    return std::visit([&](const auto& ask) { return mixed(hash, ask); }, request.gpus);
}

void ClassMix::observe(const model::Request& request, std::uint64_t times) {
    model::Request key = request;
    key.host.memory_mib = 0;
    key.node_classes.reset();
    const auto [place, is_new] = places_.try_emplace(key, counts_.size());
    if (is_new) {
        counts_.push_back({.request = key, .count = 0});
    }
    counts_[place->second].count += times;
    arrivals_ += times;
}

void ClassMix::forget_rarest() {
    constexpr std::size_t kClassesMax = 1024;
    constexpr std::size_t kKept = kClassesMax / 4 * 3;
    if (counts_.size() <= kClassesMax) {
        return;
    }
    std::vector<std::uint64_t> sorted;
    sorted.reserve(counts_.size());
    for (const ClassCount& each : counts_) {
        sorted.push_back(each.count);
    }
    std::ranges::nth_element(sorted, sorted.begin() + kKept, std::ranges::greater());
    const std::uint64_t least = sorted[kKept];  // Of equals, those that came first stay.
    std::vector<ClassCount> kept;
    kept.reserve(kKept);
    const auto more = std::ranges::count_if(
        counts_, [least](const ClassCount& each) { return each.count > least; });
    std::size_t equals = kKept - static_cast<std::size_t>(more);
    for (ClassCount& each : counts_) {
        if (each.count > least || (each.count == least && equals > 0)) {
            equals -= each.count == least ? 1 : 0;
            kept.push_back(std::move(each));
        }
    }
    counts_ = std::move(kept);
    places_.clear();
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        places_.emplace(counts_[i].request, i);
    }
}

void ClassMix::taken() {
    forget_rarest();
    constexpr std::uint64_t kFirst = 50;
    constexpr std::uint64_t kSecond = 100;
    constexpr std::uint64_t kThird = 250;
    constexpr std::uint64_t kEveryMin = 500;
    constexpr std::uint64_t kEveryMax = 10'000;
    constexpr std::uint64_t kPart = 20;  // A twentieth more moves a share by as much at most.
    const std::uint64_t every = std::clamp(arrivals_ / kPart, kEveryMin, kEveryMax);
    due_at_ = arrivals_ < kFirst    ? kFirst
              : arrivals_ < kSecond ? kSecond
              : arrivals_ < kThird  ? kThird
                                    : (arrivals_ / every + 1) * every;
}

bool goes_before(const model::Request& left, const model::Request& right) {
    const auto place = [](const model::Request& request) {
        return std::tuple(
            request.gpus.index(), request.host.cpu_millicores, request.host.memory_mib);
    };
    if (place(left) != place(right)) {
        return place(left) < place(right);
    }
    return std::holds_alternative<model::WholeGpus>(left.gpus)
               ? goes_before_as<model::WholeGpus>(left, right)
               : goes_before_as<model::GpuShare>(left, right);
}

}  // namespace reeve::scheduler
