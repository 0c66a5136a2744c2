#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace reeve::scheduler {

/// What forecasts are to be right in, in percent; as often too early as too late otherwise.
inline constexpr int kConfidencePercent = 80;

/// How long until something happens, most probably.
struct Interval {
    std::chrono::seconds from = {};
    std::chrono::seconds until = {};

    friend bool operator==(const Interval&, const Interval&) = default;
};

enum class Verdict : std::uint8_t { kInside, kBefore, kAfter };

/// What was said of one start, and what that rests on.
struct Said {
    std::uint8_t of_class = 0;  // Of waits about as long: by the median of the samples.
    Interval sampled = {};      // A tenth of the samples is below it, a tenth above.
    Interval interval = {};     // The same, made right by what became of earlier ones.

    friend bool operator==(const Said&, const Said&) = default;
};

/// What became of it.
struct Outcome {
    std::uint8_t of_class = 0;
    Verdict verdict = Verdict::kInside;
    std::int32_t past_from = 0;   // The wait less Said::sampled.from, in 2^-16 of a doubling.
    std::int32_t past_until = 0;  // Likewise.

    friend bool operator==(const Outcome&, const Outcome&) = default;
};

[[nodiscard]] Outcome outcome_of(const Said& said, std::chrono::seconds wait);

/// How good forecasts were, and what follows for the next: an interval reaches so far beyond the
/// samples that a tenth of the last ones of its class would have come before it, and a tenth after
/// it (split conformal prediction: Papadopoulos and others 2002), whatever the samples are like.
/// Since the next are never quite as the last, what is aimed at is less than a tenth on a side on
/// which more than that were missed of late, and the other way round.
class Calibration {
  public:
    static constexpr std::size_t kKept = 1024;  // Outcomes, of all classes.
    static constexpr std::uint8_t kClasses = 6;

    /// Number `number` (0, 1, …) in the order in which forecasts came true or not; takes the place
    /// of the one kKept before it. All that are kept, in any order, make of an empty one the same.
    void put(std::uint64_t number, const Outcome& outcome);

    /// Takes back the newest put(); `before` had its place, if there was one.
    void take_back(std::uint64_t number, const Outcome* before);

    /// What the next put() is to be given.
    [[nodiscard]] std::uint64_t next() const noexcept { return next_; }

    /// `waits`: of the samples, sorted, not empty; of what does not start in one, the longest.
    [[nodiscard]] Said say(const std::vector<std::chrono::seconds>& waits) const;

    // Of those that are kept.
    [[nodiscard]] std::size_t known() const noexcept { return outcomes_.size(); }

    [[nodiscard]] std::size_t inside() const;

    /// In the place of number % kKept; null if none is.
    [[nodiscard]] const Outcome* at(std::uint64_t number) const;

    friend bool operator==(const Calibration&, const Calibration&) = default;

  private:
    [[nodiscard]] std::int64_t aim(Verdict missed) const;

    std::vector<Outcome> outcomes_;  // A ring, by number % kKept.
    std::uint64_t next_ = 0;
};

/// Of waits with that median: under 5 minutes, an hour, 4 hours, 12, 48, more.
[[nodiscard]] std::uint8_t class_of_wait(std::chrono::seconds median);

}  // namespace reeve::scheduler
