#include "server_config.hpp"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace reeve {
namespace {

using Labels = std::map<std::string, std::string>;

TEST(ServerConfig, LabelsOfTheNodeAreAMapOrAList) {
    const Labels want = {
        {"rack", "1"  },
        {"zone", "a b"}
    };
    for (const char* yaml :
         {"node:\n  labels: {zone: a b, rack: 1}\n", "node:\n  labels: [zone=a b, rack=1]\n"}) {
        const auto config = read_server_config(yaml, {});
        ASSERT_TRUE(config) << config.error().message;
        EXPECT_EQ(config->node_labels, want);
    }
    Labels labels = want;
    ASSERT_TRUE(add_node_labels("zone=c", labels));
    EXPECT_EQ(labels.at("zone"), "c") << "what comes later wins";
}

TEST(ServerConfig, SaysWhatALabelIs) {
    struct Case {
        const char* yaml;
        const char* want;
    };

    const auto cases = std::to_array<Case>({
        {"node: {labels: zone}",
         "configuration: node.labels: 'zone' is not a label; write key=value"                  },
        {"node: {labels: {zone: [a]}}", "configuration: node.labels holds plain values"        },
        {"node: {labels: {-zone: a}}",  "configuration: node.labels: a label's key has 1 to 63"},
        {"node: {name: {zone: a}}",     "configuration: node.name needs a value"               },
        {"node: {label: {zone: a}}",
         "configuration: there is no key 'node.label'; did you mean 'node.labels'?"            },
    });
    for (const Case& c : cases) {
        SCOPED_TRACE(c.yaml);
        const auto config = read_server_config(c.yaml, {});
        ASSERT_FALSE(config);
        EXPECT_TRUE(config.error().message.starts_with(c.want)) << config.error().message;
    }
    Labels labels;
    for (int i = 0; i < 64; ++i) {
        ASSERT_TRUE(add_node_labels("k" + std::to_string(i) + "=", labels));
    }
    EXPECT_FALSE(add_node_labels("one=more", labels));
}

TEST(ServerConfig, PrioritiesHaveNamesAndUsersAHighestOne) {
    const ledger::Priorities want = {
        .names = {{"low", -100}, {"urgent", 100}},
          .users_most = 0
    };
    for (const char* yaml :
         {"scheduler: {priorities: {urgent: 100, low: -100}}\nlimits: {priority: 0}\n",
          "scheduler: {priorities: [urgent=100, low=-100]}\nlimits: {priority: 0}\n"}) {
        const auto config = read_server_config(yaml, {});
        ASSERT_TRUE(config) << config.error().message;
        EXPECT_EQ(*config->ledger.priorities, want);
    }
    const auto none = read_server_config("scheduler: {priorities: {}}", {});
    ASSERT_TRUE(none) << none.error().message;
    EXPECT_EQ(*none->ledger.priorities, ledger::Priorities());
}

TEST(ServerConfig, SaysWhatAPriorityIs) {
    const std::map<std::string, std::string> cases = {
        {"scheduler: {priorities: urgent}",
         "configuration: scheduler.priorities: 'urgent' is no name with its number; write {urgent: "
         "100, low: -100}"                                                                     },
        {"scheduler: {priorities: {Urgent: 1}}",
         "configuration: scheduler.priorities: 'Urgent' is no name of a priority, which has 1 to "
         "63 "
         "of a-z 0-9 _ - and begins with a letter"                                             },
        {"scheduler: {priorities: {urgent: 1001}}",
         "configuration: scheduler.priorities: urgent: a whole number from -1000 to 1000 was "
         "expected, not '1001'"                                                                },
        {"scheduler: {priorities: [urgent=1, urgent=2]}",
         "configuration: scheduler.priorities: 'urgent' is named twice"                        },
        {"limits: {priority: -1}",
         "configuration: limits.priority: a whole number from 0 to 1000 was expected, not '-1'"},
        {"limits: {priority: urgent}",
         "configuration: limits.priority: a whole number from 0 to 1000 was expected, not "
         "'urgent'"                                                                            },
    };
    for (const auto& [yaml, message] : cases) {
        SCOPED_TRACE(yaml);
        const auto config = read_server_config(yaml, {});
        ASSERT_FALSE(config);
        EXPECT_EQ(config.error().message, message);
    }
    std::string many = "n0=0";
    for (int i = 1; i <= 64; ++i) {
        many += ",n" + std::to_string(i) + "=0";
    }
    EXPECT_FALSE(read_server_config("scheduler: {priorities: [" + many + "]}", {}));
}

TEST(ServerConfig, RefusesAmountsThatCannotBe) {
    for (const char* yaml :
         {"gate: {gpu_utilization_below: 101}", "gate: {cpu_permille_below: 1001}",
          "gate: {memory_permille_below: -1}", "node: {log_max: 32K}", "node: {log_max: 0}"}) {
        EXPECT_FALSE(read_server_config(yaml, {})) << yaml;
    }
    for (const char* yaml :
         {"gate: {gpu_utilization_below: 100}", "gate: {cpu_permille_below: 1000}",
          "node: {log_max: 64K}", "node: {log_max: 1M}"}) {
        EXPECT_TRUE(read_server_config(yaml, {})) << yaml;
    }
}

}  // namespace
}  // namespace reeve
