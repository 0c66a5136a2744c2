#include "scheduler/placement_engine.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "scheduler/engine_world.hpp"

namespace reeve::scheduler {
namespace {

constexpr std::uint64_t kSeeds = 60;
constexpr int kSteps = 60;

/// Placed tasks, to be released again in any order.
using Held = std::vector<Placed>;

PlacementEngine engine_of(
    const EngineOptions& options, const std::vector<NodeView>& nodes, const RandomMix& mix) {
    PlacementEngine engine(options);
    for (const NodeView& node : nodes) {
        engine.put_node(node);
    }
    engine.learn(mix.counts.counts());
    (void)engine.shape_count();  // What is learnt now is learnt of these nodes.
    return engine;
}

std::string text_of(const Decision& decision) {
    const auto* placed = std::get_if<Placed>(&decision);
    if (placed == nullptr) {
        return "-";
    }
    std::string text = std::to_string(placed->node.value()) + ":";
    for (const model::GpuGrant& gpu : placed->grant.gpus) {
        text += " " + std::to_string(gpu.gpu.value()) + "=" + std::to_string(gpu.amount.milli) +
                "/" + std::to_string(gpu.amount.memory_mib);
    }
    return text;
}

/// One step of a life: mostly a placement, now and then the end of one.
Decision step(PlacementEngine& engine, const RandomMix& mix, Random& random, Held& held) {
    if (!held.empty() && one_in(random, 3)) {
        const std::size_t at = random.below(held.size());
        engine.give_back(held[at].node, held[at].grant);
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
    }
    Decision decision = engine.place(mix.any(random), random.next());
    if (const auto* placed = std::get_if<Placed>(&decision)) {
        engine.take(placed->node, placed->grant);
        held.push_back(*placed);
    }
    return decision;
}

std::vector<NodeView> as_seen_by(const PlacementEngine& engine, std::vector<NodeView> nodes) {
    for (NodeView& node : nodes) {
        node.free = *engine.free_of(node.id);
    }
    return nodes;
}

/// Calls `body` with each policy and many seeds.
void for_each_life(const std::function<void(Policy, Random&)>& body) {
    for (const PolicyRow& row : kPolicies) {
        for (std::uint64_t seed = 1; seed <= kSeeds && !testing::Test::HasFailure(); ++seed) {
            SCOPED_TRACE(std::string(row.name) + ", seed " + std::to_string(seed));
            SeededRandom random(seed);
            body(row.policy, random);
        }
    }
}

TEST(PlacementEngine, GivesNoMoreThanThereIsAndAllOfItBack) {
    for_each_life([](Policy policy, Random& random) {
        const RandomMix mix(random);
        const std::vector<NodeView> nodes = random_nodes(random);
        PlacementEngine engine = engine_of({.policy = policy}, nodes, mix);
        Held held;
        for (int i = 0; i < kSteps; ++i) {
            (void)step(engine, mix, random, held);  // take() asserts that it was free.
        }
        for (const NodeView& node : nodes) {
            model::Resources left = node.free;
            for (const Placed& each : held) {
                if (each.node == node.id) {
                    const auto taken = model::take(left, each.grant);
                    ASSERT_TRUE(taken) << taken.error().message;
                    left = *taken;
                }
            }
            ASSERT_EQ(*engine.free_of(node.id), left);
        }
        for (const Placed& each : held) {
            engine.give_back(each.node, each.grant);
        }
        for (const NodeView& node : nodes) {
            ASSERT_EQ(*engine.free_of(node.id), node.free);
        }
    });
}

TEST(PlacementEngine, GrantsWhatWasAskedFor) {
    for_each_life([](Policy policy, Random& random) {
        const RandomMix mix(random);
        const std::vector<NodeView> nodes = random_nodes(random);
        PlacementEngine engine = engine_of({.policy = policy}, nodes, mix);
        Held held;
        for (int i = 0; i < kSteps; ++i) {
            const model::Request& request = mix.any(random);
            const std::vector<NodeView> seen = as_seen_by(engine, nodes);
            const Decision decision = engine.place(request, random.next());
            const auto* placed = std::get_if<Placed>(&decision);
            // It places whenever one can, and only then.
            ASSERT_EQ(
                placed != nullptr, std::holds_alternative<Placed>(scheduler::place(request, seen)));
            if (placed == nullptr) {
                continue;
            }
            EXPECT_EQ(placed->grant.host, request.host);
            const auto* whole = std::get_if<model::WholeGpus>(&request.gpus);
            ASSERT_EQ(std::ssize(placed->grant.gpus), whole == nullptr ? 1 : whole->count);
            engine.take(placed->node, placed->grant);
            held.push_back(*placed);
        }
    });
}

TEST(PlacementEngine, ScoresAsOneBuiltFromScratchDoes) {
    for_each_life([](Policy policy, Random& random) {
        const RandomMix mix(random);
        const std::vector<NodeView> nodes = random_nodes(random);
        PlacementEngine engine = engine_of({.policy = policy}, nodes, mix);
        PlacementEngine fresh = engine_of({.policy = policy}, nodes, mix);
        Held held;
        for (int i = 0; i < kSteps; ++i) {
            (void)step(engine, mix, random, held);
        }
        for (const NodeView& node : as_seen_by(engine, nodes)) {
            fresh.put_node(node);
        }
        for (const model::Request& request : mix.requests) {
            const std::uint64_t draw = random.next();
            ASSERT_EQ(text_of(engine.place(request, draw)), text_of(fresh.place(request, draw)));
            for (const NodeView& node : nodes) {
                if (policy != Policy::kRandom) {
                    ASSERT_EQ(engine.score(node.id, request), fresh.score(node.id, request));
                }
            }
        }
    });
}

/// The best score of all nodes, and the first that has it.
std::optional<NodeId> best_by_score(
    PlacementEngine& engine, const std::vector<NodeView>& nodes, const model::Request& request) {
    std::optional<std::pair<std::int64_t, NodeId>> best;
    for (const NodeView& node : nodes) {  // By id.
        const std::optional<std::int64_t> score = engine.score(node.id, request);
        if (score && (!best || *score > best->first)) {
            best = {*score, node.id};
        }
    }
    return best ? std::optional(best->second) : std::nullopt;
}

TEST(PlacementEngine, TakesTheBestScoreAndOfEqualOnesTheLowestNode) {
    for_each_life([](Policy policy, Random& random) {
        if (policy == Policy::kRandom) {
            return;
        }
        const RandomMix mix(random);
        const std::vector<NodeView> nodes = random_nodes(random);
        PlacementEngine engine = engine_of({.policy = policy}, nodes, mix);
        Held held;
        for (int i = 0; i < kSteps; ++i) {
            const model::Request& request = mix.any(random);
            const Decision decision = engine.place(request);
            const auto* placed = std::get_if<Placed>(&decision);
            const auto node = placed == nullptr ? std::nullopt : std::optional(placed->node);
            ASSERT_EQ(node, best_by_score(engine, nodes, request));
            (void)step(engine, mix, random, held);
        }
    });
}

TEST(PlacementEngine, DecidesTheSameInWhateverOrderNodesWereShown) {
    for_each_life([](Policy policy, Random& random) {
        const RandomMix mix(random);
        std::vector<NodeView> nodes = random_nodes(random);
        PlacementEngine engine = engine_of({.policy = policy}, nodes, mix);
        shuffle(nodes, random);
        PlacementEngine other = engine_of({.policy = policy}, nodes, mix);
        const std::uint64_t seed = random.next();
        SeededRandom random_of_engine(seed);
        SeededRandom random_of_other(seed);
        Held held;
        Held held_by_other;
        for (int i = 0; i < kSteps; ++i) {
            ASSERT_EQ(
                text_of(step(engine, mix, random_of_engine, held)),
                text_of(step(other, mix, random_of_other, held_by_other)));
        }
    });
}

TEST(PlacementEngine, DecidesTheSameWhenItsMemosAreDroppedAllTheTime) {
    for_each_life([](Policy policy, Random& random) {
        const RandomMix mix(random);
        const std::vector<NodeView> nodes = random_nodes(random);
        PlacementEngine engine = engine_of({.policy = policy}, nodes, mix);
        PlacementEngine forgetful = engine_of({.policy = policy, .memo_max = 200}, nodes, mix);
        const std::uint64_t seed = random.next();
        SeededRandom random_of_engine(seed);
        SeededRandom random_of_forgetful(seed);
        Held held;
        Held held_by_forgetful;
        for (int i = 0; i < kSteps; ++i) {
            ASSERT_EQ(
                text_of(step(engine, mix, random_of_engine, held)),
                text_of(step(forgetful, mix, random_of_forgetful, held_by_forgetful)));
        }
    });
}

TEST(PlacementEngine, UndoesByShowingTheNodeAsItWas) {
    for_each_life([](Policy policy, Random& random) {
        const RandomMix mix(random);
        const std::vector<NodeView> nodes = random_nodes(random);
        PlacementEngine engine = engine_of({.policy = policy}, nodes, mix);
        Held held;
        for (int i = 0; i < kSteps / 2; ++i) {
            (void)step(engine, mix, random, held);
        }
        const std::vector<NodeView> before = as_seen_by(engine, nodes);
        const model::Request& asked = mix.any(random);
        const std::string wanted = text_of(engine.place(asked, 7));
        const Decision undone = engine.place(mix.any(random), random.next());
        if (const auto* placed = std::get_if<Placed>(&undone)) {
            engine.take(placed->node, placed->grant);
            engine.put_node(*std::ranges::find(before, placed->node, &NodeView::id));
        }
        ASSERT_EQ(text_of(engine.place(asked, 7)), wanted);
    });
}

TEST(PlacementEngine, ForgetsWhatItScoredWhenItLearnsSomethingElse) {
    for_each_life([](Policy policy, Random& random) {
        const RandomMix mix(random);
        const RandomMix other_mix(random);
        const std::vector<NodeView> nodes = random_nodes(random);
        PlacementEngine engine = engine_of({.policy = policy}, nodes, mix);
        Held held;
        for (int i = 0; i < kSteps; ++i) {
            (void)step(engine, mix, random, held);
        }
        engine.learn(other_mix.counts.counts());
        PlacementEngine fresh = engine_of({.policy = policy}, as_seen_by(engine, nodes), other_mix);
        for (const model::Request& request : mix.requests) {
            ASSERT_EQ(text_of(engine.place(request, 5)), text_of(fresh.place(request, 5)));
            for (const NodeView& node : nodes) {
                if (policy != Policy::kRandom) {
                    ASSERT_EQ(engine.score(node.id, request), fresh.score(node.id, request));
                }
            }
        }
    });
}

TEST(PlacementEngine, TakesTheSmallestOfHolesThatAreWorthTheSame) {
    PlacementEngine engine({.policy = Policy::kFillValue});  // It has learnt nothing.
    NodeView node = node_of(1, {.gpus = 3});
    node.free.gpus[1].free = {.milli = 300, .memory_mib = 300};
    node.free.gpus[2].free = {.milli = 500, .memory_mib = 500};
    engine.put_node(node);
    EXPECT_EQ(text_of(engine.place({.gpus = model::GpuShare{.milli = 300}})), "1: 101=300/300");
}

/// The rule of place(), which the live ledger uses.
TEST(PlacementEngine, TightestIsWhatPlaceDecides) {
    for (std::uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        const RandomMix mix(random);
        const std::vector<NodeView> nodes = random_nodes(random);
        PlacementEngine engine = engine_of({.policy = Policy::kTightest}, nodes, mix);
        Held held;
        for (int i = 0; i < kSteps; ++i) {
            const model::Request& request = mix.any(random);
            ASSERT_EQ(
                text_of(engine.place(request)),
                text_of(scheduler::place(request, as_seen_by(engine, nodes))));
            (void)step(engine, mix, random, held);
        }
    }
}

TEST(PlacementEngine, SeesNodesComeGoAndDrain) {
    const NodeShape shape{.gpus = 1, .cpu = 8000};
    const model::Request whole{.gpus = model::WholeGpus{.count = 1}};
    PlacementEngine engine({.policy = Policy::kTightest});
    EXPECT_EQ(text_of(engine.place(whole)), "-") << "no nodes at all";
    engine.put_node(node_of(2, shape));
    EXPECT_EQ(text_of(engine.place(whole)), "2: 200=1000/1000");
    engine.put_node(node_of(1, shape));
    EXPECT_EQ(text_of(engine.place(whole)), "1: 100=1000/1000") << "a lower one came";
    NodeView drained = node_of(1, shape);
    drained.availability = Availability::kDrained;
    engine.put_node(drained);
    EXPECT_EQ(text_of(engine.place(whole)), "2: 200=1000/1000") << "it was drained";
    EXPECT_EQ(engine.score(NodeId(1), whole), std::nullopt);
    engine.put_node(node_of(1, shape));
    EXPECT_EQ(text_of(engine.place(whole)), "1: 100=1000/1000") << "it is back";
    engine.remove_node(NodeId(1));
    EXPECT_EQ(text_of(engine.place(whole)), "2: 200=1000/1000") << "it is gone";
    engine.remove_node(NodeId(1));
    engine.give_back(NodeId(1), {.gpus = {{.gpu = GpuId(100), .amount = {.milli = 1000}}}});
    EXPECT_EQ(engine.free_of(NodeId(1)), nullptr);
    engine.put_node(node_of(2, {.gpus = 0, .cpu = 8000}));
    EXPECT_EQ(text_of(engine.place(whole)), "-") << "it lost its GPU";
}

TEST(PlacementEngine, PlacesOnNodesOfTheClassesThatTheRequestAccepts) {
    for (const PolicyRow& row : kPolicies) {
        SCOPED_TRACE(row.name);
        PlacementEngine engine({.policy = row.policy});
        for (std::uint64_t id = 1; id <= 3; ++id) {
            engine.put_node(node_of(id, {.gpus = 1, .node_class = id == 1 ? 0U : 5U}));
        }
        EXPECT_EQ(engine.shape_count(), 2U) << "alike, but for their class";
        model::Request request{.gpus = model::WholeGpus{.count = 1}};
        request.node_classes = std::vector{NodeClassId(4)};
        EXPECT_EQ(text_of(engine.place(request)), "-");
        request.node_classes = std::vector{NodeClassId(0), NodeClassId(4)};
        EXPECT_EQ(text_of(engine.place(request)), "1: 100=1000/1000");
        engine.put_node(node_of(2, {.gpus = 1, .node_class = 4}));
        engine.put_node(node_of(1, {.gpus = 1, .node_class = 5}));
        EXPECT_EQ(text_of(engine.place(request)), "2: 200=1000/1000") << "they were relabelled";
    }
}

TEST(PlacementEngine, PassesOverNodesThatAreShortOfMemoryHoweverMany) {
    PlacementEngine engine({.policy = Policy::kTightest});
    constexpr std::uint64_t kNodes = 40;
    for (std::uint64_t id = 1; id <= kNodes; ++id) {
        engine.put_node(
            node_of(id, {.gpus = 1, .memory_mib = static_cast<std::int64_t>(id * 100)}));
    }
    const auto node_with = [&](std::int64_t memory_mib) {
        const Decision decision = engine.place(
            {.host = {.memory_mib = memory_mib}, .gpus = model::WholeGpus{.count = 1}});
        return std::string(text_of(decision)).substr(0, text_of(decision).find(':'));
    };
    for (int again = 0; again < 3; ++again) {
        EXPECT_EQ(node_with(0), "1");
        EXPECT_EQ(node_with(301), "4") << "a few are passed over";
        EXPECT_EQ(node_with(3999), "40") << "all but the last are";
        EXPECT_EQ(node_with(4001), "-");
    }
    engine.put_node(node_of(7, {.gpus = 1, .memory_mib = 5000}));
    EXPECT_EQ(node_with(3999), "7");
    EXPECT_EQ(node_with(4001), "7");
    EXPECT_EQ(node_with(0), "1");
}

TEST(PlacementEngine, CountsAlikeNodesAsOneShape) {
    PlacementEngine engine({.policy = Policy::kFillValue});
    for (std::uint64_t id = 1; id <= 1000; ++id) {
        engine.put_node(node_of(id, {.gpus = 8, .cpu = 96000}));
    }
    EXPECT_EQ(engine.shape_count(), 1U);
    const model::Request share{.gpus = model::GpuShare{.milli = 500}};
    const Decision decision = engine.place(share);
    EXPECT_LE(engine.counts().scores, 2U) << "of a thousand nodes";
    engine.take(std::get<Placed>(decision).node, std::get<Placed>(decision).grant);
    EXPECT_EQ(engine.shape_count(), 2U);
}

TEST(PlacementEngine, RandomUsesItsDrawAloneAndReachesAllNodes) {
    PlacementEngine engine({.policy = Policy::kRandom});
    for (std::uint64_t id = 1; id <= 4; ++id) {
        engine.put_node(node_of(id, {.gpus = 2}));
    }
    const model::Request share{.gpus = model::GpuShare{.milli = 500}};
    std::set<std::string> places;
    for (std::uint64_t draw = 0; draw < 200; ++draw) {
        const std::string place = text_of(engine.place(share, draw));
        EXPECT_EQ(place, text_of(engine.place(share, draw)));
        places.insert(place.substr(0, place.find(':')));
    }
    EXPECT_EQ(places.size(), 4U);
}

}  // namespace
}  // namespace reeve::scheduler
