#include "agent/process/task_environment.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace reeve::agent::process {
namespace {

platform::UserEntry ann() {
    return {"ann", 1000, 1000, "/home/ann", "/bin/zsh"};
}

model::TaskOrder order() {
    return {
        .key = {.element = {JobId(1842), 7}, .attempt = 2, .rank = 1},
        .cluster_id = "c1",
        .identity = {"ann", 1000, 1000},
        .project = "vision",
        .job_name = "train",
        .array_count = 100,
        .gpus = {{"GPU-a", 1000, 24000}, {"GPU-b", 1000, 24001}},
    };
}

std::string value_of(const std::vector<std::string>& environment, const std::string& name) {
    std::string found = "(none)";
    for (const std::string& variable : environment) {
        if (variable.starts_with(name + "=")) {
            EXPECT_EQ(found, "(none)") << name << " is there twice";
            found = variable.substr(name.size() + 1);
        }
    }
    return found;
}

TEST(TaskEnvironment, SaysWhatWasGranted) {
    struct Case {
        const char* name;
        const char* want;
    };

    const auto environment = task_environment(order(), {}, ann());
    const std::vector<Case> cases = {
        {"PATH",                   "/usr/local/bin:/usr/bin:/bin"},
        {"HOME",                   "/home/ann"                   },
        {"USER",                   "ann"                         },
        {"LOGNAME",                "ann"                         },
        {"SHELL",                  "/bin/zsh"                    },
        {"LANG",                   "C.UTF-8"                     },
        {"TMPDIR",                 "/tmp"                        },
        {"CUDA_VISIBLE_DEVICES",   "GPU-a,GPU-b"                 },
        {"NVIDIA_VISIBLE_DEVICES", "GPU-a,GPU-b"                 },
        {"CUDA_DEVICE_ORDER",      "PCI_BUS_ID"                  },
        {"REEVE_JOB_ID",           "1842"                        },
        {"REEVE_ELEMENT",          "1842_7"                      },
        {"REEVE_ARRAY_INDEX",      "7"                           },
        {"REEVE_ARRAY_COUNT",      "100"                         },
        {"REEVE_ATTEMPT",          "2"                           },
        {"REEVE_RANK",             "1"                           },
        {"REEVE_JOB_NAME",         "train"                       },
        {"REEVE_PROJECT",          "vision"                      },
        {"REEVE_GPUS",             "GPU-a,GPU-b"                 },
        {"REEVE_GPU_COUNT",        "2"                           },
        {"REEVE_GPU_MEMORY_MIB",   "24000,24001"                 },
        {"REEVE_CLUSTER_ID",       "c1"                          },
        {"REEVE_TASK",             "1842.7.2.1"                  },
    };
    for (const Case& c : cases) {
        EXPECT_EQ(value_of(environment, c.name), c.want) << c.name;
    }
    EXPECT_EQ(environment.size(), cases.size()) << "nothing else is in it";
}

TEST(TaskEnvironment, WithoutGpusSeesNone) {
    model::TaskOrder none = order();
    none.gpus.clear();
    none.array_count = 0;
    none.key.element.index = 0;
    const auto environment = task_environment(none, {}, ann());
    EXPECT_EQ(value_of(environment, "CUDA_VISIBLE_DEVICES"), "");
    EXPECT_EQ(value_of(environment, "NVIDIA_VISIBLE_DEVICES"), "void");
    EXPECT_EQ(value_of(environment, "REEVE_ELEMENT"), "1842");
    EXPECT_EQ(value_of(environment, "REEVE_ARRAY_INDEX"), "0");
    EXPECT_EQ(value_of(environment, "REEVE_ARRAY_COUNT"), "1");
}

TEST(TaskEnvironment, AScriptOfSlurmsFindsItsVariables) {
    const model::Execution execution = {.script = "#!/bin/sh\n#SBATCH -c 2\ntrue\n"};
    const auto environment = task_environment(order(), execution, ann());
    EXPECT_EQ(value_of(environment, "SLURM_JOB_ID"), "1842");
    EXPECT_EQ(value_of(environment, "SLURM_JOBID"), "1842");
    EXPECT_EQ(value_of(environment, "SLURM_JOB_NAME"), "train");
    EXPECT_EQ(value_of(environment, "SLURM_ARRAY_JOB_ID"), "1842");
    EXPECT_EQ(value_of(environment, "SLURM_ARRAY_TASK_ID"), "7");
    EXPECT_EQ(value_of(environment, "SLURM_ARRAY_TASK_COUNT"), "100");
    EXPECT_EQ(value_of(environment, "SLURM_GPUS"), "2");
    EXPECT_EQ(value_of(environment, "SLURM_RESTART_COUNT"), "1");
    model::TaskOrder single = order();
    single.array_count = 0;
    EXPECT_EQ(
        value_of(task_environment(single, execution, ann()), "SLURM_ARRAY_TASK_ID"), "(none)");
    EXPECT_EQ(value_of(task_environment(order(), {}, ann()), "SLURM_JOB_ID"), "(none)");
}

TEST(TaskEnvironment, ShowsOfASimulatedDriverWhatWasGranted) {
    const SimulatedDriver driver = {.folder = "/lib/nvml-sim", .state = "/data/gpus.sim"};
    const auto environment = task_environment(order(), {}, ann(), driver);
    EXPECT_EQ(value_of(environment, "LD_LIBRARY_PATH"), "/lib/nvml-sim");
    EXPECT_EQ(value_of(environment, "REEVE_NVML_SIM"), "/data/gpus.sim");
    EXPECT_EQ(value_of(environment, "REEVE_NVML_SIM_GPUS"), "GPU-a,GPU-b");
    model::TaskOrder none = order();
    none.gpus.clear();
    const model::Execution execution = {
        .environment = {{"LD_LIBRARY_PATH", "/opt/lib:/opt/lib64"}}};
    const auto without = task_environment(none, execution, ann(), driver);
    EXPECT_EQ(value_of(without, "LD_LIBRARY_PATH"), "/lib/nvml-sim:/opt/lib:/opt/lib64");
    EXPECT_EQ(value_of(without, "REEVE_NVML_SIM_GPUS"), "") << "none, not all";
    EXPECT_EQ(
        value_of(task_environment(order(), execution, ann()), "LD_LIBRARY_PATH"),
        "/opt/lib:/opt/lib64");
    EXPECT_EQ(value_of(task_environment(order(), {}, ann()), "REEVE_NVML_SIM_GPUS"), "(none)");
}

TEST(TaskEnvironment, TheJobMayChangeDefaultsButNotWhatReeveSays) {
    const model::Execution execution = {
        .environment = {{"PATH", "/opt/bin"}, {"MINE", "a=b"}, {"CUDA_VISIBLE_DEVICES", "0"}}
    };
    const auto environment = task_environment(order(), execution, ann());
    EXPECT_EQ(value_of(environment, "PATH"), "/opt/bin");
    EXPECT_EQ(value_of(environment, "MINE"), "a=b");
    EXPECT_EQ(value_of(environment, "CUDA_VISIBLE_DEVICES"), "GPU-a,GPU-b");
}

}  // namespace
}  // namespace reeve::agent::process
