// completion, version, and what the completion scripts ask.
#include <algorithm>
#include <array>
#include <ostream>

#include "base/text.hpp"
#include "cli/completion_scripts.hpp"
#include "cli/usage.hpp"
#include "cli/verb.hpp"

namespace reeve::cli {
namespace {

class CompletionVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("SHELL", shell_, "bash, zsh, fish, powershell or elvish")
            ->required()
            ->check(CLI::IsMember(completion_shells()));
    }

    Result<int> run(Session& session) override {
        session.out() << completion_script(shell_);
        return 0;
    }

  private:
    std::string shell_;
};

class VersionVerb final : public Verb {
  public:
    void add_options(CLI::App& /*app*/) override {}

    Result<int> run(Session& session) override {
        const std::string& version = session.environment().version;
        const auto json = parse_json(R"({"version":)" + quoted_json(version) + "}");
        if (!json || !print_document(session.out(), *json, "version", session.look.format)) {
            session.out() << "reeve " << version << "\n";
        }
        return 0;
    }
};

/// The words so far, the last of them unfinished. Prints "candidate<TAB>what it is" lines.
class CompleteVerb final : public Verb {
  public:
    void add_options(CLI::App& /*app*/) override {}

    [[nodiscard]] bool takes_command() const override { return true; }

    void take_rest(
        const std::vector<std::string>& before, const std::vector<std::string>& after) override {
        words_ = before;
        words_.insert(words_.end(), after.begin(), after.end());
    }

    Result<int> run(Session& session) override {
        if (words_.size() <= 1) {
            complete_verbs(session);
            return 0;
        }
        const VerbRow* const row = row_meant();
        if (row == nullptr) {
            complete_second_words(session);
            return 0;
        }
        const std::unique_ptr<Verb> verb = row->make();
        CLI::App app;
        GlobalFlags globals;
        verb->add_options(app);
        add_global_flags(app, globals);
        if (words_.back().starts_with('-')) {
            for (const std::string& flag : flags_of(app)) {
                session.out() << flag << "\t" << app.get_option(flag)->get_description() << "\n";
            }
            return 0;
        }
        if (const CLI::Option* flag = flag_before(app); flag != nullptr) {
            return complete_value(session, *flag);
        }
        if (app.get_option_no_throw("TARGET") != nullptr) {
            return complete_jobs(session);
        }
        for (const Things& things : kThings) {
            if (row->name.starts_with(things.noun) &&
                app.get_option_no_throw(things.argument) != nullptr) {
                return complete_things(session, things);
            }
        }
        return 0;
    }

  private:
    /// By one word or two; null if there is no such verb.
    [[nodiscard]] const VerbRow* row_meant() const {
        const VerbRow* row = nullptr;
        const std::string two = words_.size() > 2 ? words_[0] + " " + words_[1] : "";
        for (const VerbRow& known : verb_table()) {
            row = known.name == words_[0] || known.name == two ? &known : row;
        }
        return row;
    }

    /// The flag whose value the last word is; null if it is none's.
    [[nodiscard]] const CLI::Option* flag_before(const CLI::App& app) const {
        const std::string& word = words_[words_.size() - 2];
        const CLI::Option* flag = word.starts_with('-') ? app.get_option_no_throw(word) : nullptr;
        const bool takes_value = flag != nullptr && flag->get_items_expected_max() > 0;
        return takes_value ? flag : nullptr;
    }

    /// Where nothing is known of it the shell offers files.
    [[nodiscard]] static Result<int> complete_value(Session& session, const CLI::Option& flag) {
        constexpr std::string_view kStates =
            "held queued scheduled running stopping succeeded failed cancelled timed_out pending "
            "done";
        const std::string name = flag.get_name(false, true);
        const auto has = [&name](std::string_view word) {
            const auto names = split(name, ',');
            return std::ranges::find(names, word) != names.end();
        };
        if (has("-p") || has("--project")) {
            return complete_things(session, kThings.back());
        }
        const bool is_format = has("-o");
        if (!is_format && !has("--state")) {
            return 0;
        }
        for (const std::string& word : split(is_format ? kFormatNames : kStates, ' ')) {
            session.out() << word << "\t" << (is_format ? "format" : "state") << "\n";
        }
        return 0;
    }

    static void complete_verbs(const Session& session) {
        for (const OuterVerb& verb : session.environment().verbs) {
            if (!verb.summary.empty()) {
                session.out() << verb.name << "\t" << verb.summary << "\n";
            }
        }
        std::string_view last;
        for (const VerbRow& row : verb_table()) {
            const std::string_view word = row.name.substr(0, row.name.find(' '));
            if (!row.summary.empty() && word != last) {
                session.out() << word << "\t" << row.summary << "\n";
            }
            last = word;
        }
    }

    void complete_second_words(const Session& session) const {
        for (const VerbRow& row : verb_table()) {
            if (row.name.starts_with(words_[0] + " ")) {
                session.out() << row.name.substr(words_[0].size() + 1) << "\t" << row.summary
                              << "\n";
            }
        }
    }

    /// What the argument of some verbs names, and what a list of the API says of each.
    struct Things {
        std::string_view noun;
        const char* argument;
        const char* list;
        const char* name;
        const char* more;
    };

    static constexpr auto kThings = std::to_array<Things>({
        {"node ",    "NODE", "/api/v1/nodes",    "name", "state" },
        {"gpu show", "GPU",  "/api/v1/gpus",     "uuid", "model" },
        {"project ", "NAME", "/api/v1/projects", "name", "parent"},
    });

    [[nodiscard]] static Result<int> complete_things(Session& session, const Things& things) {
        auto client = session.client();
        const auto list = client ? (*client)->get(things.list) : tl::unexpected(client.error());
        if (!list) {
            return tl::unexpected(list.error());
        }
        const JsonValue* items = find(*list, "items");
        for (rapidjson::SizeType i = 0; items != nullptr && i < items->Size(); ++i) {
            session.out() << printable(text_at((*items)[i], things.name)) << "\t"
                          << printable(text_at((*items)[i], things.more)) << "\n";
        }
        return 0;
    }

    /// Ids of the jobs that wait or run, with name and state.
    [[nodiscard]] static Result<int> complete_jobs(Session& session) {
        constexpr std::size_t kMost = 200;
        auto client = session.client();
        const auto jobs =
            client
                ? (*client)->get_all("/api/v1/jobs?state=pending,scheduled,running,stopping", kMost)
                : tl::unexpected(client.error());
        if (!jobs) {
            return tl::unexpected(jobs.error());
        }
        for (const JsonValue& job : (*jobs)["items"].GetArray()) {
            session.out() << text_at(job, "id") << "\t" << printable(text_at(job, "name")) << " "
                          << text_at(job, "state") << "\n";
        }
        for (const char* word : {"last", "@me", "@running", "@pending"}) {
            session.out() << word << "\tjobs\n";
        }
        return 0;
    }

    std::vector<std::string> words_;
};

}  // namespace

std::vector<VerbRow> shell_verbs() {
    return {
        {"completion", "Completion for a shell", "bash|zsh|fish|powershell|elvish",
         "  eval \"$(reeve completion bash)\"\n  reeve completion fish | source\n"
         "  reeve completion powershell | Out-String | Invoke-Expression\n"
         "  eval (reeve completion elvish | slurp)\n",                                                                            make_verb<CompletionVerb>},
        {"version",    "The version",            "",                                "  reeve version\n  reeve version -o json\n",
         make_verb<VersionVerb>                                                                                                                            },
        {"__complete", "",                       "",                                "",                                           make_verb<CompleteVerb>  },
    };
}

}  // namespace reeve::cli
