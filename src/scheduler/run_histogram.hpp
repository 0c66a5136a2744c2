#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace reeve::scheduler {

/// How what is counted came to be over.
enum class RunEnd : std::uint8_t {
    kEnded,  // By itself.
    kCut,    // It was stopped: it would have gone on.
};

/// How long things took, in bins of an eighth of a doubling: from 8 on each is at most an eighth
/// wide. Integers, so that adding up is the same in any order. What was cut counts as longer than
/// it was (Kaplan and Meier 1958).
class RunHistogram {
  public:
    struct Bin {
        std::uint8_t bin = 0;
        std::uint32_t ended = 0;
        std::uint32_t cut = 0;

        friend bool operator==(const Bin&, const Bin&) = default;
    };

    /// What one run weighs. Halving makes it less.
    static constexpr std::uint32_t kOne = 16;

    /// A chance, in 2^-32.
    static constexpr std::uint64_t kCertain = std::uint64_t{1} << 32U;

    RunHistogram() = default;

    /// `bins` by their number, none twice, none of no weight.
    explicit RunHistogram(std::vector<Bin> bins);

    /// One more. `length` is at least 0.
    void add(std::int64_t length, RunEnd end);

    /// All of `other` as well.
    void merge(const RunHistogram& other);

    /// Takes back what merge() did.
    void subtract(const RunHistogram& other);

    /// All weighs half, rounded down: what is old and rare is forgotten.
    void halve();

    /// Of all that is counted; 16 for each that was never halved.
    [[nodiscard]] std::uint64_t weight() const noexcept { return weight_; }

    /// Of what took longer than `length`.
    [[nodiscard]] std::uint64_t weight_after(std::int64_t length) const;

    /// Of what ended within two bins of `length`.
    [[nodiscard]] std::uint64_t weight_near(std::int64_t length) const;

    /// A length above `after` that a part of `chance` (below kCertain) of what took longer than
    /// `after` is not above. Grows with `chance`. Nothing if so few ended that it is unknown: they
    /// were cut, or there are none.
    [[nodiscard]] std::optional<std::int64_t> quantile(
        std::int64_t after, std::uint64_t chance) const;

    /// No bin that has anything ends above this.
    [[nodiscard]] std::int64_t end() const;

    [[nodiscard]] const std::vector<Bin>& bins() const noexcept { return bins_; }

    friend bool operator==(const RunHistogram&, const RunHistogram&) = default;

    /// 0..255; lengths above the last bin count as of it.
    [[nodiscard]] static std::uint8_t bin_of(std::int64_t length);

    /// The shortest length in `bin`; bin 256 begins where the last one ends.
    [[nodiscard]] static std::int64_t begin_of(std::int64_t bin);

  private:
    std::vector<Bin> bins_;
    std::uint64_t weight_ = 0;
};

}  // namespace reeve::scheduler
