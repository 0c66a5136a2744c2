#include "cli/slurm_variables.hpp"

#include "base/text.hpp"
#include "model/script_lines.hpp"

namespace reeve::cli {

void add_slurm_variables(const std::string& submit_dir, model::JobSpec& spec) {
    if (!model::has_sbatch_lines(spec.execution.script)) {
        return;
    }
    constexpr std::int64_t kWholeCpu = 1000;
    const auto set = [&spec](const char* name, const std::string& value) {
        spec.execution.environment.try_emplace(name, value);
    };
    set("SLURM_SUBMIT_DIR", submit_dir);
    const std::int64_t cpus = (spec.terms.cpu_millicores + kWholeCpu - 1) / kWholeCpu;
    set("SLURM_CPUS_PER_TASK", std::to_string(cpus > 0 ? cpus : 1));
    set("SLURM_NTASKS", "1");
    if (const auto& array = spec.terms.array) {
        set("SLURM_ARRAY_TASK_MIN", std::to_string(array->first));
        set("SLURM_ARRAY_TASK_MAX", std::to_string(array->last));
        set("SLURM_ARRAY_TASK_STEP", std::to_string(array->step));
    }
}

std::size_t line_of_srun(std::string_view script) {
    std::size_t number = 0;
    for (const std::string& line : split(script, '\n')) {
        ++number;
        const std::size_t first = line.find_first_not_of(" \t");
        const std::string_view command =
            first == std::string::npos ? "" : std::string_view(line).substr(first);
        if (command == "srun" || command.starts_with("srun ") || command.starts_with("srun\t")) {
            return number;
        }
    }
    return 0;
}

}  // namespace reeve::cli
