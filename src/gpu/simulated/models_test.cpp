#include "gpu/simulated/models.hpp"

#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "gpu/simulated/simulation.hpp"

namespace reeve::gpu::simulated {
namespace {

TEST(Models, APresetNamesItsGpus) {
    struct Case {
        const char* preset;
        std::size_t gpus;
        const char* first;
        bool has_nvswitch;
    };

    const std::vector<Case> cases = {
        {"1xRTX3080",    1,  "NVIDIA GeForce RTX 3080", false},
        {"4xRTX5090",    4,  "NVIDIA GeForce RTX 5090", false},
        {"1xA30",        1,  "NVIDIA A30",              false},
        {"1xGB10",       1,  "NVIDIA GB10",             false},
        {"8xH100",       8,  "NVIDIA H100 80GB HBM3",   true },
        {"8xA30",        8,  "NVIDIA A30",              false},
        {"a30",          1,  "NVIDIA A30",              false},
        {"2Xrtx-4090",   2,  "NVIDIA GeForce RTX 4090", false},
        {"2xA30,1xH100", 3,  "NVIDIA A30",              false},
        {"64xL4",        64, "NVIDIA L4",               false},
        {"1xa100-80gb",  1,  "NVIDIA A100-SXM4-80GB",   false},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.preset);
        const Result<Topology> topology = topology_of(c.preset, "seed");
        ASSERT_TRUE(topology) << topology.error().message;
        ASSERT_EQ(topology->gpus.size(), c.gpus);
        EXPECT_EQ(topology->models.at(topology->gpus[0].model).name, c.first);
        EXPECT_EQ(topology->gpus[0].has_nvswitch, c.has_nvswitch);
        std::set<std::string> uuids;
        std::set<std::string> buses;
        for (const Gpu& gpu : topology->gpus) {
            uuids.insert(gpu.uuid);
            buses.insert(gpu.pci_bus_id);
            EXPECT_EQ(gpu.uuid.size(), 40U) << gpu.uuid;
        }
        EXPECT_EQ(uuids.size(), c.gpus);
        EXPECT_EQ(buses.size(), c.gpus);
    }
}

TEST(Models, WhatIsNoPresetIsRefused) {
    struct Case {
        const char* preset;
        const char* says;
    };

    const std::vector<Case> cases = {
        {"",                         "no simulated GPU model ''"},
        {"4xRTX5080",                "did you mean"             },
        {"0xA30",                    "1 to 64"                  },
        {"65xA30",                   "1 to 64"                  },
        {"60xA30,60xA30",            "at most 64"               },
        {"4x",                       "no simulated GPU model"   },
        {"-1xA30",                   "no simulated GPU model"   },
        {"99999999999999999999xA30", "1 to 64"                  },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.preset);
        const Result<Topology> topology = topology_of(c.preset, "seed");
        ASSERT_FALSE(topology);
        EXPECT_EQ(topology.error().code, ErrorCode::kInvalid);
        EXPECT_NE(topology.error().message.find(c.says), std::string::npos)
            << topology.error().message;
    }
}

TEST(Models, UuidsFollowFromTheSeedAlone) {
    const Result<Topology> one = topology_of("8xA30", "node1");
    const Result<Topology> again = topology_of("8xA30", "node1");
    const Result<Topology> other = topology_of("8xA30", "node2");
    ASSERT_TRUE(one && again && other);
    EXPECT_EQ(*one, *again);
    std::set<std::string> uuids;
    for (std::size_t i = 0; i < 8; ++i) {
        uuids.insert(one->gpus[i].uuid);
        uuids.insert(other->gpus[i].uuid);
        if (i > 0) {  // The order by UUID is that of the indexes.
            EXPECT_LT(one->gpus[i - 1].uuid, one->gpus[i].uuid);
        }
    }
    EXPECT_EQ(uuids.size(), 16U);
}

TEST(Models, EveryKnownModelCanBeNamed) {
    EXPECT_GE(known_models().size(), 10U);
    for (const std::string& model : known_models()) {
        EXPECT_TRUE(topology_of("2x" + model, "seed")) << model;
    }
}

}  // namespace
}  // namespace reeve::gpu::simulated
