#include "model/job_spec.hpp"

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "model/spec_rules.hpp"
#include "model/task.hpp"

namespace reeve::model {
namespace {

std::string repeat(std::string_view text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) {
        all += text;
    }
    return all;
}

/// A valid text of 1 to 12 characters, some of them awkward.
std::string some_text(Random& random) {
    constexpr auto kParts = std::to_array<std::string_view>(
        {"a", "B", "0", " ", "\"", "\\", "\n", "é", "日", "😀", "/", "'", "\x01", "$", "="});
    std::string text;
    for (std::uint64_t i = 0; i <= random.below(12); ++i) {
        text += kParts[random.below(kParts.size())];
    }
    return text;
}

GpuAsk some_gpus(Random& random) {
    GpuAsk ask;
    switch (random.below(5)) {
        case 0: return ask;
        case 1: ask.count = static_cast<std::int64_t>(1 + random.below(1024)); break;
        case 2: ask.milli = static_cast<std::int64_t>(1 + random.below(999)); break;
        case 3: ask.memory_mib = static_cast<std::int64_t>(1 + random.below(1 << 20)); break;
        default:
            ask.count = 2;
            ask.memory_mib = 10240;
            ask.model = "RTX5090";
            break;
    }
    return ask;
}

void fill_execution(Random& random, Execution& run) {
    const bool has_script = random.below(3) == 0;
    run.script = has_script ? "#!/bin/sh\n" + some_text(random) : "";
    for (std::uint64_t i = 0; i < random.below(4) + (has_script ? 0 : 1); ++i) {
        run.argv.push_back(some_text(random));
    }
    if (random.below(2) == 0) {
        run.working_dir = "/home/" + some_text(random);
    }
    for (std::uint64_t i = 0; i < random.below(4); ++i) {
        run.environment["K_" + std::to_string(i)] = random.below(4) == 0 ? "" : some_text(random);
    }
    run.stop_signal = static_cast<std::int32_t>(1 + random.below(64));
    run.stop_grace_s = static_cast<std::int64_t>(random.below(86401));
    run.splits_output = random.below(2) == 0;
    run.output_file = random.below(2) == 0 ? "" : some_text(random) + "%x%%";
    run.error_file = random.below(2) == 0 || !run.splits_output ? "" : some_text(random) + "%j";
}

JobSpec some_spec(Random& random) {
    JobSpec spec;
    fill_execution(random, spec.execution);
    JobTerms& terms = spec.terms;
    terms.on = random.below(3) == 0 ? "zone == 'a b' && !slow" : "";
    terms.name = random.below(2) == 0 ? default_name(spec.execution)
                                      : "n " + std::to_string(random.below(9));
    terms.project = random.below(2) == 0 ? "default" : "team.vision-2_b";
    terms.gpus = some_gpus(random);
    terms.cpu_millicores = static_cast<std::int64_t>(1 + random.below(kCpuMillicoresMax));
    terms.memory_mib = static_cast<std::int64_t>(random.below(3) * 4096);
    terms.time_limit_s = static_cast<std::int64_t>(random.below(kTimeLimitMaxS + 1));
    terms.priority = static_cast<std::int32_t>(random.below(2001)) - 1000;
    if (random.below(2) == 0) {
        const auto first = static_cast<std::uint32_t>(random.below(1000));
        terms.array = ArrayRange{
            first, first + static_cast<std::uint32_t>(random.below(1'000'000)),
            1 + static_cast<std::uint32_t>(random.below(3)),
            static_cast<std::uint32_t>(random.below(9))};
    }
    for (std::uint64_t i = 0; i < random.below(3); ++i) {
        terms.after.push_back(
            {static_cast<DependencyKind>(random.below(3)), JobId(1 + random.below(1 << 30))});
    }
    terms.retries_max = static_cast<std::int32_t>(random.below(101));
    terms.retry_backoff_s = static_cast<std::int64_t>(random.below(3601));
    terms.is_held = random.below(2) == 0;
    terms.on_node_loss = static_cast<OnNodeLoss>(random.below(2));
    terms.is_preemptible = random.below(2) == 0;
    for (std::uint64_t i = 0; i < random.below(3); ++i) {
        terms.labels["l/" + std::to_string(i)] = "v é " + std::to_string(random.below(9));
    }
    return spec;
}

TEST(JobSpecJson, AnySpecComesBackAsItWas) {
    SeededRandom random(42);
    for (int i = 0; i < 2000; ++i) {
        const JobSpec spec = some_spec(random);
        const std::string json = to_json(spec);
        SCOPED_TRACE(json);
        const auto back = parse_job_spec(json);
        ASSERT_TRUE(back) << back.error().message;
        EXPECT_EQ(*back, spec);
        EXPECT_EQ(to_json(*back), json);
    }
}

TEST(JobSpecJson, LeavesDefaultsOut) {
    const auto spec = parse_job_spec(
        R"({"command":["/usr/bin/python","a.py"],"name":"python","project":"default","env":{},
            "resources":{"cpus":1,"gpus":0},"retries":{},"stop":{"signal":"SIGTERM"},"hold":false,
            "on_node_loss":"wait"})");
    ASSERT_TRUE(spec) << spec.error().message;
    EXPECT_EQ(to_json(*spec), R"({"command":["/usr/bin/python","a.py"]})");
}

TEST(JobSpecJson, ReadsEveryField) {
    const auto spec = parse_job_spec(
        R"({"name":"train","project":"vision","command":["python","train.py"],"working_dir":"/home/a",
            "env":{"K":"V"},"resources":{"gpus":2,"gpu_model":"a30","gpu_memory_mib":10240,"cpus":0.5,
            "memory_mib":8192},"time_limit_s":3600,"priority":-7,"labels":{"k":"v"},
            "array":{"first":1,"last":100,"step":2,"max_running":8},"after":[{"kind":"notok","job_id":12}],
            "retries":{"max":2,"backoff_s":20},"hold":true,"stop":{"signal":"USR1","grace_s":5},
            "on_node_loss":"requeue","preemptible":true,"split_output":true,"output":"%x.out",
            "error":"/tmp/%j"})");
    ASSERT_TRUE(spec) << spec.error().message;
    JobSpec want;
    want.terms.name = "train";
    want.terms.project = "vision";
    want.terms.gpus = {2, 0, 10240, "a30"};
    want.terms.cpu_millicores = 500;
    want.terms.memory_mib = 8192;
    want.terms.time_limit_s = 3600;
    want.terms.priority = -7;
    want.terms.labels = {
        {"k", "v"}
    };
    want.terms.array = ArrayRange{1, 100, 2, 8};
    want.terms.after = {
        {DependencyKind::kNotOk, JobId(12)}
    };
    want.terms.retries_max = 2;
    want.terms.retry_backoff_s = 20;
    want.terms.is_held = true;
    want.terms.on_node_loss = OnNodeLoss::kRequeue;
    want.terms.is_preemptible = true;
    want.execution = {
        {"python", "train.py"},
        "", "/home/a", {{"K", "V"}},
        10, 5, true, "%x.out", "/tmp/%j"
    };
    EXPECT_EQ(*spec, want);
}

TEST(JobSpecJson, AFileForStandardErrorSplitsTheOutput) {
    const auto spec = parse_job_spec(R"({"command":["a"],"error":"err.txt"})");
    ASSERT_TRUE(spec) << spec.error().message;
    EXPECT_TRUE(spec->execution.splits_output);
    EXPECT_FALSE(
        parse_job_spec(R"({"command":["a"],"output":"out.txt"})")->execution.splits_output);
}

struct Refusal {
    std::string name;
    std::string json;
    std::string message;  // A part of it.
};

TEST(JobSpecJson, RefusesAndSaysWhatItAccepts) {
    const std::string run = R"({"command":["a"],)";
    const std::vector<Refusal> refusals = {
        {"no JSON", "", "not JSON"},
        {"more after it", R"({"command":["a"]} x)", "not JSON"},
        {"a list", "[]", "expects an object, not a list"},
        {"nothing to run", "{}", "command: a job needs a command"},
        {"an empty command", R"({"command":[]})", "command: a job needs a command"},
        {"an empty program", R"({"command":[""]})", "command[0]: the program"},
        {"a command as text", R"({"command":"a b"})", "command: expects a list, not a string"},
        {"a number in it", R"({"command":["a",1]})", "command[1]: expects a string, not a number"},
        {"a NUL", R"({"command":["a","b\u0000c"]})", "command[1]: contains a NUL byte"},
        {"bytes, not UTF-8", "{\"command\":[\"a\xFF\"]}", "command[0]: is not valid UTF-8"},
        {"half a surrogate", R"({"command":["\udc00"]})", "command[0]: is not valid UTF-8"},
        {"an unknown field", run + R"("comand":1})",
         "unknown field 'comand'; did you mean 'command'?"},
        {"one further in", run + R"("resources":{"gpu":1}})",
         "resources: unknown field 'gpu'; did you mean 'gpus'? (accepted: gpus, "},
        {"a field twice", run + R"("hold":true,"hold":false})", "hold: is given twice"},
        {"a variable twice", run + R"("env":{"A":"1","A":"2"}})", "env.A: is given twice"},
        {"1.5 GPUs", run + R"("resources":{"gpus":1.5}})",
         "resources.gpus: 1.5 GPUs: ask for whole GPUs (1, 2, …) or for a share of one (0.25, or "
         "gpu_memory_mib)"},
        {"a negative amount", run + R"("resources":{"gpus":-1}})",
         "resources.gpus: expects a number up to 1024"},
        {"a huge amount", run + R"("resources":{"gpus":1e300}})",
         "resources.gpus: expects a number up to 1024"},
        {"an even larger one", run + R"("resources":{"gpus":1e999}})", "not JSON"},
        {"1025 GPUs", run + R"("resources":{"gpus":1025}})", "up to 1024"},
        {"too fine a share", run + R"("resources":{"gpus":0.0001}})",
         "resources.gpus: expects steps of 0.001"},
        {"GPUs as text", run + R"("resources":{"gpus":"2"}})",
         "resources.gpus: expects a number such as 2 or 0.25, not a string"},
        {"a model of none", run + R"("resources":{"gpu_model":"a30"}})",
         "resources.gpu_model: a model alone"},
        {"memory past 64 bit", run + R"("resources":{"memory_mib":1e30}})",
         "resources.memory_mib: expects a whole number from 1 to"},
        {"half a MiB", run + R"("resources":{"memory_mib":0.5}})",
         "resources.memory_mib: expects a whole number"},
        {"eleven years", run + R"("time_limit_s":347000000})",
         "time_limit_s: expects a whole number from 1 to 316224000, not 347000000"},
        {"a name that no priority has", run + R"("priority":"Not One"})",
         "priority: expects a whole number from -1000 to 1000 or a name, which has 1 to 63 of a-z"},
        {"a priority that is neither", run + R"("priority":true})",
         "priority: expects a whole number from -1000 to 1000 or a name, not a boolean"},
        {"a priority too high", run + R"("priority":1001})",
         "priority: expects a whole number from -1000 to 1000"},
        {"a name of blanks", run + R"("name":"  "})",
         "name: a name has 1 to 128 visible characters"},
        {"an empty name", run + R"("name":""})", "name: a name has 1 to 128"},
        {"a name with a line", run + R"("name":"a\nb"})", "unlike 'a?b'"},
        {"a name too long", run + R"("name":")" + repeat("é", 129) + "\"}",
         "name: a name has 1 to 128"},
        {"a capital project", run + R"("project":"Vision"})",
         "project: a project's name has 1 to 63"},
        {"a relative folder", run + R"("working_dir":"home"})",
         "working_dir: a working directory is an absolute path"},
        {"an empty file", run + R"("output":""})", "output: is empty; give the path of a file"},
        {"a NUL in a file", run + R"("error":"a\u0000b"})", "error: contains a NUL byte"},
        {"an unknown letter", run + R"("error":"%t.err"})", "error: '%t' means nothing here"},
        {"our variable", run + R"("env":{"CUDA_VISIBLE_DEVICES":"0"}})",
         "env: CUDA_VISIBLE_DEVICES is set by Reeve"},
        {"NVIDIA's", run + R"("env":{"NVIDIA_VISIBLE_DEVICES":"0"}})",
         "env: NVIDIA_VISIBLE_DEVICES is set by Reeve"},
        {"one of MPS", run + R"("env":{"CUDA_MPS_PIPE_DIRECTORY":"/"}})",
         "env: CUDA_MPS_PIPE_DIRECTORY is set by Reeve"},
        {"a REEVE_ variable", run + R"("env":{"REEVE_JOB_ID":"1"}})",
         "env: REEVE_JOB_ID is set by Reeve"},
        {"a variable with =", run + R"("env":{"A=B":"1"}})", "env: a variable's name has"},
        {"a value of number", run + R"("env":{"A":1}})", "env.A: expects a string, not a number"},
        {"a label with blank", run + R"("labels":{"a b":"1"}})", "labels: a label's key has"},
        {"an array backwards", run + R"("array":{"first":5,"last":1}})",
         "array: ends before it begins"},
        {"an array of no end", run + R"("array":{"first":5}})", "array: needs first and last"},
        {"an array of step 0", run + R"("array":{"first":1,"last":2,"step":0}})",
         "array.step: expects a whole number from 1"},
        {"an array too long", run + R"("array":{"first":0,"last":1000000}})",
         "array: has more than 1000000 elements"},
        {"all of uint32", run + R"("array":{"first":0,"last":4294967294}})",
         "array: has more than 1000000 elements"},
        {"an unknown kind", run + R"("after":[{"kind":"x","job_id":1}]})",
         "after[0].kind: expects \"ok\""},
        {"a job 0", run + R"("after":[{"kind":"ok","job_id":0}]})",
         "after[0].job_id: expects a whole number from 1"},
        {"a kind alone", run + R"("after":[{"kind":"ok"}]})", "after[0]: needs kind and job_id"},
        {"101 retries", run + R"("retries":{"max":101}})",
         "retries.max: expects a whole number from 0 to 100"},
        {"a signal of its own", run + R"("stop":{"signal":"NUKE"}})",
         "stop.signal: expects a signal"},
        {"two days of grace", run + R"("stop":{"grace_s":172800}})",
         "stop.grace_s: expects a whole number from 0 to 86400"},
        {"another loss", run + R"("on_node_loss":"panic"})",
         "on_node_loss: expects \"wait\" or \"requeue\""},
        {"an empty script", R"({"script":""})", "script: is empty"},
        {"a script of no program", R"({"script":"echo"})", "script: does not begin with #!"},
        {"no CPU at all", run + R"("resources":{"cpus":0}})",
         "resources.cpus: expects steps of 0.001, from 0.001 on"},
        {"a label with comma", run + R"("labels":{"a":"1,2"}})", "no comma"},
        {"a null", run + R"("hold":null})", "hold: expects true or false, not null"},
        {"too deep", repeat("[", 100'000), "nested more than 32 levels"},
        {"too deep, unseen", R"({"x":"\"]]]",)" + repeat(R"({"a":)", 40),
         "nested more than 32 levels"},
    };
    for (const Refusal& refusal : refusals) {
        SCOPED_TRACE(refusal.name);
        const auto spec = parse_job_spec(refusal.json);
        ASSERT_FALSE(spec);
        EXPECT_EQ(spec.error().code, ErrorCode::kInvalid);
        EXPECT_NE(spec.error().message.find(refusal.message), std::string::npos)
            << spec.error().message;
    }
}

TEST(JobSpecJson, BracketsInsideTextAreNotDepth) {
    const auto spec = parse_job_spec(R"({"command":["a\")" + repeat("[{", 100) + "\"]}");
    EXPECT_TRUE(spec);
}

TEST(JobSpecJson, RefusesWhatIsTooLarge) {
    const auto over = parse_job_spec(std::string(kSpecBytesMax + 1, ' '));
    ASSERT_FALSE(over);
    EXPECT_EQ(over.error().code, ErrorCode::kTooLarge);
    EXPECT_FALSE(
        parse_job_spec(R"({"command":["a)" + std::string(kArgumentBytesMax, 'a') + "\"]}"));
    EXPECT_TRUE(parse_job_spec(R"({"command":[")" + std::string(kArgumentBytesMax, 'a') + "\"]}"));
    EXPECT_FALSE(parse_job_spec(R"({"script":"#!)" + std::string(kScriptBytesMax, 'a') + "\"}"));
    EXPECT_FALSE(parse_job_spec(R"({"command":["a")" + repeat(",\"\"", kArgumentsMax) + "]}"));
}

TEST(JobSpecJson, ABatchNamesTheJobThatIsWrong) {
    const auto jobs = parse_job_batch(R"({"jobs":[{"command":["a"]},{"script":"#!b"}]})", 2);
    ASSERT_TRUE(jobs);
    ASSERT_EQ(jobs->size(), 2U);
    EXPECT_EQ((*jobs)[1].terms.name, "script");
    const std::vector<Refusal> refusals = {
        {"one of three is wrong", R"({"jobs":[{"command":["a"]},{"command":7}]})",
         "jobs[1].command: expects a list"                                                                       },
        {"too many",              R"({"jobs":[1,2,3]})",                           "jobs: has 3 entries; up to 2"},
        {"none",                  R"({"jobs":[]})",                                "needs jobs"                  },
        {"nothing",               "{}",                                            "needs jobs"                  },
    };
    for (const Refusal& refusal : refusals) {
        SCOPED_TRACE(refusal.name);
        const auto batch = parse_job_batch(refusal.json, 2);
        ASSERT_FALSE(batch);
        EXPECT_NE(batch.error().message.find(refusal.message), std::string::npos)
            << batch.error().message;
    }
    const std::string large =
        R"({"command":[")" + repeat(std::string(100'000, 'a') + "\",\"", 11) + "\"]}";
    const auto batch = parse_job_batch(R"({"jobs":[{"command":["a"]},)" + large + "]}", 2);
    ASSERT_FALSE(batch);
    EXPECT_EQ(batch.error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(batch.error().message.substr(0, 8), "jobs[1] ");
}

TEST(JobSpec, IsNamedForWhatItRuns) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"python", "python"},
        {"/usr/bin/python3", "python3"},
        {"./a/b/", "b"},
        {"/", "job"},
        {"a\nb", "a?b"},
        {" ", "job"},
        {repeat("é", 200), repeat("é", 128)}
    };
    for (const auto& [program, want] : cases) {
        EXPECT_EQ(default_name({.argv = {program}}), want);
    }
}

TEST(JobSpecText, Arrays) {
    struct Case {
        std::string text;
        ArrayRange want;
    };

    const std::vector<Case> cases = {
        {"7",           {7, 7, 1, 0}        },
        {"1-100",       {1, 100, 1, 0}      },
        {"1-100%8",     {1, 100, 1, 8}      },
        {"0-10:5%2",    {0, 10, 5, 2}       },
        {"0-999999",    {0, 999'999, 1, 0}  },
        {"0-2000000:3", {0, 2'000'000, 3, 0}},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.text);
        const auto array = parse_array(c.text);
        ASSERT_TRUE(array);
        EXPECT_EQ(*array, c.want);
    }
    for (const char* text :
         {"", "-", "1-", "-5", "5-1", "1-2:0", "1-2%0", "a", "1-2-3", "1--2", "1-4294967296", "+1",
          "1 "}) {
        SCOPED_TRACE(text);
        const auto array = parse_array(text);
        ASSERT_FALSE(array);
        EXPECT_EQ(array.error().code, ErrorCode::kInvalid);
    }
    for (const char* text : {"0-1000000", "0-4294967294"}) {
        EXPECT_EQ(parse_array(text).error().code, ErrorCode::kTooLarge);
    }
}

TEST(JobSpecText, Dependencies) {
    const auto after = parse_after("ok:12,any:3,notok:9");
    ASSERT_TRUE(after);
    const std::vector<Dependency> want = {
        {DependencyKind::kOk,    JobId(12)},
        {DependencyKind::kAny,   JobId(3) },
        {DependencyKind::kNotOk, JobId(9) }
    };
    EXPECT_EQ(*after, want);
    for (const char* text : {"", "12", "ok:", "ok:0", "ok:-1", "ok:1,", "after:1", "ok:1x"}) {
        EXPECT_FALSE(parse_after(text)) << text;
    }
}

TEST(JobSpecText, Gpus) {
    struct Case {
        std::string text;
        GpuAsk want;
    };

    const std::vector<Case> cases = {
        {"2",            {2, 0, 0, ""}          },
        {"0",            {}                     },
        {"0.25",         {0, 250, 0, ""}        },
        {"1.0",          {1, 0, 0, ""}          },
        {"a30",          {1, 0, 0, "a30"}       },
        {"a30:2",        {2, 0, 0, "a30"}       },
        {"a30:0.5",      {0, 500, 0, "a30"}     },
        {"rtx5090:1024", {1024, 0, 0, "rtx5090"}},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.text);
        const auto ask = parse_gpus(c.text);
        ASSERT_TRUE(ask) << ask.error().message;
        EXPECT_EQ(*ask, c.want);
    }
    const std::vector<std::pair<std::string, std::string>> refusals = {
        {"1.5",     "1.5 GPUs: ask for whole GPUs"        },
        {"a30:1.5", "1.5 GPUs"                            },
        {"-1",      "not a number of GPUs"                },
        {"",        "not a number of GPUs"                },
        {"1025",    "up to 1024"                          },
        {"a30:0",   "asks for none"                       },
        {"a30:",    "not a number"                        },
        {":2",      "not a number"                        },
        {"a/b",     "a GPU model is"                      },
        {"0.3333",  "three digits after the point at most"}
    };
    for (const auto& [text, message] : refusals) {
        SCOPED_TRACE(text);
        const auto ask = parse_gpus(text);
        ASSERT_FALSE(ask);
        EXPECT_NE(ask.error().message.find(message), std::string::npos) << ask.error().message;
    }
}

TEST(JobSpecText, Signals) {
    EXPECT_EQ(parse_signal("TERM").value(), 15);
    EXPECT_EQ(parse_signal("sigusr1").value(), 10);
    EXPECT_EQ(parse_signal("9").value(), 9);
    EXPECT_EQ(parse_signal("64").value(), 64);
    for (const char* text : {"", "0", "65", "-9", "SIG", "TERMX", "1e1"}) {
        EXPECT_FALSE(parse_signal(text)) << text;
    }
    for (std::int32_t signal = 1; signal <= kSignalMax; ++signal) {
        EXPECT_EQ(parse_signal(signal_name(signal)).value(), signal);
    }
}

TEST(TaskKeyText, ComesBackAsItWas) {
    const TaskKey key = {
        {JobId(1842), 7},
        2, 3
    };
    EXPECT_EQ(to_string(key), "1842.7.2.3");
    EXPECT_EQ(parse_task_key("1842.7.2.3").value(), key);
    for (const char* text :
         {"", "1842", "1.2.3", "1.2.3.4.5", "1.2.3.-4", "1.2.3.a", "01.2.3.4", "1..2.3",
          "1.2.3.4294967296", "../1.2.3"}) {
        EXPECT_FALSE(parse_task_key(text)) << text;
    }
}

TEST(TaskOrderJson, ComesBackAsItWas) {
    TaskOrder order;
    order.key = {
        {JobId(1842), 7},
        2, 0
    };
    order.cluster_id = "c-1";
    order.identity = {"ann", 4'294'967'295U, 1000};
    order.project = "vision";
    order.job_name = "train é";
    order.array_count = 100;
    order.gpus = {
        {"GPU-1", 250,  6144,  false},
        {"GPU-2", 1000, 24576, true }
    };
    order.cpu_millicores = 500;
    order.memory_mib = 8192;
    order.time_limit_s = 60;
    order.spec_json = R"({"command":["a"]})";
    const std::string json = to_json(order);
    const auto back = parse_task_order(json);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, order);
    for (const char* text : {"", "{}", "[]", R"({"key":"1.2.3"})", R"({"unknown":1})"}) {
        EXPECT_FALSE(parse_task_order(text)) << text;
    }
    EXPECT_FALSE(parse_task_order(json.substr(0, json.size() - 1)));  // A torn write.
}

TEST(ParseJobSpec, WholeNumbersMayBeWrittenWithAPoint) {
    const auto spec = parse_job_spec(R"({"command":["a"],"priority":-7.0,"time_limit_s":1e2})");
    ASSERT_TRUE(spec.has_value()) << spec.error().message;
    EXPECT_EQ(spec->terms.priority, -7);
    EXPECT_EQ(spec->terms.time_limit_s, 100);
    EXPECT_FALSE(parse_job_spec(R"({"command":["a"],"priority":0.5})").has_value());
    EXPECT_EQ(whole_of(9'007'199'254'740'991.0), 9'007'199'254'740'991);
    EXPECT_EQ(whole_of(9'007'199'254'740'992.0), std::nullopt);
    EXPECT_EQ(whole_of(-1e300), std::nullopt);
}

TEST(JobSpec, APriorityIsANumberOrAName) {
    const auto spec = parse_job_spec(R"({"command":["a"],"priority":"urgent"})");
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->terms.priority_name, "urgent");
    EXPECT_EQ(spec->terms.priority, 0);
    const std::string json = to_json(*spec);
    EXPECT_NE(json.find(R"("priority":"urgent")"), std::string::npos) << json;
    EXPECT_EQ(parse_job_spec(json)->terms.priority_name, "urgent");
}

}  // namespace
}  // namespace reeve::model
