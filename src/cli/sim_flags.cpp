#include "cli/sim_flags.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <sstream>

#include "base/text.hpp"
#include "cli/job_file.hpp"
#include "cli/run_flags.hpp"
#include "cli/targets.hpp"
#include "model/spec_rules.hpp"
#include "platform/environment.hpp"
#include "platform/files.hpp"

namespace reeve::cli {
namespace {

constexpr int kShown = 20;
constexpr int kShownAsDocument = 100;
constexpr int kShownMax = 20'000;

tl::unexpected<Error> wrong(
    const std::string& flag, const std::string& text, const std::string& wanted) {
    return fail(ErrorCode::kInvalid, flag + ": '" + text + "' is not " + wanted);
}

/// A list of JSON values that grows.
class List {
  public:
    void add(const std::string& json) { text_ += (text_.empty() ? "" : ",") + json; }

    [[nodiscard]] std::string member(const char* name) const {
        return text_.empty() ? "" : quoted_json(name) + ":[" + text_ + "],";
    }

  private:
    std::string text_;
};

std::string names_member(const char* name, const std::vector<std::string>& words) {
    List list;
    for (const std::string& word : words) {
        for (const std::string& each : split(word, ',')) {
            list.add(quoted_json(each));
        }
    }
    return list.member(name);
}

// ---- Nodes.

constexpr const char* kAddedForms =
    "COUNTxNODE, COUNTxGPUSxMODEL or COUNTxGPUSxMODEL:MEMORY, such "
    "as 2xjw3, 2x4xA30 or 2x8xH100:80G";

Result<std::string> added_nodes(const std::string& text) {
    const std::size_t first = text.find('x');
    const auto count = parse_integer(text.substr(0, first));
    if (first == std::string::npos || !count || *count < 1 || first + 1 == text.size()) {
        return wrong("--add-nodes", text, kAddedForms);
    }
    const std::string rest = text.substr(first + 1);
    std::string json = R"({"count":)" + std::to_string(*count);
    const std::size_t second = rest.find('x');
    const auto gpus = second == std::string::npos ? Result<std::int64_t>(0)
                                                  : parse_integer(rest.substr(0, second));
    if (second == std::string::npos || !gpus) {  // A name may have an x in it.
        return json + R"(,"like":)" + quoted_json(rest) + "}";
    }
    std::string model = rest.substr(second + 1);
    if (const std::size_t colon = model.find(':'); colon != std::string::npos) {
        const auto memory = parse_size_mib(model.substr(colon + 1));
        if (!memory) {
            return fail(ErrorCode::kInvalid, "--add-nodes: " + memory.error().message);
        }
        json += R"(,"gpu_memory_mib":)" + std::to_string(*memory);
        model.resize(colon);
    }
    return json + R"(,"gpus":)" + std::to_string(*gpus) + R"(,"gpu_model":)" + quoted_json(model) +
           "}";
}

// ---- Projects.

struct LimitWord {
    std::string_view word;
    const char* field;
    Result<std::int64_t> (*parse)(std::string_view);
};

constexpr auto kLimitWords = std::to_array<LimitWord>({
    {"gpus",    "gpu_milli",        parse_milli   },
    {"cpus",    "cpu_millicores",   parse_milli   },
    {"mem",     "memory_mib",       parse_size_mib},
    {"running", "running_elements", parse_integer },
    {"pending", "pending_elements", parse_integer },
});

/// What is not a part of the quota, but of the project.
constexpr LimitWord kGuaranteed = {"guaranteed", "guaranteed_gpu_milli", parse_milli};

constexpr const char* kQuotaForm =
    "PROJECT:LIMIT=VALUE, such as vision:gpus=8 or vision:gpus=8,running=none, of gpus, cpus, mem, "
    "running, pending and guaranteed";

using Limits = std::map<std::string, std::int64_t>;  // By field.

/// "gpus=8", "running=none".
Result<void> set_limit(Limits& quota, const std::string& part) {
    const std::size_t equals = part.find('=');
    const std::string word = part.substr(0, equals);
    const bool is_guaranteed = word == kGuaranteed.word;
    const auto* const found = std::ranges::find(kLimitWords, word, &LimitWord::word);
    // What follows the words in memory may be the guarantee: their end says nothing about it.
    if (equals == std::string::npos || (!is_guaranteed && found == kLimitWords.end())) {
        return wrong("--quota", part, kQuotaForm);
    }
    const LimitWord& limit = is_guaranteed ? kGuaranteed : *found;
    const std::string value = part.substr(equals + 1);
    if (value == "none" && !is_guaranteed) {
        quota.erase(limit.field);
        return {};
    }
    const auto amount =
        value == "0" || value == "none" ? Result<std::int64_t>(0) : limit.parse(value);
    if (!amount || *amount < 0) {
        return wrong("--quota", part, "a limit; write a number from 0 on, or none");
    }
    quota[limit.field] = *amount;
    return {};
}

Result<std::string> quota_of(Client& client, const std::string& text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos || colon == 0) {
        return wrong("--quota", text, kQuotaForm);
    }
    const std::string name = text.substr(0, colon);
    const auto project = client.get("/api/v1/projects/" + escaped(name));
    if (!project) {
        return fail(project.error().code, "--quota: " + project.error().message);
    }
    Limits quota;
    for (const LimitWord& limit : kLimitWords) {
        if (const auto old = integer_at(*project, std::string("quota.") + limit.field)) {
            quota.emplace(limit.field, *old);
        }
    }
    for (const std::string& part : split(std::string_view(text).substr(colon + 1), ',')) {
        if (auto set = set_limit(quota, part); !set) {
            return tl::unexpected(std::move(set.error()));
        }
    }
    const auto guaranteed = quota.extract(kGuaranteed.field);
    std::string json;
    for (const auto& [field, amount] : quota) {
        json += (json.empty() ? "" : ",") + quoted_json(field) + ":" + std::to_string(amount);
    }
    json = R"({"name":)" + quoted_json(name) + R"(,"quota":{)" + json + "}";
    if (!guaranteed.empty()) {
        json += R"(,"guaranteed_gpu_milli":)" + std::to_string(guaranteed.mapped());
    }
    return json + "}";
}

// ---- Jobs that there are.

using JobMembers = std::map<std::int64_t, std::string>;  // By id: what changes of it.

/// A number, "last" or a name.
Result<std::int64_t> job_id(Client& client, const std::string& flag, const std::string& text) {
    const auto id = look_up_job(client, text);
    return id ? Result<std::int64_t>(static_cast<std::int64_t>(*id))
              : fail(id.error().code, flag + ": " + id.error().message);
}

Result<void> add_wish(
    Client& client,
    const std::string& flag,
    const std::string& wish,
    const std::vector<std::string>& words,
    JobMembers& jobs) {
    for (const std::string& word : words) {
        for (const std::string& each : split(word, ',')) {
            const auto id = job_id(client, flag, each);
            if (!id) {
                return tl::unexpected(id.error());
            }
            std::string& members = jobs[*id];
            if (members.find(R"("do")") != std::string::npos) {
                std::string message = flag;
                message += ": job " + each;
                message += " is named twice; one of --cancel, --hold and --release is for it, once";
                return fail(ErrorCode::kInvalid, std::move(message));
            }
            members += R"(,"do":)" + quoted_json(wish);
        }
    }
    return {};
}

/// What is written after the "=" of a flag.
struct JobValue {
    std::string flag;
    std::string field;
    std::function<Result<std::string>(const std::string&)> parse;  // To JSON.
};

Result<void> add_values(
    Client& client,
    const JobValue& value_of,
    const std::vector<std::string>& words,
    JobMembers& jobs) {
    const auto& [flag, field, parse] = value_of;
    for (const std::string& word : words) {
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos) {
            std::string form =
                "JOB=VALUE; to describe a job that is to be tried, write its flags after `run`: "
                "reeve sim run ";
            form += flag;
            form += " " + word;
            return wrong(flag, word, form);
        }
        const auto id = job_id(client, flag, word.substr(0, equals));
        if (!id) {
            return tl::unexpected(id.error());
        }
        const auto value = parse(word.substr(equals + 1));
        if (!value) {
            return fail(ErrorCode::kInvalid, flag + ": " + value.error().message);
        }
        std::string& members = jobs[*id];
        if (members.find(quoted_json(field)) != std::string::npos) {
            return fail(
                ErrorCode::kInvalid, flag + ": job " + std::to_string(*id) + " comes twice");
        }
        members += "," + quoted_json(field) + ":" + *value;
    }
    return {};
}

// ---- Jobs that there are not.

Result<std::int64_t> parse_count(const std::string& flag, const std::string& text) {
    const auto count = parse_integer(text);
    return count && *count >= 1 ? count : wrong(flag, text, "a number of jobs from 1 on");
}

Result<std::string> job_of_flags(
    const std::vector<std::string>& words,
    const std::vector<std::string>& command,
    const std::string& project) {
    const auto flags = parse_run_flags(words);
    if (!flags) {
        return tl::unexpected(flags.error());
    }
    Caller caller;
    caller.working_dir = "/";
    caller.variable = platform::environment_variable;
    caller.variables = [] { return std::vector<std::string>(); };
    model::JobSpec spec;
    spec.terms.project = project.empty() ? spec.terms.project : project;
    spec.execution.argv = command;
    if (command.empty()) {  // What it would run makes no difference.
        spec.execution.argv = {"true"};
        spec.terms.name = "new";
    }
    auto applied = apply(*flags, caller, spec);
    if (spec.terms.name.empty()) {
        spec.terms.name = model::default_name(spec.execution);
    }
    applied = applied ? check(spec) : applied;
    return applied ? Result<std::string>(model::to_json(spec)) : tl::unexpected(applied.error());
}

void add_job(List& jobs, const std::string& spec, std::int64_t count) {
    jobs.add(R"({"spec":)" + spec + R"(,"count":)" + std::to_string(count) + "}");
}

/// "3x" before all else, which it takes away; 1 where it is not there.
std::int64_t take_count(std::vector<std::string>& words) {
    if (words.empty() || !words.front().ends_with('x')) {
        return 1;
    }
    const auto given = parse_count("--job", words.front().substr(0, words.front().size() - 1));
    if (given) {
        words.erase(words.begin());
    }
    return given.value_or(1);
}

Result<void> add_job_file(List& jobs, const std::string& path, std::int64_t count) {
    const auto file = platform::read_file(path, kJobFileBytesMax);
    if (!file) {
        return fail(
            file.error().code, "--job: " + file.error().message +
                                   "; write flags as of `reeve run`, '3x --gpus 2 -t 1h', or the "
                                   "name of a job file");
    }
    const auto specs = parse_job_file(*file);
    if (!specs) {
        return fail(specs.error().code, "--job: " + path + ": " + specs.error().message);
    }
    for (const model::JobSpec& spec : *specs) {
        add_job(jobs, model::to_json(spec), count);
    }
    return {};
}

/// "3x --gpus 4 -t 1h", or the name of a job file.
Result<void> add_given_job(List& jobs, const std::string& text, const std::string& project) {
    std::istringstream stream(text);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) {
        words.push_back(word);
    }
    const std::int64_t count = take_count(words);
    if (words.size() == 1 && !words.front().starts_with('-')) {
        return add_job_file(jobs, words.front(), count);
    }
    const auto spec = job_of_flags(words, {}, project);
    if (!spec) {
        return fail(spec.error().code, "--job: " + spec.error().message);
    }
    add_job(jobs, *spec, count);
    return {};
}

Result<void> add_jobs(List& jobs, const SimFlags& flags, const SimJobWords& words) {
    for (const std::string& text : flags.jobs) {
        if (auto added = add_given_job(jobs, text, words.project); !added) {
            return added;
        }
    }
    if (words.before.empty() && words.command.empty()) {
        return flags.count.empty() ? Result<void>()
                                   : fail(
                                         ErrorCode::kInvalid,
                                         "--count is of the job that follows `run`; there is "
                                         "none");
    }
    if (!words.before.empty() && words.before.front() != "run") {
        return fail(
            ErrorCode::kInvalid, "'" + words.before.front() +
                                     "' is nothing that sim knows; a job to try is written reeve "
                                     "sim run --gpus 2 -t 2h -- COMMAND");
    }
    const auto count =
        flags.count.empty() ? Result<std::int64_t>(1) : parse_count("--count", flags.count);
    const std::vector<std::string> run_words(
        words.before.begin() + (words.before.empty() ? 0 : 1), words.before.end());
    const auto spec = count ? job_of_flags(run_words, words.command, words.project)
                            : tl::unexpected(count.error());
    if (!spec) {
        return tl::unexpected(spec.error());
    }
    add_job(jobs, *spec, *count);
    return {};
}

Result<std::string> parse_seconds_or_none(const std::string& text) {
    if (text == "none") {
        return "0";
    }
    return parse_duration(text).map(
        [](std::chrono::seconds span) { return std::to_string(span.count()); });
}

/// A number, or the name of one, which the server knows.
Result<std::string> parse_priority(const std::string& text) {
    if (const auto number = parse_integer(text)) {
        return std::to_string(*number);
    }
    if (const std::string fault = model::fault_of_priority_name(text); !fault.empty()) {
        return fail(ErrorCode::kInvalid, fault);
    }
    return quoted_json(text);
}

// ---- The members of the body: "" for what is not asked.

Result<std::string> nodes_member(const std::vector<std::string>& added) {
    List list;
    for (const std::string& text : added) {
        const auto nodes = added_nodes(text);
        if (!nodes) {
            return nodes;
        }
        list.add(*nodes);
    }
    return list.member("add_nodes");
}

Result<std::string> projects_member(Client& client, const std::vector<std::string>& quotas) {
    List list;
    for (const std::string& text : quotas) {
        const auto quota = quota_of(client, text);
        if (!quota) {
            return quota;
        }
        list.add(*quota);
    }
    return list.member("projects");
}

Result<std::string> changes_member(Client& client, const SimFlags& flags) {
    JobMembers changed;
    Result<void> done = add_wish(client, "--cancel", "cancel", flags.cancelled, changed);
    done = done ? add_wish(client, "--hold", "hold", flags.held, changed) : done;
    done = done ? add_wish(client, "--release", "release", flags.released, changed) : done;
    const JobValue priority{"--priority", "priority", parse_priority};
    const JobValue limit{"--time", "time_limit_s", parse_seconds_or_none};
    done = done ? add_values(client, priority, flags.priorities, changed) : done;
    done = done ? add_values(client, limit, flags.limits, changed) : done;
    if (!done) {
        return tl::unexpected(std::move(done.error()));
    }
    List list;
    for (const auto& [id, members] : changed) {
        list.add(R"({"id":)" + std::to_string(id) + members + "}");
    }
    return list.member("change_jobs");
}

Result<std::string> horizon_member(const std::string& horizon) {
    if (horizon.empty()) {
        return "";
    }
    const auto within = parse_duration(horizon);
    if (!within || within->count() == 0) {
        return wrong("--horizon", horizon, "a time, such as 7d");
    }
    return R"("horizon_s":)" + std::to_string(within->count()) + ",";
}

}  // namespace

void SimFlags::add_to(CLI::App& app) {
    const auto add_list = [&app](
                              const char* flag, std::vector<std::string>& words, const char* what) {
        app.add_option(flag, words, what)->allow_extra_args(false);
    };
    add_list("--job", jobs, "A job to try: flags as of run ('3x --gpus 2 -t 1h'), or a file");
    app.add_option("--count", count, "So many of the job that follows `run`");
    add_list("--drain", drained, "A node that takes nothing new");
    add_list("--resume", resumed, "A drained node that takes work again");
    add_list("--remove", removed, "A node that is gone, and what runs there with it");
    add_list("--add-nodes", added, "More nodes: 2xNODE, 2x4xA30, 2x8xH100:80G");
    add_list("--quota", quotas, "Other limits: PROJECT:gpus=8,running=none,guaranteed=4");
    app.add_option("--backfill", backfill, "none, easy or conservative");
    app.add_option("--policy", policy, "tightest, fill-value, fgd, best-fit, spread or random");
    add_list("--cancel", cancelled, "A job that is cancelled");
    add_list("--hold", held, "A job that is held");
    add_list("--release", released, "A job that is released");
    add_list("--priority", priorities, "Another priority of a job that waits: JOB=10, JOB=urgent");
    add_list("--time", limits, "Another time limit of a job that waits: JOB=2h, JOB=none");
    app.add_option(
        "--horizon", horizon, "Waits are told of jobs that start within it (default 7d)");
    app.add_flag("--all", shows_all, "Show all jobs, not only the 20 that change most");
}

Result<std::string> SimFlags::body(Client& client, const SimJobWords& words, bool is_short) const {
    List job_list;
    if (auto done = add_jobs(job_list, *this, words); !done) {
        return tl::unexpected(std::move(done.error()));
    }
    const auto nodes = nodes_member(added);
    const auto projects = nodes ? projects_member(client, quotas) : nodes;
    const auto changes = projects ? changes_member(client, *this) : projects;
    auto within = changes ? horizon_member(horizon) : changes;
    if (!within) {
        return within;
    }
    std::string json = "{" + job_list.member("jobs") + names_member("drain", drained) +
                       names_member("resume", resumed) + names_member("remove", removed) + *nodes +
                       *projects + *changes;
    json += backfill.empty() ? "" : R"("backfill":)" + quoted_json(backfill) + ",";
    json += policy.empty() ? "" : R"("policy":)" + quoted_json(policy) + ",";
    const int limit = shows_all ? kShownMax : is_short ? kShown : kShownAsDocument;
    return json + *within + R"("limit":)" + std::to_string(limit) + "}";
}

}  // namespace reeve::cli
