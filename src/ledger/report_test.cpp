// Goal: what a node says of its load is what is kept.
#include <tuple>

#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

TEST(Gate, NamesEveryRuleThatIsBroken) {
    World world(1, {.gate = Gate{}});
    world.say(model::NodeSample{.node = "n1", .cpu_permille = 950, .memory_permille = 900});
    const NodeState& node = *world.ledger.state().node_named("n1");
    EXPECT_EQ(
        node.liveness.gate_text,
        "CPU usage is 95 %, not below 90 %; memory usage is 90 %, not below 85 %");
}

TEST(Gate, WhatItSaysIsPublishedAgainWhenItChanges) {
    World world(1, {.gate = Gate{}});
    world.say(model::NodeSample{.node = "n1", .cpu_permille = 950});
    std::ignore = world.ledger.take_dirty_nodes();
    world.say(model::NodeSample{.node = "n1", .cpu_permille = 950});
    EXPECT_TRUE(world.ledger.take_dirty_nodes().empty()) << "nothing is published for nothing";
    world.say(model::NodeSample{.node = "n1", .cpu_permille = 960});
    EXPECT_EQ(world.ledger.take_dirty_nodes().size(), 1U);
}

}  // namespace
}  // namespace reeve::ledger
