#include <algorithm>
#include <ostream>

#include "base/text.hpp"
#include "cli/usage.hpp"
#include "cli/verb.hpp"

namespace reeve::cli {
namespace {

constexpr int kUsage = 2;

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

/// Flags before the verb are moved behind it: `reeve -s unix:/x q`.
std::vector<std::string> verb_first(std::vector<std::string> words) {
    std::size_t at = 0;
    while (at < words.size() && words[at].starts_with('-') && words[at] != "--") {
        const std::string& flag = words[at];
        const bool has_value =
            (flag == "-s" || flag == "--server" || flag == "-o" || flag == "--output" ||
             flag == "--color" || flag == "--timeout" || flag == "-p" || flag == "--project") &&
            at + 1 < words.size();
        at += has_value ? 2 : 1;
    }
    if (at < words.size()) {
        const bool is_noun = row_named(words[at]) == nullptr && !rows_of_noun(words[at]).empty();
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
           "\nUsage: reeve VERB [TARGET…] [flags] [-- COMMAND…]\n"
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
    out << table_text(rows, {}) << "\n`reeve VERB --help` says more of each.\n";
}

std::vector<std::string> verb_words(const CliEnvironment& environment) {
    std::vector<std::string> words;
    words.reserve(environment.verbs.size() + verb_table().size());
    for (const OuterVerb& verb : environment.verbs) {
        words.push_back(verb.name);
    }
    for (const VerbRow& row : verb_table()) {
        words.emplace_back(row.name.substr(0, row.name.find(' ')));
    }
    return words;
}

int report(const CliEnvironment& environment, const Error& error) {
    environment.err << "reeve: " << printable(error.message) << "\n";
    return row_of(error.code).exit_code;
}

int unknown_verb(const CliEnvironment& environment, const std::string& word) {
    const std::string near = nearest(word, verb_words(environment));
    return report(
        environment, {ErrorCode::kInvalid,
                      "there is no '" + word + "'" +
                          (near.empty() ? "; `reeve --help` lists what there is"
                                        : "; did you mean " + near + "?"),
                      ""});
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

int run_verb(
    const VerbRow& row, const std::vector<std::string>& words, const CliEnvironment& environment) {
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
    bool wants_help = false;
    app.get_help_ptr()->each([&](const std::string& /*none*/) {});
    for (const std::string& word : head) {
        if (!word.starts_with('-') && verb->takes_command()) {
            break;
        }
        wants_help = wants_help || word == "-h" || word == "--help";
    }
    if (wants_help) {
        environment.out << app.help();
        return 0;
    }
    auto parsed = parse_arguments(app, head);
    if (parsed && !tail.empty() && !verb->takes_command()) {
        parsed = fail(ErrorCode::kInvalid, "this verb takes no command after --");
    }
    if (parsed) {
        verb->take_rest(app.remaining(), tail);
        parsed = session.settle();
    }
    if (!parsed) {
        report(environment, parsed.error());
        environment.err << "See `reeve " << row.name << " --help`.\n";
        return kUsage;
    }
    const auto code = verb->run(session);
    environment.out << std::flush;
    return code ? *code : report(environment, code.error());
}

}  // namespace

const std::vector<VerbRow>& verb_table() {
    static const std::vector<VerbRow> table = [] {
        std::vector<VerbRow> all;
        for (const auto& rows :
             {run_verbs(), queue_verbs(), log_verbs(), control_verbs(), cluster_verbs(),
              simulation_verbs(), replay_verbs(), project_verbs(), server_verbs(), doctor_verbs(),
              shell_verbs()}) {
            all.insert(all.end(), rows.begin(), rows.end());
        }
        return all;
    }();
    return table;
}

void TargetFlags::add_to(CLI::App& app) {
    app.add_option("TARGET", words, "Jobs: 1842, 1842_7, 1-9, last, @me, @running, @pending");
    app.add_option("-l,--label", labels, "key=value: jobs with this label")
        ->type_size(1)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

int run_cli(const std::vector<std::string>& arguments, const CliEnvironment& environment) {
    const std::vector<std::string> words = verb_first(arguments);
    if (words.empty() || words[0] == "-h" || words[0] == "--help" || words[0] == "help") {
        print_help(environment);
        return 0;
    }
    const std::string verb = words[0] == "--version" || words[0] == "-V" ? "version" : words[0];
    for (const OuterVerb& outer : environment.verbs) {
        if (outer.name == verb) {
            return outer.run({words.begin() + 1, words.end()});
        }
    }
    if (const VerbRow* row = row_named(verb)) {
        return run_verb(*row, {words.begin() + 1, words.end()}, environment);
    }
    if (rows_of_noun(verb).empty()) {
        return unknown_verb(environment, verb);
    }
    const std::string second = words.size() > 1 ? words[1] : "";
    if (const VerbRow* row = row_named(verb + " " + second)) {
        return run_verb(*row, {words.begin() + 2, words.end()}, environment);
    }
    return unknown_verb_of(environment, verb, second);
}

}  // namespace reeve::cli
