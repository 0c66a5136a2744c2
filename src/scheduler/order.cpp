#include "scheduler/order.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace reeve::scheduler {
namespace {

constexpr std::int64_t kGpuHour =
    std::int64_t{1000} * 3600;     // Thousandths of a GPU, times seconds.
constexpr int kFractionBits = 16;  // Of a logarithm.
constexpr std::int64_t kTicksPerHalfLife = 1024;

/// log2(value) in 1/65536, rounded down. `value` is above 0. By squaring: each time it passes 2, a
/// bit of the logarithm is 1.
std::int64_t log2_of(std::uint64_t value) {
    const int whole = static_cast<int>(std::bit_width(value)) - 1;
    // 1 <= mantissa < 2, in 1/2^31.
    std::uint64_t mantissa = whole >= 31 ? value >> static_cast<unsigned>(whole - 31)
                                         : value << static_cast<unsigned>(31 - whole);
    std::int64_t result = std::int64_t{whole} << kFractionBits;
    for (int bit = kFractionBits - 1; bit >= 0; --bit) {
        mantissa = mantissa * mantissa >> 31U;
        if (mantissa >> 32U != 0) {
            mantissa >>= 1U;
            result |= std::int64_t{1} << bit;
        }
    }
    return result;
}

/// value * factor / 2^32, without a wider type than there is. Neither is negative.
std::int64_t scaled(std::int64_t value, std::uint32_t factor) {
    const auto all = static_cast<std::uint64_t>(value);
    const std::uint64_t high = (all >> 32U) * factor;
    const std::uint64_t low = (all & 0xFFFFFFFFU) * factor >> 32U;
    return static_cast<std::int64_t>(high + low);
}

/// 2^(-2^i / 1024) for i = 0..9, in 1/2^32.
constexpr std::array<std::uint32_t, 10> kPowers = {4292061010, 4289156690, 4283353945, 4271771996,
                                                   4248701965, 4202935003, 4112874773, 3938502376,
                                                   3611622603, 3037000500};

}  // namespace

std::chrono::seconds delay_of(const OrderRules& rules, std::int64_t load) {
    const auto all = static_cast<std::uint64_t>(std::max<std::int64_t>(load, 0) + kGpuHour);
    const std::int64_t doublings = log2_of(all) - log2_of(kGpuHour);
    // Apart, so that no half-life is too long: a logarithm has 22 bits, seconds may have 33.
    const std::int64_t half_life = rules.half_life.count();
    return std::chrono::seconds(half_life * doublings >> kFractionBits);
}

std::int64_t rank_of(const OrderRules& rules, const Standing& standing) {
    const bool is_strict = rules.ageing.count() == 0;
    if (is_strict && rules.half_life.count() == 0) {
        return -std::int64_t{standing.priority};
    }
    const auto submitted =
        std::chrono::duration_cast<std::chrono::seconds>(standing.submitted_at.since_epoch());
    const std::int64_t due = (submitted + delay_of(rules, standing.load)).count();
    if (!is_strict) {
        return due - standing.priority * rules.ageing.count();
    }
    constexpr std::int64_t kDueMax = (std::int64_t{1} << 40) - 1;  // 30,000 years.
    return -standing.priority * (kDueMax + 1) + std::clamp<std::int64_t>(due, 0, kDueMax);
}

std::int64_t cost_of(
    const OrderRules& rules, const model::Usage& amount, std::chrono::seconds run) {
    constexpr std::int64_t kCostMax = std::int64_t{1} << 39;
    const std::int64_t by_cpu = amount.cpu_millicores * 1000 / rules.cpu_millicores_per_gpu;
    const std::int64_t by_memory = amount.memory_mib * 1000 / rules.memory_mib_per_gpu;
    const std::int64_t milli = std::max({amount.gpu_milli, by_cpu, by_memory});
    const std::int64_t seconds = std::max<std::int64_t>(run.count(), 0);
    return milli == 0 || seconds <= kCostMax / milli ? milli * seconds : kCostMax;
}

std::int64_t decayed(const OrderRules& rules, std::int64_t used, Instant from, Instant to) {
    const std::int64_t half_life = rules.half_life.count() * 1'000'000;
    const std::int64_t tick = std::max<std::int64_t>(half_life / kTicksPerHalfLife, 1);
    const std::int64_t ticks = std::max<std::int64_t>(
        to.since_epoch().count() / tick - from.since_epoch().count() / tick, 0);
    const std::int64_t halvings = ticks / kTicksPerHalfLife;
    if (halvings >= 63) {
        return 0;
    }
    std::int64_t left = used >> static_cast<unsigned>(halvings);
    const auto rest = static_cast<std::uint64_t>(ticks % kTicksPerHalfLife);
    for (std::size_t i = 0; i < kPowers.size(); ++i) {
        if ((rest >> i & 1U) != 0) {
            left = scaled(left, kPowers.at(i));
        }
    }
    return left;
}

}  // namespace reeve::scheduler
