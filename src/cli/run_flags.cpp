#include "cli/run_flags.hpp"

#include <algorithm>
#include <chrono>

#include "base/text.hpp"
#include "cli/directives.hpp"
#include "cli/render.hpp"
#include "cli/usage.hpp"
#include "model/output_file.hpp"
#include "model/spec_rules.hpp"

namespace reeve::cli {
namespace {

/// A value of a flag, or the error with the flag's name before it.
template <class Value>
Result<Value> of_flag(std::string_view flag, Result<Value> value) {
    if (!value) {
        value.error().message = std::string(flag) + ": " + value.error().message;
    }
    return value;
}

Result<std::int64_t> parse_seconds(std::string_view text) {
    const auto duration = parse_duration(text);
    return duration.map([](std::chrono::seconds s) { return std::int64_t{s.count()}; });
}

/// Likewise, or 0.
Result<std::int64_t> parse_seconds_or_none(std::string_view text) {
    return text == "0" || text == "0s" ? Result<std::int64_t>(0) : parse_seconds(text);
}

/// One flag that is a number: which text, how it is read, and where it goes.
template <class Target>
struct NumberFlag {
    std::string_view flag;
    std::string RunFlags::* text;
    Result<std::int64_t> (*parse)(std::string_view);
    Target target;
};

/// A number, or the name of one, which the server knows.
Result<void> apply_priority(const std::string& text, model::JobTerms& terms) {
    if (text.empty()) {
        return {};
    }
    const auto number = parse_integer(text);
    if (number && *number >= -model::kPriorityMax && *number <= model::kPriorityMax) {
        terms.priority = static_cast<std::int32_t>(*number);
        terms.priority_name.clear();
        return {};
    }
    if (const std::string fault = model::fault_of_priority_name(text); !fault.empty()) {
        return fail(ErrorCode::kInvalid, "--priority: " + fault);
    }
    terms.priority = 0;
    terms.priority_name = text;
    return {};
}

Result<void> apply_numbers(const RunFlags& flags, model::JobSpec& spec) {
    model::JobTerms& terms = spec.terms;
    std::int64_t retries = terms.retries_max;
    const auto rows = std::to_array<NumberFlag<std::int64_t*>>({
        {"--gpu-mem",       &RunFlags::gpu_memory,    parse_size_mib,        &terms.gpus.memory_mib      },
        {"--cpus",          &RunFlags::cpus,          parse_milli,           &terms.cpu_millicores       },
        {"--mem",           &RunFlags::memory,        parse_size_mib,        &terms.memory_mib           },
        {"--time",          &RunFlags::time,          parse_seconds,         &terms.time_limit_s         },
        {"--retry",         &RunFlags::retries,       parse_integer,         &retries                    },
        {"--retry-backoff", &RunFlags::retry_backoff, parse_seconds_or_none,
         &terms.retry_backoff_s                                                                          },
        {"--grace",         &RunFlags::grace,         parse_seconds_or_none, &spec.execution.stop_grace_s},
    });
    if (flags.time.starts_with('0') &&
        flags.time.find_first_not_of("0smhd:-") == std::string::npos) {
        return fail(
            ErrorCode::kInvalid, "--time: 0 is no time to run; leave --time out for no limit");
    }
    for (const auto& row : rows) {
        const std::string& text = flags.*row.text;
        if (text.empty()) {
            continue;
        }
        const auto value = of_flag(row.flag, row.parse(text));
        if (!value) {
            return tl::unexpected(value.error());
        }
        *row.target = *value;
    }
    if (auto done = apply_priority(flags.priority, terms); !done) {
        return done;
    }
    if (retries < 0 || retries > model::kRetriesMax) {
        return fail(ErrorCode::kInvalid, "--retry: expects a whole number from 0 to 100");
    }
    terms.retries_max = static_cast<std::int32_t>(retries);
    return {};
}

Result<void> apply_shape(const RunFlags& flags, model::JobSpec& spec) {
    if (!flags.gpus.empty()) {
        if (flags.gpus.find_first_not_of("0123456789.") != std::string::npos &&
            parse_size_mib(flags.gpus)) {
            return fail(
                ErrorCode::kInvalid, "--gpus: '" + flags.gpus +
                                         "' is a size, not a number of GPUs; write --gpu-mem " +
                                         flags.gpus);
        }
        const auto asked = of_flag("--gpus", model::parse_gpus(flags.gpus));
        if (!asked) {
            return tl::unexpected(asked.error());
        }
        const std::int64_t memory = spec.terms.gpus.memory_mib;
        spec.terms.gpus = *asked;
        spec.terms.gpus.memory_mib = memory;
    }
    if (!flags.on.empty()) {
        if (const std::string fault = model::fault_of_node_expression(flags.on); !fault.empty()) {
            return fail(ErrorCode::kInvalid, "--on: " + fault);
        }
        spec.terms.on = flags.on;
    }
    if (!flags.array.empty()) {
        const auto range = of_flag("--array", model::parse_array(flags.array));
        if (!range) {
            return tl::unexpected(range.error());
        }
        spec.terms.array = *range;
    }
    if (!flags.signal.empty()) {
        const auto signal = of_flag("--signal", model::parse_signal(flags.signal));
        if (!signal) {
            return tl::unexpected(signal.error());
        }
        spec.execution.stop_signal = *signal;
    }
    return {};
}

/// "any:last,ok:train" with the numbers of these jobs. What is wrong with it stays.
Result<std::string> with_ids(const std::string& text, const Caller& caller) {
    std::string ids;
    for (const std::string& part : split(text, ',')) {
        const std::size_t colon = part.find(':');
        const std::string word = colon == std::string::npos ? "" : part.substr(colon + 1);
        ids += (ids.empty() ? "" : ",") + part.substr(0, part.size() - word.size());
        const bool is_word = !word.empty() && !parse_integer(word) && caller.job;
        const auto id = is_word ? caller.job(word) : Result<std::uint64_t>(0);
        if (!id) {
            return tl::unexpected(id.error());
        }
        ids += is_word ? std::to_string(*id) : word;
    }
    return ids;
}

Result<void> apply_after(const RunFlags& flags, const Caller& caller, model::JobSpec& spec) {
    for (const std::string& text : flags.after) {
        const auto ids = of_flag("--after", with_ids(text, caller));
        const auto after =
            ids ? of_flag("--after", model::parse_after(*ids))
                : Result<std::vector<model::Dependency>>(tl::unexpected(ids.error()));
        if (!after) {
            return tl::unexpected(after.error());
        }
        spec.terms.after.insert(spec.terms.after.end(), after->begin(), after->end());
    }
    return {};
}

/// Words that -o takes: whoever gives one of them to --output meant the format.
bool is_format(const std::string& text) {
    const std::vector<std::string> names = split(kFormatNames, ' ');
    return std::ranges::find(names, text) != names.end();
}

Result<void> apply_files(const RunFlags& flags, model::JobSpec& spec) {
    struct File {
        std::string_view flag;
        const std::optional<std::string>& given;
        std::string& target;
    };

    model::Execution& run = spec.execution;
    for (const File& file : {
             File{"--output", flags.output, run.output_file},
             File{"--error",  flags.error,  run.error_file },
    }) {
        if (!file.given) {
            continue;
        }
        const std::string& path = *file.given;
        if (is_format(path)) {
            std::string why(file.flag);
            why.append(": names a file of the job; write -o ").append(path);
            why.append(" for the format, or ./").append(path).append(" for the file");
            return fail(ErrorCode::kInvalid, std::move(why));
        }
        if (const std::string fault = model::fault_of_output_file(path); !fault.empty()) {
            return fail(ErrorCode::kInvalid, std::string(file.flag) + ": " + fault);
        }
        file.target = path;
    }
    run.splits_output = run.splits_output || flags.splits_output || !run.error_file.empty();
    return {};
}

Result<void> apply_labels(const RunFlags& flags, model::JobSpec& spec) {
    for (const std::string& label : flags.labels) {
        const std::size_t equals = label.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail(
                ErrorCode::kInvalid, "--label: '" + label + "' is not a label; write key=value");
        }
        spec.terms.labels[label.substr(0, equals)] = label.substr(equals + 1);
    }
    return {};
}

/// --export-env takes what a job may have: what Reeve sets, and what no spec can say, is left.
void export_all(const Caller& caller, std::map<std::string, std::string>& environment) {
    for (const std::string& entry : caller.variables()) {
        const std::size_t equals = entry.find('=');
        const std::string name = entry.substr(0, equals);
        if (equals != std::string::npos && model::fault_of_environment_name(name).empty() &&
            is_utf8(entry)) {
            environment.try_emplace(name, entry.substr(equals + 1));
        }
    }
}

Result<void> apply_environment(const RunFlags& flags, const Caller& caller, model::JobSpec& spec) {
    auto& environment = spec.execution.environment;
    for (const std::string& entry : flags.variables) {
        const std::size_t equals = entry.find('=');
        const std::string name = entry.substr(0, equals);
        if (const std::string fault = model::fault_of_environment_name(name); !fault.empty()) {
            return fail(ErrorCode::kInvalid, "--env: " + fault);
        }
        if (equals != std::string::npos) {
            environment[name] = entry.substr(equals + 1);
            continue;
        }
        const auto value = caller.variable(name);
        if (!value) {
            return fail(
                ErrorCode::kInvalid,
                "--env: " + name + " is not set here; set it, or write NAME=VALUE");
        }
        environment[name] = *value;
    }
    if (flags.exports_all) {
        export_all(caller, environment);
    }
    return {};
}

void group(CLI::Option* option, const char* name) {
    option->group(name);
}

void add_terms(CLI::App& app, RunFlags& flags) {
    const char* what = "Job";
    group(
        app.add_option("-n,--name", flags.name, "Name of the job (default: the program's)"), what);
    group(app.add_option("--project", flags.project, "Project that pays for it"), what);
    group(app.add_option("-l,--label", flags.labels, "key=value; may be repeated"), what);
    group(app.add_option("--array", flags.array, "1-100, 0-9:3, 1-100%8 (eight at once)"), what);
    group(
        app.add_option(
            "--after", flags.after,
            "ok:JOB, any:JOB or notok:JOB, by commas; JOB is an id, a name or last"),
        what);
    group(
        app.add_option(
            "--priority", flags.priority,
            "-1000 to 1000, higher first; or a name that the server gives one"),
        what);
    group(app.add_flag("--hold", flags.is_held, "Do not start it before `reeve release`"), what);
    group(
        app.add_option("--retry", flags.retries, "Tries again when it fails, up to so often"),
        what);
    group(
        app.add_option(
            "--retry-backoff", flags.retry_backoff, "Pause before it (10s), doubled each time"),
        what);
    group(
        app.add_flag("--requeue", flags.requeues, "Start again elsewhere when its node is lost"),
        what);
    group(
        app.add_flag(
            "--preemptible", flags.is_preemptible,
            "May be stopped for a higher priority, and is queued again; --requeue, too"),
        what);
    what = "Resources";
    group(app.add_option("-g,--gpus", flags.gpus, "2, 0.25 (a share of one), a30, a30:2"), what);
    group(
        app.add_option(
            "--gpu-mem", flags.gpu_memory,
            "10G: of one shared GPU; with whole GPUs, least of each; a bare number is MiB"),
        what);
    group(
        app.add_option(
            "--on", flags.on,
            "Which nodes: 'gpu.model==A30 && zone!=b', 'node.name in (n1, n2)', '!slow'"),
        what);
    group(app.add_option("-c,--cpus", flags.cpus, "4, 0.5 (default 1)"), what);
    group(
        app.add_option("-m,--mem", flags.memory, "8G: limit, and reserved; a bare number is MiB"),
        what);
    group(
        app.add_option(
            "-t,--time", flags.time,
            "Limit: 90s, 2h30m, 02:30:00, 1-00:00:00; a bare number is seconds"),
        what);
}

void add_execution(CLI::App& app, RunFlags& flags) {
    const char* what = "Execution";
    group(
        app.add_option("-C,--workdir", flags.working_dir, "Working directory (default: this one)"),
        what);
    group(
        app.add_option(
            "-e,--env", flags.variables, "K=V, or K: with the value it has here, such as PATH"),
        what);
    group(app.add_flag("--export-env", flags.exports_all, "All variables of this shell"), what);
    group(app.add_option("--signal", flags.signal, "Sent to stop it (TERM)"), what);
    group(app.add_option("--grace", flags.grace, "From that to the kill (30s)"), what);
    group(
        app.add_flag("--split-output", flags.splits_output, "Standard error to a log of its own"),
        what);
    group(
        app.add_option(
            "--output", flags.output,
            "File that gets a copy of the output, such as logs/%x-%j.out; its folder has to be "
            "there"),
        what);
    group(
        app.add_option(
            "--error", flags.error,
            "The same of standard error, which goes to --output without it"),
        what);
}

/// A flag that is given says something: an empty value is a variable of a shell that is not set.
/// `-g=2` is read as `-g 2`.
void refuse_empty(CLI::App& app) {
    for (const char* name :
         {"--name", "--project", "--array", "--priority", "--retry", "--retry-backoff", "--gpus",
          "--gpu-mem", "--on", "--cpus", "--mem", "--time", "--workdir", "--signal", "--grace"}) {
        const std::string flag(name);
        app.get_option(flag)->transform(
            [flag](std::string value) -> std::string {
                if (value.starts_with('=')) {
                    value.erase(0, 1);
                }
                if (value.empty()) {
                    throw CLI::ValidationError(
                        "is empty; give it a value, or leave " + flag + " out");
                }
                return value;
            },
            "");
    }
}

/// What is a flag of `reeve run`, and says nothing of the job.
std::string advice_in_script(const std::vector<std::string>& words) {
    const std::string name = words.front().substr(0, words.front().find('='));
    for (const char* flag :
         {"-d", "--detach", "--attach", "--dry-run", "-f", "--file", "-s", "--server", "--timeout",
          "--quiet", "--verbose"}) {
        if (name == flag) {
            return name + " may not stand in a line of the script; give it to `reeve run`";
        }
    }
    return advice_on_sbatch(words);
}

}  // namespace

void add_run_flags(CLI::App& app, RunFlags& flags) {
    add_terms(app, flags);
    add_execution(app, flags);
    refuse_empty(app);
    for (const char* name : {"--label", "--after", "--env"}) {
        app.get_option(name)
            ->type_size(1)
            ->expected(1)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
            ->allow_extra_args(false);
    }
}

Result<RunFlags> parse_run_flags(const std::vector<std::string>& words) {
    CLI::App app;
    app.set_help_flag();
    RunFlags flags;
    add_run_flags(app, flags);
    if (auto parsed = parse_arguments(app, words, advice_in_script); !parsed) {
        return tl::unexpected(std::move(parsed.error()));
    }
    return flags;
}

Result<void> apply(const RunFlags& flags, const Caller& caller, model::JobSpec& spec) {
    const auto set = [](const std::string& text, std::string& target) {
        target = text.empty() ? target : text;
    };
    set(flags.name, spec.terms.name);
    set(flags.project, spec.terms.project);
    if (!flags.working_dir.empty()) {
        const bool is_absolute = flags.working_dir.starts_with('/');
        spec.execution.working_dir =
            is_absolute ? flags.working_dir : caller.working_dir + "/" + flags.working_dir;
    }
    spec.terms.is_held = spec.terms.is_held || flags.is_held;
    spec.terms.is_preemptible = spec.terms.is_preemptible || flags.is_preemptible;
    if (flags.requeues || flags.is_preemptible) {
        spec.terms.on_node_loss = model::OnNodeLoss::kRequeue;
    }
    for (const auto& step : {apply_numbers, apply_shape, apply_labels, apply_files}) {
        if (auto applied = step(flags, spec); !applied) {
            return applied;
        }
    }
    const auto applied = apply_after(flags, caller, spec);
    return applied ? apply_environment(flags, caller, spec) : applied;
}

Error with_flags(Error error) {
    struct Row {
        std::string_view member;
        std::string_view flag;
    };

    constexpr auto kRows = std::to_array<Row>({
        {"resources.cpus",           "--cpus"         },
        {"resources.gpus",           "--gpus"         },
        {"resources.gpu_memory_mib", "--gpu-mem"      },
        {"resources.memory_mib",     "--mem"          },
        {"stop.grace_s",             "--grace"        },
        {"retries.backoff_s",        "--retry-backoff"},
        {"retries.max",              "--retry"        },
        {"gpu_memory_mib",           "--gpu-mem"      },
    });
    for (const Row& row : kRows) {
        const std::size_t at = error.message.find(row.member);
        if (at == std::string::npos) {
            continue;
        }
        error.message.replace(at, row.member.size(), row.flag);
        if (row.member.ends_with("_s")) {
            error.message += " (seconds)";
        }
    }
    return error;
}

Result<void> check(const model::JobSpec& spec) {
    const auto read = model::parse_job_spec(model::to_json(spec));
    return read ? Result<void>() : tl::unexpected(read.error());
}

}  // namespace reeve::cli
