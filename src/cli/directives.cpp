#include "cli/directives.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "base/text.hpp"
#include "model/spec_rules.hpp"

namespace reeve::cli {
namespace {

/// What the #SBATCH lines say: of the tasks all so far, else the line at hand.
struct Sbatch {
    std::vector<std::string> flags = {};
    std::vector<std::string> warnings = {};
    std::string on = {};
    std::int64_t tasks = 1;
    std::int64_t cpus_per_task = 1;
    bool has_cpus = false;

    void add(std::string flag, std::string value) {
        flags.push_back(std::move(flag));
        flags.push_back(std::move(value));
    }

    /// The CPUs, if -n or -c said something of them. A later flag beats an earlier one.
    void add_cpus() {
        if (has_cpus) {
            add("--cpus", std::to_string(tasks * cpus_per_task));
        }
    }
};

using Done = Result<void>;

tl::unexpected<Error> refuse(const std::string& why) {
    return fail(ErrorCode::kInvalid, why);
}

Result<std::int64_t> parse_count(const std::string& text) {
    const auto count = parse_integer(text);
    constexpr std::int64_t kMost = 1'000'000;
    if (!count || *count < 1 || *count > kMost) {
        return refuse("'" + text + "' is not a number from 1 on");
    }
    return *count;
}

Done take_tasks(const std::string& value, Sbatch& sbatch) {
    const auto count = parse_count(value);
    if (!count) {
        return tl::unexpected(count.error());
    }
    sbatch.tasks = *count;
    sbatch.has_cpus = true;
    return {};
}

Done take_cpus(const std::string& value, Sbatch& sbatch) {
    const auto count = parse_count(value);
    if (!count) {
        return tl::unexpected(count.error());
    }
    sbatch.cpus_per_task = *count;
    sbatch.has_cpus = true;
    return {};
}

Done take_nodes(const std::string& value, Sbatch& /*sbatch*/) {
    if (value != "1" && value != "1-1") {
        return refuse("jobs of more than one node do not exist yet; each runs on 1");
    }
    return {};
}

/// A bare number is minutes in Slurm, and 0 is no limit.
Done take_time(const std::string& value, Sbatch& sbatch) {
    const auto minutes = parse_integer(value);
    if (minutes && *minutes == 0) {
        return {};
    }
    sbatch.add("--time", minutes ? std::to_string(*minutes) + "m" : value);
    return {};
}

Done take_memory(const std::string& value, Sbatch& sbatch) {
    if (value == "0") {
        return refuse("all memory of a node (0) cannot be asked for; give a size such as 8G");
    }
    sbatch.add("--mem", value);
    return {};
}

/// "gpu", "gpu:2", "gpu:a30:2".
Done take_gres(const std::string& value, Sbatch& sbatch) {
    std::string_view rest = value;
    if (rest.starts_with("gres:")) {
        rest.remove_prefix(5);
    }
    if (rest == "gpu") {
        sbatch.add("--gpus", "1");
        return {};
    }
    if (!rest.starts_with("gpu:") || rest.find(',') != std::string_view::npos) {
        return refuse("'" + value + "' is not gpu, gpu:COUNT or gpu:MODEL:COUNT");
    }
    sbatch.add("--gpus", std::string(rest.substr(4)));
    return {};
}

/// "afterok:1:2,afterany:3" -> "ok:1,ok:2,any:3".
Done take_dependency(const std::string& value, Sbatch& sbatch) {
    struct Kind {
        std::string_view theirs;
        std::string_view ours;
    };

    constexpr auto kKinds = std::to_array<Kind>({
        {"afterok",    "ok"   },
        {"afterany",   "any"  },
        {"afternotok", "notok"},
    });
    if (value.find('?') != std::string::npos) {
        return refuse(
            "'" + value +
            "': that any one of several is enough (?) does not exist here; by commas "
            "all of them are waited for");
    }
    std::string after;
    for (const std::string& part : split(value, ',')) {
        const auto words = split(part, ':');
        const auto kind = std::ranges::find(kKinds, std::string_view(words[0]), &Kind::theirs);
        if (kind == kKinds.end() || words.size() < 2) {
            return refuse(
                "'" + part + "' is not afterok:ID, afterany:ID or afternotok:ID, by commas");
        }
        for (std::size_t i = 1; i < words.size(); ++i) {
            after += (after.empty() ? "" : ",") + std::string(kind->ours) + ":" + words[i];
        }
    }
    sbatch.add("--after", after);
    return {};
}

Done take_export(const std::string& value, Sbatch& sbatch) {
    if (value == "NONE" || value == "NIL") {
        return {};
    }
    for (const std::string& part : split(value, ',')) {
        if (part == "ALL") {
            sbatch.flags.emplace_back("--export-env");
        } else {
            sbatch.add("--env", part);
        }
    }
    return {};
}

/// "[B:]USR1[@120]": the signal, and so long before the kill (60 s).
Done take_signal(const std::string& value, Sbatch& sbatch) {
    std::string signal = value;
    for (const std::string_view prefix : {"B:", "R:", "RB:", "BR:"}) {
        if (signal.starts_with(prefix)) {
            signal.erase(0, prefix.size());
            break;
        }
    }
    const std::size_t at = signal.find('@');
    sbatch.add("--grace", at == std::string::npos ? "60s" : signal.substr(at + 1) + "s");
    sbatch.add("--signal", signal.substr(0, at));
    return {};
}

/// Adds to what is asked of the node; a later flag beats an earlier one, so each has all of it.
Done add_on(const std::string& expression, Sbatch& sbatch) {
    sbatch.on += (sbatch.on.empty() ? "" : " && ") + expression;
    sbatch.add("--on", sbatch.on);
    return {};
}

/// "n1,n2" as a list of names.
Result<std::string> parse_node_list(const std::string& value) {
    std::string names;
    for (const std::string& name : split(value, ',')) {
        if (name.empty() || name.find_first_of("[]() \"'/") != std::string::npos) {
            return refuse("'" + value + "' is no list of names; write each out, such as n1,n2");
        }
        names += (names.empty() ? "" : ", ") + name;
    }
    return names;
}

Done take_nodelist(const std::string& value, Sbatch& sbatch) {
    const auto names = parse_node_list(value);
    return names ? add_on("node.name in (" + *names + ")", sbatch)
                 : Done(tl::unexpected(names.error()));
}

Done take_exclude(const std::string& value, Sbatch& sbatch) {
    const auto names = parse_node_list(value);
    return names ? add_on("!(node.name in (" + *names + "))", sbatch)
                 : Done(tl::unexpected(names.error()));
}

/// A feature of Slurm is a label here, whatever its value: "a&(b|c)".
Done take_constraint(const std::string& value, Sbatch& sbatch) {
    std::string expression;
    for (const char c : value) {
        expression += c == '&' ? " && " : c == '|' ? " || " : std::string(1, c);
    }
    if (value.find_first_of("=!<>\"'") != std::string::npos ||
        !model::fault_of_node_expression(expression).empty()) {
        return refuse(
            "'" + value +
            "' is no list of features joined by & or |; --on says more, such as "
            "--on 'gpu.model==a30 && zone!=b'");
    }
    return add_on("(" + expression + ")", sbatch);
}

/// Nicer is later.
Done take_nice(const std::string& value, Sbatch& sbatch) {
    constexpr std::int64_t kDefault = 100;  // As sbatch's.
    constexpr std::int64_t kMost = 1000;    // Of our priorities.
    const auto nice = value.empty() ? Result<std::int64_t>(kDefault) : parse_integer(value);
    if (!nice) {
        return tl::unexpected(nice.error());
    }
    if (*nice < -kMost || *nice > kMost) {
        sbatch.warnings.push_back(
            "--nice=" + value +
            " is beyond the priorities here, -1000 to 1000; the last of them is "
            "taken");
    }
    sbatch.add("--priority", std::to_string(-std::clamp(*nice, -kMost, kMost)));
    return {};
}

Done take_partition(const std::string& value, Sbatch& sbatch) {
    sbatch.warnings.push_back("there are no partitions here; '" + value + "' has no effect");
    return {};
}

Done take_mail(const std::string& /*value*/, Sbatch& sbatch) {
    sbatch.warnings.emplace_back("no mail is sent; `reeve wait` tells when a job ends");
    return {};
}

template <const char* const& Flag>
Done pass_on(const std::string& value, Sbatch& sbatch) {
    sbatch.add(Flag, value);
    return {};
}

template <const char* const& Flag>
Done set_flag(const std::string& /*value*/, Sbatch& sbatch) {
    sbatch.flags.emplace_back(Flag);
    return {};
}

constexpr const char* kName = "--name";
constexpr const char* kWorkdir = "--workdir";
constexpr const char* kOutput = "--output";
constexpr const char* kError = "--error";
constexpr const char* kGpus = "--gpus";
constexpr const char* kArray = "--array";
constexpr const char* kHold = "--hold";
constexpr const char* kRequeue = "--requeue";

enum class Needs : std::uint8_t { kValue, kNothing, kMaybe };  // kMaybe: --nice, --nice=5.

struct Option {
    char letter;  // 0: none.
    std::string_view name;
    Needs needs;
    Done (*take)(const std::string& value, Sbatch& sbatch);
};

/// Every option of sbatch that is read (SEMANTICS 9). What is not here is refused.
constexpr auto kOptions = std::to_array<Option>({
    {'J', "job-name",      Needs::kValue,   pass_on<kName>    },
    {'o', "output",        Needs::kValue,   pass_on<kOutput>  },
    {'e', "error",         Needs::kValue,   pass_on<kError>   },
    {'D', "chdir",         Needs::kValue,   pass_on<kWorkdir> },
    {'t', "time",          Needs::kValue,   take_time         },
    {'c', "cpus-per-task", Needs::kValue,   take_cpus         },
    {'n', "ntasks",        Needs::kValue,   take_tasks        },
    {'N', "nodes",         Needs::kValue,   take_nodes        },
    {0,   "mem",           Needs::kValue,   take_memory       },
    {'G', "gpus",          Needs::kValue,   pass_on<kGpus>    },
    {0,   "gres",          Needs::kValue,   take_gres         },
    {0,   "gpus-per-node", Needs::kValue,   pass_on<kGpus>    },
    {'a', "array",         Needs::kValue,   pass_on<kArray>   },
    {'d', "dependency",    Needs::kValue,   take_dependency   },
    {'H', "hold",          Needs::kNothing, set_flag<kHold>   },
    {'p', "partition",     Needs::kValue,   take_partition    },
    {'C', "constraint",    Needs::kValue,   take_constraint   },
    {'w', "nodelist",      Needs::kValue,   take_nodelist     },
    {'x', "exclude",       Needs::kValue,   take_exclude      },
    {0,   "requeue",       Needs::kNothing, set_flag<kRequeue>},
    {0,   "export",        Needs::kValue,   take_export       },
    {0,   "signal",        Needs::kValue,   take_signal       },
    {0,   "nice",          Needs::kMaybe,   take_nice         },
    {0,   "mail-type",     Needs::kValue,   take_mail         },
    {0,   "mail-user",     Needs::kValue,   take_mail         },
});

/// An option of sbatch or srun that is refused, and what to do without it.
struct Refused {
    char letter;  // 0: none.
    std::string_view name;
    std::string_view advice;
};

constexpr auto kRefused = std::to_array<Refused>({
    {0,   "mem-per-cpu",     "--mem is the memory of the whole job, such as --mem 8G"          },
    {0,   "mem-per-gpu",     "--mem is the memory of the whole job, such as --mem 8G"          },
    {0,   "gpus-per-task",   "--gpus is the number for the whole job, such as --gpus 2"        },
    {0,   "cpus-per-gpu",    "--cpus is the number for the whole job, such as --cpus 4"        },
    {0,   "ntasks-per-node", "the job starts its own processes; --cpus is for all of them"     },
    {'A', "account",         "--project names who pays"                                        },
    {'q', "qos",             "--priority orders a project's jobs: -1000 to 1000, or a name"    },
    {0,   "exclusive",       "whole GPUs are a job's alone; ask for them with --gpus COUNT"    },
    {'b', "begin",           "a job waits for no time; --hold it, and `reeve release` it then" },
    {'i', "input",           "a job reads no input; let the script say COMMAND <FILE"          },
    {0,   "wrap",            "the command comes after the flags: reeve run [flags] -- COMMAND…"},
    {'W', "wait",            "`reeve run --attach` waits for the end, as does `reeve wait`"    },
    {0,   "pty",             "a job has no terminal; `reeve run --attach` shows its output"    },
    {0,   "test-only",       "`reeve run --dry-run` shows what would be submitted"             },
    {0,   "parsable",        "`reeve run -d -o name` prints the id alone"                      },
    {0,   "comment",         "--label KEY=VALUE goes with a job"                               },
    {0,   "no-requeue",      "leave it out; without --requeue, a job is not started again"     },
    {0,   "get-user-env",    "--export-env takes the variables of this shell along"            },
});

/// An option as it was written, with the value that clings to it, if any.
struct Written {
    const Option* option = nullptr;
    std::optional<std::string> value = {};
};

/// The row of `table` that `word` ("--name", "--name=…", "-N", "-N…") names, or null.
template <class Row, std::size_t N>
const Row* row_for(const std::string& word, const std::array<Row, N>& table) {
    const Row* row = table.end();
    if (word.starts_with("--")) {
        const std::string_view name = std::string_view(word).substr(2, word.find('=') - 2);
        row = std::ranges::find(table, name, &Row::name);
    } else if (word.size() > 1 && word[0] == '-') {
        row = std::ranges::find(table, word[1], &Row::letter);
    }
    return row == table.end() ? nullptr : row;
}

Written find_option(const std::string& word) {
    Written written{row_for(word, kOptions), {}};
    if (word.starts_with("--")) {
        const std::size_t equals = word.find('=');
        if (equals != std::string::npos) {
            written.value = word.substr(equals + 1);
        }
        return written;
    }
    if (word.size() > 2) {
        written.value = word.substr(word[2] == '=' ? 3 : 2);
    }
    return written;
}

tl::unexpected<Error> unknown_option(const std::string& word) {
    const std::string name = word.substr(0, word.find('='));
    const std::string before = "#SBATCH " + name + " is not supported";
    if (const Refused* refused = row_for(word, kRefused)) {
        return refuse(before + "; " + std::string(refused->advice));
    }
    std::vector<std::string> names;
    names.reserve(kOptions.size());
    for (const Option& option : kOptions) {
        names.push_back("--" + std::string(option.name));
    }
    const std::string near = nearest(name, names);
    return refuse(
        before + (near.empty() ? "; remove it, or say the same on a #REEVE line"
                               : "; did you mean " + near + "?"));
}

/// Takes the option that `words[at]` is, and moves `at` to the last word of it.
Done take_option(const std::vector<std::string>& words, std::size_t& at, Sbatch& sbatch) {
    Written written = find_option(words[at]);
    const Option& option = *written.option;
    const std::string name = "--" + std::string(option.name);
    if (option.needs == Needs::kNothing && written.value) {
        return refuse(name + " takes no value");
    }
    if (option.needs == Needs::kValue && !written.value) {
        if (++at == words.size()) {
            return refuse(name + " needs a value");
        }
        written.value = words[at];
    }
    if (Done done = option.take(written.value.value_or(""), sbatch); !done) {
        return refuse(name + ": " + done.error().message);
    }
    return {};
}

Done take_sbatch_line(const std::vector<std::string>& words, Sbatch& sbatch) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (find_option(words[i]).option == nullptr) {
            return unknown_option(words[i]);
        }
        if (Done done = take_option(words, i, sbatch); !done) {
            return refuse("#SBATCH " + done.error().message);
        }
    }
    return {};
}

/// Gathers the directives line by line.
class Reader {
  public:
    [[nodiscard]] Done take_line(std::string_view line, std::size_t number) {
        constexpr std::string_view kReeve = "#REEVE";
        constexpr std::string_view kSbatch = "#SBATCH";
        const bool is_reeve = line.starts_with(kReeve);
        if (!is_reeve && !line.starts_with(kSbatch)) {
            return {};
        }
        auto words = split_words(line.substr(is_reeve ? kReeve.size() : kSbatch.size()));
        if (!words) {
            return tl::unexpected(std::move(words.error()));
        }
        if (is_reeve) {
            found_.reeve.push_back({number, std::move(*words)});
            return {};
        }
        sbatch_.warnings.clear();
        sbatch_.flags.clear();
        sbatch_.has_cpus = false;
        Done done = take_sbatch_line(*words, sbatch_);
        for (const std::string& warning : sbatch_.warnings) {
            found_.warnings.push_back("line " + std::to_string(number) + ": " + warning);
        }
        sbatch_.add_cpus();
        if (!sbatch_.flags.empty()) {
            found_.sbatch.push_back({number, sbatch_.flags});
        }
        return done;
    }

    [[nodiscard]] Directives finish() && { return std::move(found_); }

  private:
    Directives found_;
    Sbatch sbatch_;
};

/// Opens a quotation, or closes the one that is open.
char toggled(char quote, char c) {
    return quote == 0 ? c : '\0';
}

/// As it can be pasted into a shell.
std::string shell_word(const std::string& text) {
    const bool is_plain = !text.empty() && std::ranges::all_of(text, [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
               std::string_view("-_=.,:/@%+").find(c) != std::string_view::npos;
    });
    if (is_plain) {
        return text;
    }
    std::string quoted = "'";
    for (const char c : text) {
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return quoted + "'";
}

}  // namespace

Result<std::vector<std::string>> split_words(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    bool is_word = false;
    char quote = 0;
    const auto end_word = [&] {
        if (std::exchange(is_word, false)) {
            words.push_back(std::exchange(word, {}));
        }
    };
    for (const char c : text) {
        if (quote != 0 && c != quote) {
            word += c;
        } else if (c == '\'' || c == '"') {
            quote = toggled(quote, c);
            is_word = true;
        } else if (std::string_view(" \t\r").find(c) != std::string_view::npos) {
            end_word();
        } else if (c == '#' && !is_word) {
            break;
        } else {
            word += c;
            is_word = true;
        }
    }
    if (quote != 0) {
        return refuse(std::string("a ") + quote + " is not closed");
    }
    end_word();
    return words;
}

namespace {

/// What other programs call a flag of ours; "" if it is not known.
std::string flag_of_synonym(std::string_view name) {
    struct Row {
        std::string_view theirs;
        std::string_view ours;
    };

    constexpr auto kRows = std::to_array<Row>({
        {"--retries",    "--retry"     },
        {"--memory",     "--mem"       },
        {"--gpu-memory", "--gpu-mem"   },
        {"--timeout-s",  "--time"      },
        {"--time-limit", "--time"      },
        {"--cwd",        "--workdir"   },
        {"--depends",    "--after"     },
        {"--export-all", "--export-env"},
    });
    const auto* const row = std::ranges::find(kRows, name, &Row::theirs);
    return row == kRows.end() ? "" : std::string(row->ours);
}

}  // namespace

std::string advice_on_sbatch(const std::vector<std::string>& words) {
    const std::string name = words.front().substr(0, words.front().find('='));
    const std::string before = name + " is an option of sbatch; ";
    if (const Refused* refused = row_for(words.front(), kRefused)) {
        return before + std::string(refused->advice);
    }
    if (const std::string flag = flag_of_synonym(name); !flag.empty()) {
        return "unknown flag " + name + "; it is " + flag;
    }
    if (find_option(words.front()).option == nullptr) {
        return "";
    }
    Sbatch sbatch;
    std::size_t at = 0;
    if (const Done done = take_option(words, at, sbatch); !done) {
        const std::string& why = done.error().message;  // "--nodes: …", or "--nodes needs …".
        const std::size_t colon = why.find(": ");
        return before + (colon == std::string::npos ? why : why.substr(colon + 2));
    }
    sbatch.add_cpus();
    if (sbatch.flags.empty()) {
        return before + "leave it out" +
               (sbatch.warnings.empty() ? "" : ": " + sbatch.warnings.front());
    }
    std::string flags;
    for (const std::string& flag : sbatch.flags) {
        flags += " " + shell_word(flag);
    }
    return before + "write" + flags;
}

Result<Directives> read_directives(std::string_view script) {
    Reader reader;
    std::size_t number = 0;
    while (!script.empty()) {
        const std::size_t end = script.find('\n');
        const std::string_view line = script.substr(0, end);
        script.remove_prefix(end == std::string_view::npos ? script.size() : end + 1);
        ++number;
        const std::size_t first = line.find_first_not_of(" \t\r");
        if (first != std::string_view::npos && line[first] != '#') {
            break;
        }
        if (Done done = reader.take_line(line, number); !done) {
            return refuse("line " + std::to_string(number) + ": " + done.error().message);
        }
    }
    return std::move(reader).finish();
}

}  // namespace reeve::cli
