#include "cli/directives.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"

namespace reeve::cli {
namespace {

using Words = std::vector<std::string>;

TEST(Directives, TurnSbatchIntoFlags) {
    struct Case {
        std::string line;
        Words want;
    };

    const std::vector<Case> cases = {
        {"-J train",                  {"--name", "train"}                    },
        {"-Jtrain",                   {"--name", "train"}                    },
        {"--job-name=\"a b\"",        {"--name", "a b"}                      },
        {"-D /data",                  {"--workdir", "/data"}                 },
        {"-t 90",                     {"--time", "90m"}                      },
        {"-t 0",                      {}                                     },
        {"--time=1-00:00:00",         {"--time", "1-00:00:00"}               },
        {"-c 4",                      {"--cpus", "4"}                        },
        {"-n 2 -c 4",                 {"--cpus", "8"}                        },
        {"-N 1",                      {}                                     },
        {"--mem=8G",                  {"--mem", "8G"}                        },
        {"-G a30:2",                  {"--gpus", "a30:2"}                    },
        {"--gpus=2",                  {"--gpus", "2"}                        },
        {"--gres=gpu:2",              {"--gpus", "2"}                        },
        {"--gres=gpu:a30:2",          {"--gpus", "a30:2"}                    },
        {"--gres=gpu",                {"--gpus", "1"}                        },
        {"--gpus-per-node 1",         {"--gpus", "1"}                        },
        {"-a 1-100%8",                {"--array", "1-100%8"}                 },
        {"-d afterok:1:2,afterany:3", {"--after", "ok:1,ok:2,any:3"}         },
        {"-H",                        {"--hold"}                             },
        {"--requeue",                 {"--requeue"}                          },
        {"--export=ALL,A=1",          {"--export-env", "--env", "A=1"}       },
        {"--export=NONE",             {}                                     },
        {"--signal=B:USR1@120",       {"--grace", "120s", "--signal", "USR1"}},
        {"--signal USR2",             {"--grace", "60s", "--signal", "USR2"} },
        {"--nice=50",                 {"--priority", "-50"}                  },
        {"--nice",                    {"--priority", "-100"}                 },
        {"-w n1,n2",                  {"--on", "node.name in (n1, n2)"}      },
        {"--exclude=n3",              {"--on", "!(node.name in (n3))"}       },
        {"-C 'a&(b|c)'",              {"--on", "(a && (b || c))"}            },
        {"-o out-%j.txt",             {"--output", "out-%j.txt"}             },
        {"--error=/tmp/%A_%a",        {"--error", "/tmp/%A_%a"}              },
        {"-J a # a comment",          {"--name", "a"}                        },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.line);
        const auto found = read_directives("#!/bin/sh\n#SBATCH " + c.line + "\n");
        ASSERT_TRUE(found) << found.error().message;
        EXPECT_EQ(found->sbatch.size(), c.want.empty() ? 0U : 1U);
        EXPECT_EQ(found->sbatch.empty() ? Words{} : found->sbatch.front().flags, c.want);
        EXPECT_TRUE(found->warnings.empty());
    }
}

TEST(Directives, WarnOfWhatHasNoEffect) {
    const auto found = read_directives("#!/bin/sh\n#SBATCH -p gpu\n#SBATCH --mail-type=END\n");
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->sbatch.empty());
    ASSERT_EQ(found->warnings.size(), 2U);
    EXPECT_TRUE(found->warnings[0].starts_with("line 2: there are no partitions"));
    EXPECT_TRUE(found->warnings[1].starts_with("line 3: no mail"));
}

TEST(Directives, AskForNodesOfAllLinesTogether) {
    const auto found = read_directives("#!/bin/sh\n#SBATCH -w n1,n2\n#SBATCH -C 'a|b' -x n2\n");
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(found->sbatch.size(), 2U);
    EXPECT_EQ(
        found->sbatch[1].flags.back(), "node.name in (n1, n2) && (a || b) && !(node.name in (n2))");
    for (const char* line : {"-w n[1-3]", "-C a*2", "-C [a|b]", "-C 'zone==a'"}) {
        EXPECT_FALSE(read_directives("#!/bin/sh\n#SBATCH " + std::string(line) + "\n")) << line;
    }
}

TEST(Directives, CountCpusOverAllLines) {
    const auto found = read_directives("#!/bin/sh\n#SBATCH -n 2\n#SBATCH -J a\n#SBATCH -c 4\n");
    ASSERT_TRUE(found);
    ASSERT_EQ(found->sbatch.size(), 3U);
    EXPECT_EQ(found->sbatch[0].flags, (Words{"--cpus", "2"}));
    EXPECT_EQ(found->sbatch[1].flags, (Words{"--name", "a"}));
    EXPECT_EQ(found->sbatch[2].flags, (Words{"--cpus", "8"}));
    EXPECT_EQ(found->sbatch[2].line, 4U);
}

TEST(Directives, RefuseByNameAndLine) {
    struct Case {
        std::string line;
        std::string message;
    };

    const std::vector<Case> cases = {
        {"#SBATCH --exclusive",      "line 2: #SBATCH --exclusive is not supported"},
        {"#SBATCH --exclusive",      "ask for them with --gpus COUNT"              },
        {"#SBATCH --mem-per-cpu=1G", "--mem is the memory of the whole job"        },
        {"#SBATCH --gpu=2",          "did you mean --gpus?"                        },
        {"#SBATCH -A lab",           "line 2: #SBATCH -A is not supported"         },
        {"#SBATCH train",            "line 2: #SBATCH train is not supported"      },
        {"#SBATCH -N 2",             "more than one node"                          },
        {"#SBATCH -n 0",             "from 1 on"                                   },
        {"#SBATCH --mem=0",          "all memory"                                  },
        {"#SBATCH --gres=fpga:1",    "is not gpu, gpu:COUNT"                       },
        {"#SBATCH -d singleton",     "is not afterok:ID"                           },
        {"#SBATCH -d afterok",       "is not afterok:ID"                           },
        {"#SBATCH -J",               "#SBATCH --job-name needs a value"            },
        {"#SBATCH --hold=1",         "takes no value"                              },
        {"#SBATCH -J \"a",           "is not closed"                               },
        {"#REEVE --name 'a",         "line 2: a ' is not closed"                   },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.line);
        const auto found = read_directives("#!/bin/sh\n" + c.line + "\n");
        ASSERT_FALSE(found);
        EXPECT_EQ(found.error().code, ErrorCode::kInvalid);
        EXPECT_NE(found.error().message.find(c.message), std::string::npos)
            << found.error().message;
    }
}

TEST(Directives, AdviseOnSbatchOnTheCommandLine) {
    struct Case {
        Words words;
        std::string advice;  // After "… is an option of sbatch; ".
    };

    const std::vector<Case> cases = {
        {{"--job-name=a b"},         "write --name 'a b'"                        },
        {{"--job-name", "it's"},     "write --name 'it'\\''s'"                   },
        {{"-J", "train", "job.sh"},  "write --name train"                        },
        {{"--cpus-per-task=4"},      "write --cpus 4"                            },
        {{"--ntasks", "2"},          "write --cpus 2"                            },
        {{"--gres=gpu:a30:2"},       "write --gpus a30:2"                        },
        {{"-G", "2"},                "write --gpus 2"                            },
        {{"--dependency=afterok:1"}, "write --after ok:1"                        },
        {{"--export=ALL"},           "write --export-env"                        },
        {{"--nice=5"},               "write --priority -5"                       },
        {{"--chdir", "/d"},          "write --workdir /d"                        },
        {{"--nodes=1"},              "leave it out"                              },
        {{"-N", "2"},                "jobs of more than one node"                },
        {{"--partition", "gpu"},     "leave it out: there are no partitions here"},
        {{"--gres=fpga:1"},          "'fpga:1' is not gpu, gpu:COUNT"            },
        {{"--mem-per-cpu=2G"},       "--mem is the memory of the whole job"      },
        {{"-A", "vision"},           "--project names who pays"                  },
        {{"--wrap", "python a.py"},  "the command comes after the flags"         },
        {{"--job-name"},             "--job-name needs a value"                  },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.words.front());
        const std::string name = c.words.front().substr(0, c.words.front().find('='));
        const std::string advice = advice_on_sbatch(c.words);
        EXPECT_TRUE(advice.starts_with(name + " is an option of sbatch; " + c.advice)) << advice;
    }
    EXPECT_EQ(advice_on_sbatch({"--gpuss"}), "");
    EXPECT_EQ(advice_on_sbatch({"-Z"}), "");
}

TEST(Directives, EndAtTheFirstCommand) {
    const auto found = read_directives(
        "#!/bin/sh\r\n#REEVE --gpus 2 --label 'a=b c'\r\n\n  # words\n#REEVE --hold\necho\n#SBATCH "
        "--bad\n");
    ASSERT_TRUE(found);
    ASSERT_EQ(found->reeve.size(), 2U);
    EXPECT_EQ(found->reeve[0].line, 2U);
    EXPECT_EQ(found->reeve[0].flags, (Words{"--gpus", "2", "--label", "a=b c"}));
    EXPECT_EQ(found->reeve[1].line, 5U);
}

TEST(Directives, SayWhatTheyCannotDo) {
    const auto nice = read_directives("#!/bin/sh\n#SBATCH --nice=2000\n");
    ASSERT_TRUE(nice);
    EXPECT_EQ(nice->sbatch.front().flags, (Words{"--priority", "-1000"}));
    ASSERT_EQ(nice->warnings.size(), 1U);
    EXPECT_NE(nice->warnings.front().find("--nice=2000 is beyond"), std::string::npos);
    const auto any = read_directives("#!/bin/sh\n#SBATCH -d afterok:1?afterok:2\n");
    ASSERT_FALSE(any);
    EXPECT_NE(any.error().message.find("by commas all of them"), std::string::npos);
}

}  // namespace
}  // namespace reeve::cli
