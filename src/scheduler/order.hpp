#pragma once

#include <chrono>
#include <cstdint>

#include "base/instant.hpp"
#include "model/records.hpp"

// In which order jobs are looked at. All of it is settled when a job is submitted, so that nothing
// is ever sorted anew, a place in the queue is what it was, and whoever waits moves up.
//
// Fair share: a job is taken to be due the later, the more its user has used and asked for of what
// the user's project may: by one half-life for each doubling. So the first of two users who submit
// much at once do not push out the second, and who used nothing comes before who used a lot, unless
// those have waited for long. The idea of start tags: Goyal, Vin and Cheng, "Start-time fair
// queueing", IEEE/ACM Transactions on Networking 1997; of a dominant share: Ghodsi et al.,
// "Dominant resource fairness", NSDI 2011; of decay by half-lives: Slurm's
// PriorityDecayHalfLife.
namespace reeve::scheduler {

struct OrderRules {
    /// Of what was used, for fair share. 0: none, and jobs are due when they are submitted.
    std::chrono::seconds half_life = {};

    /// What a priority higher by one is worth, in waiting. 0: a higher priority always comes first.
    std::chrono::seconds ageing = {};

    // What counts like a whole GPU, for fair share.
    std::int64_t cpu_millicores_per_gpu = 16'000;
    std::int64_t memory_mib_per_gpu = 131'072;

    friend bool operator==(const OrderRules&, const OrderRules&) = default;
};

/// What of a job decides its place. Jobs ask for `load` when they are submitted: thousandths of a
/// GPU, times seconds, over their user's share (see FairShare). 0 without fair share.
struct Standing {
    std::int32_t priority = 0;
    Instant submitted_at = Instant(std::chrono::microseconds(0));
    std::int64_t load = 0;
};

/// Where a job is in the queue: lower comes first, and of equal ones the lower job.
[[nodiscard]] std::int64_t rank_of(const OrderRules& rules, const Standing& standing);

/// How much later than it was submitted a job is due: half_life * log2(1 + load / 1 GPU-hour).
[[nodiscard]] std::chrono::seconds delay_of(const OrderRules& rules, std::int64_t load);

/// What holding `amount` for `run` counts for: thousandths of a GPU, times seconds, by whatever of
/// it comes to most of a GPU. 17 years of a GPU at most, so that no queue's sum is too large.
[[nodiscard]] std::int64_t cost_of(
    const OrderRules& rules, const model::Usage& amount, std::chrono::seconds run);

/// Loads are this at most: more of one makes no difference.
inline constexpr std::int64_t kLoadMax = std::int64_t{1} << 56;

/// The load with which the next element of a job is submitted.
[[nodiscard]] inline std::int64_t next_load(std::int64_t load, std::int64_t step) noexcept {
    return load < kLoadMax - step ? load + step : kLoadMax;
}

/// What is left of `used` at `to`. Halves every half-life, in steps of 1/1024 of one, at times that
/// depend on nothing else: decaying in two steps is decaying in one, to the rounding.
[[nodiscard]] std::int64_t decayed(
    const OrderRules& rules, std::int64_t used, Instant from, Instant to);

}  // namespace reeve::scheduler
