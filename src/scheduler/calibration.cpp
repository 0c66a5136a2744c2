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

// Of 2,000 that many are missed on one side. It begins with what is asked, and is between the other
// two. Each miss makes it smaller by so much that nine that are not make up for it; that is 0.005
// of all of it, as in Gibbs and Candès 2021.
constexpr std::int64_t kAll = 2000;
constexpr std::int64_t kMissed = 200;
constexpr std::int64_t kMissedLeast = 10;
constexpr std::int64_t kMissedMost = 400;
constexpr std::int64_t kStepDown = 9;
constexpr std::int64_t kStepUp = 1;

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

/// The value that `part` of kAll of `past` are not above; `unknown`, the fewer there are.
std::int64_t quantile_of(std::vector<std::int32_t> past, std::int64_t part, std::int64_t unknown) {
    if (past.empty()) {
        return unknown;
    }
    const auto count = static_cast<std::int64_t>(past.size());
    const std::int64_t rank = ((count + 1) * part + kAll / 2) / kAll;
    const auto at = static_cast<std::size_t>(std::clamp<std::int64_t>(rank, 1, count) - 1);
    std::ranges::nth_element(past, past.begin() + static_cast<std::ptrdiff_t>(at));
    const auto believed = static_cast<std::int64_t>(std::min(past.size(), kEnough));
    const auto enough = static_cast<std::int64_t>(kEnough);
    return (past[at] * believed + unknown * (enough - believed)) / enough;
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
        outcomes_.resize(at + 1);
    }
    outcomes_[at] = outcome;
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

/// Of kAll, from now on. Misses come in bursts, since what waits for the same waits together, and
/// none is quite as those before: so what is aimed at follows what was missed, step by step
/// (adaptive conformal inference), and of many as many are missed as is asked, whatever they are.
std::int64_t Calibration::aim(Verdict missed) const {
    std::int64_t aimed = kMissed;
    for (std::uint64_t number = next_ - outcomes_.size(); number < next_; ++number) {
        const bool is_missed = outcomes_[number % kKept].verdict == missed;
        aimed += is_missed ? -kStepDown : kStepUp;
        aimed = std::clamp(aimed, kMissedLeast, kMissedMost);
    }
    return aimed;
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
    const std::int64_t from =
        low + quantile_of(std::move(past_from), aim(Verdict::kBefore), -kUnknown);
    const std::int64_t until =
        high + quantile_of(std::move(past_until), kAll - aim(Verdict::kAfter), kUnknown);
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
