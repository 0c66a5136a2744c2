#include "scheduler/run_histogram.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.hpp"

namespace reeve::scheduler {
namespace {

constexpr std::int64_t kSubBits = 3;  // Bins of a doubling, as a power of two.
constexpr std::int64_t kSubs = std::int64_t{1} << kSubBits;
constexpr std::int64_t kBinMax = 255;

/// Of `weight` evenly spread over a bin, what is above `after`; rounded up, so that it is not
/// forgotten that there is some.
std::uint64_t part_after(std::int64_t bin, std::uint64_t weight, std::int64_t after) {
    const std::int64_t begin = RunHistogram::begin_of(bin);
    const std::int64_t width = RunHistogram::begin_of(bin + 1) - begin;
    const std::int64_t left = std::clamp<std::int64_t>(begin + width - 1 - after, 0, width);
    const auto spread = static_cast<std::uint64_t>(width);
    return (weight * static_cast<std::uint64_t>(left) + spread - 1) / spread;
}

}  // namespace

RunHistogram::RunHistogram(std::vector<Bin> bins) : bins_(std::move(bins)) {
    for (const Bin& bin : bins_) {
        weight_ += std::uint64_t{bin.ended} + bin.cut;
    }
}

std::uint8_t RunHistogram::bin_of(std::int64_t length) {
    if (length < kSubs) {
        return static_cast<std::uint8_t>(std::max<std::int64_t>(length, 0));
    }
    const auto exponent =
        static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(length))) - 1;
    const std::int64_t sub = (length >> (exponent - kSubBits)) & (kSubs - 1);
    const std::int64_t bin = kSubs * (exponent - kSubBits + 1) + sub;
    return static_cast<std::uint8_t>(std::min(bin, kBinMax));
}

std::int64_t RunHistogram::begin_of(std::int64_t bin) {
    if (bin < kSubs) {
        return bin;
    }
    const std::int64_t doublings = bin / kSubs - 1;
    return (kSubs + bin % kSubs) << doublings;
}

void RunHistogram::add(std::int64_t length, RunEnd end) {
    merge(RunHistogram({
        {.bin = bin_of(length),
         .ended = end == RunEnd::kEnded ? kOne : 0,
         .cut = end == RunEnd::kCut ? kOne : 0}
    }));
}

void RunHistogram::merge(const RunHistogram& other) {
    for (const Bin& more : other.bins_) {
        const auto at = std::ranges::lower_bound(bins_, more.bin, {}, &Bin::bin);
        if (at == bins_.end() || at->bin != more.bin) {
            bins_.insert(at, more);
        } else {
            at->ended += more.ended;
            at->cut += more.cut;
        }
    }
    weight_ += other.weight_;
}

void RunHistogram::subtract(const RunHistogram& other) {
    for (const Bin& less : other.bins_) {
        const auto at = std::ranges::lower_bound(bins_, less.bin, {}, &Bin::bin);
        REEVE_ASSERT(
            at != bins_.end() && at->bin == less.bin && at->ended >= less.ended &&
                at->cut >= less.cut,
            "only what was merged is taken back");
        at->ended -= less.ended;
        at->cut -= less.cut;
    }
    std::erase_if(bins_, [](const Bin& bin) { return bin.ended + bin.cut == 0; });
    weight_ -= other.weight_;
}

void RunHistogram::halve() {
    weight_ = 0;
    for (Bin& bin : bins_) {
        bin.ended /= 2;
        bin.cut /= 2;
        weight_ += std::uint64_t{bin.ended} + bin.cut;
    }
    std::erase_if(bins_, [](const Bin& bin) { return bin.ended + bin.cut == 0; });
}

std::uint64_t RunHistogram::weight_after(std::int64_t length) const {
    std::uint64_t weight = 0;
    const auto from = std::ranges::lower_bound(bins_, bin_of(length), {}, &Bin::bin);
    for (auto bin = from; bin != bins_.end(); ++bin) {
        weight += part_after(bin->bin, bin->ended, length) + part_after(bin->bin, bin->cut, length);
    }
    return weight;
}

std::uint64_t RunHistogram::weight_near(std::int64_t length) const {
    constexpr int kNear = 2;
    const int middle = bin_of(length);
    std::uint64_t weight = 0;
    for (const Bin& bin : bins_) {
        weight += std::abs(int{bin.bin} - middle) <= kNear ? bin.ended : 0;
    }
    return weight;
}

std::optional<std::int64_t> RunHistogram::quantile(std::int64_t after, std::uint64_t chance) const {
    std::uint64_t at_risk = weight_after(after);
    std::uint64_t alive = kCertain;  // Of those, the part that goes on.
    const std::uint64_t goes_on = kCertain - 1 - chance;
    const auto from = std::ranges::lower_bound(bins_, bin_of(after), {}, &Bin::bin);
    for (auto bin = from; bin != bins_.end() && at_risk > 0; ++bin) {
        const std::uint64_t ended = part_after(bin->bin, bin->ended, after);
        const std::uint64_t left = alive - alive * ended / at_risk;
        if (left <= goes_on) {
            const std::int64_t begin = std::max(begin_of(bin->bin), after + 1);
            const auto width = static_cast<std::uint64_t>(begin_of(bin->bin + 1) - begin);
            const std::uint64_t into = alive - 1 - goes_on;  // Below alive - left.
            const std::uint64_t steps = into * std::max<std::uint64_t>(width, 1) / (alive - left);
            return begin + static_cast<std::int64_t>(steps);
        }
        at_risk -= ended + part_after(bin->bin, bin->cut, after);
        alive = left;
    }
    return std::nullopt;
}

std::int64_t RunHistogram::end() const {
    return bins_.empty() ? 0 : begin_of(std::int64_t{bins_.back().bin} + 1);
}

}  // namespace reeve::scheduler
