#include "simulate/cluster.hpp"

#include <string>

#include <gtest/gtest.h>

namespace reeve::simulate {
namespace {

TEST(ClusterSpec, IsToldFromAFile) {
    for (const std::string_view spec : {"750x8xA100", "1x256cpu", "0x", "12xwrong"}) {
        EXPECT_TRUE(is_cluster_spec(spec)) << spec;
    }
    for (const std::string_view file : {"nodes.csv", "x8", "./750x8xA100", "8", "", "-1x8"}) {
        EXPECT_FALSE(is_cluster_spec(file)) << file;
    }
}

TEST(ClusterSpec, MakesNodesOfOneKind) {
    const auto cluster = parse_cluster_spec("750x8xA100");
    ASSERT_TRUE(cluster) << cluster.error().message;
    ASSERT_EQ(cluster->nodes.size(), 750U);
    EXPECT_EQ(cluster->gpus, 6000);
    EXPECT_EQ(cluster->models.count("A100"), 1U);
    const scheduler::NodeView& last = cluster->nodes.back();
    EXPECT_EQ(last.id, NodeId(750));
    EXPECT_EQ(cluster->names.back(), "n750");
    EXPECT_EQ(last.host_total.cpu_millicores, 128'000) << "16 for each GPU";
    EXPECT_EQ(last.host_total.memory_mib, 1'048'576) << "8 GiB for each CPU";
    EXPECT_EQ(last.free.host, last.host_total);
    ASSERT_EQ(last.free.gpus.size(), 8U);
    EXPECT_EQ(last.free.gpus.back().id, GpuId(6000));
    EXPECT_EQ(last.free.gpus.back().total_mib, 1000) << "so that memory never decides";
}

TEST(ClusterSpec, JoinsPartsAndReadsWhatEachHas) {
    const auto cluster = parse_cluster_spec("2x4xH100/80G:96cpu:1T+1x2xH100+3x64cpu:256G");
    ASSERT_TRUE(cluster) << cluster.error().message;
    ASSERT_EQ(cluster->nodes.size(), 6U);
    EXPECT_EQ(cluster->gpus, 10);
    EXPECT_EQ(cluster->models.size(), 1U);
    EXPECT_EQ(cluster->nodes[0].host_total.cpu_millicores, 96'000);
    EXPECT_EQ(cluster->nodes[0].host_total.memory_mib, 1'048'576);
    EXPECT_EQ(cluster->nodes[0].free.gpus[0].total_mib, 81'920);
    EXPECT_EQ(cluster->nodes[0].free.gpus[0].free.memory_mib, 81'920);
    EXPECT_EQ(cluster->nodes[2].host_total.cpu_millicores, 32'000);
    EXPECT_TRUE(cluster->nodes[5].free.gpus.empty());
    EXPECT_EQ(cluster->nodes[5].host_total.cpu_millicores, 64'000);
    EXPECT_EQ(cluster->nodes[5].host_total.memory_mib, 262'144);
}

TEST(ClusterSpec, SaysWhatIsWrong) {
    for (const std::string part :
         {"",
          "8",
          "x",
          "0x8xA100",
          "-1x8xA100",
          "+2",
          "3x",
          "3x8",
          "3x8x",
          "3x0xA100",
          "3x8xA 1",
          "3x8xA100/",
          "3x8xA100/much",
          "3x8xA100:",
          "3x8xA100:12",
          "3x64cpu:64cpu",
          "3x-4cpu",
          "3x8xA100:1T:2T",
          "100001x1cpu",
          "3x2000xA100",
          "99999999999999999999x1cpu"}) {
        if (part == "3x8xA100:12") {
            EXPECT_TRUE(parse_cluster_spec(part)) << "12 MiB, as everywhere";
            continue;
        }
        const auto cluster = parse_cluster_spec(part);
        ASSERT_FALSE(cluster) << part;
        EXPECT_EQ(cluster.error().code, ErrorCode::kInvalid);
        EXPECT_NE(cluster.error().message.find("NODESxGPUSxMODEL"), std::string::npos) << part;
    }
    const auto large = parse_cluster_spec("60000x1cpu+60000x1cpu");
    ASSERT_FALSE(large);
    EXPECT_NE(large.error().message.find("more than 100000 nodes"), std::string::npos);
}

}  // namespace
}  // namespace reeve::simulate
