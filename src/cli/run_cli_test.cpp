#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/environment.hpp"
#include "cli/fake_transport.hpp"
#include "cli/verb.hpp"
#include "platform/files.hpp"

namespace reeve::cli {
namespace {

constexpr const char* kVersionJson =
    "{\n  \"schema\": \"reeve.version/v1\",\n  \"version\": \"1.2.3\"\n}\n";

struct Call {
    int code = 0;
    std::string out;
    std::string err;
};

class FakeSimulation final : public GpuSimulation {
  public:
    std::string said;

    Result<std::vector<SimulatedGpu>> list(const std::string& path) override {
        said = "list " + path;
        return std::vector<SimulatedGpu>{some()};
    }

    Result<SimulatedGpu> set_use(
        const std::string& path, std::string_view gpu, const Use& use) override {
        said = "set " + path + " " + std::string(gpu) + " " + std::to_string(use.pid) + " " +
               std::to_string(use.memory_mib) + " " + std::to_string(use.utilization_percent);
        return some();
    }

    Result<SimulatedGpu> report_xid(
        const std::string& path, std::string_view gpu, std::int64_t xid) override {
        said = "xid " + path + " " + std::string(gpu) + " " + std::to_string(xid);
        return some();
    }

    Result<SimulatedGpu> lose(const std::string& /*path*/, std::string_view gpu) override {
        return fail(ErrorCode::kConflict, std::string(gpu) + " is lost already");
    }

    Result<SimulatedGpu> restore(const std::string& /*path*/, std::string_view /*gpu*/) override {
        return some();
    }

  private:
    static SimulatedGpu some() {
        SimulatedGpu gpu;
        gpu.description.uuid = "GPU-1";
        gpu.description.model = "NVIDIA A30";
        return gpu;
    }
};

FakeSimulation& simulation() {
    static FakeSimulation fake;
    return fake;
}

class FakeServerFiles final : public ServerFiles {
  public:
    std::string said;
    DatabaseCheck check = {.jobs = 3, .elements = 4, .changes = 5};

    Result<std::string> restore(const std::string& directory, const std::string& from) override {
        return said = "restore " + from + " to " + directory;
    }

    Result<DatabaseCheck> verify(const std::string& file) override {
        said = "verify " + file;
        return check;
    }

    Result<std::string> make_token(const std::string& directory, const std::string& user) override {
        return said = "token of " + user + " in " + directory;
    }
};

Call call(const std::vector<std::string>& words, ServerFiles* server_files = nullptr) {
    std::ostringstream out;
    std::ostringstream err;
    CliEnvironment environment{.version = "1.2.3", .out = out, .err = err};
    environment.verbs = {
        {"up", "Start the server",
         [](const std::vector<std::string>& rest) { return static_cast<int>(40 + rest.size()); }}
    };
    environment.simulation = &simulation();
    environment.simulation_file = "gpus.sim";
    environment.database_file = "reeve.db";
    environment.server_files = server_files;
    Call result;
    result.code = run_cli(words, environment);
    result.out = out.str();
    result.err = err.str();
    return result;
}

std::vector<std::string> nowhere(std::vector<std::string> words) {
    words.insert(words.begin(), {"-s", "unix:/nonexistent/reeve.sock"});
    return words;
}

TEST(RunCli, ExitCodes) {
    struct Case {
        std::string name;
        std::vector<std::string> words;
        int code;
        std::string err;
    };

    const std::vector<Case> cases = {
        {"help",                            {"--help"},                              0, ""                                                                             },
        {"an unknown verb",                 {"xyzzy"},                               2, "there is no 'xyzzy'; `reeve --help`"                                          },
        {"a word of other tools",           {"scancel", "7"},                        2, "did you mean `reeve stop`?"                                                   },
        {"a typo in one",                   {"quee"},                                2, "there is no 'quee'; did you mean `reeve q`?"                                  },
        {"two letters swapped",             {"sotp", "1"},                           2, "did you mean `reeve stop`?"                                                   },
        {"a global flag without its value", {"-s"},                                  2, "--server needs a value"                                                       },
        {"an unknown global flag",          {"--sevrer", "unix:/x"},                 2, "did you mean --server?"                                                       },
        {"help, not a server's name",       {"-s", "--help"},                        2, "--help"                                                                       },
        {"a typo",                          {"stopp", "1"},                          2, "did you mean `reeve stop`?"                                                   },
        {"a typo in a noun's verb",         {"project", "lst"},                      2, "did you mean list?"                                                           },
        {"a noun alone",                    {"node"},                                2, "takes list, show, drain, resume, lost"                                        },
        {"an unknown flag",                 {"q", "--al"},                           2, "did you mean --all?"                                                          },
        {"a bad format",                    {"version", "-o", "xml"},                2, "'xml' is not a format"                                                        },
        {"columns of what has none",
         {"show", "7", "-o", "cols=ID"},
         2,                                                                             "`reeve show` has no -o cols=ID; it takes table, wide, json, jsonl, yaml, name"},
        {"no columns",
         {"q", "-o", "cols=ID,"},
         2,                                                                             "'cols=ID,' needs the names of columns: cols=ID,NAME"                          },
        {"a bad target",                    {"show", "5-"},                          2, "'5-' is not a job"                                                            },
        {"nothing to stop",                 {"stop"},                                2, "name the jobs"                                                                },
        {"nothing to show",                 {"show"},                                2, "name the jobs"                                                                },
        {"nothing to wait for",             {"wait"},                                2, "name the jobs"                                                                },
        {"a number that is none",
         {"q", "--limit", "x"},
         2,                                                                             "--limit: 'x' is not a number from 1 to 1000000"                               },
        {"a word that is none of them",
         {"completion", "tcsh"},
         2,                                                                             "SHELL: 'tcsh' is none of bash, zsh, fish"                                     },
        {"an option of sbatch",
         {"run", "--gres=gpu:2", "job.sh"},
         2,                                                                             "--gres is an option of sbatch; write --gpus 2"                                },
        {"a flag twice",
         {"run", "--name", "a", "--name", "b"},
         2,                                                                             "--name is given more than once; once is accepted"                             },
        {"a value for a flag without one",  {"run", "--hold=soon", "x"},             2, "--hold takes no value"                                                        },
        {"a process that is no number",
         {"gpu", "sim", "set", "0", "--pid", "x"},
         2,                                                                             "--pid: 'x' is not a whole number"                                             },
        {"an error that is no number",
         {"gpu", "sim", "xid", "0", "x"},
         2,                                                                             "XID: 'x' is not a whole number"                                               },
        {"no file",                         {"server", "restore"},                   2, "FILE is missing"                                                              },
        {"no process",                      {"gpu", "sim", "set", "0"},              2, "--pid is missing"                                                             },
        {"csv of one job",
         {"show", "7", "-o", "csv"},
         2,                                                                             "`reeve show` has no -o csv; it takes table, wide, json, jsonl, yaml, name"    },
        {"a name of reasons",
         {"why", "7", "-o", "name"},
         2,                                                                             "it takes table, wide, json, jsonl, yaml\n"                                    },
        {"nothing to run",                  {"run"},                                 2, "there is nothing to run"                                                      },
        {"no time at all",                  {"run", "--time", "0", "--", "true"},    2, "leave --time out"                                                             },
        {"a token file that is not there",
         {"q", "--token-file", "/nonexistent/token"},
         5,                                                                             "(--token-file)"                                                               },
        {"opposites",                       {"run", "--attach", "-d", "--", "true"}, 2, "opposites"                                                                    },
        {"a command that takes none",       {"q", "--", "x"},                        2, "takes no command"                                                             },
        {"a bad server",                    {"q", "-s", "ftp://x"},                  2, "is not a server"                                                              },
        {"no server",                       nowhere({"show", "7"}),                  8,
         "no server answers at unix:/nonexistent/reeve.sock"                                                                                                           },
        {"a caret stands under a mistake",
         {"run", "--on", "zone=b", "true"},
         2,                                                                             "write ==\n   zone=b\n       ^\n"                                              },
        {"a node is not lost by accident",  {"node", "lost", "jw2"},                 6, "--yes"                                                                        },
        {"no release by accident",          {"quarantine", "release", "7.0.1.0"},    6, "Say --yes"                                                                    },
        {"a job is no quarantined task",
         {"quarantine", "adopt", "7"},
         2,                                                                             "`reeve quarantine list`"                                                      },
        {"a script that is not there",
         {"run", "/nonexistent/job.sh"},
         5,                                                                             "the script cannot be read"                                                    },
        {"a job file that is not there",
         {"run", "-f", "/nonexistent/job.yaml"},
         5,                                                                             "/nonexistent/job.yaml"                                                        },
        {"no server in this build",         {"server", "verify"},                    8, "no server in it"                                                              },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        const Call made = call(c.words);
        EXPECT_EQ(made.code, c.code) << made.err;
        EXPECT_NE(made.err.find(c.err), std::string::npos) << made.err;
        EXPECT_EQ(made.out.empty(), c.code != 0) << made.out;  // Data only.
    }
}

TEST(RunCli, HelpOfEveryVerbBeginsWithExamples) {
    EXPECT_TRUE(call({"--help"}).out.starts_with("Examples:\n"));
    for (const VerbRow& row : verb_table()) {
        SCOPED_TRACE(row.name);
        std::vector<std::string> words;
        std::istringstream name{std::string(row.name)};
        for (std::string word; name >> word;) {
            words.push_back(word);
        }
        words.emplace_back("--help");
        const Call made = call(words);
        EXPECT_EQ(made.code, 0);
        EXPECT_TRUE(made.out.starts_with("Examples:\n"));
        EXPECT_NE(made.out.find("\nUsage: reeve " + std::string(row.name)), std::string::npos);
        EXPECT_NE(made.out.find("  -q,--quiet   "), std::string::npos) << made.out;
        for (const char* inner : {"UINT", "INT in", "{", "\n\n\n", "[OPTIONS]"}) {
            EXPECT_EQ(made.out.find(inner), std::string::npos) << inner << "\n" << made.out;
        }
    }
}

TEST(RunCli, HelpComesAfterGlobalFlagsToo) {
    const std::string help = call({"--help"}).out;
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"-s", "unix:/x", "--help"},
             {"-o", "json", "-h"},
             {"--help", "-o", "json"},
             {"--output=json", "--help"},
             {"-q", "-s", "unix:/x", "help"},
             {"help", "-q"}
    }) {
        const Call made = call(words);
        EXPECT_EQ(made.code, 0) << words.back() << made.err;
        EXPECT_EQ(made.out, help) << words.back();
    }
    const std::string of_run = call({"run", "--help"}).out;
    EXPECT_EQ(call({"-s", "unix:/x", "run", "--help"}).out, of_run);
    EXPECT_EQ(call({"help", "run"}).out, of_run);
    EXPECT_EQ(call({"help", "-q", "run"}).out, of_run);
    EXPECT_EQ(call({"-o", "json", "--version"}).out, kVersionJson);
    const Call noun = call({"project", "--help"});
    EXPECT_EQ(noun.code, 0);
    EXPECT_NE(noun.out.find("reeve project list"), std::string::npos) << noun.out;
}

TEST(RunCli, AloneItSaysHowToStartAServer) {
    for (const auto& words : {nowhere({}), nowhere({"-o", "json"})}) {
        const Call made = call(words);
        EXPECT_EQ(made.code, 8);
        EXPECT_EQ(made.out, "");
        EXPECT_NE(made.err.find("start one with `reeve up`"), std::string::npos) << made.err;
        EXPECT_NE(made.err.find("reeve --help"), std::string::npos) << made.err;
        EXPECT_EQ(std::ranges::count(made.err, '\n'), 2) << made.err;
    }
}

TEST(RunCli, OuterVerbsParseTheirOwnArguments) {
    EXPECT_EQ(call({"up", "--data", "/x"}).code, 42);
}

TEST(RunCli, GlobalFlagsMayComeFirst) {
    EXPECT_EQ(call({"-o", "json", "version"}).out, kVersionJson);
    EXPECT_EQ(call({"--version"}).out, "reeve 1.2.3\n");
}

TEST(RunCli, DryRunShowsTheSpec) {
    const Call made = call(
        {"run", "--dry-run", "-o", "jsonl", "-C", "/d", "--gpus", "2", "--", "python", "--gpus",
         "9"});
    EXPECT_EQ(made.code, 0) << made.err;
    EXPECT_EQ(
        made.out,
        R"({"schema":"reeve.job-spec/v1","command":["python","--gpus","9"],"working_dir":"/d","resources":{"gpus":2}})"
        "\n");
    const Call bare =
        call({"run", "--dry-run", "-o", "jsonl", "-C", "/d", "python", "--epochs", "3"});
    EXPECT_EQ(
        bare.out,
        R"({"schema":"reeve.job-spec/v1","command":["python","--epochs","3"],"working_dir":"/d"})"
        "\n");
}

class RunScript : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "reeve-cli-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
    }

    void TearDown() override { EXPECT_TRUE(platform::remove_tree(folder_)); }

    std::string file(const std::string& name, std::string_view text) {
        const std::string path = folder_ + "/" + name;
        EXPECT_TRUE(platform::write_file(path, text));
        return path;
    }

  private:
    std::string folder_;
};

TEST_F(RunScript, CommandLineBeatsReeveBeatsSbatch) {
    const std::string path = file(
        "job.sh",
        "#!/bin/sh\n#REEVE --gpus 2 -c 6\n#SBATCH --gres=gpu:a30:1 -c 4 --mem=1G -J mine\ntrue\n");
    const Call made =
        call({"run", "--dry-run", "-o", "jsonl", "-C", "/d", "--gpus", "3", path, "a", "--b"});
    ASSERT_EQ(made.code, 0) << made.err;
    EXPECT_TRUE(made.out.starts_with(
        R"({"schema":"reeve.job-spec/v1","name":"mine","command":["a","--b"],"script":"#!/bin/sh\n)"))
        << made.out;
    EXPECT_NE(
        made.out.find(R"("resources":{"gpus":3,"cpus":6,"memory_mib":1024})"), std::string::npos)
        << made.out;
}

TEST_F(RunScript, ErrorsNameFileAndLine) {
    const std::string bad = file("a.sh", "#!/bin/sh\n\n#REEVE --gpuss 2\n");
    EXPECT_NE(
        call({"run", "--dry-run", bad})
            .err.find(bad + ":3: unknown flag --gpuss; did you mean --gpus?"),
        std::string::npos);
    const std::string worse = file("b.sh", "#!/bin/sh\n#SBATCH --exclusive\n");
    EXPECT_NE(
        call({"run", "--dry-run", worse}).err.find(worse + ": line 2: #SBATCH --exclusive"),
        std::string::npos);
    const std::string late = file("e.sh", "#!/bin/sh\n#SBATCH -J a\n#SBATCH --gres=gpu:1.5\n");
    EXPECT_NE(
        call({"run", "--dry-run", late}).err.find(late + ":3: #SBATCH --gpus: 1.5 GPUs: ask for"),
        std::string::npos);
    const std::string bare = file("c.sh", "echo\n");
    EXPECT_NE(
        call({"run", "--dry-run", bare}).err.find("does not begin with #!"), std::string::npos);
    const std::string binary = file("d.sh", std::string_view("#!/bin/sh\n\0", 11));
    EXPECT_NE(call({"run", "--dry-run", binary}).err.find("is no text"), std::string::npos);
}

TEST_F(RunScript, ServerFilesAreWhereTheSocketIs) {
    const std::string database = file("reeve.db", "");
    const std::string directory = database.substr(0, database.rfind('/'));
    const std::string socket = "unix:" + directory + "/reeve.sock";
    FakeServerFiles files;
    EXPECT_EQ(
        call({"server", "verify", "-s", socket}, &files).out,
        "3 jobs, 4 elements, 5 changes: all fit together\n");
    EXPECT_EQ(files.said, "verify " + database);
    call({"server", "verify", "--data", directory}, &files);
    EXPECT_EQ(files.said, "verify " + database);
    call({"server", "verify", directory}, &files);
    EXPECT_EQ(files.said, "verify " + database);
    const std::string backup = file("b.db", "");
    call({"server", "verify", backup, "-s", socket}, &files);
    EXPECT_EQ(files.said, "verify " + backup);
    call({"server", "restore", "/b.db", "-s", socket}, &files);
    EXPECT_EQ(files.said, "restore /b.db to " + directory);
    call({"server", "token", "--user", "ann", "-s", socket}, &files);
    EXPECT_EQ(files.said, "token of ann in " + directory);
    for (const char* verb : {"verify", "token"}) {
        std::vector<std::string> words = nowhere({"server", verb});
        words.insert(words.end(), {"--data", "/nonexistent"});
        if (std::string_view(verb) == "token") {
            words.insert(words.end(), {"--user", "ann"});
        }
        const Call made = call(words, &files);
        EXPECT_EQ(made.code, 5);
        EXPECT_NE(made.err.find("with --data DIR"), std::string::npos) << made.err;
    }
}

TEST_F(RunScript, CallsOfSrunAreWarnedOf) {
    const std::string path = file("s.sh", "#!/bin/sh\n#SBATCH -c 2\nsrun hostname\n");
    const Call made = call({"run", "--dry-run", "-o", "jsonl", path});
    EXPECT_NE(made.err.find(path + ": line 3: there is no srun here"), std::string::npos)
        << made.err;
    EXPECT_NE(made.out.find(R"("SLURM_CPUS_PER_TASK":"2")"), std::string::npos) << made.out;
    const std::string plain = file("p.sh", "#!/bin/sh\nsrun hostname\n");
    EXPECT_EQ(call({"run", "--dry-run", plain}).err, "");
}

TEST_F(RunScript, ADatabaseIsVerifiedAsADocumentToo) {
    const std::string database = file("x.db", "");
    FakeServerFiles files;
    EXPECT_EQ(
        call({"server", "verify", database, "-o", "jsonl"}, &files).out,
        R"({"schema":"reeve.database-check/v1","file":")" + database +
            R"(","jobs":3,"elements":4,"changes":5,"problems":[]})"
            "\n");
    files.check.problems = {"page 7 is not there"};
    const Call damaged = call({"server", "verify", database}, &files);
    EXPECT_NE(damaged.err.find("is damaged:\n   page 7"), std::string::npos) << damaged.err;
    EXPECT_EQ(call({"server", "verify", database, "-o", "json"}, &files).code, damaged.code);
    const Call missing = call({"server", "verify", database + ".nope"}, &files);
    EXPECT_EQ(missing.code, 5);
    EXPECT_NE(missing.err.find("there is no " + database + ".nope"), std::string::npos);
    EXPECT_EQ(call({"server", "restore", database, "-o", "json"}, &files).code, 2);
}

TEST_F(RunScript, ATokenGoesToAFileOfItsOwn) {
    const std::string old = file("old.token", " \n");
    const std::string directory = old.substr(0, old.rfind('/'));
    FakeServerFiles files;
    const auto make = [&](const std::string& path) {
        return call(
            {"server", "token", "--user", "ann", "--data", directory, "--file", path}, &files);
    };
    const Call made = make(directory + "/ann.token");
    EXPECT_EQ(made.code, 0) << made.err;
    EXPECT_EQ(made.out, "");
    struct stat found = {};
    ASSERT_EQ(::stat((directory + "/ann.token").c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777U, 0600U);
    EXPECT_EQ(
        platform::read_file(directory + "/ann.token", 100).value(),
        "token of ann in " + directory + "\n");
    files.said.clear();
    EXPECT_EQ(make(old).code, 6);
    EXPECT_EQ(files.said, "") << "no token was made for a file that is there";
    const Call empty = call({"q", "-s", "http://127.0.0.1:9", "--token-file", old});
    EXPECT_NE(empty.err.find("the token file " + old + " is empty"), std::string::npos)
        << empty.err;
}

TEST_F(RunScript, ServerFilesBehindTcpAreNotGuessed) {
    FakeServerFiles files;
    const std::vector<std::vector<std::string>> cases = {
        {"server", "verify"},
        {"server", "restore", "/b.db"},
        {"server", "token", "--user", "ann"},
        {"gpu", "sim", "list"},
    };
    for (std::vector<std::string> words : cases) {
        words.insert(words.end(), {"-s", "http://gpu.example:8081"});
        const Call made = call(words, &files);
        EXPECT_EQ(made.code, 2) << words[1];
        EXPECT_NE(
            made.err.find("-s names http://gpu.example:8081, which does not say where that server "
                          "keeps its files; on its machine, name "),
            std::string::npos)
            << made.err;
    }
    EXPECT_EQ(files.said, "");
    call({"server", "verify", file("b.db", ""), "-s", "http://gpu.example:8081"}, &files);
    EXPECT_TRUE(files.said.ends_with("/b.db")) << files.said;
    call({"server", "restore", "/b.db", "--data", "/d", "-s", "http://gpu.example:8081"}, &files);
    EXPECT_EQ(files.said, "restore /b.db to /d");
}

TEST_F(RunScript, SourceWithoutAnInterpreterIsRefused) {
    const std::string path = file("reeve-train.py", "print(1)\n");
    const std::string before = std::filesystem::current_path();
    std::filesystem::current_path(path.substr(0, path.rfind('/')));
    const Call made = call({"run", "--dry-run", "reeve-train.py"});
    const Call meant = call({"run", "--dry-run", "--", "reeve-train.py"});
    const Call program = call({"run", "--dry-run", "true"});
    std::filesystem::current_path(before);
    EXPECT_EQ(made.code, 2);
    EXPECT_NE(
        made.err.find("(no #! line); write: reeve run -- python3 reeve-train.py"),
        std::string::npos)
        << made.err;
    EXPECT_EQ(meant.code, 0) << meant.err;
    EXPECT_EQ(program.code, 0) << program.err;
}

TEST_F(RunScript, ProgramThatCannotBeExecutedIsRefused) {
    const std::string source = file("train.py", "print(1)\n");
    const std::string script = file("b.py", "#!/usr/bin/env python3\n");
    const std::string binary = file(
        "c", std::string_view(
                 "\x7F"
                 "ELF\0",
                 5));
    const std::string folder = source.substr(0, source.rfind('/'));
    const auto said = [&](const std::string& word) {
        return call({"run", "--dry-run", "-s", "unix:/x", "-C", folder, "--", word});
    };
    const auto allow = [](const std::string& path) {
        std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    };
    EXPECT_NE(
        said("./train.py")
            .err.find("./train.py may not be executed; write: reeve run -- python3 ./train.py, or "
                      "chmod +x "
                      "./train.py, and begin it with a #! line"),
        std::string::npos);
    EXPECT_TRUE(said(script).err.ends_with(
        "reeve: " + script + " may not be executed; write: reeve run -- python3 " + script +
        ", or chmod +x " + script + "\n"));
    file("run", "#!/bin/sh\n");
    EXPECT_EQ(said("./run").err, "reeve: ./run may not be executed; write: chmod +x ./run\n");
    EXPECT_NE(said("./c").err.find("./c may not be executed; write: chmod +x"), std::string::npos);
    EXPECT_EQ(said(folder + "/../").code, 2);
    allow(source);
    const Call refused = said("./train.py");
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.err.find("text without a #! line"), std::string::npos) << refused.err;
    const Call elsewhere =
        call({"run", "--dry-run", "-s", "http://gpu.example", "-C", folder, "./train.py"});
    EXPECT_EQ(elsewhere.code, 0);
    EXPECT_NE(elsewhere.err.find("on this machine, ./train.py is text"), std::string::npos)
        << elsewhere.err;
    allow(script);
    allow(binary);
    for (const std::string& word : {script, std::string("./c"), std::string("true")}) {
        EXPECT_EQ(said(word).code, 0) << said(word).err;
        EXPECT_EQ(said(word).err.find("is not here"), std::string::npos) << said(word).err;
    }
    for (const char* word : {"./none", "none.py", "/none"}) {
        EXPECT_EQ(said(word).code, 0) << "another job may make it";
        EXPECT_NE(said(word).err.find(std::string(word) + " is not here now"), std::string::npos);
    }
}

TEST_F(RunScript, JobFiles) {
    const std::string path =
        file("jobs.yaml", "command: [a]\nworking_dir: /d\n---\ncommand: [b]\nworking_dir: /d\n");
    const Call made = call({"run", "--dry-run", "-o", "jsonl", "--hold", "-f", path});
    EXPECT_EQ(
        made.out,
        "{\"schema\":\"reeve.job-spec/v1\",\"command\":[\"a\"],\"working_dir\":\"/"
        "d\",\"hold\":true}\n"
        "{\"schema\":\"reeve.job-spec/v1\",\"command\":[\"b\"],\"working_dir\":\"/"
        "d\",\"hold\":true}\n");
}

TEST(RunCli, GpuSimulation) {
    const std::vector<std::string> set = {"gpu", "sim",   "set", "0",      "--pid",
                                          "47",  "--mem", "4G",  "--util", "80"};
    EXPECT_EQ(call(nowhere(set)).code, 0);
    EXPECT_EQ(simulation().said, "set /nonexistent/gpus.sim 0 47 4096 80");
    EXPECT_EQ(call({"gpu", "sim", "xid", "GPU-1", "79", "--state", "/other"}).code, 0);
    EXPECT_EQ(simulation().said, "xid /other GPU-1 79");
    const Call listed = call(nowhere({"gpu", "sim", "list", "-o", "name"}));
    EXPECT_EQ(listed.out, "GPU-1\n");
    EXPECT_EQ(simulation().said, "list /nonexistent/gpus.sim");
    EXPECT_EQ(call({"gpu", "sim", "lose", "0", "--state", "/"}).code, 6);
    const Call lost = call(nowhere({"gpu", "sim", "lose", "0"}));
    EXPECT_EQ(lost.code, 5);
    EXPECT_NE(lost.err.find("there is no /nonexistent/gpus.sim"), std::string::npos) << lost.err;
    EXPECT_NE(lost.err.find("--state FILE"), std::string::npos) << lost.err;
    EXPECT_EQ(call({"gpu", "sim", "set", "0"}).code, 2);
    EXPECT_EQ(call({"gpu", "sim", "explode"}).code, 2);
}

TEST(RunCli, Completion) {
    for (const char* shell : {"bash", "zsh", "fish"}) {
        EXPECT_NE(call({"completion", shell}).out.find("reeve __complete"), std::string::npos);
    }
    EXPECT_EQ(call({"completion", "tcsh"}).code, 2);
    const std::string verbs = call({"__complete", ""}).out;
    EXPECT_NE(verbs.find("up\t"), std::string::npos);
    EXPECT_NE(verbs.find("run\t"), std::string::npos);
    EXPECT_EQ(verbs.find("__complete"), std::string::npos);
    EXPECT_NE(call({"__complete", "project", ""}).out.find("list\t"), std::string::npos);
    EXPECT_NE(call({"__complete", "run", "--g"}).out.find("--gpus\t"), std::string::npos);
}

}  // namespace
}  // namespace reeve::cli
