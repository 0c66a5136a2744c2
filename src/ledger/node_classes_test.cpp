#include "ledger/node_classes.hpp"

#include <string>
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
    EXPECT_TRUE(classes.take_is_changed());

    classes.add("zone==a");
    EXPECT_EQ(classes.take_moved(), std::set<NodeId>{NodeId(1)});
    EXPECT_TRUE(classes.take_is_changed());
    EXPECT_EQ(classes.classes_of("zone==a"), std::vector{classes.class_of(NodeId(1))});
    EXPECT_EQ(classes.classes_of("zone").size(), 2U);

    classes.put_node(NodeId(3), in_zone("a"));
    EXPECT_EQ(classes.class_of(NodeId(3)), classes.class_of(NodeId(1)));
    EXPECT_FALSE(classes.take_is_changed()) << "there is such a class";
    classes.add("zone==a");
    classes.remove("zone==a");
    EXPECT_FALSE(classes.take_is_changed()) << "somebody still asks for it";
    classes.remove("zone==a");
    EXPECT_EQ(classes.class_of(NodeId(1)), classes.class_of(NodeId(2)));
    EXPECT_EQ(classes.classes_of("zone").size(), 1U);
    classes.add("zone ==");
    EXPECT_TRUE(classes.classes_of("zone ==").empty()) << "what cannot be read describes no node";
}

/// What there is, and the classes of it.
struct Sorted {
    NodeClasses classes;
    std::map<NodeId, model::NodeFacts> nodes;
    std::multiset<std::string> added;

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

    /// A class is accepted exactly if its nodes are described.
    void check() {
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
    const std::vector<std::string> texts = {"zone==a", "zone!=a",          "zone in (b, c)",
                                            "rack",    "!rack && zone==c", "gpu.count>=2"};
    for (std::uint64_t seed = 1; seed <= 50 && !HasFailure(); ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        Sorted sorted;
        for (int step = 0; step < 60; ++step) {
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
