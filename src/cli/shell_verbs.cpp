// completion, version, and what the completion scripts ask.
#include <algorithm>
#include <ostream>

#include "base/text.hpp"
#include "cli/usage.hpp"
#include "cli/verb.hpp"

namespace reeve::cli {
namespace {

// clang-format off: it takes the shell's language for ours.
constexpr std::string_view kBash = R"sh(# reeve completion for bash: eval "$(reeve completion bash)"
_reeve() {
    local IFS=$'\n' cur=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=($(compgen -W "$(reeve __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1)" -- "$cur"))
    ((${#COMPREPLY[@]})) || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _reeve reeve
)sh";

constexpr std::string_view kZsh = R"sh(#compdef reeve
# reeve completion for zsh: eval "$(reeve completion zsh)"
_reeve() {
    local -a found lines
    local line
    lines=("${(@f)$(reeve __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $lines; do
        [[ -n $line ]] && found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    if ((${#found})); then
        _describe reeve found
    else
        _files
    fi
}
if [[ $funcstack[1] == _reeve ]]; then
    _reeve "$@"
else
    compdef _reeve reeve
fi
)sh";
// clang-format on

constexpr std::string_view kFish = R"sh(# reeve completion for fish: reeve completion fish | source
complete -c reeve -a '(reeve __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
)sh";

class CompletionVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("SHELL", shell_, "bash, zsh or fish")
            ->required()
            ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    }

    Result<int> run(Session& session) override {
        session.out() << (shell_ == "bash" ? kBash : shell_ == "zsh" ? kZsh : kFish);
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
};  // namespace

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
        const VerbRow* row = nullptr;
        for (const VerbRow& known : verb_table()) {
            const std::string two = words_[0] + " " + words_[1];
            row =
                known.name == words_[0] || (words_.size() > 2 && known.name == two) ? &known : row;
        }
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
        return app.get_option_no_throw("TARGET") == nullptr ? Result<int>(0)
                                                            : complete_jobs(session);
    }

  private:
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
        {"completion", "Completion for a shell", "bash|zsh|fish",
         "  eval \"$(reeve completion bash)\"\n  reeve completion fish | source\n",                             make_verb<CompletionVerb>},
        {"version",    "The version",            "",              "  reeve version\n  reeve version -o json\n",
         make_verb<VersionVerb>                                                                                                          },
        {"__complete", "",                       "",              "",                                           make_verb<CompleteVerb>  },
    };
}

}  // namespace reeve::cli
