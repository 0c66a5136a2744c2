#include "model/node_expression.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "model/spec_rules.hpp"

namespace reeve::model {
namespace {

NodeFacts n2() {
    return {
        .name = "n2",
        .labels = {{"zone", "b"}, {"rack", "r 1"}, {"in", "x"}, {"empty", ""}},
        .gpu_models = {"NVIDIA A30", "NVIDIA A30"},
        .gpu_memory_mib = 24 << 10,
        .cpu_millicores = 32000
    };
}

std::string printed(const std::string& text) {
    const Result<NodeExpression> parsed = parse_node_expression(text);
    return parsed ? to_string(*parsed) : "wrong: " + parsed.error().message;
}

TEST(NodeExpression, HoldsOfTheNodesThatItDescribes) {
    struct Case {
        const char* text;
        bool want;
        const char* printed;
    };

    const std::vector<Case> cases = {
        {"zone==b",                    true,  "zone==b"                 },
        {"zone == a",                  false, "zone==a"                 },
        {"zone!=b",                    false, "zone!=b"                 },
        {"zone != \"a\"",              true,  "zone!=a"                 },
        {"floor!=b",                   true,  "floor!=b"                },
        {"floor==b",                   false, "floor==b"                },
        {"zone",                       true,  "zone"                    },
        {"!zone",                      false, "!zone"                   },
        {"!floor",                     true,  "!floor"                  },
        {"!!zone",                     true,  "!!zone"                  },
        {"empty==''",                  true,  "empty==\"\""             },
        {"rack=='r 1'",                true,  "rack==\"r 1\""           },
        {"zone in (a,b)",              true,  "zone in (a, b)"          },
        {"zone in(a, c)",              false, "zone in (a, c)"          },
        {"\"in\" == x",                true,  "\"in\"==x"               },
        {"inner",                      false, "inner"                   },
        {"zone in (in)",               false, "zone in (in)"            },
        {"node.name==n2",              true,  "node.name==n2"           },
        {"node.name in (n1, n3)",      false, "node.name in (n1, n3)"   },
        {"'node.name'",                false, "\"node.name\""           },
        {"gpu.model==A30",             true,  "gpu.model==A30"          },
        {"gpu.model==nvidia-a30",      true,  "gpu.model==nvidia-a30"   },
        {"gpu.model==a3",              false, "gpu.model==a3"           },
        {"gpu.model!=a100",            true,  "gpu.model!=a100"         },
        {"gpu.model in (a100, a30)",   true,  "gpu.model in (a100, a30)"},
        {"gpu.count==2",               true,  "gpu.count==2"            },
        {"gpu.count<2",                false, "gpu.count<2"             },
        {"gpu.count<=2",               true,  "gpu.count<=2"            },
        {"gpu.count>2",                false, "gpu.count>2"             },
        {"gpu.count>=2",               true,  "gpu.count>=2"            },
        {"gpu.count in (2, 4)",        true,  "gpu.count in (2, 4)"     },
        {"gpu.memory>=24G",            true,  "gpu.memory>=24G"         },
        {"gpu.memory>=24577",          false, "gpu.memory>=24577M"      },
        {"cpu.count>31.5",             true,  "cpu.count>31.5"          },
        {"cpu.count!=32",              false, "cpu.count!=32"           },
        {"zone==a||zone==b",           true,  "zone==a || zone==b"      },
        {"zone==b&&floor",             false, "zone==b && floor"        },
        {"floor && zone || zone",      true,  "floor && zone || zone"   },
        {"floor && (zone || zone)",    false, "floor && (zone || zone)" },
        {"(zone && (rack))",           true,  "zone && rack"            },
        {"zone && (rack && !(floor))", true,  "zone && rack && !floor"  },
        {"!(floor && zone)",           true,  "!(floor && zone)"        },
        {"\n zone\t==\r\n b \n",       true,  "zone==b"                 },
        {R"(zone=="a\"\\")",           false, R"(zone=="a\"\\")"        },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.text);
        const Result<NodeExpression> parsed = parse_node_expression(c.text);
        ASSERT_TRUE(parsed) << parsed.error().message;
        EXPECT_EQ(holds(*parsed, n2()), c.want);
        EXPECT_EQ(to_string(*parsed), c.printed);
        EXPECT_EQ(parse_node_expression(c.printed), *parsed);
    }
}

TEST(NodeExpression, NamesTheColumnOfWhatIsWrong) {
    struct Case {
        const char* text;
        const char* want;  // A part of it.
        std::size_t column;
    };

    const std::vector<Case> cases = {
        {"",                    "expected a label, or one of node.name, gpu.model",            1 },
        {"zone=a",              "expected &&, || or the end; for '=' write ==",                5 },
        {"zone==",              "expected a value, such as zone==a",                           7 },
        {"zone == && x",        "expected a value",                                            9 },
        {"zone==a and rack==b", "expected &&, || or the end; for 'and' write &&",              9 },
        {"(zone==a",            "expected &&, || or )",                                        9 },
        {"(zone | b)",          "for '|' write ||",                                            7 },
        {"zone==a)",            "expected &&, || or the end",                                  8 },
        {"zone<3",              "< compares numbers",                                          1 },
        {"zone in a",           "expected ( after in, such as zone in (a, b)",                 9 },
        {"zone in (a b)",       "expected , or )",                                             12},
        {"zone in ()",          "expected a value",                                            10},
        {"gpu.count",           "expected a comparison after gpu.count, such as gpu.count>=4", 10},
        {"gpu.mode==a30",       "there is no gpu.mode; did you mean gpu.model?",               1 },
        {"node.zone==a",        "there is no node.zone; there are node.name",                  1 },
        {"gpu.count==many",     "gpu.count: ",                                                 12},
        {"gpu.memory>=x",       "expected gpu.memory>=20G",                                    13},
        {"gpu.model=='A 30'",   "a GPU model is a word",                                       12},
        {"zone=='a,b'",         "a label's value has",                                         7 },
        {"-zone",               "a label's key has",                                           1 },
        {"zone=='a",            "this quote has no end",                                       7 },
        {"größe==1",            "a label's key has",                                           1 },
        {"zone==größe && =",    "expected a label",                                            16},
        {"zone==a && $",        "expected a label",                                            12},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.text);
        const std::string fault = fault_of_node_expression(c.text);
        EXPECT_NE(fault.find(c.want), std::string::npos) << fault;
        EXPECT_TRUE(fault.starts_with("column " + std::to_string(c.column) + ": ")) << fault;
        const std::string under = "\n" + std::string(c.column + 1, ' ') + "^";
        EXPECT_TRUE(fault.ends_with("\n  " + std::string(c.text) + under)) << fault;
    }
}

TEST(NodeExpression, HasALimitedLengthAndDepth) {
    const auto bytes = [](std::size_t count) { return "z" + std::string(count - 4, ' ') + "==a"; };
    EXPECT_EQ(fault_of_node_expression(bytes(kNodeExpressionBytesMax)), "");
    EXPECT_NE(
        fault_of_node_expression(bytes(kNodeExpressionBytesMax + 1)).find("1024"),
        std::string::npos);
    std::string dense = "a";
    while (dense.size() + 3 <= kNodeExpressionBytesMax) {
        dense += "&&a";
    }
    EXPECT_NE(fault_of_node_expression(dense), "") << "it is longer when printed";

    const auto nested = [](const std::string& open, const std::string& close, std::size_t depth) {
        std::string text = "a";
        for (std::size_t i = 0; i < depth; ++i) {
            text.insert(0, open).append(close);
        }
        return fault_of_node_expression(text);
    };
    EXPECT_EQ(nested("(", ")", kNodeExpressionDepthMax), "");
    EXPECT_NE(nested("(", ")", kNodeExpressionDepthMax + 1), "");
    EXPECT_EQ(nested("!", "", kNodeExpressionDepthMax), "");
    EXPECT_NE(nested("!", "", kNodeExpressionDepthMax + 1), "");
    EXPECT_NE(nested("(", "", 1000), "");
}

TEST(NodeExpression, ShowsTheLineAroundAMistakeInALongText) {
    const std::string fault = fault_of_node_expression("zone==" + std::string(200, 'a') + " $");
    const std::string shown = "\n  …" + std::string(59, 'a') + " $\n" + std::string(63, ' ') + "^";
    EXPECT_TRUE(fault.ends_with(shown)) << fault;
}

TEST(NodeExpression, SaysWhichClauseIsFalse) {
    struct Case {
        const char* text;
        const char* want;
    };

    const std::vector<Case> cases = {
        {"gpu.model==a30 && zone!=b",    "zone is b, it asks for zone!=b"                                },
        {"floor==1",                     "it has no label floor, it asks for floor==1"                   },
        {"!zone",                        "zone is b, it asks for !zone"                                  },
        {"rack && (zone==a || zone==c)", "zone is b, it asks for zone==a || zone==c"                     },
        {"zone==a || floor",             "zone is b, it has no label floor, it asks for zone==a || floor"},
        {"node.name!=n2",                "its name is n2, it asks for node.name!=n2"                     },
        {"gpu.model==h100",              "its GPUs are NVIDIA A30, it asks for gpu.model==h100"          },
        {"gpu.count>=4",                 "it has 2 GPUs, it asks for gpu.count>=4"                       },
        {"gpu.memory>24G",               "its largest GPU has 24 GiB, it asks for gpu.memory>24G"        },
        {"cpu.count<32",                 "it has 32 CPUs, it asks for cpu.count<32"                      },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.text);
        const Result<NodeExpression> parsed = parse_node_expression(c.text);
        ASSERT_TRUE(parsed) << parsed.error().message;
        EXPECT_FALSE(holds(*parsed, n2()));
        EXPECT_EQ(why_not(*parsed, n2()), c.want);
    }
    EXPECT_EQ(
        why_not(*parse_node_expression("gpu.memory>1G"), {}),
        "it has no GPU, it asks for gpu.memory>1G");
    EXPECT_EQ(
        why_not(*parse_node_expression("gpu.model==a30"), {}),
        "it has no GPU, it asks for gpu.model==a30");
}

/// Text that is an expression, of what its grammar has.
std::string random_expression(Random& random, int depth) {
    const std::vector<std::string> terms = {
        "zone==b",      "zone != a",     "rack",          "zone in (a,  b)",
        "gpu.count>=2", "node.name==n2", "gpu.memory<8G", "gpu.model == a30",
        "\"in\"==x",    "rack=='r 1'",   "empty=='\"'",   "cpu.count<=2.5",
    };
    if (depth == 0 || random.below(3) == 0) {
        return terms[random.below(terms.size())];
    }
    switch (random.below(4)) {
        case 0: return "!" + random_expression(random, 0);
        case 1: return "!( " + random_expression(random, depth - 1) + ")";
        case 2:
            return "(" + random_expression(random, depth - 1) + ")&&(" +
                   random_expression(random, depth - 1) + ")";
        default:
            return random_expression(random, depth - 1) + " || " +
                   random_expression(random, depth - 1);
    }
}

TEST(NodeExpressionProperty, PrintingAndParsingIsTheSame) {
    SeededRandom random(1);
    for (int i = 0; i < 5000; ++i) {
        const std::string text = random_expression(random, 4);
        SCOPED_TRACE(text);
        const Result<NodeExpression> parsed = parse_node_expression(text);
        if (!parsed) {
            EXPECT_GT(text.size() + 300, kNodeExpressionBytesMax) << parsed.error().message;
            continue;
        }
        const Result<NodeExpression> again = parse_node_expression(to_string(*parsed));
        ASSERT_TRUE(again) << again.error().message;
        ASSERT_EQ(*again, *parsed);
        ASSERT_EQ(to_string(*again), to_string(*parsed));
        ASSERT_EQ(holds(*again, n2()), holds(*parsed, n2()));
    }
}

TEST(NodeExpressionProperty, NoTextBreaksIt) {
    const std::vector<std::string> pieces = {
        "(",   ")", "!", "&&",       "||",   "==",   "!=", "<",    ">=",        "=",
        "in",  " ", ",", "\"",       "'",    "\\",   "a",  "zone", "gpu.",      "gpu.count",
        "24G", "1", "-", "\xC3\xA4", "\xC3", "\xFF", "\n", "\x01", "node.name", "\xC2\x85",
    };
    SeededRandom random(2);
    for (int i = 0; i < 50'000; ++i) {
        std::string text;
        for (std::uint64_t n = random.below(14); n > 0; --n) {
            text += random.below(8) == 0 ? std::string(1, static_cast<char>(random.below(256)))
                                         : pieces[random.below(pieces.size())];
        }
        const Result<NodeExpression> parsed = parse_node_expression(text);
        if (!parsed) {
            ASSERT_FALSE(parsed.error().message.empty());
            continue;
        }
        const std::string printed_text = to_string(*parsed);
        ASSERT_EQ(printed(printed_text), printed_text);
        ASSERT_TRUE(holds(*parsed, n2()) || !why_not(*parsed, n2()).empty());
    }
}

}  // namespace
}  // namespace reeve::model
