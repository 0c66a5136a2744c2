#include "gpu/simulated/state_text.hpp"

#include <gtest/gtest.h>

#include "gpu/simulated/models.hpp"

namespace reeve::gpu::simulated {
namespace {

Topology busy() {
    Topology topology = topology_of("2xA30,8xH100,1xGB10", "seed").value();
    topology.gpus[1].processes = {
        {.pid = 7, .memory_mib = 100, .utilization_percent = 30, .start_ticks = 5}
    };
    topology.gpus[2].is_lost = true;
    topology.xids = {
        {.sequence = 1, .uuid = topology.gpus[2].uuid, .xid = 79}
    };
    topology.next_xid = 2;
    return topology;
}

/// busy(), as text, with the first `from` replaced.
std::string altered(const std::string& from, const std::string& to) {
    std::string text = format_topology(busy());
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
}

TEST(StateText, WhatIsWrittenIsRead) {
    const Result<Topology> read = parse_topology(format_topology(busy()));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, busy());
}

TEST(StateText, WhatIsWrongIsNamed) {
    struct Case {
        const char* name;
        std::string text;
        const char* says;
    };

    const std::string uuid = busy().gpus[1].uuid;
    const std::vector<Case> cases = {
        {"empty", "", "no JSON"},
        {"not JSON", "gpus: [", "no JSON"},
        {"no object", "[]", "an object"},
        {"deep", std::string(200000, '['), "no JSON"},
        {"another version", altered("\"reeve_simulated_gpus\": 1", "\"reeve_simulated_gpus\": 2"),
         "another version"},
        {"a missing field", altered("\"cores\"", "\"kernels\""), ".cores: must be given"},
        {"an unknown field", altered("\"preset\"", "\"x\": 1, \"preset\""), "$.x: unknown"},
        {"twice", altered("\"preset\"", "\"seed\": \"\", \"preset\""), "unknown, or twice"},
        {"a text for a number", altered("\"pid\": 7", "\"pid\": \"7\""), "a whole number"},
        {"a number for a flag", altered("\"is_lost\": false", "\"is_lost\": 0"), "true or false"},
        {"negative", altered("\"memory_mib\": 100", "\"memory_mib\": -1"), "a whole number"},
        {"huge", altered("\"memory_mib\": 100", "\"memory_mib\": 9000000000"), "a whole number"},
        {"over 100 percent", altered("\"utilization_percent\": 30", "\"utilization_percent\": 101"),
         "100 percent"},
        {"pid 0", altered("\"pid\": 7", "\"pid\": 0"), "a pid above 0"},
        {"an unknown model", altered("\"model\": \"A30\"", "\"model\": \"A31\""), "no model 'A31'"},
        {"a UUID twice", altered(busy().gpus[0].uuid, uuid), "twice"},
        {"a bus id that is none", altered("00000000:17:00.0", "17:00.0"), "pci_bus_id"},
        {"xids out of order", altered("\"next_xid\": 2", "\"next_xid\": 1"), "sequences"},
        {"models no object", altered("\"models\": {", "\"models\": [], \"y\": {"),
         "models: must be an object"},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        const Result<Topology> read = parse_topology(c.text);
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().code, ErrorCode::kInvalid);
        EXPECT_NE(read.error().message.find(c.says), std::string::npos) << read.error().message;
    }
}

TEST(StateText, NoPrefixIsTakenForTheWhole) {
    const std::string text = format_topology(busy());
    for (std::size_t size = 0; size + 2 < text.size(); size += 37) {
        EXPECT_FALSE(parse_topology(std::string_view(text).substr(0, size))) << size;
    }
}

}  // namespace
}  // namespace reeve::gpu::simulated
