#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <signal.h>
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
        flags.insert(
            flags.begin(), {"--trace", folder + "/pods.csv", "--cluster", folder + "/nodes.csv"});
        return run_bare(std::move(flags));
    }

    int run_bare(std::vector<std::string> flags) {
        out.str("");
        err.str("");
        flags.insert(flags.begin(), "replay");
        return run_cli(flags, {.version = "0", .out = out, .err = err});
    }

    /// Replays jobs.csv on a small cluster.
    int replay(std::vector<std::string> flags) {
        flags.insert(flags.begin(), {"--trace", folder + "/jobs.csv", "--cluster", "1x2xA100"});
        return run_bare(std::move(flags));
    }

    void write_jobs() const {
        write(
            "jobs.csv",
            "name,submitted_s,run_s,limit_s,gpus\n"
            "long,100,100,100,1\nwide,101,50,50,2\nshort,102,10,10,1\n");
    }

    [[nodiscard]] std::string read(const std::string& name) const {
        return platform::read_file(folder + "/" + name, 1U << 24U).value_or("");
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

TEST_F(ReplayVerb, ReplaysATraceWithEachPolicyAndBackfill) {
    write_jobs();
    ASSERT_EQ(
        replay({"--policy", "tightest,spread", "--backfill", "none,easy", "--jobs", "-o", "json"}),
        0)
        << err.str();
    const auto said = parse_json(out.str());
    ASSERT_TRUE(said);
    EXPECT_TRUE(flag_at(*said, "complete"));
    EXPECT_EQ(text_at(*said, "format"), "reeve");
    const JsonValue& items = *find(*said, "items");
    ASSERT_EQ(items.Size(), 4U);
    EXPECT_EQ(text_at(items[3], "policy"), "spread");
    EXPECT_EQ(text_at(items[3], "backfill"), "easy");
    EXPECT_EQ(integer_at(items[1], "summary.ended"), 3);
    EXPECT_EQ(integer_at(items[1], "summary.backfilled"), 1) << "short passes wide";
    EXPECT_EQ(text_at(items[1], "summary.wait_mean_s"), "33.0") << "0, 99 and 0";
    EXPECT_EQ(text_at(items[1], "summary.wait_max_s"), "99.0");
    EXPECT_EQ(text_at(items[1], "summary.makespan_s"), "150.0");
    EXPECT_EQ(text_at(items[1], "summary.gpu_use_to_end_percent"), "70.0") << "210 of 300";
    const JsonValue& jobs = *find(items[1], "jobs");
    ASSERT_EQ(jobs.Size(), 3U);
    EXPECT_EQ(text_at(jobs[1], "name"), "wide");
    EXPECT_EQ(text_at(jobs[1], "started_s"), "200.0");
    EXPECT_EQ(text_at(jobs[1], "node"), "n1");
    EXPECT_TRUE(flag_at(jobs[2], "backfilled"));
    const JsonValue& series = *find(items[1], "series");
    EXPECT_EQ(find(series, "at_s")->Size(), find(series, "waiting")->Size());
    EXPECT_EQ(find(series, "gpu_milli_used")->GetArray()[0].GetInt64(), 1000);
    EXPECT_EQ(replay({"-o", "json"}), 0);
    EXPECT_FALSE((*find(*parse_json(out.str()), "items"))[0].HasMember("jobs"));
}

TEST_F(ReplayVerb, PrintsWaitsForPeople) {
    write_jobs();
    ASSERT_EQ(replay({}), 0) << err.str();
    EXPECT_EQ(out.str().substr(0, 35), "POLICY      BACKFILL  GPU USE %  ST");
    EXPECT_NE(out.str().find("33s"), std::string::npos) << out.str();
    EXPECT_EQ(replay({"-o", "name"}), 0);
    EXPECT_EQ(out.str(), "fill-value,easy\n");
    ASSERT_EQ(run_bare({"--trace", folder + "/cpu.csv", "--cluster", "1x4cpu"}), 5);
    write("cpu.csv", "submitted_s,run_s,cpu_millicores\n0,10,1000\n");
    ASSERT_EQ(run_bare({"--trace", folder + "/cpu.csv", "--cluster", "1x4cpu"}), 0) << err.str();
    EXPECT_EQ(out.str().find("GPU"), std::string::npos) << "there is none";
    EXPECT_NE(out.str().find("CPU USE %"), std::string::npos);
}

TEST_F(ReplayVerb, WritesReports) {
    write_jobs();
    ASSERT_EQ(
        replay(
            {"--html", folder + "/r.html", "--csv", folder + "/r.csv", "--backfill",
             "conservative"}),
        0)
        << err.str();
    EXPECT_EQ(
        read("r.csv"),
        "policy,backfill,name,submitted_s,started_s,ended_s,wait_s,node,refused,backfilled,user,"
        "project,stops,lost_gpu_s\n"
        "fill-value,conservative,long,100,100,200,0,n1,false,false,,,0,0.000\n"
        "fill-value,conservative,wide,101,200,250,99,n1,false,false,,,0,0.000\n"
        "fill-value,conservative,short,102,102,112,0,n1,false,true,,,0,0.000\n");
    EXPECT_NE(read("r.html").find("<h1>Replay of "), std::string::npos);
    EXPECT_NE(err.str().find("wrote " + folder + "/r.html"), std::string::npos) << err.str();
    EXPECT_FALSE(platform::path_exists(folder + "/r.html.new"));
}

TEST_F(ReplayVerb, ReportsWhatThereIsWhenItIsStopped) {
    std::string jobs = "submitted_s,run_s,gpus\n";
    for (int i = 0; i < 3000; ++i) {
        jobs += std::to_string(i) + ",1,1\n";
    }
    write("jobs.csv", jobs);
    // A Ctrl-C that came in as the replay begins.
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &interrupt, nullptr), 0);
    ASSERT_EQ(::raise(SIGINT), 0);
    EXPECT_EQ(replay({"--policy", "spread,fgd", "--html", folder + "/r.html", "-o", "json"}), 130);
    const auto said = parse_json(out.str());
    ASSERT_TRUE(said);
    EXPECT_FALSE(flag_at(*said, "complete"));
    const JsonValue& items = *find(*said, "items");
    ASSERT_EQ(items.Size(), 1U) << "the second never began";
    EXPECT_FALSE(flag_at(items[0], "complete"));
    EXPECT_EQ(integer_at(items[0], "summary.ended"), 1000);
    EXPECT_NE(read("r.html").find("A partial report"), std::string::npos);
    EXPECT_NE(err.str().find("stopped; what was played until then"), std::string::npos);
}

TEST_F(ReplayVerb, RunsTheInflationExperimentWhereThatIsMeant) {
    write(
        "pods.csv",
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli,creation_time,deletion_time\n"
        "p1,1000,1024,1,500,5,9\n");
    ASSERT_EQ(run({}), 0) << err.str();
    EXPECT_NE(out.str().find("GPU USE %"), std::string::npos) << "it has times";
    ASSERT_EQ(run({"--arrived", "100"}), 0) << err.str();
    EXPECT_NE(out.str().find("ALLOCATED %"), std::string::npos);
    ASSERT_EQ(run({"--experiment", "inflation", "--seed", "1-2"}), 0) << err.str();
    EXPECT_NE(out.str().find("ALLOCATED %"), std::string::npos);
}

TEST_F(ReplayVerb, SaysWhatIsWrongWithAReplay) {
    write_jobs();

    struct Case {
        std::vector<std::string> flags;
        std::string want;
    };

    const std::vector<Case> cases = {
        {{"--backfill", "some"},
         "--backfill: there is no backfill 'some'; there are none, easy, conservative"                       },
        {{"--policy", "fgd,fgd"},                       "--policy: 'fgd' is there twice"                     },
        {{"--format", "xml"},                           "--format: there is no trace format 'xml'; there are"},
        {{"--format", "swf"},                           "jobs.csv:1: 18 fields were expected"                },
        {{"--seed", "1,2"},                             "--seed: a replay takes one"                         },
        {{"--experiment", "x"},                         "--experiment: replay or inflation was expected"     },
        {{"--experiment", "replay", "--mix", "learnt"},
         "--arrived and --mix are of the inflation experiment only"                                          },
        {{"--arrived", "9", "--html", "x.html"},        "--backfill, --projects, --preemptible"              },
        {{"--arrived", "9", "--format", "reeve"},
         "--format: the inflation experiment reads pod lists"                                                },
        {{"--arrived", "9"},                            "jobs.csv:1: column 'cpu_milli' is missing"          },
        {{"--html", folder + "/no/x.html"},             "--html: there is no folder " + folder + "/no"       },
        {{"--csv", folder + "/jobs.csv"},               "--csv: " + folder + "/jobs.csv is named twice"      },
        {{"--csv", "same", "--html", "same"},           "--html: same is named twice"                        },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.want);
        EXPECT_EQ(replay(c.flags), 2);
        EXPECT_EQ(out.str(), "");
        EXPECT_NE(err.str().find(c.want), std::string::npos) << err.str();
    }
    const std::string trace = folder + "/jobs.csv";
    EXPECT_EQ(run_bare({"--trace", trace, "--cluster", "3xA100"}), 2);
    EXPECT_NE(
        err.str().find("--cluster: a cluster in short is NODESxGPUSxMODEL"), std::string::npos);
    EXPECT_NE(run_bare({"--trace", trace, "--cluster", folder + "/none.csv"}), 0);
    EXPECT_NE(err.str().find("a node list, or a cluster in short like"), std::string::npos);
    EXPECT_EQ(run_bare({"--trace", trace, "--cluster", "1x4cpu", "--arrived", "9"}), 2);
    EXPECT_NE(err.str().find("no node has one"), std::string::npos);
    write("jobs.csv", "a,b\n1,2\n");
    EXPECT_EQ(replay({"--html", folder + "/x.html"}), 2);
    EXPECT_NE(
        err.str().find("jobs.csv:1: its first line is that of no known format"), std::string::npos);
    EXPECT_FALSE(platform::path_exists(folder + "/x.html"));
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

TEST_F(ReplayVerb, SharesAsTheLiveClusterDoes) {
    write(
        "shared.csv",
        "name,submitted_s,run_s,gpus,user,project,priority,preemptible\n"
        "low,0,1000,2,ann,vision,0,1\nhigh,100,50,1,bob,vision,5,\nfirm,10,5,1,ann,lab,,\n");
    write("projects.csv", "project,guaranteed_gpus,preemptible\nlab,1,\n");
    const auto replay = [&](std::vector<std::string> flags) {
        flags.insert(
            flags.begin(),
            {"--trace", folder + "/shared.csv", "--cluster", "1x2xA100", "--jobs", "-o", "json"});
        return run_bare(std::move(flags));
    };
    ASSERT_EQ(
        replay(
            {"--projects", folder + "/projects.csv", "--fair-share", "7d", "--grace", "30s",
             "--min-run", "1s", "--shares-csv", folder + "/shares.csv", "--csv", folder + "/j.csv",
             "--html", folder + "/r.html"}),
        0)
        << err.str();
    const auto said = parse_json(out.str());
    ASSERT_TRUE(said);
    const JsonValue& run = (*said)["items"][0];
    EXPECT_EQ(integer_at(run, "summary.stops"), 2) << "for the guarantee, then the priority";
    EXPECT_EQ(integer_at(run, "summary.stopped"), 1);
    EXPECT_GT(run["summary"]["lost_gpu_hours"].GetDouble(), 0);
    EXPECT_EQ(integer_at(run["jobs"][0], "stops"), 2);
    EXPECT_EQ(run["jobs"][2]["wait_s"].GetDouble(), 30) << "the grace";
    EXPECT_EQ(text_at(run["jobs"][1], "project"), "lab");
    EXPECT_EQ(run["shares"]["users"].Size(), 2U);
    EXPECT_EQ(text_at(run["shares"]["users"][0], "name"), "ann");
    EXPECT_EQ(read("shares.csv").substr(0, 37), "policy,backfill,kind,name,from_s,gpus");
    EXPECT_NE(read("j.csv").find(",ann,vision,2,"), std::string::npos) << read("j.csv");
    EXPECT_NE(read("r.html").find("Who held how much"), std::string::npos);
    ASSERT_EQ(replay({"--preemption", "none"}), 0);
    EXPECT_EQ(integer_at((*parse_json(out.str()))["items"][0], "summary.stops"), 0);
}

TEST_F(ReplayVerb, NamesTheFlagThatIsWrong) {
    write_jobs();
    for (const std::string flag :
         {"--fair-share", "--ageing", "--min-run", "--grace", "--preemption"}) {
        EXPECT_NE(replay({flag, "often"}), 0);
        EXPECT_NE(err.str().find(flag + ": "), std::string::npos) << err.str();
    }
    EXPECT_NE(replay({"--projects", folder + "/none.csv"}), 0);
    EXPECT_NE(err.str().find("--projects: "), std::string::npos) << err.str();
    EXPECT_NE(run({"--fair-share", "7d"}), 0) << "of a list without times";
    EXPECT_NE(err.str().find("--fair-share"), std::string::npos) << err.str();
}

TEST_F(ReplayVerb, MakesATraceBusier) {
    write_jobs();
    const std::vector<std::string> scaled = {"--trace",
                                             folder + "/jobs.csv",
                                             "--cluster",
                                             "4x2xA100",
                                             "--scale-nodes",
                                             "1/3",
                                             "--speed-up",
                                             "2",
                                             "--shuffle",
                                             "--seed",
                                             "7",
                                             "--jobs",
                                             "-o",
                                             "json"};
    ASSERT_EQ(run_bare(scaled), 0) << err.str();
    const auto said = parse_json(out.str());
    ASSERT_TRUE(said);
    EXPECT_EQ(text_at(*said, "cluster"), "4x2xA100, 1/3 of it");
    EXPECT_EQ(integer_at(*said, "nodes"), 2) << "the first and the fourth";
    EXPECT_EQ(integer_at(*said, "gpus"), 4);
    const JsonValue& jobs = *find((*said)["items"][0], "jobs");
    ASSERT_EQ(jobs.Size(), 3U);
    EXPECT_EQ(jobs[0]["submitted_s"].GetDouble(), 100);
    EXPECT_EQ(jobs[1]["submitted_s"].GetDouble(), 100);
    EXPECT_EQ(jobs[2]["submitted_s"].GetDouble(), 101);
    EXPECT_NE(err.str().find("2 times as fast"), std::string::npos) << err.str();
}

TEST_F(ReplayVerb, RefusesOtherScalesOfNodes) {
    write_jobs();
    for (const std::string scale : {"10", "1/0", "2/3", "1/x", "1/100001"}) {
        EXPECT_NE(replay({"--scale-nodes", scale}), 0);
        EXPECT_NE(err.str().find("--scale-nodes: 1/N was expected"), std::string::npos);
    }
    EXPECT_NE(run({"--shuffle"}), 0) << "of a list without times";
    EXPECT_NE(err.str().find("inflation"), std::string::npos) << err.str();
}

}  // namespace
}  // namespace reeve::cli
