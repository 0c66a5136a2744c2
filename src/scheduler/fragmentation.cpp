#include "scheduler/fragmentation.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "scheduler/simple_scorers.hpp"

namespace reeve::scheduler {
namespace {

constexpr unsigned kWeightBits = 20;
constexpr std::uint64_t kTypicalPercent = 95;  // As published.
constexpr std::int64_t kCpuMax = UINT32_MAX - 1;

/// A score of 51, 52 … 99 begins where fragmentation falls by 1000 ln(k / (100 - k)) milli-GPU;
/// here times 2^20, rounded up. As a table, for libraries differ in the last digit of a logarithm.
constexpr auto kScoreSteps = std::to_array<std::int64_t>({
    41948634,   83930863,   125980442,  168131455,  210418476,  252876745,  295542354,
    338452433,  381645360,  425160982,  469040857,  513328520,  558069778,  603313034,
    649109657,  695514398,  742585856,  790387022,  838985896,  888456202,  938878223,
    990339776,  1042937362, 1096777524, 1151978480, 1208672070, 1267006132, 1327147384,
    1389284992, 1453634997, 1520445870, 1590005586, 1662650694, 1738778164, 1818861037,
    1903469493, 1993299734, 2089214453, 2192300937, 2303956959, 2426022060, 2560986485,
    2712340366, 2885193893, 3087468048, 3332430974, 3644953660, 4080869361, 4818332392,
});

/// The whole percent of sigmoid(fall / 1000). That it is whole is what makes FGD work: nearly equal
/// nodes tie, and the tie rule packs them.
std::int64_t score_of(std::int64_t fall) {
    constexpr std::int64_t kMiddle = 50;
    if (fall >= 0) {
        const auto* const step = std::ranges::upper_bound(kScoreSteps, fall);
        return kMiddle + (step - kScoreSteps.begin());
    }
    const auto* const step = std::ranges::lower_bound(kScoreSteps, -fall);
    return kMiddle - 1 - (step - kScoreSteps.begin());
}

}  // namespace

Choice FragmentationGradient::best(const Move& move, std::span<const DeviceOption> options) {
    constexpr std::int64_t kTieRange = std::int64_t{1} << 32U;
    const std::int64_t tie = packing_of(
        {.free = move.cpu_after, .most = cpu_max_},
        {.free = sets_.set(options[0].after).free_milli, .most = milli_max_});
    Choice best{.score = -1};
    for (std::size_t i = 0; i < options.size(); ++i) {
        const std::int64_t score =
            score_of(move.value_before - value(options[i].after, move.cpu_after));
        if (score * kTieRange + tie > best.score) {
            best = {.score = score * kTieRange + tie, .option = i};
        }
    }
    return best;
}

bool FragmentationGradient::learn(const Lesson& lesson) {
    std::vector<ClassCount> mix(lesson.mix.begin(), lesson.mix.end());
    std::ranges::sort(mix, [](const ClassCount& left, const ClassCount& right) {
        return left.count != right.count ? left.count > right.count
                                         : goes_before(left.request, right.request);
    });
    constexpr std::uint64_t kAllPercent = 100;
    std::uint64_t all = 0;
    for (const ClassCount& each : mix) {
        all += each.count;
    }
    std::uint64_t covered = 0;
    std::size_t taken = 0;
    while (taken < mix.size() && covered * kAllPercent < all * kTypicalPercent) {
        covered += mix[taken].count;
        ++taken;
    }
    std::vector<TypicalClass> classes;
    for (std::size_t i = 0; i < taken; ++i) {
        const model::Request& request = mix[i].request;
        const auto* whole = std::get_if<model::WholeGpus>(&request.gpus);
        classes.push_back(
            {.demand = request.gpus,
             .cpu = request.host.cpu_millicores,
             .gpus = whole == nullptr ? 1 : whole->count,
             .weight = static_cast<std::int64_t>((mix[i].count << kWeightBits) / covered)});
    }
    if (classes == classes_ && lesson.cpu_max == cpu_max_ && lesson.milli_max == milli_max_) {
        return false;
    }
    classes_ = std::move(classes);
    cpu_max_ = lesson.cpu_max;
    milli_max_ = lesson.milli_max;
    memo_.clear();
    return true;
}

void FragmentationGradient::forget() {
    memo_.clear();
}

std::int64_t FragmentationGradient::value(DeviceSetId set, std::int64_t cpu) {
    const std::int64_t counted = std::min(cpu, kCpuMax);
    const std::uint64_t key = key_of(set, static_cast<std::uint32_t>(counted));
    if (const std::int64_t* known = memo_.find(key)) {
        return *known;
    }
    const std::int64_t sum = compute(set, counted);
    memo_.insert(key, sum);
    return sum;
}

std::int64_t FragmentationGradient::compute(DeviceSetId set, std::int64_t cpu) const {
    const DeviceSet& devices = sets_.set(set);
    std::int64_t sum = 0;
    for (const TypicalClass& each : classes_) {
        const bool is_short = each.gpus == 0 || each.cpu > cpu;
        sum += each.weight * (is_short ? devices.free_milli : unusable(each, devices));
    }
    return sum;
}

/// What of the set's free milli-GPU a request of the class leaves useless.
std::int64_t FragmentationGradient::unusable(const TypicalClass& each, const DeviceSet& set) const {
    std::int64_t fitting = 0;
    std::int64_t too_small = 0;
    for (const DeviceRun& run : set.runs) {
        const DemandOfKind asked = demand_of_kind(each.demand, sets_.kind(run.kind));
        if (asked.is_accepted && asked.milli <= run.hole) {
            fitting += run.count;
        } else {
            too_small += run.hole * run.count;
        }
    }
    return fitting >= each.gpus ? too_small : set.free_milli;
}

}  // namespace reeve::scheduler
