#include "base/text.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace reeve {
namespace {

/// The value, or -1 if it was refused.
std::int64_t value_of(const Result<std::int64_t>& result) {
    return result.value_or(-1);
}

TEST(ParseMilli, TakesThreeDigitsAfterThePoint) {
    struct Case {
        const char* text;
        std::int64_t want;
    };

    const std::vector<Case> cases = {
        {"2",                2000},
        {"0.25",             250 },
        {"0.5",              500 },
        {"1.5",              1500},
        {"0.001",            1   },
        {"0",                0   },
        {"",                 -1  },
        {".5",               -1  },
        {"1.",               -1  },
        {"-1",               -1  },
        {"1e3",              -1  },
        {"0.0001",           -1  },
        {"9999999999999999", -1  },
        {"1 ",               -1  },
        {"0x2",              -1  },
        {"nan",              -1  },
    };
    for (const Case& c : cases) {
        EXPECT_EQ(value_of(parse_milli(c.text)), c.want) << c.text;
    }
}

TEST(ParseSize, IsInMibAndRoundsUp) {
    struct Case {
        const char* text;
        std::int64_t want;
    };

    const std::vector<Case> cases = {
        {"512",              512                  },
        {"512M",             512                  },
        {"10G",              10240                },
        {"10GiB",            10240                },
        {"1.5g",             1536                 },
        {"1T",               1048576              },
        {"1K",               1                    },
        {"1025K",            2                    },
        {"0",                -1                   },
        {"-1G",              -1                   },
        {"",                 -1                   },
        {"G",                -1                   },
        {"10X",              -1                   },
        {"10GG",             -1                   },
        {"1048577T",         -1                   },
        {"1048576T",         std::int64_t{1} << 40},
        {"999999999999999T", -1                   },
    };
    for (const Case& c : cases) {
        EXPECT_EQ(value_of(parse_size_mib(c.text)), c.want) << c.text;
    }
}

TEST(ParseDuration, ReadsUnitsAndSlurmClocks) {
    struct Case {
        const char* text;
        std::int64_t want;
    };

    const std::vector<Case> cases = {
        {"90",                90    },
        {"90s",               90    },
        {"5m",                300   },
        {"2h30m",             9000  },
        {"1d",                86400 },
        {"1w",                604800},
        {"02:30:00",          9000  },
        {"30:00",             1800  },
        {"1-00:00:00",        86400 },
        {"1-2",               93600 },
        {"0",                 -1    },
        {"",                  -1    },
        {"2h30",              -1    },
        {"30m2h",             -1    },
        {"5m5m",              -1    },
        {"-5",                -1    },
        {"1:2:3:4",           -1    },
        {"11y",               -1    },
        {"4000d",             -1    },
        {"99999999999999999", -1    },
        {"1-",                -1    },
        {"::",                -1    },
    };
    for (const Case& c : cases) {
        const Result<std::chrono::seconds> got = parse_duration(c.text);
        EXPECT_EQ(got ? got->count() : -1, c.want) << c.text;
    }
}

TEST(Format, IsShort) {
    EXPECT_EQ(format_duration(std::chrono::seconds(9000)), "2h30m");
    EXPECT_EQ(format_duration(std::chrono::seconds(86405)), "1d");
    EXPECT_EQ(format_duration(std::chrono::seconds(0)), "0s");
    EXPECT_EQ(format_duration(std::chrono::seconds(-3)), "0s");
    EXPECT_EQ(format_mib(10240), "10 GiB");
    EXPECT_EQ(format_mib(1536), "1.5 GiB");
    EXPECT_EQ(format_mib(512), "512 MiB");
    EXPECT_EQ(format_milli(250), "0.25");
    EXPECT_EQ(format_milli(2000), "2");
    EXPECT_EQ(format_milli(1001), "1.001");
}

TEST(Utf8, RefusesWhatTheStandardRefuses) {
    EXPECT_TRUE(is_utf8(""));
    EXPECT_TRUE(is_utf8("größe €𝄞"));
    EXPECT_FALSE(is_utf8("\xff"));
    EXPECT_FALSE(is_utf8("\xc0\x80"));          // Overlong NUL.
    EXPECT_FALSE(is_utf8("\xed\xa0\x80"));      // Surrogate.
    EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));  // Past U+10FFFF.
    EXPECT_FALSE(is_utf8("\xe2\x82"));          // Cut short.
}

TEST(Nearest, SuggestsOnlyWhatIsNear) {
    const std::vector<std::string> verbs = {"run", "stop", "nodes", "release"};
    EXPECT_EQ(nearest("node", verbs), "nodes");
    EXPECT_EQ(nearest("relaese", verbs), "release");
    EXPECT_EQ(nearest("xyz", verbs), "");
}

TEST(Nearest, CountsASwapAsOneEditAndTakesTwoAtMost) {
    struct Case {
        std::string word;
        std::string candidate;
        bool is_near;
    };

    for (const auto& [word, candidate, is_near] : std::vector<Case>{
             {"rnu",      "run",     true },
             {"rn",       "run",     false}, // One edit is half of the word.
             {"rum",      "run",     true },
             {"ran",      "runs",    false}, // Two edits are more than half of it.
             {"otsp",     "stop",    false}, // The swaps overlap: three edits.
             {"tsop",     "stop",    true },
             {"quee",     "queue",   true },
             {"qeueu",    "queue",   true }, // Two swaps.
             {"releease", "release", true },
             {"relaesse", "release", true },
             {"erlaesse", "release", false}, // Three edits, and far less than half of it.
             {"",         "q",       false},
             {"x",        "q",       false},
             {"abcdef",   "badcfe",  false},
             {"abdc",     "abcd",    true },
             {"ca",       "abc",     false},
             {"--gpsu",   "--gpus",  true },
    }) {
        EXPECT_EQ(nearest(word, {candidate}), is_near ? candidate : "") << word;
    }
}

TEST(Nearest, TheNearestIsTheFirstOfThose) {
    EXPECT_EQ(nearest("lits", {"lost", "list", "lits2"}), "list");
    EXPECT_EQ(nearest("stat", {"star", "stay"}), "star");
}

}  // namespace
}  // namespace reeve
