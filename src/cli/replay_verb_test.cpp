#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "cli/environment.hpp"
#include "cli/json.hpp"
#include "platform/files.hpp"

namespace reeve::cli {
namespace {

class ReplayVerb : public testing::Test {
  protected:
    void SetUp() override {
        std::string made = testing::TempDir() + "replay-XXXXXX";
        ASSERT_NE(::mkdtemp(made.data()), nullptr);
        folder = made;
        write("nodes.csv", "sn,cpu_milli,memory_mib,gpu,model\na,64000,262144,8,H100\n");
        write(
            "pods.csv",
            "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n"
            "p1,1000,1024,1,500,\np2,2000,1024,1,1000,H100\np3,1000,1024,1,250,\n");
    }

    void TearDown() override { EXPECT_TRUE(platform::remove_tree(folder)); }

    void write(const std::string& name, const std::string& text) const {
        EXPECT_TRUE(platform::write_file(folder + "/" + name, text));
    }

    int run(std::vector<std::string> flags) {
        out.str("");
        err.str("");
        flags.insert(
            flags.begin(),
            {"replay", "--trace", folder + "/pods.csv", "--cluster", folder + "/nodes.csv"});
        return run_cli(flags, {.version = "0", .out = out, .err = err});
    }

    std::string folder;
    std::ostringstream out;
    std::ostringstream err;
};

TEST_F(ReplayVerb, ComparesPoliciesOverSeeds) {
    ASSERT_EQ(run({"--policy", "fill-value,fgd,random", "--seed", "1,3-4", "-o", "json"}), 0)
        << err.str();
    const auto said = parse_json(out.str());
    ASSERT_TRUE(said);
    EXPECT_TRUE(flag_at(*said, "complete"));
    const JsonValue& items = *find(*said, "items");
    ASSERT_EQ(items.Size(), 3U);
    EXPECT_EQ(text_at(items[0], "policy"), "fill-value");
    EXPECT_EQ(text_at(items[0], "mix"), "learnt");
    EXPECT_EQ(text_at(items[1], "mix"), "listed");
    for (const JsonValue& item : items.GetArray()) {
        const JsonValue& runs = *find(item, "runs");
        ASSERT_EQ(runs.Size(), 3U);
        EXPECT_EQ(integer_at(runs[1], "seed"), 3);
        EXPECT_GT(integer_at(runs[1], "placed").value(), 7);
        EXPECT_GT(item["allocated_percent"].GetDouble(), 80);
        EXPECT_LE(item["allocated_percent"].GetDouble(), 100);
    }
    EXPECT_EQ(err.str(), "") << "no progress off a terminal";
    const std::string before = out.str();
    EXPECT_EQ(run({"--policy", "fill-value,fgd,random", "--seed", "1,3-4", "-o", "json"}), 0);
    EXPECT_EQ(out.str(), before);
}

TEST_F(ReplayVerb, PrintsATableForPeople) {
    ASSERT_EQ(run({}), 0) << err.str();
    EXPECT_EQ(out.str().substr(0, 6), "POLICY");
    EXPECT_NE(out.str().find("fill-value"), std::string::npos);
}

TEST_F(ReplayVerb, SaysWhatIsWrong) {
    struct Case {
        std::vector<std::string> flags;
        std::string want;
    };

    const std::vector<Case> cases = {
        {{"--policy", "worst"},   "--policy: there is no placement policy 'worst'"},
        {{"--seed", "4-2"},       "--seed: a number"                              },
        {{"--seed", "x"},         "--seed: a number"                              },
        {{"--seed", "0-99999"},   "--seed: a number"                              },
        {{"--mix", "guessed"},    "--mix: learnt or listed"                       },
        {{"--arrived", "0"},      "--arrived"                                     },
        {{"--trace", "/no/file"}, "--trace"                                       },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.flags[1]);
        EXPECT_NE(run(c.flags), 0);
        EXPECT_EQ(out.str(), "");
        EXPECT_NE(err.str().find(c.want), std::string::npos) << err.str();
    }
    write("pods.csv", "name,cpu_milli,memory_mib,num_gpu,gpu_milli\np1,1,1,9,1000\n");
    EXPECT_EQ(run({}), 2);
    EXPECT_EQ(out.str(), "") << "nothing half-written";
    EXPECT_NE(err.str().find("pods.csv:2: it asks for 9 GPUs"), std::string::npos) << err.str();
    EXPECT_TRUE(platform::remove_tree(folder + "/nodes.csv"));
    EXPECT_NE(run({}), 0);
    EXPECT_NE(err.str().find("nodes.csv"), std::string::npos) << err.str();
}

}  // namespace
}  // namespace reeve::cli
