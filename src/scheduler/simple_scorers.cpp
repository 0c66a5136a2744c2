#include "scheduler/simple_scorers.hpp"

#include <algorithm>

#include "scheduler/fill_value.hpp"
#include "scheduler/fragmentation.hpp"

namespace reeve::scheduler {
namespace {

constexpr unsigned kPackingBits = 30;
constexpr std::int64_t kPackingOne = std::int64_t{1} << kPackingBits;
constexpr std::int64_t kFreeMax = std::int64_t{1} << 32U;  // Of CPU: above, it is plenty.

std::int64_t half_of(const Portion& portion) {
    const std::int64_t most = std::max<std::int64_t>(portion.most, 1);
    return std::clamp<std::int64_t>(portion.free, 0, most) * (kPackingOne / 2) / most;
}

}  // namespace

std::int64_t packing_of(const Portion& cpu, const Portion& milli) {
    return kPackingOne - half_of(cpu) - half_of(milli);
}

Choice BestFit::best(const Move& move, std::span<const DeviceOption> options) {
    constexpr std::int64_t kPercent = 100;
    const std::int64_t packing = packing_of(
        {.free = move.cpu_after, .most = cpu_max_},
        {.free = sets_.set(options[0].after).free_milli, .most = milli_max_});
    return {.score = (packing * kPercent) >> kPackingBits};
}

bool BestFit::learn(const Lesson& lesson) {
    const bool is_new = lesson.cpu_max != cpu_max_ || lesson.milli_max != milli_max_;
    cpu_max_ = lesson.cpu_max;
    milli_max_ = lesson.milli_max;
    return is_new;
}

Choice Tightest::best(const Move& move, std::span<const DeviceOption> options) {
    constexpr std::int64_t kGpusMax = 1 << 20;
    const std::int64_t untouched = std::min(sets_.set(move.before).untouched, kGpusMax - 1);
    return {.score = -(options[0].milli_left * kGpusMax + untouched)};
}

Choice Spread::best(const Move& move, std::span<const DeviceOption> options) {
    const std::int64_t free_milli = sets_.set(options[0].after).free_milli;
    const std::int64_t cpu = std::min(move.cpu_after, kFreeMax - 1);
    return {.score = free_milli * kFreeMax + cpu, .option = options.size() - 1};
}

std::unique_ptr<Scorer> make_scorer(Policy policy, const DeviceSets& sets) {
    switch (policy) {
        case Policy::kFillValue: return std::make_unique<FillValue>(sets);
        case Policy::kFgd:       return std::make_unique<FragmentationGradient>(sets);
        case Policy::kBestFit:   return std::make_unique<BestFit>(sets);
        case Policy::kTightest:  return std::make_unique<Tightest>(sets);
        case Policy::kSpread:    return std::make_unique<Spread>(sets);
        case Policy::kRandom:    break;
    }
    return nullptr;
}

}  // namespace reeve::scheduler
