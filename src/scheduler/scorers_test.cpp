// The scorers against the formulas that they come from, written down again with real numbers.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "scheduler/engine_world.hpp"
#include "scheduler/fill_value.hpp"
#include "scheduler/fragmentation.hpp"
#include "scheduler/simple_scorers.hpp"

namespace reeve::scheduler {
namespace {

constexpr double kValueOne = 1U << 20U;
constexpr std::uint64_t kSeeds = 300;

TEST(DeviceSets, CountsAHoleAndADemandByTheScarcerOfComputeAndMemory) {
    DeviceSets sets;
    const auto device = [](std::int64_t milli, std::int64_t memory_mib) {
        return DeviceState{
            .model = GpuModelId(1),
            .total_mib = 24000,
            .free = {.milli = milli, .memory_mib = memory_mib}
        };
    };
    const DeviceSet& set = sets.set(
        sets.intern({device(1000, 24000), device(500, 2400), device(100, 24000), device(0, 0)}));
    std::vector<std::int64_t> holes;
    for (const DeviceRun& run : set.runs) {
        holes.insert(holes.end(), static_cast<std::size_t>(run.count), run.hole);
    }
    EXPECT_EQ(holes, (std::vector<std::int64_t>{0, 100, 100, 1000}));
    EXPECT_EQ(set.free_milli, 1600);
    EXPECT_EQ(set.untouched, 1);
    const DeviceKind kind{.model = GpuModelId(1), .total_mib = 24000};
    const model::GpuShare by_memory{.milli = 100, .memory_mib = 12000};
    EXPECT_EQ(demand_of_kind(by_memory, kind).milli, 500);
    EXPECT_EQ(demand_of_kind(model::GpuShare{.milli = 333}, kind).milli, 333);
    EXPECT_FALSE(demand_of_kind(model::GpuShare{.memory_mib = 24001}, kind).is_accepted);
}

/// Everything that a scorer learns from, and a node to score.
struct World {
    DeviceSets sets;
    std::vector<ClassCount> mix;
    std::vector<KindCount> kinds;
    std::vector<ShapeCount> shapes;

    explicit World(Random& random) {
        const RandomMix requests(random);
        mix = requests.counts.counts();
        std::map<KindId, std::int64_t> gpus;
        for (const NodeView& node : random_nodes(random)) {
            std::vector<DeviceState> devices;
            for (const model::Gpu& gpu : node.free.gpus) {
                ++gpus[sets.kind_of({.model = gpu.model, .total_mib = gpu.total_mib})];
                devices.push_back(state_of(gpu));
                if (one_in(random, 2)) {
                    devices.back().free.milli = pick(random, 0, 1000);
                    devices.back().free.memory_mib = pick(random, 0, gpu.total_mib);
                }
            }
            shapes.push_back(
                {.set = sets.intern(std::move(devices)),
                 .cpu = pick(random, 0, node.host_total.cpu_millicores),
                 .nodes = 1});
        }
        for (const auto& [kind, count] : gpus) {
            kinds.push_back({.kind = kind, .gpus = count});
        }
    }

    [[nodiscard]] Lesson lesson() const {
        return {.mix = mix, .kinds = kinds, .shapes = shapes, .cpu_max = 24000, .milli_max = 4000};
    }

    [[nodiscard]] DemandOfKind asked(const ClassCount& each, KindId kind) const {
        return demand_of_kind(each.request.gpus, sets.kind(kind));
    }
};

std::int64_t gpus_of(const ClassCount& each) {
    const auto* whole = std::get_if<model::WholeGpus>(&each.request.gpus);
    return whole == nullptr ? 1 : whole->count;
}

/// Copies of a class of several GPUs, and the milli-GPU that they take.
double usable(const World& world, const ClassCount& each, const ShapeCount& shape) {
    std::int64_t untouched = 0;
    for (const DeviceRun& run : world.sets.set(shape.set).runs) {
        untouched += run.hole == 1000 && world.asked(each, run.kind).is_accepted ? run.count : 0;
    }
    const std::int64_t cpu = each.request.host.cpu_millicores;
    std::int64_t copies = untouched / gpus_of(each);
    copies = cpu == 0 ? copies : std::min(copies, shape.cpu / cpu);
    return 1000.0 * static_cast<double>(copies * gpus_of(each));
}

/// What the formulas of docs/scheduler.md give.
class FillValueByHand {
  public:
    explicit FillValueByHand(const World& world) : world_(world) {
        double all = 0;
        for (const KindCount& kind : world.kinds) {
            all += static_cast<double>(kind.gpus);
        }
        double sum = 0;
        for (const ClassCount& each : world.mix) {
            double served = 0;
            for (const KindCount& kind : world.kinds) {
                served +=
                    world.asked(each, kind.kind).is_accepted ? static_cast<double>(kind.gpus) : 0;
            }
            weights_.push_back(
                gpus_of(each) == 0 || served == 0 ? 0
                                                  : static_cast<double>(each.count) * all / served);
            sum += weights_.back();
        }
        for (double& weight : weights_) {
            weight = sum == 0 ? 0 : weight / sum;
        }
    }

    [[nodiscard]] double value(const ShapeCount& shape) const {
        double value = 0;
        for (const DeviceRun& run : world_.sets.set(shape.set).runs) {
            value += static_cast<double>(run.count) * of_hole(shape, run);
        }
        for (std::size_t i = 0; i < weights_.size(); ++i) {
            const ClassCount& each = world_.mix[i];
            if (gpus_of(each) > 1) {
                value += weights_[i] * scarcity(each) * usable(world_, each, shape);
            }
        }
        return value;
    }

  private:
    [[nodiscard]] std::int64_t copies(const ClassCount& each, const DeviceRun& run) const {
        const DemandOfKind asked = world_.asked(each, run.kind);
        return asked.is_accepted ? run.hole / asked.milli : 0;
    }

    [[nodiscard]] double of_hole(const ShapeCount& shape, const DeviceRun& hole) const {
        double chance = 0;
        double fill = 0;
        for (std::size_t i = 0; i < weights_.size(); ++i) {
            const ClassCount& each = world_.mix[i];
            const std::int64_t cpu = each.request.host.cpu_millicores;
            if (gpus_of(each) != 1 || cpu > shape.cpu || copies(each, hole) == 0) {
                continue;
            }
            std::int64_t all = 0;
            for (const DeviceRun& run : world_.sets.set(shape.set).runs) {
                all += run.count * copies(each, run);
            }
            const double affordable =
                cpu == 0
                    ? 1
                    : std::min(
                          1.0, static_cast<double>(shape.cpu) / static_cast<double>(cpu * all));
            chance += weights_[i];
            fill += weights_[i] * affordable *
                    static_cast<double>(copies(each, hole) * world_.asked(each, hole.kind).milli);
        }
        return chance == 0 ? 0 : fill / chance * (1 - std::pow(1 - chance, 6));
    }

    [[nodiscard]] double scarcity(const ClassCount& each) const {
        double free = 0;
        double used = 0;
        for (const ShapeCount& shape : world_.shapes) {
            free += static_cast<double>(world_.sets.set(shape.set).free_milli);
            used += usable(world_, each, shape);
        }
        return used == 0 ? 5 : std::clamp(free / used, 1.0, 5.0);
    }

    const World& world_;
    std::vector<double> weights_;
};

TEST(FillValue, IsWhatItsFormulasSay) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        const World world(random);
        FillValue scorer(world.sets);
        (void)scorer.learn(world.lesson());
        const FillValueByHand by_hand(world);
        for (const ShapeCount& shape : world.shapes) {
            const double wanted = by_hand.value(shape);
            const double got = static_cast<double>(scorer.value(shape.set, shape.cpu)) / kValueOne;
            ASSERT_NEAR(got, wanted, 0.1 + wanted * 0.005);  // Scarcity has 8 bits.
        }
    }
}

TEST(FillValue, KeepsItsWeightsWhileTheMixMovesLittle) {
    DeviceSets sets;
    const KindId kind = sets.kind_of({.model = GpuModelId(1), .total_mib = 1000});
    const std::vector<KindCount> kinds = {
        {.kind = kind, .gpus = 8}
    };
    const auto half = [](std::int64_t milli, std::uint64_t count) {
        return ClassCount{.request = {.gpus = model::GpuShare{.milli = milli}}, .count = count};
    };
    FillValue scorer(sets);
    std::vector<ClassCount> mix;
    EXPECT_FALSE(scorer.learn({.mix = mix, .kinds = kinds})) << "nothing came";
    mix = {half(500, 100)};
    EXPECT_TRUE(scorer.learn({.mix = mix, .kinds = kinds})) << "a first class";
    EXPECT_FALSE(scorer.learn({.mix = mix, .kinds = kinds})) << "nothing new";
    mix = {half(500, 1000), half(300, 20)};
    EXPECT_FALSE(scorer.learn({.mix = mix, .kinds = kinds})) << "a rare second";
    mix = {half(500, 1000), half(300, 100)};
    EXPECT_TRUE(scorer.learn({.mix = mix, .kinds = kinds})) << "it is not so rare";
    mix = {half(300, 100)};
    EXPECT_TRUE(scorer.learn({.mix = mix, .kinds = kinds})) << "the first is gone";
    mix = {};
    EXPECT_TRUE(scorer.learn({.mix = mix, .kinds = kinds})) << "so is the second";
}

TEST(FillValue, LeavesTheHolesThatAreAskedFor) {
    struct Case {
        const char* name;
        std::int64_t large;  // Half of what comes; the other half is what is placed.
        std::int64_t placed;
        std::int64_t want;  // The hole that it is placed in, of this and a whole device.
    };

    const std::vector<Case> cases = {
        {"a whole device is kept for those that need one", 1000, 300, 300 },
        {"800 beside the 200 is as good as the whole one", 800,  200, 1000},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        DeviceSets sets;
        const auto device = [](std::int64_t milli) {
            return DeviceState{
                .model = GpuModelId(1),
                .total_mib = 1000,
                .free = {.milli = milli, .memory_mib = milli}
            };
        };
        const DeviceSetId node = sets.intern({device(1000), device(c.placed)});
        const model::Request placed{.gpus = model::GpuShare{.milli = c.placed}};
        const model::Request large{.gpus = model::GpuShare{.milli = c.large}};
        const std::vector<ClassCount> mix = {
            {.request = placed, .count = 50},
            {.request = large,  .count = 50}
        };
        const std::vector<KindCount> kinds = {
            {.kind = sets.kind_of({.model = GpuModelId(1), .total_mib = 1000}), .gpus = 2}
        };
        FillValue scorer(sets);
        (void)scorer.learn({.mix = mix, .kinds = kinds});
        const auto options = sets.options(node, sets.intern(placed.gpus));
        ASSERT_EQ(options.size(), 2U);
        const Choice choice =
            scorer.best({.before = node, .value_before = scorer.value(node, 0)}, options);
        EXPECT_EQ(options[choice.option].device, device(c.want));
    }
}

/// The most frequent classes that are 95 % of the mix.
std::vector<ClassCount> typical_of(std::vector<ClassCount> mix) {
    std::ranges::sort(mix, [](const ClassCount& left, const ClassCount& right) {
        return left.count != right.count ? left.count > right.count
                                         : goes_before(left.request, right.request);
    });
    const auto count_of = [](double sum, const ClassCount& each) {
        return sum + static_cast<double>(each.count);
    };
    const double all = std::accumulate(mix.begin(), mix.end(), 0.0, count_of);
    std::vector<ClassCount> typical;
    double covered = 0;
    for (const ClassCount& each : mix) {
        if (covered < 0.95 * all) {
            typical.push_back(each);
            covered = count_of(covered, each);
        }
    }
    return typical;
}

/// What one class leaves useless of a node.
double unusable_by_hand(const World& world, const ClassCount& each, const ShapeCount& shape) {
    const DeviceSet& set = world.sets.set(shape.set);
    std::int64_t fitting = 0;
    std::int64_t too_small = 0;
    for (const DeviceRun& run : set.runs) {
        const DemandOfKind asked = world.asked(each, run.kind);
        const bool fits = asked.is_accepted && asked.milli <= run.hole;
        (fits ? fitting : too_small) += fits ? run.count : run.count * run.hole;
    }
    const bool is_lost = gpus_of(each) == 0 || fitting < gpus_of(each) ||
                         each.request.host.cpu_millicores > shape.cpu;
    return static_cast<double>(is_lost ? set.free_milli : too_small);
}

/// Of a node and the typical classes: sum of p * f, as published.
double fragments_by_hand(const World& world, const ShapeCount& shape) {
    double covered = 0;
    double sum = 0;
    for (const ClassCount& each : typical_of(world.mix)) {
        covered += static_cast<double>(each.count);
        sum += static_cast<double>(each.count) * unusable_by_hand(world, each, shape);
    }
    return sum / covered;
}

TEST(FragmentationGradient, IsWhatWasPublished) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        World world(random);
        FragmentationGradient scorer(world.sets);
        (void)scorer.learn(world.lesson());
        for (const ShapeCount& shape : world.shapes) {
            const double before = fragments_by_hand(world, shape);
            const std::int64_t value = scorer.value(shape.set, shape.cpu);
            ASSERT_NEAR(static_cast<double>(value) / kValueOne, before, 0.1);
            for (const ClassCount& each : world.mix) {
                const auto options =
                    world.sets.options(shape.set, world.sets.intern(each.request.gpus));
                const std::int64_t cpu_after = shape.cpu - each.request.host.cpu_millicores;
                if (options.empty() || cpu_after < 0) {
                    continue;
                }
                const std::vector<DeviceOption> kept(options.begin(), options.end());
                const Choice choice = scorer.best(
                    {.before = shape.set, .cpu_after = cpu_after, .value_before = value}, kept);
                double best = -1;
                for (const DeviceOption& option : kept) {
                    const double fall =
                        before - fragments_by_hand(world, {.set = option.after, .cpu = cpu_after});
                    best = std::max(best, 100 / (1 + std::exp(-fall / 1000)));
                }
                const double got = static_cast<double>(choice.score >> 32U);
                ASSERT_LE(got, best + 0.01);
                ASSERT_GT(got, best - 1.01);
            }
        }
    }
}

TEST(SimpleScorers, RankAsTheySay) {
    DeviceSets sets;
    const auto set_of = [&](const std::vector<std::int64_t>& holes) {
        std::vector<DeviceState> devices;
        devices.reserve(holes.size());
        for (const std::int64_t milli : holes) {
            devices.push_back({
                .model = GpuModelId(1),
                .total_mib = 1000,
                .free = {.milli = milli, .memory_mib = milli}
            });
        }
        return sets.intern(std::move(devices));
    };
    const DeviceSetId full = set_of({0, 0});
    const DeviceSetId half = set_of({500, 1000});
    const DeviceSetId empty = set_of({1000, 1000});
    const auto score = [&](Scorer& scorer, DeviceSetId before, DeviceSetId after,
                           std::int64_t cpu) {
        const DeviceOption option{.after = after, .milli_left = after == half ? 500 : 0};
        (void)scorer.learn({.cpu_max = 100, .milli_max = 2000});
        return scorer.best({.before = before, .cpu_after = cpu}, std::span(&option, 1)).score;
    };
    BestFit best_fit(sets);
    EXPECT_EQ(score(best_fit, empty, full, 0), 100);
    EXPECT_EQ(score(best_fit, empty, half, 100), 12) << "100 - 50 - 37.5, rounded down";
    Tightest tightest(sets);
    EXPECT_GT(score(tightest, empty, full, 0), score(tightest, empty, half, 0));
    EXPECT_GT(score(tightest, half, full, 0), score(tightest, empty, full, 0)) << "fewer untouched";
    Spread spread(sets);
    EXPECT_GT(score(spread, empty, half, 0), score(spread, empty, full, 100));
    EXPECT_GT(score(spread, empty, half, 50), score(spread, empty, half, 20));
}

TEST(Policies, HaveNames) {
    for (const PolicyRow& row : kPolicies) {
        EXPECT_EQ(parse_policy(row.name).value(), row.policy);
        EXPECT_EQ(name_of(row.policy), row.name);
    }
    const Result<Policy> none = parse_policy("worst-fit");
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, ErrorCode::kInvalid);
    EXPECT_NE(none.error().message.find("fill-value"), std::string::npos);
}

}  // namespace
}  // namespace reeve::scheduler
