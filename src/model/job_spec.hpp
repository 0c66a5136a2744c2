#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/strong_id.hpp"

namespace reeve::model {

/// GPUs asked for, by names as people write them. The ledger interns it to a Request.
/// At most one of `count` (whole GPUs) and `milli` (a share of one) is above 0.
struct GpuAsk {
    std::int64_t count = 0;       // Whole GPUs, 0..1024.
    std::int64_t milli = 0;       // A share of one GPU, 1..999.
    std::int64_t memory_mib = 0;  // With count: the least size of each. Else: a share by memory.
    std::string model = {};       // "a30": matched as a word of the driver's name; "" is any.

    [[nodiscard]] bool is_share() const noexcept {
        return milli > 0 || (count == 0 && memory_mib > 0);
    }

    friend bool operator==(const GpuAsk&, const GpuAsk&) = default;
};

enum class DependencyKind : std::uint8_t { kOk, kAny, kNotOk };

/// "Start after that job": ok = it succeeded, any = it ended, notok = it ended otherwise.
struct Dependency {
    DependencyKind kind = DependencyKind::kOk;
    JobId job = JobId(0);

    friend bool operator==(const Dependency&, const Dependency&) = default;
};

/// "1-100:2%8": indices first, first + step, … up to last; at most `running_max` at once (0: any).
struct ArrayRange {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::uint32_t step = 1;
    std::uint32_t running_max = 0;

    [[nodiscard]] std::uint32_t count() const noexcept { return (last - first) / step + 1; }

    [[nodiscard]] bool has(std::uint32_t index) const noexcept {
        return index >= first && index <= last && (index - first) % step == 0;
    }

    friend bool operator==(const ArrayRange&, const ArrayRange&) = default;
};

enum class OnNodeLoss : std::uint8_t { kWait, kRequeue };

/// What the queue has to know of a job: everything but how it is executed.
struct JobTerms {
    std::string name = {};
    std::string project = "default";
    GpuAsk gpus = {};
    std::string on = {};  // Which nodes, as in node_expression.hpp; "": any.
    std::int64_t cpu_millicores = 1000;
    std::int64_t memory_mib = 0;     // 0: no limit, nothing reserved.
    std::int64_t time_limit_s = 0;   // 0: none.
    std::int32_t priority = 0;       // -1000..1000, higher first.
    std::string priority_name = {};  // Of one that the server knows; "": `priority` holds.
    std::optional<ArrayRange> array = {};
    std::vector<Dependency> after = {};
    std::int32_t retries_max = 0;
    std::int64_t retry_backoff_s = 10;  // Doubled at each try, an hour at most.
    bool is_held = false;
    OnNodeLoss on_node_loss = OnNodeLoss::kWait;
    bool is_preemptible = false;  // May be stopped for a higher priority, and is queued again.
    std::map<std::string, std::string> labels = {};

    friend bool operator==(const JobTerms&, const JobTerms&) = default;
};

/// How a task of the job is executed. Only the node that runs it reads this.
struct Execution {
    std::vector<std::string> argv = {};  // Never through a shell. With a script: its arguments.
    std::string script = {};             // Text of a script, run from a file; "" if none.
    std::string working_dir = {};        // Absolute; "": the user's home.
    std::map<std::string, std::string> environment = {};
    std::int32_t stop_signal = 15;
    std::int64_t stop_grace_s = 30;  // From the signal to the kill.
    bool splits_output = false;      // Standard error to a log of its own. So if it has a file.
    std::string output_file = {};    // Gets a copy, see output_file.hpp; "": there is none.
    std::string error_file = {};     // The same of standard error; "": where output goes.

    friend bool operator==(const Execution&, const Execution&) = default;
};

/// What a user submits, validated.
struct JobSpec {
    JobTerms terms = {};
    Execution execution = {};

    friend bool operator==(const JobSpec&, const JobSpec&) = default;
};

inline constexpr std::size_t kSpecBytesMax = 1 << 20;  // Of one job's JSON text.
inline constexpr std::uint32_t kArrayCountMax = 1'000'000;
inline constexpr int kJsonDepthMax = 32;

/// Reads the JSON text of a job, as api/openapi.yaml's JobSpec describes it, and checks it whole.
/// Errors: kInvalid, naming the field and what it accepts; kTooLarge over kSpecBytesMax.
/// Unknown fields, wrong types, invalid UTF-8 and NUL bytes are errors.
[[nodiscard]] Result<JobSpec> parse_job_spec(std::string_view json);

/// `{"jobs": [spec, …]}`, up to `jobs_max`. An error names the index: "jobs[3].command: …".
[[nodiscard]] Result<std::vector<JobSpec>> parse_job_batch(
    std::string_view json, std::size_t jobs_max);

/// The same job as JSON, defaults left out. parse_job_spec(to_json(spec)) == spec.
[[nodiscard]] std::string to_json(const JobSpec& spec);

/// "1-100:2%8", "7", "1-100". Errors: kInvalid; kTooLarge over kArrayCountMax.
[[nodiscard]] Result<ArrayRange> parse_array(std::string_view text);

/// "ok:12", "any:12", "notok:12"; a list separated by commas. Errors: kInvalid.
[[nodiscard]] Result<std::vector<Dependency>> parse_after(std::string_view text);

/// "2", "0.25", "a30", "a30:2", into count, milli and model. Errors: kInvalid ("1.5": why not).
[[nodiscard]] Result<GpuAsk> parse_gpus(std::string_view text);

/// "TERM", "SIGTERM", "15". Errors: kInvalid.
[[nodiscard]] Result<std::int32_t> parse_signal(std::string_view text);
[[nodiscard]] std::string signal_name(std::int32_t signal);  // "TERM"; "42" if it has none.

}  // namespace reeve::model
