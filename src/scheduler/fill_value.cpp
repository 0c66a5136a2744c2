#include "scheduler/fill_value.hpp"

#include <algorithm>
#include <utility>

namespace reeve::scheduler {
namespace {

// Fixed point. Weights and chances: 30 bits, so that a product of two stays in 64. Values: 20 bits
// below one milli-GPU.
constexpr unsigned kWeightBits = 30;
constexpr std::uint64_t kWeightOne = std::uint64_t{1} << kWeightBits;
constexpr unsigned kValueBits = 20;
constexpr unsigned kScarcityBits = 8;
constexpr std::int64_t kScarcityOne = 1 << kScarcityBits;
constexpr std::int64_t kScarcityMax = 5 * kScarcityOne;
// Weights that moved less than this in all are as good as those in use: the scores they would give
// differ by less than what separates nodes, and every score would have to be computed anew.
constexpr std::uint64_t kDriftMin = kWeightOne / 16;
constexpr std::int64_t kScarcityDriftMin = kScarcityOne / 4;
constexpr std::int64_t kCpuMax = UINT32_MAX - 1;  // Above this, CPU is plenty.

std::uint64_t times(std::uint64_t left, std::uint64_t right) {
    return (left * right) >> kWeightBits;
}

/// The chance that at least one of the next requests fits, if each does with `chance`. The horizon
/// of 6 requests is the one that served openb best (2: cautious; from 8 on devices get blocked).
std::uint64_t chance_of_any(std::uint64_t chance) {
    const std::uint64_t none = kWeightOne - std::min(chance, kWeightOne);
    const std::uint64_t none_of_2 = times(none, none);
    const std::uint64_t none_of_4 = times(none_of_2, none_of_2);
    return kWeightOne - times(none_of_4, none_of_2);
}

std::int64_t gpus_of(const DeviceSets::Demand& demand) {
    const auto* whole = std::get_if<model::WholeGpus>(&demand);
    return whole == nullptr ? 1 : whole->count;
}

/// A request of several GPUs.
struct Several {
    const std::vector<bool>& is_accepted;  // By kind.
    std::int64_t gpus;
    std::int64_t cpu;
};

/// How many of it a node with these GPUs and so much CPU holds.
std::int64_t copies_in(const Several& ask, const DeviceSet& set, std::int64_t cpu) {
    std::int64_t untouched = 0;
    for (const DeviceRun& run : set.runs) {
        const bool counts = run.hole == model::kWholeGpuMilli && ask.is_accepted[run.kind];
        untouched += counts ? run.count : 0;
    }
    const std::int64_t copies = untouched / ask.gpus;
    return ask.cpu == 0 ? copies : std::min(copies, cpu / ask.cpu);
}

std::uint64_t distance(std::uint64_t left, std::uint64_t right) {
    return left < right ? right - left : left - right;
}

std::uint64_t key_of_shape(DeviceSetId set, std::int64_t cpu) {
    return key_of(set, static_cast<std::uint32_t>(cpu));
}

}  // namespace

Choice FillValue::best(const Move& move, std::span<const DeviceOption> options) {
    Choice best{.score = value(options[0].after, move.cpu_after) - move.value_before};
    for (std::size_t i = 1; i < options.size(); ++i) {
        const std::int64_t score = value(options[i].after, move.cpu_after) - move.value_before;
        if (score > best.score) {
            best = {.score = score, .option = i};
        }
    }
    return best;
}

bool FillValue::learn(const Lesson& lesson) {
    const std::vector<Share> shares = shares_of(lesson);
    const bool is_new = !is_near(shares);
    if (is_new) {
        use(shares);
    }
    const std::vector<std::int64_t> scarcities = scarcities_of(lesson);
    bool is_scarcity_new = is_new;
    for (std::size_t i = 0; i < scarcities.size(); ++i) {
        const std::int64_t drift = scarcities[i] - multis_[i].scarcity;
        is_scarcity_new =
            is_scarcity_new || drift > kScarcityDriftMin || -drift > kScarcityDriftMin;
    }
    if (is_scarcity_new) {
        for (std::size_t i = 0; i < scarcities.size(); ++i) {
            multis_[i].scarcity = scarcities[i];
        }
        multi_values_.clear();
    }
    return is_scarcity_new;
}

std::size_t FillValue::memo_size() const noexcept {
    return single_values_.size() + multi_values_.size() + holes_.size() * singles_.size() / 2;
}

void FillValue::forget() {
    forget_tables();
    forget_holes();
    single_values_.clear();
    multi_values_.clear();
}

void FillValue::forget_holes() {
    hole_numbers_.clear();
    holes_.clear();
}

void FillValue::forget_tables() {
    kinds_.clear();
    for (MultiClass& each : multis_) {
        each.is_accepted.clear();
    }
}

std::int64_t FillValue::value(DeviceSetId set, std::int64_t cpu) {
    if (sets_.set(set).free_milli == 0) {
        return 0;
    }
    const std::int64_t counted = std::min(cpu, kCpuMax);
    return value_of_singles(set, counted) + value_of_multis(set, counted);
}

std::vector<FillValue::Share> FillValue::shares_of(const Lesson& lesson) const {
    // So that thousands of classes still sum up in 64 bits.
    constexpr unsigned kRatioBits = 10;
    constexpr std::uint64_t kRatioMax = std::uint64_t{1} << 22U;
    constexpr std::uint64_t kCountMax = std::uint64_t{1} << 28U;
    std::uint64_t all = 0;
    for (const KindCount& kind : lesson.kinds) {
        all += static_cast<std::uint64_t>(kind.gpus);
    }
    std::vector<Share> shares;
    std::uint64_t sum = 0;
    for (const ClassCount& each : lesson.mix) {
        std::uint64_t served = 0;
        for (const KindCount& kind : lesson.kinds) {
            if (demand_of_kind(each.request.gpus, sets_.kind(kind.kind)).is_accepted) {
                served += static_cast<std::uint64_t>(kind.gpus);
            }
        }
        if (gpus_of(each.request.gpus) == 0 || served == 0) {
            continue;  // It fills no GPU, or none that is here.
        }
        const std::uint64_t weight =
            std::min(each.count, kCountMax) * std::min((all << kRatioBits) / served, kRatioMax);
        sum += weight;
        shares.push_back({.request = each.request, .weight = weight});
    }
    unsigned shift = 0;  // So that weight * 2^30 stays in 64 bits.
    while ((sum >> shift) >> (63U - kWeightBits) != 0) {
        ++shift;
    }
    for (Share& each : shares) {
        each.weight =
            ((each.weight >> shift) << kWeightBits) / std::max<std::uint64_t>(sum >> shift, 1);
    }
    return shares;
}

void FillValue::use(const std::vector<Share>& shares) {
    used_.clear();
    singles_.clear();
    multis_.clear();
    kinds_.clear();
    forget_holes();
    single_values_.clear();
    multi_values_.clear();
    for (const Share& each : shares) {
        used_.emplace(each.request, each.weight);
        const DeviceSets::Demand& demand = each.request.gpus;
        const std::int64_t cpu = std::min(each.request.host.cpu_millicores, kCpuMax);
        const std::int64_t gpus = gpus_of(demand);
        if (gpus == 1) {
            singles_.push_back({.demand = demand, .cpu = cpu, .weight = each.weight});
        } else {
            multis_.push_back({.demand = demand, .cpu = cpu, .gpus = gpus, .weight = each.weight});
        }
    }
    std::ranges::sort(singles_, {}, &SingleClass::cpu);
    cpus_.clear();
    weights_.clear();
    for (const SingleClass& each : singles_) {
        cpus_.push_back(static_cast<std::uint32_t>(each.cpu));
        weights_.push_back(static_cast<std::uint32_t>(each.weight));
    }
    copies_.resize(singles_.size());
    affordable_.resize(singles_.size());
}

/// How much more than its share a class of several GPUs counts: what is free in all, to what it
/// could use of that, between 1 and 5.
std::vector<std::int64_t> FillValue::scarcities_of(const Lesson& lesson) {
    table_kinds();
    std::int64_t free = 0;
    for (const ShapeCount& shape : lesson.shapes) {
        free += sets_.set(shape.set).free_milli * shape.nodes;
    }
    std::vector<std::int64_t> scarcities;
    for (const MultiClass& each : multis_) {
        std::int64_t usable = 0;
        for (const ShapeCount& shape : lesson.shapes) {
            const DeviceSet& set = sets_.set(shape.set);
            if (set.untouched >= each.gpus) {
                usable += copies_in(
                              {.is_accepted = each.is_accepted, .gpus = each.gpus, .cpu = each.cpu},
                              set, shape.cpu) *
                          each.gpus * model::kWholeGpuMilli * shape.nodes;
            }
        }
        scarcities.push_back(
            usable == 0 ? kScarcityMax
                        : std::clamp(free * kScarcityOne / usable, kScarcityOne, kScarcityMax));
    }
    return scarcities;
}

/// True if the classes weigh about what they do in use.
bool FillValue::is_near(const std::vector<Share>& shares) const {
    std::uint64_t drift = 0;
    std::uint64_t still_used = 0;
    for (const Share& each : shares) {
        const auto known = used_.find(each.request);
        const std::uint64_t used = known == used_.end() ? 0 : known->second;
        drift += distance(each.weight, used);
        still_used += used;
    }
    // What is used and came no more.
    const std::uint64_t all_used = used_.empty() ? 0 : kWeightOne;
    return drift + distance(all_used, std::min(still_used, all_used)) < kDriftMin;
}

/// Kinds that were seen since the last time.
void FillValue::table_kinds() {
    while (kinds_.size() < sets_.kind_count()) {
        const DeviceKind& kind = sets_.kind(static_cast<KindId>(kinds_.size()));
        for (MultiClass& each : multis_) {
            each.is_accepted.push_back(demand_of_kind(each.demand, kind).is_accepted);
        }
        std::vector<std::uint32_t>& classes = kinds_.emplace_back();
        for (const SingleClass& each : singles_) {
            const DemandOfKind asked = demand_of_kind(each.demand, kind);
            classes.push_back(static_cast<std::uint32_t>(asked.is_accepted ? asked.milli : 0));
        }
    }
}

std::int64_t FillValue::value_of_singles(DeviceSetId set, std::int64_t cpu) {
    const std::uint64_t key = key_of_shape(set, cpu);
    if (const std::int64_t* known = single_values_.find(key)) {
        return *known;
    }
    const std::int64_t value = compute_singles(set, static_cast<std::uint64_t>(cpu));
    single_values_.insert(key, value);
    return value;
}

const FillValue::Hole& FillValue::hole_of(const DeviceRun& run) {
    const std::uint64_t key = key_of(run.kind, static_cast<std::uint32_t>(run.hole));
    if (const std::uint32_t* known = hole_numbers_.find(key)) {
        return holes_[*known];
    }
    hole_numbers_.insert(key, static_cast<std::uint32_t>(holes_.size()));
    return holes_.emplace_back(compute_hole(run));
}

FillValue::Hole FillValue::compute_hole(const DeviceRun& run) const {
    Hole hole;
    std::uint32_t chance = 0;
    for (std::size_t i = 0; i < singles_.size(); ++i) {
        const std::uint32_t milli = kinds_[run.kind][i];
        const std::uint32_t copies = milli == 0 ? 0 : static_cast<std::uint32_t>(run.hole) / milli;
        chance += copies > 0 ? weights_[i] : 0;
        hole.copies.push_back(copies);
        hole.fills.push_back(copies * milli);
        hole.chances.push_back(chance);
    }
    return hole;
}

std::int64_t FillValue::compute_singles(DeviceSetId set, std::uint64_t cpu) {
    table_kinds();
    const auto classes =  // Of which there is CPU for one.
        static_cast<std::size_t>(std::ranges::upper_bound(cpus_, cpu) - cpus_.begin());
    if (classes == 0) {
        return 0;
    }
    const std::vector<DeviceRun>& runs = sets_.set(set).runs;
    std::uint32_t* const copies = copies_.data();
    std::fill_n(copies, classes, 0);
    for (const DeviceRun& run : runs) {
        const std::uint32_t* const copies_of_one = hole_of(run).copies.data();
        const auto count = static_cast<std::uint32_t>(run.count);
        for (std::size_t i = 0; i < classes; ++i) {
            copies[i] += count * copies_of_one[i];
        }
    }
    std::uint32_t* const affordable = affordable_.data();
    for (std::size_t i = 0; i < classes; ++i) {
        const std::uint64_t needed = static_cast<std::uint64_t>(cpus_[i]) * copies[i];
        affordable[i] =
            needed <= cpu ? weights_[i] : static_cast<std::uint32_t>(weights_[i] * cpu / needed);
    }
    std::uint64_t value = 0;
    for (const DeviceRun& run : runs) {
        const Hole& hole = hole_of(run);
        const std::uint64_t chance = hole.chances[classes - 1];
        if (chance == 0) {
            continue;
        }
        const std::uint32_t* const fills = hole.fills.data();
        std::uint64_t fill = 0;
        for (std::size_t i = 0; i < classes; ++i) {
            fill += static_cast<std::uint64_t>(affordable[i]) * fills[i];
        }
        value += static_cast<std::uint64_t>(run.count) *
                 times((fill << kValueBits) / chance, chance_of_any(chance));
    }
    return static_cast<std::int64_t>(value);
}

std::int64_t FillValue::value_of_multis(DeviceSetId set, std::int64_t cpu) {
    constexpr std::int64_t kGpusMin = 2;
    if (sets_.set(set).untouched < kGpusMin) {
        return 0;
    }
    const std::uint64_t key = key_of_shape(set, cpu);
    if (const std::int64_t* known = multi_values_.find(key)) {
        return *known;
    }
    const std::int64_t value = compute_multis(set, cpu);
    multi_values_.insert(key, value);
    return value;
}

std::int64_t FillValue::compute_multis(DeviceSetId set, std::int64_t cpu) {
    table_kinds();
    std::int64_t value = 0;
    for (const MultiClass& each : multis_) {
        const auto weight = static_cast<std::int64_t>(each.weight) * each.scarcity >>
                            (kWeightBits + kScarcityBits - kValueBits);
        const std::int64_t copies = copies_in(
            {.is_accepted = each.is_accepted, .gpus = each.gpus, .cpu = each.cpu}, sets_.set(set),
            cpu);
        value += weight * copies * each.gpus * model::kWholeGpuMilli;
    }
    return value;
}

}  // namespace reeve::scheduler
