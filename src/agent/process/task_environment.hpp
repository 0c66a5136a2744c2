#pragma once

#include <string>
#include <vector>

#include "model/job_spec.hpp"
#include "model/task.hpp"
#include "platform/identity.hpp"

namespace reeve::agent::process {

/// "1842", or "1842_7" of an array.
[[nodiscard]] std::string element_name(const model::TaskOrder& order);

/// What stands in for a driver where GPUs are simulated.
struct SimulatedDriver {
    std::string folder = {};  // Has libnvidia-ml.so.1; "" where GPUs are none or real.
    std::string state = {};   // The file that says what there is.
};

/// The environment of a task, "K=V" each, sorted. Nothing of the server's own is in it: PATH HOME
/// USER LOGNAME LANG SHELL TMPDIR by default, over that what the job sets, over that what Reeve
/// says: CUDA_VISIBLE_DEVICES, CUDA_DEVICE_ORDER, NVIDIA_VISIBLE_DEVICES and REEVE_*.
/// REEVE_GPUS and REEVE_GPU_MEMORY_MIB have one value for each GPU, in the same order, separated by
/// commas. A job that is no array has REEVE_ARRAY_INDEX=0 and REEVE_ARRAY_COUNT=1. A script with
/// #SBATCH lines finds SLURM_JOB_ID, SLURM_ARRAY_TASK_ID and their like, too. With a simulated
/// driver its folder is the first of LD_LIBRARY_PATH, and shows what was granted and no more.
[[nodiscard]] std::vector<std::string> task_environment(
    const model::TaskOrder& order,
    const model::Execution& execution,
    const platform::UserEntry& user,
    const SimulatedDriver& driver = {});

/// The variable by which a process is known as a task's, beside REEVE_CLUSTER_ID.
inline constexpr const char* kTaskVariable = "REEVE_TASK";

}  // namespace reeve::agent::process
