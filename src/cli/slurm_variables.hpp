#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "model/job_spec.hpp"

// What a script with #SBATCH lines expects to find where it runs.
namespace reeve::cli {

/// Adds those of Slurm's variables that are known at submission to the environment of a job whose
/// script has #SBATCH lines: SLURM_SUBMIT_DIR, SLURM_CPUS_PER_TASK, SLURM_NTASKS, and of an array
/// SLURM_ARRAY_TASK_MIN, _MAX and _STEP. The node adds the others. What the job sets stays.
void add_slurm_variables(const std::string& submit_dir, model::JobSpec& spec);

/// The first line, from 1, whose command is srun; 0 if there is none.
[[nodiscard]] std::size_t line_of_srun(std::string_view script);

}  // namespace reeve::cli
