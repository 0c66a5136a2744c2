#include "ledger/node_classes.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

model::NodeFacts in_zone(const std::string& zone) {
    return {.labels = {{"zone", zone}}};
}

TEST(NodeClasses, NodesThatNoExpressionTellsApartAreOne) {
    NodeClasses classes;
    classes.put_node(NodeId(1), in_zone("a"));
    classes.put_node(NodeId(2), in_zone("b"));
    EXPECT_EQ(classes.class_of(NodeId(1)), NodeClassId(0));
    EXPECT_EQ(classes.class_of(NodeId(2)), NodeClassId(0));
    classes.add("zone");
    EXPECT_EQ(classes.class_of(NodeId(1)), classes.class_of(NodeId(2)));
    EXPECT_NE(classes.class_of(NodeId(1)), NodeClassId(0));
    EXPECT_EQ(classes.take_moved(), (std::set<NodeId>{NodeId(1), NodeId(2)}));
    (void)classes.take_changed();

    classes.add("zone==a");
    EXPECT_EQ(classes.take_moved(), std::set<NodeId>{NodeId(1)});
    EXPECT_EQ(classes.take_changed(), (std::set<std::string>{"zone", "zone==a"}));
    EXPECT_EQ(classes.classes_of("zone==a"), std::vector{classes.class_of(NodeId(1))});
    EXPECT_EQ(classes.classes_of("zone").size(), 2U);

    classes.put_node(NodeId(3), in_zone("a"));
    EXPECT_EQ(classes.class_of(NodeId(3)), classes.class_of(NodeId(1)));
    EXPECT_TRUE(classes.take_changed().empty()) << "there is such a class";
    classes.add("zone ==");
    EXPECT_TRUE(classes.classes_of("zone ==").empty()) << "what cannot be read describes no node";
}

TEST(NodeClasses, AClassKeepsItsNumberWhileItsNodesAreTheSame) {
    NodeClasses classes;
    classes.put_node(NodeId(1), in_zone("a"));
    classes.put_node(NodeId(2), in_zone("a"));
    classes.add("zone==a");
    const NodeClassId before = classes.class_of(NodeId(1));
    (void)classes.take_moved();
    (void)classes.take_changed();
    classes.add("zone");
    EXPECT_EQ(classes.class_of(NodeId(1)), before);
    EXPECT_EQ(classes.classes_of("zone"), std::vector{before});
    EXPECT_TRUE(classes.take_moved().empty());
    EXPECT_TRUE(classes.take_changed().empty());
}

/// Others come and go, as many as are known still when nobody asks for them.
void ask_for_others(NodeClasses& classes) {
    for (std::size_t i = 0; i < NodeClasses::kUnusedMax; ++i) {
        const std::string other = "other==" + std::to_string(i);
        classes.add(other);
        classes.remove(other);
    }
}

TEST(NodeClasses, WhatNobodyAsksForIsForgottenAfterSomeOthers) {
    NodeClasses classes;
    classes.put_node(NodeId(1), in_zone("a"));
    classes.put_node(NodeId(2), in_zone("b"));
    classes.add("zone");
    classes.add("zone==a");
    classes.add("zone==a");
    classes.remove("zone==a");
    ask_for_others(classes);
    EXPECT_TRUE(classes.has("zone==a")) << "somebody still asks for it";
    EXPECT_EQ(classes.expression_count(), 2U);
    (void)classes.take_moved();
    classes.remove("zone==a");
    EXPECT_FALSE(classes.has("zone==a"));
    EXPECT_EQ(classes.expression_count(), 1U);
    classes.add("zone==a");
    EXPECT_TRUE(classes.take_moved().empty()) << "it comes again at once";
    classes.remove("zone==a");
    (void)classes.take_changed();
    ask_for_others(classes);
    EXPECT_EQ(classes.class_of(NodeId(1)), classes.class_of(NodeId(2)));
    EXPECT_EQ(classes.classes_of("zone").size(), 1U);
    EXPECT_EQ(classes.take_moved().size(), 1U);
    EXPECT_TRUE(classes.take_changed().contains("zone"));
    classes.remove("zone");
    ask_for_others(classes);
    EXPECT_EQ(classes.class_of(NodeId(1)), NodeClassId(0)) << "as if there had been none";
    EXPECT_EQ(classes.class_of(NodeId(2)), NodeClassId(0));
    EXPECT_EQ(classes.expression_count(), 0U);
}

/// What there is, and the classes of it.
struct Sorted {
    NodeClasses classes;
    std::map<NodeId, model::NodeFacts> nodes;
    std::multiset<std::string> added;
    std::map<NodeId, NodeClassId> last_class;                      // At the last check.
    std::map<std::string, std::vector<NodeClassId>> last_classes;  // Likewise.

    void remove(const std::string& text) {
        if (const auto one = added.find(text); one != added.end()) {
            classes.remove(text);
            added.erase(one);
        }
    }

    void put_node(NodeId id, Random& random) {
        model::NodeFacts facts =
            in_zone(std::string(1, static_cast<char>('a' + static_cast<char>(random.below(3)))));
        facts.gpu_models.resize(random.below(4));
        if (random.below(2) == 0) {
            facts.labels["rack"] = "r";
        }
        nodes[id] = facts;
        classes.put_node(id, facts);
    }

    /// A class is accepted exactly if its nodes are described, and what changed was said.
    void check() {
        const std::set<NodeId> moved = classes.take_moved();
        const std::set<std::string> changed = classes.take_changed();
        for (const auto& [node, facts] : nodes) {
            const auto [last, is_new] = last_class.try_emplace(node, NodeClassId(0));
            const NodeClassId before = std::exchange(last->second, classes.class_of(node));
            EXPECT_TRUE(moved.contains(node) || last->second == before) << node.value();
        }
        std::erase_if(last_class, [&](const auto& each) { return !nodes.contains(each.first); });
        for (const std::string& text : std::set<std::string>(added.begin(), added.end())) {
            const auto [last, is_new] = last_classes.try_emplace(text, classes.classes_of(text));
            const auto before = std::exchange(last->second, classes.classes_of(text));
            EXPECT_TRUE(changed.contains(text) || last->second == before) << text;
        }
        std::erase_if(last_classes, [&](const auto& each) { return !added.contains(each.first); });
        EXPECT_EQ(classes.expression_count(), last_classes.size());
        for (const std::string& text : added) {
            const std::optional accepted = classes.classes_of(text);
            const model::NodeExpression expression = *model::parse_node_expression(text);
            for (const auto& [node, facts] : nodes) {
                EXPECT_EQ(
                    model::accepts(accepted, classes.class_of(node)), holds(expression, facts))
                    << text << " of node " << node.value();
            }
        }
    }
};

TEST(NodeClassesProperty, AClassIsAcceptedExactlyIfItsNodesAreDescribed) {
    std::vector<std::string> texts = {"zone==a", "zone!=a",          "zone in (b, c)",
                                      "rack",    "!rack && zone==c", "gpu.count>=2"};
    for (std::size_t i = 0; i < NodeClasses::kUnusedMax; ++i) {  // So that some are forgotten.
        texts.push_back(texts[i % 6] + " && gpu.count>=" + std::to_string(i / 6));
    }
    for (std::uint64_t seed = 1; seed <= 50 && !HasFailure(); ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        Sorted sorted;
        for (int step = 0; step < 200; ++step) {
            const NodeId id(1 + random.below(6));
            const std::string& text = texts[random.below(texts.size())];
            switch (random.below(4)) {
                case 0:
                    sorted.classes.drop_node(id);
                    sorted.nodes.erase(id);
                    break;
                case 1:
                    sorted.classes.add(text);
                    sorted.added.insert(text);
                    break;
                case 2:  sorted.remove(text); break;
                default: sorted.put_node(id, random);
            }
            sorted.check();
        }
    }
}

/// Two nodes of two GPUs each: n1 in zone a, n2 in zone b.
struct Zones : World {
    Zones() : World(2) {
        hello.labels = {
            {"zone", "a"}
        };
        say(hello);
        other = hello;
        other.node = "n2";
        other.labels = {
            {"zone", "b"}
        };
        for (model::GpuDescription& gpu : other.gpus) {
            gpu.uuid += "-of-n2";
        }
        say(other);
    }

    JobId submit_on(const std::string& on) {
        model::JobTerms terms = one_gpu();
        terms.on = on;
        return submit(terms);
    }

    std::string node_of(JobId job) {
        const model::ElementRecord* element = ledger.state().element({job, 0});
        return element == nullptr ? "-" : ledger.state().node(element->node)->record.name;
    }

    model::NodeHello other;
};

TEST(RunsOn, TheNodesThatItAsksForAlone) {
    Zones world;
    EXPECT_EQ(world.node_of(world.submit_on("zone==b")), "n2");
    EXPECT_EQ(world.node_of(world.submit_on("zone  in (b)")), "n2");
    const JobId third = world.submit_on("zone!=a && gpu.model==A30");
    EXPECT_EQ(world.state(third), "queued") << "n1 has room, and is not one";
    EXPECT_EQ(world.node_of(world.submit_on("")), "n1");
}

TEST(RunsOn, WhatIsWrittenOtherwiseIsTheSameRequest) {
    Zones world;
    const JobId first = world.submit_on("zone==b&&!slow");
    const JobId second = world.submit_on("( zone == 'b' ) && !slow");
    EXPECT_EQ(world.ledger.state().job(first)->request, world.ledger.state().job(second)->request);
    EXPECT_NE(
        world.ledger.state().job(first)->request,
        world.ledger.state().job(world.submit_on("zone==b"))->request);
}

TEST(RunsOn, FollowsTheLabelsOfNodes) {
    Zones world;
    world.submit_on("zone==b");
    world.submit_on("zone==b");
    const JobId waits = world.submit_on("zone==b");
    EXPECT_EQ(world.state(waits), "queued");
    world.hello.labels = {
        {"zone", "b"}
    };
    world.say(world.hello);
    EXPECT_EQ(world.node_of(waits), "n1");
    world.hello.labels = {};
    world.say(world.hello);
    EXPECT_EQ(world.node_of(waits), "n1") << "what runs is left alone";
    EXPECT_EQ(world.state(world.submit_on("zone==b")), "queued");
}

/// Both nodes are in use; gives what runs on each.
std::map<std::string, JobId> fill(Zones& world) {
    std::map<std::string, JobId> fillers;
    for (int i = 0; i < 2; ++i) {
        model::JobTerms terms = one_gpu();
        terms.gpus.count = 2;
        const JobId filler = world.submit(terms);
        fillers.emplace(world.node_of(filler), filler);
    }
    return fillers;
}

void end_on(Zones& world, const std::string& node, JobId job) {
    world.say(model::TaskEnded{.node = node, .key = world.key(job)});
}

TEST(RunsOn, WhoWaitsFollowsWhatOthersTellApart) {
    Zones world;
    const auto fillers = fill(world);
    ASSERT_EQ(fillers.size(), 2U);
    const JobId first = world.submit_on("zone");
    world.submit_on("zone==a");
    EXPECT_EQ(world.state(first), "queued");
    end_on(world, "n1", fillers.at("n1"));
    EXPECT_EQ(world.node_of(first), "n1") << "which is of another class now";
}

TEST(RunsOn, WhoWaitsFollowsWhatNobodyTellsApartAnyMore) {
    Zones world;
    const auto fillers = fill(world);
    const JobId first = world.submit_on("zone");
    for (std::size_t i = 0; i <= NodeClasses::kUnusedMax; ++i) {
        const JobId other = world.submit_on("zone==a && !x" + std::to_string(i));
        ASSERT_TRUE(world.control(Control::kStop, other));
    }
    EXPECT_EQ(world.ledger.state().node_classes().expression_count(), 1U);
    end_on(world, "n1", fillers.at("n1"));
    EXPECT_EQ(world.node_of(first), "n1");
}

TEST(RunsOn, WhatNoNodeIsIsRefusedWithWhy) {
    Zones world;
    model::JobTerms terms = one_gpu();
    terms.on = "gpu.model==a30 && zone==c";
    auto reply = world.try_submit({terms});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::kUnsatisfiable);
    EXPECT_EQ(
        reply.error().message,
        "no node can ever run this: no node has gpu.model==a30 && zone==c (n1: zone is a, it asks "
        "for zone==c; n2: zone is b, it asks for zone==c)");
    terms.on = "zone==b";
    terms.gpus.count = 3;
    reply = world.try_submit({terms});
    ASSERT_FALSE(reply);
    EXPECT_EQ(
        reply.error().message,
        "no node can ever run this: of the nodes with zone==b, no node has 3 GPUs; the largest has "
        "2; the largest node is n2 (2 x NVIDIA A30, 16 CPUs, 62.5 GiB)");
    terms.on = "zone=b";
    reply = world.try_submit({terms});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::kInvalid);
}

TEST(RunsOn, AGpuThatIsLostStillCounts) {
    Zones world;
    world.hello.gpus.pop_back();
    world.say(world.hello);
    model::JobTerms terms = one_gpu();
    terms.on = "gpu.count==2 && zone==a";
    EXPECT_EQ(world.state(world.submit(terms)), "queued") << "it may come back";
}

}  // namespace
}  // namespace reeve::ledger
