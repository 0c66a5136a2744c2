#include <algorithm>
#include <array>
#include <initializer_list>
#include <ostream>

#include "base/text.hpp"
#include "cli/ascii_output.hpp"
#include "cli/help.hpp"
#include "cli/kubectl_words.hpp"
#include "cli/overview.hpp"
#include "cli/usage.hpp"
#include "cli/verb.hpp"

namespace reeve::cli {
namespace {

constexpr int kUsage = 2;
constexpr std::string_view kAscii = "--ascii";

/// The words of the table of verbs that begin with this one: "project" has several.
std::vector<const VerbRow*> rows_of_noun(std::string_view noun) {
    std::vector<const VerbRow*> rows;
    for (const VerbRow& row : verb_table()) {
        if (row.name.starts_with(noun) && row.name.size() > noun.size() &&
            row.name[noun.size()] == ' ') {
            rows.push_back(&row);
        }
    }
    return rows;
}

const VerbRow* row_named(std::string_view name) {
    const auto row = std::ranges::find(verb_table(), name, &VerbRow::name);
    return row == verb_table().end() ? nullptr : &*row;
}

bool takes_value(std::string_view flag) {
    constexpr auto kFlags = std::to_array<std::string_view>(
        {"-s", "--server", "-o", "--output", "--color", "--timeout", "--token-file", "--as", "-p",
         "--project"});
    return std::ranges::find(kFlags, flag) != kFlags.end();
}

/// How many words before the verb are flags and their values.
std::size_t flags_before_verb(const std::vector<std::string>& words) {
    std::size_t at = 0;
    while (at < words.size() && words[at].starts_with('-') && words[at] != "--") {
        at += takes_value(words[at]) && at + 1 < words.size() ? 2U : 1U;
    }
    return at;
}

/// Takes one of these flags out; false if none of them is there. Not what is another flag's value.
bool take_flag(std::vector<std::string>& words, std::initializer_list<std::string_view> names) {
    for (std::size_t at = 0; at < words.size(); ++at) {
        if (std::ranges::find(names, std::string_view(words[at])) != names.end()) {
            words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
            return true;
        }
        at += takes_value(words[at]) ? 1U : 0U;
    }
    return false;
}

/// Flags before the verb are moved behind it: `reeve -s unix:/x q`.
std::vector<std::string> verb_first(std::vector<std::string> words) {
    const std::size_t at = flags_before_verb(words);
    if (at < words.size()) {
        const bool is_noun =
            (row_named(words[at]) == nullptr && !rows_of_noun(words[at]).empty()) ||
            is_kubectl_verb(words[at]);
        const std::size_t length = is_noun && at + 1 < words.size() ? 2 : 1;
        std::rotate(
            words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at),
            words.begin() + static_cast<std::ptrdiff_t>(at + length));
    }
    return words;
}

void print_help(const CliEnvironment& environment) {
    std::ostream& out = environment.out;
    out << "Examples:\n"
           "  reeve run --gpus 1 -- python train.py     submit a job and follow it\n"
           "  reeve q                                   what waits and runs\n"
           "  reeve why last                            why it does not run yet\n"
           "\nReeve shares the GPUs of a team: a queue, its reasons, and a record of all that "
           "ran.\n"
           "\nUsage: reeve VERB [TARGET…] [flags] [-- COMMAND…]; `reeve` alone shows how things "
           "are\n"
           "  TARGET  1842, 1842_7, 1800-1842, 1,5,9, last, @me, @running, @pending, -l key=value\n"
           "\nVerbs:\n";
    std::vector<std::vector<std::string>> rows;
    for (const OuterVerb& verb : environment.verbs) {
        if (!verb.summary.empty()) {
            rows.push_back({"  " + verb.name, verb.summary});
        }
    }
    for (const VerbRow& row : verb_table()) {
        if (!row.summary.empty()) {
            rows.push_back({"  " + std::string(row.name), std::string(row.summary)});
        }
    }
    out << table_text(rows, {})
        << "\n`reeve VERB --help` says more of each. As of kubectl: `reeve get jobs`, `describe "
           "job ID`, "
           "`delete job ID`.\n";
}

std::vector<std::string> verb_words(const CliEnvironment& environment) {
    std::vector<std::string> words;
    words.reserve(environment.verbs.size() + verb_table().size());
    for (const OuterVerb& verb : environment.verbs) {
        if (!verb.summary.empty()) {
            words.push_back(verb.name);
        }
    }
    for (const VerbRow& row : verb_table()) {
        if (!row.summary.empty()) {
            words.emplace_back(row.name.substr(0, row.name.find(' ')));
        }
    }
    return words;
}

int report(const CliEnvironment& environment, const Error& error) {
    environment.err << "reeve:";
    for (const std::string& line : split(error.message, '\n')) {
        environment.err << " " << printable(line) << "\n";
    }
    return row_of(error.code).exit_code;
}

/// What other tools call it.
struct Synonym {
    std::string_view theirs;
    std::string_view ours;
};

constexpr auto kSynonyms = std::to_array<Synonym>({
    {"queue",    "q"           },
    {"squeue",   "q"           },
    {"ps",       "q"           },
    {"ls",       "q"           },
    {"list",     "q"           },
    {"jobs",     "q"           },
    {"status",   "q"           },
    {"get",      "get jobs"    },
    {"describe", "describe job"},
    {"info",     "show"        },
    {"explain",  "why"         },
    {"eta",      "when"        },
    {"forecast", "when"        },
    {"submit",   "run"         },
    {"sbatch",   "run"         },
    {"srun",     "run"         },
    {"start",    "run"         },
    {"cancel",   "stop"        },
    {"scancel",  "stop"        },
    {"kill",     "stop"        },
    {"delete",   "delete job"  },
    {"rm",       "stop"        },
    {"log",      "logs"        },
    {"cat",      "logs"        },
    {"tail",     "logs -f"     },
    {"sinfo",    "nodes"       },
    {"scontrol", "node"        },
    {"drain",    "node drain"  },
    {"serve",    "up"          },
});

/// The verb that was meant, or "". What other tools say counts, with typos as well.
std::string meant_verb(const CliEnvironment& environment, const std::string& word) {
    std::vector<std::string> words = verb_words(environment);
    for (const Synonym& synonym : kSynonyms) {
        words.emplace_back(synonym.theirs);
    }
    const bool is_known = std::ranges::find(words, word) != words.end();
    const std::string near = is_known ? word : nearest(word, words);
    const auto* const synonym =
        std::ranges::find(kSynonyms, std::string_view(near), &Synonym::theirs);
    return synonym == kSynonyms.end() ? near : std::string(synonym->ours);
}

int unknown_verb(const CliEnvironment& environment, const std::string& word) {
    const std::string near = meant_verb(environment, word);
    return report(
        environment, {ErrorCode::kInvalid,
                      "there is no '" + word + "'" +
                          (near.empty() ? "; `reeve --help` lists what there is"
                                        : "; did you mean `reeve " + near + "`?"),
                      ""});
}

void print_noun_help(std::ostream& out, const std::string& noun) {
    std::vector<std::vector<std::string>> rows;
    for (const VerbRow* row : rows_of_noun(noun)) {
        rows.push_back(
            {"  reeve " + std::string(row->name) + " " + std::string(row->usage),
             std::string(row->summary)});
    }
    out << "Usage:\n"
        << table_text(rows, {}) << "\n`reeve " << noun << " VERB --help` says more.\n";
}

int unknown_verb_of(
    const CliEnvironment& environment, const std::string& noun, const std::string& word) {
    std::string list;
    std::vector<std::string> names;
    for (const VerbRow* row : rows_of_noun(noun)) {
        names.emplace_back(row->name.substr(noun.size() + 1));
        list += (list.empty() ? "" : ", ") + names.back();
    }
    const std::string near = word.empty() ? "" : nearest(word, names);
    return report(
        environment, {ErrorCode::kInvalid,
                      "`reeve " + noun + "` takes " + list +
                          (near.empty() ? "" : "; did you mean " + near + "?"),
                      ""});
}

/// Refuses a format that -o names and the verb does not have. REEVE_OUTPUT is for all verbs: what
/// does not have its format shows a table.
Result<void> check_format(const VerbRow& row, const Verb& verb, const Session& session) {
    if (session.flags.output.empty() || verb.takes(session.look.format)) {
        return {};
    }
    std::string names;
    for (const std::string& name : split(kFormatNames, ' ')) {
        const auto format = parse_format(name);
        if (format && verb.takes(*format)) {
            names += (names.empty() ? "" : ", ") + name;
        }
    }
    names += verb.takes(Format::kColumns) ? ", cols=A,B" : "";
    return fail(
        ErrorCode::kInvalid, "`reeve " + std::string(row.name) + "` has no -o " +
                                 session.flags.output + "; it takes " + names);
}

AsciiBuffer::Style style_of(Format format) {
    switch (format) {
        case Format::kJson:
        case Format::kJsonl:   return AsciiBuffer::Style::kJson;
        case Format::kYaml:    return AsciiBuffer::Style::kYaml;
        case Format::kTable:
        case Format::kWide:
        case Format::kCsv:
        case Format::kName:
        case Format::kColumns: break;
    }
    return AsciiBuffer::Style::kWords;
}

/// What a verb is run in.
struct Around {
    const CliEnvironment& environment;
    AsciiOutput& ascii;
};

int run_verb(const VerbRow& row, const std::vector<std::string>& words, const Around& around) {
    const CliEnvironment& environment = around.environment;
    const auto dashes = std::ranges::find(words, "--");
    const std::vector<std::string> head(words.begin(), dashes);
    const std::vector<std::string> tail(dashes == words.end() ? dashes : dashes + 1, words.end());
    const std::unique_ptr<Verb> verb = row.make();
    Session session(environment);
    CLI::App app(
        "Examples:\n" + std::string(row.examples) + "\n" + std::string(row.summary) + ".",
        "reeve " + std::string(row.name) + " " + std::string(row.usage));
    verb->add_options(app);
    add_global_flags(app, session.flags);
    app.set_help_flag("-h,--help", "This text")->group("Global");
    app.prefix_command(verb->takes_command());
    if (has_flag(app, head, {kAscii})) {
        around.ascii.turn_on();
    }
    if (wants_help(app, head)) {
        environment.out << help_text(app);
        return 0;
    }
    auto parsed = parse_arguments(app, head, verb->advice());
    if (parsed && !tail.empty() && !verb->takes_command()) {
        parsed = fail(ErrorCode::kInvalid, "this verb takes no command after --");
    }
    if (parsed) {
        verb->take_rest(app.remaining(), tail);
        parsed = session.settle();
    }
    if (parsed) {
        parsed = check_format(row, *verb, session);
    }
    if (!parsed) {
        report(environment, parsed.error());
        environment.err << "See `reeve " << row.name << " --help`.\n";
        return kUsage;
    }
    around.ascii.set_style(style_of(session.look.format));
    const auto code = verb->run(session);
    environment.out << std::flush;
    return code ? *code : report(environment, code.error());
}

}  // namespace

const std::vector<VerbRow>& verb_table() {
    static const std::vector<VerbRow> table = [] {
        std::vector<VerbRow> all;
        for (const auto& rows :
             {run_verbs(), queue_verbs(), why_verbs(), when_verbs(), sim_verbs(), log_verbs(),
              control_verbs(), cluster_verbs(), node_control_verbs(), simulation_verbs(),
              replay_verbs(), project_verbs(), reservation_verbs(), server_verbs(), doctor_verbs(),
              shell_verbs()}) {
            all.insert(all.end(), rows.begin(), rows.end());
        }
        return all;
    }();
    return table;
}

void TargetFlags::add_to(CLI::App& app) {
    app.add_option(
        "TARGET", words,
        "Jobs: 1842, 1842_7, 1-9[:2], last or a job's name; and @me, @running, @pending, -l "
        "filter");
    app.add_option("-l,--label", labels, "key=value: only jobs with this label")
        ->type_size(1)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

namespace {

bool is_verb(const std::string& word, const CliEnvironment& environment) {
    return row_named(word) != nullptr || !rows_of_noun(word).empty() || is_kubectl_verb(word) ||
           std::ranges::find(environment.verbs, word, &OuterVerb::name) != environment.verbs.end();
}

Result<GlobalFlags> parse_global_flags(const std::vector<std::string>& words) {
    CLI::App app;
    app.set_help_flag();
    GlobalFlags flags;
    add_global_flags(app, flags);
    app.add_option("-p,--project", flags.project);
    const auto parsed = parse_arguments(app, words);
    return parsed ? Result<GlobalFlags>(std::move(flags)) : tl::unexpected(parsed.error());
}

int refuse_usage(const CliEnvironment& environment, const Error& error) {
    report(environment, error);
    environment.err << "See `reeve --help`.\n";
    return kUsage;
}

/// `reeve` and flags, without a verb.
int run_bare(const std::vector<std::string>& words, const Around& around) {
    const CliEnvironment& environment = around.environment;
    Session session(environment);
    auto flags = parse_global_flags(words);
    if (!flags) {
        return refuse_usage(environment, flags.error());
    }
    session.flags = std::move(*flags);
    if (auto settled = session.settle(); !settled) {
        return refuse_usage(environment, settled.error());
    }
    around.ascii.set_style(style_of(session.look.format));
    const auto code = print_overview(session);
    environment.out << std::flush;
    if (code) {
        return *code;
    }
    const int status = report(environment, code.error());
    session.note("All verbs: `reeve --help`.");
    return status;
}

int run_verb_named(
    const std::string& verb, const std::vector<std::string>& words, const Around& around);

/// "get jobs" and such.
int run_kubectl_verb(const std::vector<std::string>& words, const Around& around) {
    if (words.size() > 1 && (words[1] == "-h" || words[1] == "--help")) {
        around.environment.out << kubectl_help(words[0]);
        return 0;
    }
    const auto ours = from_kubectl(words);
    return ours ? run_verb_named(ours->front(), *ours, around)
                : report(around.environment, ours.error());
}

int run_verb_named(
    const std::string& verb, const std::vector<std::string>& words, const Around& around) {
    const CliEnvironment& environment = around.environment;
    if (is_kubectl_verb(verb)) {
        return run_kubectl_verb(words, around);
    }
    for (const OuterVerb& outer : environment.verbs) {
        if (outer.name == verb) {
            return outer.run({words.begin() + 1, words.end()});
        }
    }
    if (const VerbRow* row = row_named(verb)) {
        return run_verb(*row, {words.begin() + 1, words.end()}, around);
    }
    if (rows_of_noun(verb).empty()) {
        return unknown_verb(environment, verb);
    }
    const std::string second = words.size() > 1 ? words[1] : "";
    if (const VerbRow* row = row_named(verb + " " + second)) {
        return run_verb(*row, {words.begin() + 2, words.end()}, around);
    }
    if (second == "-h" || second == "--help") {
        print_noun_help(environment.out, verb);
        return 0;
    }
    return unknown_verb_of(environment, verb, second);
}

}  // namespace

int run_cli(const std::vector<std::string>& arguments, const CliEnvironment& environment) {
    const auto verb_at = static_cast<std::ptrdiff_t>(flags_before_verb(arguments));
    AsciiOutput ascii(environment.out, environment.err);
    if (std::find(arguments.begin(), arguments.begin() + verb_at, kAscii) !=
        arguments.begin() + verb_at) {
        ascii.turn_on();  // Also of what is no verb's: help, and what is not known.
    }
    std::vector<std::string> words = verb_first(arguments);
    const bool has_verb = !words.empty() && flags_before_verb(words) == 0;
    if (!has_verb) {
        if (take_flag(words, {"-h", "--help"})) {
            print_help(environment);
            return 0;
        }
        if (!take_flag(words, {"-V", "--version"})) {
            return run_bare(words, {environment, ascii});
        }
        words.insert(words.begin(), "version");
    }
    if (words[0] == "help") {  // `reeve help run`
        words.erase(words.begin());
        if (flags_before_verb(words) == words.size()) {
            print_help(environment);
            return 0;
        }
        words = verb_first(std::move(words));
        words.emplace_back("--help");
    }
    if (arguments[0].starts_with('-') && !is_verb(words[0], environment)) {
        // Perhaps what looks like the verb is the value of a flag that is misspelt.
        const std::vector<std::string> flags(arguments.begin(), arguments.begin() + verb_at);
        if (auto parsed = parse_global_flags(flags); !parsed) {
            return refuse_usage(environment, parsed.error());
        }
    }
    return run_verb_named(words[0], words, {environment, ascii});
}

}  // namespace reeve::cli
