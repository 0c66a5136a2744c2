#include "agent/process/task_environment.hpp"

#include <map>

#include "model/script_lines.hpp"

namespace reeve::agent::process {
namespace {

using Variables = std::map<std::string, std::string>;

std::string join(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text += text.empty() ? "" : ",";
        text += word;
    }
    return text;
}

Variables defaults_of(const platform::UserEntry& user) {
    const bool is_root = user.uid == 0;
    const std::string bins = "/usr/local/bin:/usr/bin:/bin";
    return {
        {"HOME",    user.home                                                 },
        {"LANG",    "C.UTF-8"                                                 },
        {"LOGNAME", user.name                                                 },
        {"PATH",    is_root ? "/usr/local/sbin:/usr/sbin:/sbin:" + bins : bins},
        {"SHELL",   user.shell                                                },
        {"TMPDIR",  "/tmp"                                                    },
        {"USER",    user.name                                                 },
    };
}

Variables reeve_of(const model::TaskOrder& order) {
    std::vector<std::string> uuids;
    std::vector<std::string> memory;
    for (const model::GrantedGpu& gpu : order.gpus) {
        uuids.push_back(gpu.uuid);
        memory.push_back(std::to_string(gpu.memory_mib));
    }
    const std::string devices = join(uuids);
    const bool is_array = order.array_count > 0;
    return {
        {"CUDA_DEVICE_ORDER",      "PCI_BUS_ID"                                    },
        {"CUDA_VISIBLE_DEVICES",   devices                                         },
        {"NVIDIA_VISIBLE_DEVICES", devices.empty() ? "void" : devices              },
        {"REEVE_ARRAY_COUNT",      std::to_string(is_array ? order.array_count : 1)},
        {"REEVE_ARRAY_INDEX",      std::to_string(order.key.element.index)         },
        {"REEVE_ATTEMPT",          std::to_string(order.key.attempt)               },
        {"REEVE_CLUSTER_ID",       order.cluster_id                                },
        {"REEVE_ELEMENT",          element_name(order)                             },
        {"REEVE_GPUS",             devices                                         },
        {"REEVE_GPU_COUNT",        std::to_string(order.gpus.size())               },
        {"REEVE_GPU_MEMORY_MIB",   join(memory)                                    },
        {"REEVE_JOB_ID",           to_string(order.key.element.job)                },
        {"REEVE_JOB_NAME",         order.job_name                                  },
        {"REEVE_PROJECT",          order.project                                   },
        {"REEVE_RANK",             std::to_string(order.key.rank)                  },
        {kTaskVariable,            to_string(order.key)                            },
    };
}

/// What a script that was written for Slurm asks for; what is known at submission is in its
/// environment by then.
Variables slurm_of(const model::TaskOrder& order) {
    const std::string job = to_string(order.key.element.job);
    Variables variables = {
        {"SLURM_GPUS",          std::to_string(order.gpus.size())    },
        {"SLURM_GPUS_ON_NODE",  std::to_string(order.gpus.size())    },
        {"SLURM_JOBID",         job                                  },
        {"SLURM_JOB_ID",        job                                  },
        {"SLURM_JOB_NAME",      order.job_name                       },
        {"SLURM_JOB_NUM_NODES", "1"                                  },
        {"SLURM_LOCALID",       "0"                                  },
        {"SLURM_NNODES",        "1"                                  },
        {"SLURM_NODEID",        "0"                                  },
        {"SLURM_PROCID",        std::to_string(order.key.rank)       },
        {"SLURM_RESTART_COUNT", std::to_string(order.key.attempt - 1)},
    };
    if (order.array_count > 0) {
        variables["SLURM_ARRAY_JOB_ID"] = job;
        variables["SLURM_ARRAY_TASK_ID"] = std::to_string(order.key.element.index);
        variables["SLURM_ARRAY_TASK_COUNT"] = std::to_string(order.array_count);
    }
    return variables;
}

/// Libraries of the job's own are found as before, after the driver's.
void show_granted(
    const SimulatedDriver& driver, const model::TaskOrder& order, Variables& variables) {
    std::vector<std::string> uuids;
    uuids.reserve(order.gpus.size());
    for (const model::GrantedGpu& gpu : order.gpus) {
        uuids.push_back(gpu.uuid);
    }
    variables["REEVE_NVML_SIM"] = driver.state;
    variables["REEVE_NVML_SIM_GPUS"] = join(uuids);
    std::string& libraries = variables["LD_LIBRARY_PATH"];
    libraries = driver.folder + (libraries.empty() ? "" : ":" + libraries);
}

}  // namespace

std::string element_name(const model::TaskOrder& order) {
    const std::string job = to_string(order.key.element.job);
    return order.array_count == 0 ? job : job + "_" + std::to_string(order.key.element.index);
}

std::vector<std::string> task_environment(
    const model::TaskOrder& order,
    const model::Execution& execution,
    const platform::UserEntry& user,
    const SimulatedDriver& driver) {
    Variables variables = defaults_of(user);
    for (const auto& [name, value] : execution.environment) {
        variables[name] = value;
    }
    for (const auto& [name, value] : reeve_of(order)) {
        variables[name] = value;
    }
    if (model::has_sbatch_lines(execution.script)) {
        for (const auto& [name, value] : slurm_of(order)) {
            variables[name] = value;
        }
    }
    if (!driver.folder.empty()) {
        show_granted(driver, order, variables);
    }
    std::vector<std::string> environment;
    environment.reserve(variables.size());
    for (const auto& [name, value] : variables) {
        std::string& variable = environment.emplace_back(name);
        variable += '=';
        variable += value;
    }
    return environment;
}

}  // namespace reeve::agent::process
