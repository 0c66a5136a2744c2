#include "cli/run_flags.hpp"

#include <algorithm>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "cli/job_file.hpp"
#include "cli/slurm_variables.hpp"

namespace reeve::cli {
namespace {

Caller some_caller() {
    Caller caller;
    caller.working_dir = "/home/a";
    caller.variable = [](std::string_view name) {
        return name == "HERE" ? std::optional<std::string>("yes") : std::nullopt;
    };
    caller.variables = [] {
        return std::vector<std::string>{
            "HERE=yes",         "A=1",     "CUDA_VISIBLE_DEVICES=0", "REEVE_JOB_ID=7",
            "BASH_FUNC_f%%=()", "BAD=\xFF"};
    };
    return caller;
}

Result<model::JobSpec> spec_of(const std::vector<std::string>& words) {
    model::JobSpec spec;
    spec.execution.argv = {"python"};
    const auto flags = parse_run_flags(words);
    if (!flags) {
        return tl::unexpected(flags.error());
    }
    if (auto applied = apply(*flags, some_caller(), spec); !applied) {
        return tl::unexpected(applied.error());
    }
    spec.terms.name = spec.terms.name.empty() ? "python" : spec.terms.name;
    if (auto checked = check(spec); !checked) {
        return tl::unexpected(checked.error());
    }
    return spec;
}

TEST(RunFlags, BecomeASpec) {
    struct Case {
        std::vector<std::string> words;
        std::string json;  // What follows "command".
    };

    const std::vector<Case> cases = {
        {{},                                              ""                                                  },
        {{"--gpus", "2"},                                 R"(,"resources":{"gpus":2})"                        },
        {{"--gpus", "0.25"},                              R"(,"resources":{"gpus":0.25})"                     },
        {{"--gpus=a30:2", "--gpu-mem", "20G"},
         R"(,"resources":{"gpus":2,"gpu_model":"a30","gpu_memory_mib":20480})"                                },
        {{"--gpu-mem", "10G"},                            R"(,"resources":{"gpu_memory_mib":10240})"          },
        {{"-c", "0.5", "-m", "8G"},                       R"(,"resources":{"cpus":0.5,"memory_mib":8192})"    },
        {{"--on", "gpu.model==A30 && zone!=b"},           R"(,"on":"gpu.model==A30 && zone!=b")"              },
        {{"-t", "2h30m"},                                 R"(,"time_limit_s":9000)"                           },
        {{"--priority", "urgent"},                        R"(,"priority":"urgent")"                           },
        {{"--priority", "-5"},                            R"(,"priority":-5)"                                 },
        {{"--array", "1-100%8"},                          R"(,"array":{"first":1,"last":100,"max_running":8})"},
        {{"--after", "ok:1,any:2", "--after", "notok:3"},
         R"(,"after":[{"kind":"ok","job_id":1},{"kind":"any","job_id":2},{"kind":"notok","job_id":3}])"       },
        {{"--retry", "2", "--retry-backoff", "1m"},       R"(,"retries":{"max":2,"backoff_s":60})"            },
        {{"--hold", "--requeue"},                         R"(,"hold":true,"on_node_loss":"requeue")"          },
        {{"--signal", "USR1", "--grace", "5m"},           R"(,"stop":{"signal":"USR1","grace_s":300})"        },
        {{"-C", "data"},                                  R"(,"working_dir":"/home/a/data")"                  },
        {{"-C", "/data"},                                 R"(,"working_dir":"/data")"                         },
        {{"-l", "a=b", "--label", "c="},                  R"(,"labels":{"a":"b","c":""})"                     },
        {{"--env", "A=b=c", "--env", "HERE"},             R"(,"env":{"A":"b=c","HERE":"yes"})"                },
        {{"--export-env", "--env", "A=2"},                R"(,"env":{"A":"2","HERE":"yes"})"                  },
        {{"--split-output"},                              R"(,"split_output":true)"                           },
        {{"--output", "a b/%x-%j.out"},                   R"(,"output":"a b/%x-%j.out")"                      },
        {{"--error", "e"},                                R"(,"split_output":true,"error":"e")"               },
        {{"--output", "./json"},                          R"(,"output":"./json")"                             },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.words.empty() ? "-" : c.words.front());
        const auto spec = spec_of(c.words);
        ASSERT_TRUE(spec) << spec.error().message;
        EXPECT_EQ(model::to_json(*spec), R"({"command":["python"])" + c.json + "}");
    }
}

TEST(RunFlags, SayWhatTheyAccept) {
    struct Case {
        std::vector<std::string> words;
        std::string message;
    };

    const std::vector<Case> cases = {
        {{"--gpus", "1.5"},                   "--gpus: 1.5 GPUs: ask for whole GPUs"       },
        {{"--gpu", "1"},                      "did you mean --gpus?"                       },
        {{"--time", "soon"},                  "--time: 'soon' is not a duration"           },
        {{"--on", "zone=b"},
         "--on: column 5: expected &&, || or the end; for '=' write ==\n  zone=b\n      ^" },
        {{"--mem", "lots"},                   "--mem: "                                    },
        {{"--priority", "2000"},              "--priority: expects"                        },
        {{"--retry", "-1"},                   "--retry: expects"                           },
        {{"--array", "5-1"},                  "--array: "                                  },
        {{"--after", "12"},                   "--after: "                                  },
        {{"--env", "CUDA_VISIBLE_DEVICES=0"}, "--env: CUDA_VISIBLE_DEVICES is set by Reeve"},
        {{"--env", "REEVE_X"},                "--env: REEVE_X is set by Reeve"             },
        {{"--env", "NOT_HERE"},               "--env: NOT_HERE is not set here"            },
        {{"--label", "a"},                    "--label: 'a' is not a label"                },
        {{"--project", "Vision"},             "project: a project's name"                  },
        {{"--grace", "2d"},                   "stop.grace_s: expects"                      },
        {{"--output", ""},                    "--output: is empty; give the path"          },
        {{"--error="},                        "--error"                                    },
        {{"--error", "%t"},                   "--error: '%t' means nothing here; there are"},
        {{"--output", "json"},                "write -o json for the format, or ./json"    },
        {{"--name"},                          "--name"                                     },
        {{"stray"},                           "one argument too many"                      },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.words.back());
        const auto spec = spec_of(c.words);
        ASSERT_FALSE(spec);
        EXPECT_EQ(spec.error().code, ErrorCode::kInvalid);
        EXPECT_NE(spec.error().message.find(c.message), std::string::npos) << spec.error().message;
    }
}

TEST(RunFlags, LaterOnesOverrideEarlierOnesFieldByField) {
    model::JobSpec spec;
    spec.execution.argv = {"python"};
    for (const std::vector<std::string>& words : {
             std::vector<std::string>{"--gpus", "a30:2", "--gpu-mem", "10G", "-c", "8"},
             {"--gpus", "1"}
    }) {
        ASSERT_TRUE(apply(parse_run_flags(words).value(), some_caller(), spec));
    }
    EXPECT_EQ(spec.terms.gpus, (model::GpuAsk{1, 0, 10240, ""}));
    EXPECT_EQ(spec.terms.cpu_millicores, 8000);
}

TEST(RunFlags, AfterTakesWhatNamesAJob) {
    Caller caller = some_caller();
    caller.job = [](std::string_view word) -> Result<std::uint64_t> {
        if (word == "last") {
            return 42;
        }
        return fail(ErrorCode::kNotFound, "no " + std::string(word));
    };
    model::JobSpec spec;
    ASSERT_TRUE(apply(parse_run_flags({"--after", "any:last,ok:7"}).value(), caller, spec));
    ASSERT_EQ(spec.terms.after.size(), 2U);
    EXPECT_EQ(spec.terms.after[0].job, JobId(42));
    EXPECT_EQ(spec.terms.after[1].job, JobId(7));
    const auto unknown = apply(parse_run_flags({"--after", "any:me"}).value(), caller, spec);
    EXPECT_EQ(unknown.error().message, "--after: no me");
    EXPECT_FALSE(apply(parse_run_flags({"--after", "any:last"}).value(), some_caller(), spec));
}

TEST(SlurmVariables, AreThoseOfAScriptWithItsLines) {
    model::JobSpec spec;
    spec.execution.script = "#!/bin/sh\n#SBATCH -c 4\nsrun a\n";
    spec.execution.environment["SLURM_NTASKS"] = "2";
    spec.terms.cpu_millicores = 3500;
    spec.terms.array = model::ArrayRange{.first = 2, .last = 8, .step = 3};
    add_slurm_variables("/here", spec);
    EXPECT_EQ(
        spec.execution.environment, (std::map<std::string, std::string>{
                                        {"SLURM_ARRAY_TASK_MAX",  "8"    },
                                        {"SLURM_ARRAY_TASK_MIN",  "2"    },
                                        {"SLURM_ARRAY_TASK_STEP", "3"    },
                                        {"SLURM_CPUS_PER_TASK",   "4"    },
                                        {"SLURM_NTASKS",          "2"    },
                                        {"SLURM_SUBMIT_DIR",      "/here"}
    }));
    model::JobSpec plain;
    plain.execution.script = "#!/bin/sh\ntrue\n";
    add_slurm_variables("/here", plain);
    EXPECT_TRUE(plain.execution.environment.empty());
}

TEST(SlurmVariables, FindSrun) {
    EXPECT_EQ(line_of_srun("#!/bin/sh\n  srun -n 1 a\n"), 2U);
    EXPECT_EQ(line_of_srun("#!/bin/sh\n# srun a\necho srun\nsrunner\n"), 0U);
}

TEST(RunFlags, SaysWhatWasMeant) {
    model::JobSpec spec;
    const auto gpus = apply(parse_run_flags({"--gpus", "10G"}).value(), some_caller(), spec);
    EXPECT_TRUE(gpus.error().message.ends_with("write --gpu-mem 10G")) << gpus.error().message;
    EXPECT_EQ(
        parse_run_flags({"--retries", "2"}).error().message,
        "unknown flag --retries; it is --retry");
}

TEST(JobFile, HasOneOrMoreJobs) {
    const auto jobs = parse_job_file(
        "name: a\ncommand: [python, 1, \"2\", true]\nenv: {N: 4}\nresources: {gpus: 0.5, cpus: 2}\n"
        "time_limit_s: 60\nhold: true\n---\nscript: |\n  #!/bin/sh\n  echo\nlabels: {x: "
        "1.50}\n---\n");
    ASSERT_TRUE(jobs) << jobs.error().message;
    ASSERT_EQ(jobs->size(), 2U);
    EXPECT_EQ(
        model::to_json((*jobs)[0]),
        R"({"name":"a","command":["python","1","2","true"],"env":{"N":"4"},"resources":{"gpus":0.5,"cpus":2},"time_limit_s":60,"hold":true})");
    EXPECT_EQ(
        model::to_json((*jobs)[1]), R"({"script":"#!/bin/sh\necho\n","labels":{"x":"1.50"}})");
    EXPECT_TRUE(parse_job_file(R"({"command":["a"]})"));  // JSON is YAML.
}

TEST(JobFile, IsRefusedWithItsPlace) {
    struct Case {
        std::string yaml;
        std::string message;
    };

    std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (char i = '1'; i <= '9'; ++i) {  // Each has the one before it six times.
        std::string line = "aN: &aN [*aM,*aM,*aM,*aM,*aM,*aM]\n";
        std::ranges::replace(line, 'N', i);
        std::ranges::replace(line, 'M', static_cast<char>(i - 1));
        bomb += line;
    }
    const std::vector<Case> cases = {
        {"", "there is no job"},
        {"command: [", "not YAML"},
        {"command: [a]\n---\ncommand: b\n", "document 2: command: expects a list"},
        {"command: python3 train.py\n", "; write command: [python3, train.py], or script:"},
        {"command: [a]\narray: 1-10%2\n", "; write array: {first: 1, last: 10, max_running: 2}"},
        {"command: [a]\ntime_limit_s: 4h\n", "; write time_limit_s: 14400"},
        {"command: [a]\ngpus: 1\n", "; write it under resources: {gpus: 1}"},
        {"command: [a]\ntime: 4h\n", "; write time_limit_s, in seconds"},
        {"command:\n\t- a\n", "line 2 is indented by a tab"},
        {"comand: [a]\n", "did you mean 'command'?"},
        {"command: [a]\ntime_limit_s: \"60\"\n", "time_limit_s: expects a whole number"},
        {"command: [a]\nresources: {gpus: 1.5}\n", "1.5 GPUs"},
        {bomb, "too deep or too large"},
        {"a: " + std::string(40, '[') + std::string(40, ']'), "too deep or too large"},
        {"command: [\"a\\0b\"]\n", "command[0]: contains a NUL byte"},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.yaml.substr(0, 40));
        const auto jobs = parse_job_file(c.yaml);
        ASSERT_FALSE(jobs);
        EXPECT_NE(jobs.error().message.find(c.message), std::string::npos) << jobs.error().message;
    }
}

TEST(RunFlags, RefusesWhatIsGivenAndEmpty) {
    for (const char* flag :
         {"--gpus", "--gpu-mem", "--cpus", "--mem", "--time", "--array", "--name", "--project",
          "--priority", "--retry", "--retry-backoff", "--signal", "--grace", "--workdir", "--on"}) {
        const auto flags = parse_run_flags({flag, ""});
        ASSERT_FALSE(flags) << flag;
        EXPECT_EQ(flags.error().code, ErrorCode::kInvalid);
        EXPECT_EQ(
            flags.error().message,
            std::string(flag) + ": is empty; give it a value, or leave " + flag + " out");
    }
    EXPECT_EQ(parse_run_flags({"-g=2"})->gpus, "2");
    EXPECT_FALSE(parse_run_flags({"-g="}));
}

TEST(RunFlags, NamesFlagsWhereTheServerNamesMembers) {
    const auto said = [](const std::vector<std::string>& words) {
        const auto spec = spec_of(words);
        return spec ? "accepted" : with_flags(spec.error()).message;
    };
    EXPECT_EQ(said({"--cpus", "0"}), "--cpus: expects steps of 0.001, from 0.001 on");
    EXPECT_EQ(
        said({"--grace", "2d"}),
        "--grace: expects a whole number from 0 to 86400, not 172800 (seconds)");
    EXPECT_EQ(said({"--grace", "0"}), "accepted");
    EXPECT_EQ(said({"--retry", "1", "--retry-backoff", "0"}), "accepted");
    EXPECT_NE(said({"--gpus", "1.5"}).find("0.25, or --gpu-mem)"), std::string::npos);
    EXPECT_EQ(
        parse_run_flags({"--detach"}).error().message,
        "--detach may not stand in a line of the script; give it to `reeve run`");
}

}  // namespace
}  // namespace reeve::cli
