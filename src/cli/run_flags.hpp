#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/result.hpp"
#include "model/job_spec.hpp"

// The flags that describe a job: on the command line, on #REEVE lines, and what #SBATCH lines
// become.
namespace reeve::cli {

/// As written; what is "" or empty was not given.
struct RunFlags {
    std::string name = {};
    std::string project = {};
    std::string gpus = {};
    std::string gpu_memory = {};
    std::string on = {};
    std::string cpus = {};
    std::string memory = {};
    std::string time = {};
    std::string priority = {};
    std::string array = {};
    std::vector<std::string> after = {};
    std::string retries = {};
    std::string retry_backoff = {};
    std::string signal = {};
    std::string grace = {};
    std::string working_dir = {};
    std::optional<std::string> output = {};  // Of a file; "" is not the same as none.
    std::optional<std::string> error = {};
    std::vector<std::string> labels = {};
    std::vector<std::string> variables = {};  // "K=V", or "K": taken from the caller.
    bool exports_all = false;
    bool is_held = false;
    bool requeues = false;
    bool is_preemptible = false;
    bool splits_output = false;
};

void add_run_flags(CLI::App& app, RunFlags& flags);

/// Flags alone, as on a #REEVE line. Errors: kInvalid, naming the flag; a typo gets a suggestion.
[[nodiscard]] Result<RunFlags> parse_run_flags(const std::vector<std::string>& words);

/// What the caller's shell has.
struct Caller {
    std::string working_dir = {};
    std::function<std::optional<std::string>(std::string_view name)> variable = {};
    std::function<std::vector<std::string>()> variables = {};  // All, as "K=V".
    /// The job that a word means which is no number: "last", a name. Empty: numbers alone will do.
    std::function<Result<std::uint64_t>(std::string_view word)> job = {};
};

/// Sets in `spec` what the flags say; what they do not say stays.
/// Errors: kInvalid: "--time: …".
[[nodiscard]] Result<void> apply(const RunFlags& flags, const Caller& caller, model::JobSpec& spec);

/// What is said of a spec, with the flags in place of its members: "--cpus: …" for
/// "resources.cpus: …".
[[nodiscard]] Error with_flags(Error error);

/// Checks a spec made of flags as the server will. Errors: kInvalid.
[[nodiscard]] Result<void> check(const model::JobSpec& spec);

}  // namespace reeve::cli
