#include "model/output_file.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model/spec_rules.hpp"

namespace reeve::model {
namespace {

const OutputNames names = {
    .element = "1842_7",
    .job = "1842",
    .index = "7",
    .job_name = "a/b",
    .user = "ada",
    .node_name = "n1"};

TEST(OutputFile, NamesTheTask) {
    struct Case {
        std::string pattern;
        std::string want;
    };

    const std::vector<Case> cases = {
        {"out.txt",     "out.txt"        },
        {"/tmp/%j.out", "/tmp/1842_7.out"},
        {"%A_%a",       "1842_7"         },
        {"%u/%x.%N",    "ada/a_b.n1"     },
        {"100%%",       "100%"           },
        {"%%j",         "%j"             },
        {"%j%j",        "1842_71842_7"   },
        {"é-%a",        "é-7"            },
        {"a b/../%x",   "a b/../a_b"     },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.pattern);
        EXPECT_EQ(fault_of_output_file(c.pattern), "");
        EXPECT_EQ(expand_output_file(c.pattern, names), c.want);
    }
}

TEST(OutputFile, IsRefusedWithWhatIsAccepted) {
    struct Case {
        std::string pattern;
        const char* want;
    };

    const std::vector<Case> cases = {
        {"", "is empty; give the path of a file"},
        {"logs/", "names a folder"},
        {"%t.out", "'%t' means nothing here; there are %j"},
        {"%3a", "'%3' means nothing"},
        {"a%", "'%' means nothing"},
        {"%%%", "'%' means nothing"},
        {"%é", "'%é' means"},
        {"%\n", "'%' means"},
        {std::string(kPathBytesMax + 1, 'a'), "has more than 4095 bytes"},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.pattern.substr(0, 20));
        const std::string fault = fault_of_output_file(c.pattern);
        EXPECT_NE(fault.find(c.want), std::string::npos) << fault;
    }
    EXPECT_EQ(fault_of_output_file(std::string(kPathBytesMax, 'a')), "");
}

}  // namespace
}  // namespace reeve::model
