#include "scheduler/calibration.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace reeve::scheduler {
namespace {

using std::chrono::seconds;

// Waits are compared on a scale on which each doubling is as long: 2^16 steps, straight between
// powers of two. A minute is added first, so that seconds do not count as much as days.
constexpr std::int64_t kStepBits = 16;
constexpr std::int64_t kSteps = std::int64_t{1} << kStepBits;
constexpr std::int64_t kZero = 64;

constexpr std::int64_t kTenth = 10;

constexpr std::size_t kEnough = 40;            // Outcomes of a class; fewer are believed in part.
constexpr std::int64_t kUnknown = kSteps / 2;  // What is added where there is none.
constexpr std::size_t kThousand = 1000;
constexpr std::size_t kMissed = 100;      // Of a thousand, on each side, are to be.
constexpr std::size_t kMissedLeast = 25;  // What is aimed at is between these.
constexpr std::size_t kMissedMost = 200;
constexpr std::size_t kEnoughToTell = 100;  // Outcomes.

std::int64_t scaled(seconds wait) {
    const std::int64_t x = std::max<std::int64_t>(wait.count(), 0) + kZero;
    const auto exponent =
        static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(x))) - 1;
    return kSteps * exponent + (((x << kStepBits) >> exponent) - kSteps);
}

seconds unscaled(std::int64_t y) {
    constexpr std::int64_t kLeast = kSteps * 6;  // Of kZero.
    constexpr std::int64_t kMost = kSteps * 32;
    const std::int64_t within = std::clamp(y, kLeast, kMost);
    const std::int64_t exponent = within / kSteps;
    return seconds((((kSteps + within % kSteps) << exponent) >> kStepBits) - kZero);
}

/// `tenths` of ten of `sorted` are below it.
std::int64_t quantile(const std::vector<seconds>& sorted, std::int64_t tenths) {
    const auto last = static_cast<std::int64_t>(sorted.size()) - 1;
    const std::int64_t at = last * tenths;
    const std::int64_t below = scaled(sorted[static_cast<std::size_t>(at / kTenth)]);
    const std::int64_t above =
        scaled(sorted[static_cast<std::size_t>(std::min(at / kTenth + 1, last))]);
    return below + (above - below) * (at % kTenth) / kTenth;
}

/// The value that `permille` of a thousand `past` are not above; `unknown`, the fewer there are.
std::int64_t quantile_of(
    std::vector<std::int32_t> past, std::size_t permille, std::int64_t unknown) {
    if (past.empty()) {
        return unknown;
    }
    const std::size_t rank = ((past.size() + 1) * permille + kThousand / 2) / kThousand;
    const std::size_t at = std::clamp<std::size_t>(rank, 1, past.size()) - 1;
    std::ranges::nth_element(past, past.begin() + static_cast<std::ptrdiff_t>(at));
    const auto believed = static_cast<std::int64_t>(std::min(past.size(), kEnough));
    const auto enough = static_cast<std::int64_t>(kEnough);
    return (past[at] * believed + unknown * (enough - believed)) / enough;
}

/// What is aimed at, in thousandths, where `missed` of `known` were: less, if that was too much.
std::size_t aim(std::size_t missed, std::size_t known) {
    if (known < kEnoughToTell) {
        return kMissed;
    }
    const std::size_t seen = std::max<std::size_t>(kThousand * missed / known, 1);
    return std::clamp(kMissed * kMissed / seen, kMissedLeast, kMissedMost);
}

}  // namespace

std::uint8_t class_of_wait(seconds median) {
    using std::chrono::hours;
    using std::chrono::minutes;
    constexpr std::array<seconds, Calibration::kClasses - 1> kEnds = {
        minutes(5), hours(1), hours(4), hours(12), hours(48)};
    return static_cast<std::uint8_t>(std::ranges::upper_bound(kEnds, median) - kEnds.begin());
}

Outcome outcome_of(const Said& said, seconds wait) {
    const std::int64_t came = scaled(wait);
    return {
        .of_class = said.of_class,
        .verdict = wait < said.interval.from    ? Verdict::kBefore
                   : wait > said.interval.until ? Verdict::kAfter
                                                : Verdict::kInside,
        .past_from = static_cast<std::int32_t>(came - scaled(said.sampled.from)),
        .past_until = static_cast<std::int32_t>(came - scaled(said.sampled.until))};
}

void Calibration::put(std::uint64_t number, const Outcome& outcome) {
    const std::size_t at = number % kKept;
    if (at >= outcomes_.size()) {
        outcomes_.push_back(outcome);
    } else {
        outcomes_[at] = outcome;
    }
    next_ = std::max(next_, number + 1);
}

void Calibration::take_back(std::uint64_t number, const Outcome* before) {
    if (before == nullptr) {
        outcomes_.pop_back();
    } else {
        outcomes_[number % kKept] = *before;
    }
    next_ = number;
}

Said Calibration::say(const std::vector<seconds>& waits) const {
    Said said{.of_class = class_of_wait(waits[waits.size() / 2])};
    const std::int64_t low = quantile(waits, 1);
    const std::int64_t high = quantile(waits, kTenth - 1);
    said.sampled = {.from = unscaled(low), .until = unscaled(high)};
    std::vector<std::int32_t> past_from;
    std::vector<std::int32_t> past_until;
    for (const Outcome& outcome : outcomes_) {
        if (outcome.of_class == said.of_class) {
            past_from.push_back(outcome.past_from);
            past_until.push_back(outcome.past_until);
        }
    }
    const auto missed = [&](Verdict verdict) {
        const auto count = std::ranges::count(outcomes_, verdict, &Outcome::verdict);
        return aim(static_cast<std::size_t>(count), outcomes_.size());
    };
    const std::int64_t from =
        low + quantile_of(std::move(past_from), missed(Verdict::kBefore), -kUnknown);
    const std::int64_t until =
        high + quantile_of(std::move(past_until), kThousand - missed(Verdict::kAfter), kUnknown);
    said.interval = {.from = unscaled(from), .until = unscaled(std::max(from, until))};
    return said;
}

std::size_t Calibration::inside() const {
    return static_cast<std::size_t>(
        std::ranges::count(outcomes_, Verdict::kInside, &Outcome::verdict));
}

const Outcome* Calibration::at(std::uint64_t number) const {
    const std::size_t place = number % kKept;
    return place < outcomes_.size() ? &outcomes_[place] : nullptr;
}

}  // namespace reeve::scheduler
