// run: submit a command, a script or a job file, and follow it.
#include <algorithm>
#include <optional>
#include <ostream>
#include <sstream>

#include <unistd.h>

#include "base/text.hpp"
#include "cli/attachment.hpp"
#include "cli/directives.hpp"
#include "cli/job_file.hpp"
#include "cli/run_flags.hpp"
#include "cli/slurm_variables.hpp"
#include "cli/verb.hpp"
#include "model/spec_rules.hpp"
#include "platform/environment.hpp"
#include "platform/files.hpp"
#include "platform/signals.hpp"

namespace reeve::cli {
namespace {

constexpr int kStandardInput = 0;

std::string current_directory() {
    std::string path(model::kPathBytesMax + 1, '\0');
    if (::getcwd(path.data(), path.size()) == nullptr) {
        return "/";
    }
    path.resize(path.find('\0'));
    return path;
}

Caller this_caller() {
    Caller caller;
    caller.working_dir = current_directory();
    caller.variable = platform::environment_variable;
    caller.variables = [] {
        std::vector<std::string> all;
        for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
            all.emplace_back(*entry);
        }
        return all;
    };
    return caller;
}

/// A script is text, begins with #!, and is not too long.
Result<std::string> read_script(const std::string& path) {
    auto text = platform::read_file(path, model::kScriptBytesMax);
    if (!text) {
        return fail(text.error().code, "the script cannot be read: " + text.error().message);
    }
    if (!is_utf8(*text) || text->find('\0') != std::string::npos) {
        return fail(
            ErrorCode::kInvalid,
            path + " is no text; to run a program that is there already, write: reeve run -- " +
                path);
    }
    if (const std::size_t end = text->find('\n');
        end != 0 && end != text->npos && (*text)[end - 1] == '\r') {
        return fail(
            ErrorCode::kInvalid, path +
                                     " has lines that end in CRLF, which no shell takes; write: "
                                     "sed -i 's/\\r$//' " +
                                     path);
    }
    const std::string fault = model::fault_of_script(*text);
    return fault.empty() ? text : fail(ErrorCode::kInvalid, path + " " + fault);
}

std::string file_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

bool is_on_path(const std::string& word) {
    std::istringstream path(platform::environment_variable("PATH").value_or(""));
    for (std::string directory; std::getline(path, directory, ':');) {
        directory += '/';
        directory += word;
        if (platform::path_exists(directory)) {
            return true;
        }
    }
    return false;
}

/// A text file in this directory that nothing can execute: it has no #! line.
bool is_source(const std::string& word) {
    if (word.find('/') != std::string::npos || !platform::path_exists(word) || is_on_path(word)) {
        return false;
    }
    const auto text = platform::read_file(word, model::kScriptBytesMax);
    return text && is_utf8(*text) && text->find('\0') == std::string::npos &&
           !text->starts_with("#!");
}

constexpr std::string_view kInterpreter = "INTERPRETER";

/// What runs files with this ending; kInterpreter if that is not known.
std::string_view interpreter_of(std::string_view path) {
    struct Row {
        std::string_view ending;
        std::string_view program;
    };

    constexpr auto kRows = std::to_array<Row>({
        {".py",   "python3"},
        {".sh",   "sh"     },
        {".bash", "bash"   },
        {".R",    "Rscript"},
        {".jl",   "julia"  },
        {".pl",   "perl"   },
        {".js",   "node"   },
    });
    const auto* const row = std::ranges::find_if(
        kRows, [&](const Row& candidate) { return path.ends_with(candidate.ending); });
    return row == kRows.end() ? kInterpreter : row->program;
}

/// What is wrong with the file at `path`, which was written as `word`, as a program; "" if nothing.
std::string fault_of_file(const std::string& word, const std::string& path) {
    const auto text = platform::read_file(path, model::kScriptBytesMax);
    const bool is_text = text && is_utf8(*text) && text->find('\0') == std::string::npos;
    const bool is_source = is_text && !text->starts_with("#!");
    const std::string written =
        "write: reeve run -- " + std::string(interpreter_of(word)) + " " + word;
    if (platform::is_executable(path)) {
        return is_source
                   ? word + " is text without a #! line, which nothing can execute; " + written
                   : "";
    }
    const bool is_known = is_source || (is_text && interpreter_of(word) != kInterpreter);
    return word + " may not be executed; " + (is_known ? written + ", or " : "write: ") +
           "chmod +x " + word + (is_source ? ", and begin it with a #! line" : "");
}

/// What is wrong with a program that is named by its path, as it is here, and what to write; "" if
/// nothing is, or if it is not here.
std::string fault_of_program(const std::string& word, const std::string& directory) {
    std::string path = word.starts_with('/') ? word : directory + "/";
    path += word.starts_with('/') ? "" : word;
    if (word.find('/') == std::string::npos || !platform::path_exists(path)) {
        return "";
    }
    return platform::is_directory(path) ? word + " is a folder; name the program in it"
                                        : fault_of_file(word, path);
}

/// True if a program that is named by its path, or as a file of a language, is not here. It may be
/// when the job starts: another one may make it.
bool is_missing(const std::string& word, const std::string& directory) {
    if (word.find('/') == std::string::npos) {
        return interpreter_of(word) != kInterpreter && !is_on_path(word) &&
               !platform::path_exists(directory + "/" + word);
    }
    return !platform::path_exists(word.starts_with('/') ? word : directory + "/" + word);
}

/// What to say to a caller in a virtual environment of Python whose PATH the job does not get; ""
/// if there is nothing to say.
std::string hint_on_environment(const Caller& caller, const model::Execution& run) {
    const bool is_by_path = run.script.empty() && run.argv.front().find('/') != std::string::npos;
    if (is_by_path || run.environment.contains("PATH")) {
        return "";
    }
    for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
        const std::string value = caller.variable(name).value_or("");
        if (!value.empty()) {
            return "Note: the environment " + printable(value) +
                   " is active here, and not in the job; -e PATH (or --export-env) takes it along.";
        }
    }
    return "";
}

class RunVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        add_run_flags(app, flags_);
        app.get_option("--project")->group("Job");
        app.add_option("-p", flags_.project, "Short for --project")->group("Job");
        app.add_option("-f,--file", file_, "A job file (YAML), or - for standard input");
        app.add_flag(
            "-d,--detach", is_detached_,
            "Submit, print the id, and do not wait (default if no terminal)");
        app.add_flag(
            "--attach", is_attached_,
            "Show the output (of an array: how each element ends), exit as the job does (default "
            "on a "
            "terminal)");
        app.add_flag(
            "--dry-run{spec}", dry_run_,
            "Show what would be submitted; --dry-run=server: and what the server would make of it");
    }

    [[nodiscard]] bool takes_command() const override { return true; }

    [[nodiscard]] Advice advice() const override { return advice_on_sbatch; }

    void take_rest(
        const std::vector<std::string>& before, const std::vector<std::string>& after) override {
        before_ = before;
        after_ = after;
    }

    Result<int> run(Session& session) override {
        if (const auto checked = check_flags(); !checked) {
            return tl::unexpected(checked.error());
        }
        const auto specs = !file_ ? one_spec(session) : file_specs(session);
        if (!specs) {
            return tl::unexpected(specs.error());
        }
        if (!dry_run_.empty()) {
            return dry_run_ == "server" ? try_specs(session, *specs) : show_specs(session, *specs);
        }
        if (is_attached_ && specs->size() > 1) {
            return fail(
                ErrorCode::kInvalid,
                "--attach follows one job, and this file has several: `reeve wait` for them");
        }
        give_hints(session, specs->front());
        return submit_and_follow(session, *specs);
    }

  private:
    [[nodiscard]] Result<void> check_flags() const {
        const auto wrong = [](const std::string& why) { return fail(ErrorCode::kInvalid, why); };
        if (is_attached_ && is_detached_) {
            return wrong("--attach and --detach are opposites; give one of them");
        }
        if (file_ && file_->empty()) {
            return wrong("--file: is empty; name a job file, or leave --file out");
        }
        if (!dry_run_.empty() && dry_run_ != "spec" && dry_run_ != "server") {
            return wrong("--dry-run: '" + dry_run_ + "' is neither spec nor server");
        }
        return {};
    }

    static void give_hints(const Session& session, const model::JobSpec& spec) {
        const std::string hint = hint_on_environment(this_caller(), spec.execution);
        if (!hint.empty()) {
            session.note(hint);
        }
        if (const std::string& name = spec.terms.name;
            parse_integer(name) || name == "last" || name.starts_with('@')) {
            session.note(
                "Note: '" + printable(name) +
                "' means something else where a job is named: it is found by its id alone.");
        }
    }

    [[nodiscard]] bool follows_job(
        const Session& session, const std::vector<model::JobSpec>& specs) const {
        const bool is_person =
            session.environment().is_out_terminal && session.environment().is_in_terminal;
        const model::JobTerms& terms = specs.front().terms;
        const bool is_followed = is_person && !is_detached_ && !terms.array && !terms.is_held;
        return specs.size() == 1 && (is_attached_ || is_followed);
    }

    [[nodiscard]] Result<int> submit_and_follow(
        Session& session, const std::vector<model::JobSpec>& specs) const {
        const bool follows = follows_job(session, specs);
        // Before anything is submitted: a Ctrl-C must not fall between.
        std::optional<platform::SignalFd> signals;
        if (follows) {
            auto opened = platform::SignalFd::open();
            if (!opened) {
                return tl::unexpected(std::move(opened.error()));
            }
            signals.emplace(std::move(*opened));
        }
        auto client = session.client();
        auto ids = client ? submit(session, **client, specs) : tl::unexpected(client.error());
        if (!ids) {
            return tl::unexpected(std::move(ids.error()));
        }
        if (!follows) {
            return 0;
        }
        Attachment attachment(session, **client, ids->front(), [&] { return signals->next(); });
        const model::Execution& execution = specs.front().execution;
        if (execution.splits_output || !execution.error_file.empty()) {
            attachment.split_output();
        }
        return specs.front().terms.array ? attachment.follow_array() : attachment.follow();
    }

    // ---- What to submit.

    /// Asks the server only which job a word means that is no number.
    [[nodiscard]] static Caller caller_of(Session& session) {
        Caller caller = this_caller();
        caller.job = [&session](std::string_view word) {
            const auto client = session.client();
            return client ? look_up_job(**client, word)
                          : Result<std::uint64_t>(tl::unexpected(client.error()));
        };
        return caller;
    }

    [[nodiscard]] Result<std::vector<model::JobSpec>> one_spec(Session& session) {
        const Caller caller = caller_of(session);
        model::JobSpec spec;
        spec.terms.project = session.project().empty() ? spec.terms.project : session.project();
        spec.execution.working_dir = caller.working_dir;
        std::vector<std::string> words = before_;
        const bool is_script = after_.empty() ? looks_like_script() : !before_.empty();
        if (is_script) {
            if (auto taken = take_script(session, caller, spec); !taken) {
                return tl::unexpected(std::move(taken.error()));
            }
            words.erase(words.begin());
        }
        spec.execution.argv = words;
        spec.execution.argv.insert(spec.execution.argv.end(), after_.begin(), after_.end());
        if (spec.execution.argv.empty() && !is_script) {
            return fail(
                ErrorCode::kInvalid,
                "there is nothing to run; write reeve run [flags] -- COMMAND…, reeve run job.sh, "
                "or "
                "reeve run -f job.yaml");
        }
        if (!is_script && after_.empty() && is_source(words.front())) {
            const std::string& word = words.front();
            return fail(
                ErrorCode::kInvalid,
                word + " is here, but is no script (no #! line); write: " + "reeve run -- " +
                    std::string(interpreter_of(word)) + " " + word);
        }
        auto applied = apply(flags_, caller, spec);
        if (applied && is_script) {
            add_slurm_variables(caller.working_dir, spec);
        }
        if (applied && !is_script) {
            applied = check_program(session, spec.execution);
        }
        return finish(std::move(applied), {std::move(spec)}).map_error(with_flags);
    }

    /// Refuses a program that cannot be executed. The file may be another one where the server is
    /// not on this machine: then it is said, and left at that.
    [[nodiscard]] static Result<void> check_program(
        const Session& session, const model::Execution& execution) {
        const std::string& word = execution.argv.front();
        const std::string fault = fault_of_program(word, execution.working_dir);
        if (fault.empty()) {
            if (is_missing(word, execution.working_dir)) {
                session.warn(word + " is not here now; the job fails if it is not when it starts");
            }
            return {};
        }
        const auto server = session.server_name();
        if (!server || server->starts_with("unix:")) {
            return fail(ErrorCode::kInvalid, fault);
        }
        session.warn("as it is on this machine, " + fault);
        return {};
    }

    /// `reeve run job.sh`: a file that is there and is no program of the PATH.
    [[nodiscard]] bool looks_like_script() const {
        if (before_.empty()) {
            return false;
        }
        const std::string& word = before_.front();
        const bool has_ending = word.ends_with(".sh") || word.ends_with(".bash") ||
                                word.ends_with(".slurm") || word.ends_with(".sbatch");
        return has_ending || (word.find('/') == std::string::npos && platform::path_exists(word) &&
                              read_script(word).has_value());
    }

    [[nodiscard]] Result<void> take_script(
        const Session& session, const Caller& caller, model::JobSpec& spec) const {
        const std::string& path = before_.front();
        auto script = read_script(path);
        const auto directives = script ? read_directives(*script) : tl::unexpected(script.error());
        if (!directives) {
            const bool is_line = script.has_value();
            return fail(
                directives.error().code, (is_line ? path + ": " : "") + directives.error().message);
        }
        const std::string before = path + ": ";
        for (const std::string& warning : directives->warnings) {
            session.warn(before + warning);
        }
        if (const auto line = directives->sbatch.empty() ? 0 : line_of_srun(*script); line > 0) {
            session.warn(
                before + "line " + std::to_string(line) +
                ": there is no srun here; write the command without it, which has all that the job "
                "was given");
        }
        spec.execution.script = std::move(*script);
        spec.terms.name = file_name(path);
        // What #REEVE lines say beats what #SBATCH lines say.
        auto applied = apply_lines(directives->sbatch, path, " #SBATCH", {caller, spec});
        return applied ? apply_lines(directives->reeve, path, "", {caller, spec}) : applied;
    }

    struct Applying {
        const Caller& caller;
        model::JobSpec& spec;
    };

    [[nodiscard]] static Result<void> apply_lines(
        const std::vector<DirectiveLine>& lines,
        const std::string& path,
        const std::string& what,
        const Applying& to) {
        for (const DirectiveLine& line : lines) {
            const auto flags = parse_run_flags(line.flags);
            const auto applied = flags ? apply(*flags, to.caller, to.spec)
                                       : Result<void>(tl::unexpected(flags.error()));
            if (!applied) {
                std::string where = path + ":";
                where += std::to_string(line.line) + ":" + what + " ";
                return fail(applied.error().code, where + applied.error().message);
            }
        }
        return {};
    }

    [[nodiscard]] Result<std::vector<model::JobSpec>> file_specs(Session& session) {
        if (!before_.empty() || !after_.empty()) {
            return fail(ErrorCode::kInvalid, "-f takes a job file; it has the command in it");
        }
        if (file_ == "-" && session.flags.asks_nothing && session.environment().is_in_terminal) {
            return fail(
                ErrorCode::kInvalid,
                "-f - would read the job file from the terminal, and --no-input is given; write it "
                "to a file and name that (-f FILE), or pipe it in");
        }
        auto specs = read_file_specs();
        if (!specs) {
            return specs;
        }
        const Caller caller = caller_of(session);
        Result<void> applied;
        for (model::JobSpec& spec : *specs) {
            if (spec.execution.working_dir.empty()) {
                spec.execution.working_dir = caller.working_dir;
            }
            if (spec.terms.project == model::JobTerms{}.project && !session.project().empty()) {
                spec.terms.project = session.project();
            }
            applied = applied ? apply(flags_, caller, spec) : applied;
        }
        return finish(std::move(applied), std::move(*specs));
    }

    /// As the file has them.
    [[nodiscard]] Result<std::vector<model::JobSpec>> read_file_specs() const {
        const auto text = *file_ == "-" ? platform::read_all(kStandardInput, kJobFileBytesMax)
                                        : platform::read_file(*file_, kJobFileBytesMax);
        if (!text) {
            return fail(text.error().code, text.error().message);
        }
        auto specs = parse_job_file(*text);
        return specs ? std::move(specs)
                     : fail(specs.error().code, *file_ + ": " + specs.error().message);
    }

    [[nodiscard]] static Result<std::vector<model::JobSpec>> finish(
        Result<void> applied, std::vector<model::JobSpec> specs) {
        for (model::JobSpec& spec : specs) {
            if (spec.terms.name.empty()) {
                spec.terms.name = model::default_name(spec.execution);
            }
            applied = applied ? check(spec) : applied;
        }
        return applied ? Result<std::vector<model::JobSpec>>(std::move(specs))
                       : tl::unexpected(std::move(applied.error()));
    }

    [[nodiscard]] static Result<int> show_specs(
        Session& session, const std::vector<model::JobSpec>& specs) {
        for (const model::JobSpec& spec : specs) {
            const auto json = parse_json(model::to_json(spec));
            if (!json) {
                return tl::unexpected(json.error());
            }
            if (session.look.format == Format::kYaml) {
                session.out() << (specs.size() > 1 ? "---\n" : "")
                              << to_yaml(*json, schema_of(kSpecKind)) << "\n";
            } else if (session.look.format == Format::kJsonl) {
                session.out() << to_compact(*json, schema_of(kSpecKind)) << "\n";
            } else {
                session.out() << to_pretty(*json, schema_of(kSpecKind)) << "\n";
            }
        }
        return 0;
    }

    /// What would come of them now, as the server says. It changes nothing.
    [[nodiscard]] static Result<int> try_specs(
        Session& session, const std::vector<model::JobSpec>& specs) {
        auto client = session.client();
        if (!client) {
            return tl::unexpected(std::move(client.error()));
        }
        const auto answer =
            specs.size() == 1
                ? (*client)->post("/api/v1/jobs?dry_run=1", model::to_json(specs.front()))
                : (*client)->post("/api/v1/jobs:batch?dry_run=1", batch_of(specs));
        if (!answer) {
            return tl::unexpected(answer.error());
        }
        const char* kind = specs.size() == 1 ? "dry-run" : "dry-run-list";
        if (!print_document(session.out(), *answer, kind, session.look.format)) {
            session.out() << to_pretty(*answer, schema_of(kind)) << "\n";
        }
        return 0;
    }

    [[nodiscard]] static std::string batch_of(const std::vector<model::JobSpec>& specs) {
        std::string body;
        for (const model::JobSpec& spec : specs) {
            body += (body.empty() ? R"({"jobs":[)" : ",") + model::to_json(spec);
        }
        return body + "]}";
    }

    // ---- Submission.

    [[nodiscard]] Result<std::vector<std::uint64_t>> submit(
        Session& session, Client& client, const std::vector<model::JobSpec>& specs) const {
        if (specs.size() == 1) {
            const auto answer = client.submit("/api/v1/jobs", model::to_json(specs.front()));
            if (!answer) {
                return tl::unexpected(answer.error());
            }
            const auto id = static_cast<std::uint64_t>(integer_at(*answer, "id").value_or(0));
            tell_one(session, *answer, specs.front(), id);
            return std::vector<std::uint64_t>{id};
        }
        const auto answer = client.submit("/api/v1/jobs:batch", batch_of(specs));
        if (!answer) {
            return tl::unexpected(answer.error());
        }
        std::vector<std::uint64_t> ids;
        const JsonValue* list = find(*answer, "ids");
        for (rapidjson::SizeType i = 0; list != nullptr && i < list->Size(); ++i) {
            ids.push_back((*list)[i].GetUint64());
        }
        if (!print_document(session.out(), *answer, "submission-list", session.look.format)) {
            for (const std::uint64_t id : ids) {
                session.out() << id << "\n";
            }
        }
        return ids;
    }

    void tell_one(
        Session& session, const Json& answer, const model::JobSpec& spec, std::uint64_t id) const {
        const std::string number = std::to_string(id);
        if (print_document(session.out(), answer, "submission", session.look.format)) {
            return;
        }
        if (session.look.format == Format::kName || !session.look.is_terminal) {
            if (!is_attached_) {  // Standard output is the job's, then.
                session.out() << number << "\n" << std::flush;
            }
            session.note("Submitted job " + number + ".");
            return;
        }
        session.note(
            "Submitted job " + number + " “" + printable(spec.terms.name) + "” to project " +
            spec.terms.project + "\n  follow: reeve logs -f " + number +
            "      why not yet: reeve why " + number + "      stop: reeve stop " + number);
    }

    RunFlags flags_;
    std::optional<std::string> file_;
    bool is_detached_ = false;
    bool is_attached_ = false;
    std::string dry_run_;  // "": submit it.
    std::vector<std::string> before_;
    std::vector<std::string> after_;
};

}  // namespace

std::vector<VerbRow> run_verbs() {
    return {
        {"run", "Submit a job, and follow it", "[flags] -- COMMAND… | SCRIPT [ARGUMENT…] | -f FILE",
         "  reeve run --gpus 2 -- python train.py    a command; -e PATH: with your virtual "
         "environment\n"
         "  reeve run --gpus 0.25 -d job.sh          a script, with its #REEVE and #SBATCH lines\n"
         "  reeve run -g 1 --on 'zone!=b' job.sh     on the nodes that it describes; see --on\n"
         "  reeve run -f sweep.yaml                  a job file; --dry-run shows what it means\n"
         "All fields of a job file: docs/reference/job-file.md, and job.yaml in "
         "share/reeve/examples.\n", make_verb<RunVerb>},
    };
}

}  // namespace reeve::cli
