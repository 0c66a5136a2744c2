#include "scheduler/placement.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace reeve::scheduler {
namespace {

/// Node 2 has the GPUs 20, 21, … of 1000 milli and 10,000 MiB, so much of each is free.
NodeView node(std::uint64_t id, const std::vector<std::int64_t>& free_milli) {
    NodeView view{
        .id = NodeId(id),
        .free = {.host = {.cpu_millicores = 1000}},
        .host_total = {.cpu_millicores = 1000}};
    for (const std::int64_t milli : free_milli) {
        const GpuId gpu(id * 10 + view.free.gpus.size());
        const model::GpuAmount free{.milli = milli, .memory_mib = milli * 10};
        view.free.gpus.push_back({gpu, GpuModelId(1), 10000, free});
    }
    return view;
}

NodeView draining(NodeView view) {
    view.availability = Availability::kDrained;
    return view;
}

model::Request whole(std::int64_t count) {
    return {.gpus = model::WholeGpus{.count = count}};
}

model::Request of_model(std::uint64_t id) {
    const model::WholeGpus one{.count = 1, .models = std::vector{GpuModelId(id)}};
    return {.gpus = one};
}

model::Request of_size(std::int64_t mib) {
    const model::WholeGpus one{.count = 1, .total_mib_min = mib};
    return {.gpus = one};
}

model::Request share(std::int64_t milli) {
    return {.gpus = model::GpuShare{.milli = milli}};
}

NodeView classed(NodeView view) {
    view.node_class = NodeClassId(3);
    return view;
}

model::Request classed(model::Request request) {
    request.node_classes = std::vector{NodeClassId(1), NodeClassId(3)};
    return request;
}

/// The GPUs of a placement, "20 21", or "-" for none: a short word keeps the table readable.
std::string where(const Decision& decision) {
    const auto* placed = std::get_if<Placed>(&decision);
    if (placed == nullptr) {
        return "-";
    }
    std::string text;
    for (const model::GpuGrant& granted : placed->grant.gpus) {
        text += (text.empty() ? "" : " ") + std::to_string(granted.gpu.value());
    }
    return text;
}

TEST(Place, PicksTheTightestDeviceThatFits) {
    struct Case {
        const char* name;
        model::Request request;
        std::vector<NodeView> nodes;
        const char* want;
    };

    const std::vector<Case> cases = {
        {"no nodes at all",       whole(1),          {},                                       "-"    },
        {"exact fit is a fit",    whole(1),          {node(2, {1000})},                        "20"   },
        {"one milli short",       whole(1),          {node(2, {999})},                         "-"    },
        {"two halves, no whole",  whole(1),          {node(2, {500, 500})},                    "-"    },
        {"two 300s, no 600",      share(600),        {node(2, {300, 300})},                    "-"    },
        {"two nodes, no pair",    whole(2),          {node(2, {1000}), node(3, {1000})},       "-"    },
        {"untouched GPUs only",   whole(2),          {node(2, {1000, 250, 1000})},             "20 22"},
        {"another model",         of_model(2),       {node(2, {1000})},                        "-"    },
        {"large enough",          of_size(10000),    {node(2, {1000})},                        "20"   },
        {"one MiB too small",     of_size(10001),    {node(2, {1000})},                        "-"    },
        {"tightest node",         whole(1),          {node(2, {1000, 1000}), node(3, {1000})}, "30"   },
        {"ties: lowest node",     whole(1),          {node(3, {1000}), node(2, {1000})},       "20"   },
        {"one of two",            whole(1),          {node(2, {1000, 1000})},                  "20"   },
        {"ties: lowest GPU",      share(250),        {node(2, {500, 500})},                    "20"   },
        {"draining is no node",   whole(1),          {draining(node(2, {1000}))},              "-"    },
        {"used GPUs first",       share(250),        {node(2, {1000, 400})},                   "21"   },
        {"tightest GPU",          share(250),        {node(2, {300}), node(3, {1000, 250})},   "31"   },
        {"no GPU, yet a node",    whole(0),          {node(2, {0})},                           ""     },
        {"a node of its classes",
         classed(whole(1)),
         {node(2, {1000}), classed(node(3, {1000}))},
         "30"                                                                                         },
        {"no such node",          classed(whole(1)), {node(2, {1000})},                        "-"    },
        {"any class will do",     whole(1),          {classed(node(2, {1000}))},               "20"   },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(where(place(c.request, c.nodes)), c.want);

        std::vector<NodeView> reversed = c.nodes;
        std::ranges::reverse(reversed);
        EXPECT_EQ(where(place(c.request, reversed)), c.want) << "depends on the order of the nodes";
    }
}

TEST(Explain, SaysWhatIsShortOnEachNode) {
    model::Request request = whole(1);
    request.host.cpu_millicores = 1000;
    NodeView busy = node(4, {1000});
    busy.free.host.cpu_millicores = 999;
    NodeView full = node(6, {0, 500});
    full.free.host.cpu_millicores = -1;  // The machine shrank.
    full.free.host.memory_mib = 3;
    full.host_total.memory_mib = 4;
    request.host.memory_mib = 4;
    NodeView tiny = node(5, {1000});
    tiny.host_total.cpu_millicores = 500;

    const std::vector<Refusal> want = {
        {NodeId(2), Reason::kDrained,     0,    0  },
        {NodeId(3), Reason::kGpuShort,    1,    0  },
        {NodeId(4), Reason::kCpuShort,    1000, 999},
        {NodeId(5), Reason::kTooSmall,    0,    0  },
        {NodeId(6), Reason::kCpuShort,    1000, 0  },
        {NodeId(6), Reason::kMemoryShort, 4,    3  },
        {NodeId(6), Reason::kGpuShort,    1,    0  },
    };
    std::vector<NodeView> nodes = {
        full, tiny, busy, node(3, {500, 500}), draining(node(2, {1000}))};
    for (NodeView& any : nodes) {
        if (any.id != NodeId(6)) {
            any.free.host.memory_mib = any.host_total.memory_mib = 4;
        }
    }
    EXPECT_EQ(explain(request, nodes), want);
}

TEST(Explain, OfANodeThatItMayNotRunOnSaysThatAlone) {
    const std::vector<NodeView> nodes = {draining(node(2, {})), classed(node(3, {500}))};
    const std::vector<Refusal> want = {
        {NodeId(2), Reason::kLabels,   0, 0},
        {NodeId(3), Reason::kGpuShort, 1, 0},
    };
    EXPECT_EQ(explain(classed(whole(1)), nodes), want);
    EXPECT_FALSE(could_hold(node(2, {1000}), classed(whole(1))));
    EXPECT_TRUE(could_hold(nodes[1], classed(whole(1))));
    EXPECT_FALSE(can_take(node(2, {1000}), classed(whole(1))));
    EXPECT_TRUE(can_take(classed(node(2, {1000})), classed(whole(1))));
}

TEST(Explain, AgreesWithPlace) {
    SeededRandom random(1);
    for (int i = 0; i < 2000; ++i) {
        const std::int64_t free_milli = static_cast<std::int64_t>(random.below(3)) * 500;
        const std::vector<NodeView> nodes = {node(2, {free_milli, 1000}), node(3, {free_milli})};
        const model::Request request =
            random.below(2) == 0 ? whole(static_cast<std::int64_t>(random.below(4)))
                                 : share(static_cast<std::int64_t>(random.below(1000)) + 1);
        const bool is_placed = where(place(request, nodes)) != "-";
        std::set<NodeId> refusing;
        for (const Refusal& refusal : explain(request, nodes)) {
            refusing.insert(refusal.node);
        }
        EXPECT_EQ(refusing.size() < nodes.size(), is_placed);
        EXPECT_TRUE(!is_placed || could_hold(nodes[0], request) || could_hold(nodes[1], request));
    }
}

}  // namespace
}  // namespace reeve::scheduler
