#include "cli/directives.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.hpp"

namespace reeve::cli {
namespace {

/// What the #SBATCH lines have said so far.
struct Sbatch {
    std::vector<std::string> flags = {};
    std::vector<std::string> warnings = {};
    std::int64_t tasks = 1;
    std::int64_t cpus_per_task = 1;
    bool has_cpus = false;

    void add(std::string flag, std::string value) {
        flags.push_back(std::move(flag));
        flags.push_back(std::move(value));
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
        return refuse("jobs of more than one node do not exist yet; -N 1 is accepted");
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

/// Nicer is later.
Done take_nice(const std::string& value, Sbatch& sbatch) {
    constexpr std::int64_t kDefault = 100;  // As sbatch's.
    constexpr std::int64_t kMost = 1000;    // Of our priorities.
    const auto nice = value.empty() ? Result<std::int64_t>(kDefault) : parse_integer(value);
    if (!nice) {
        return tl::unexpected(nice.error());
    }
    sbatch.add("--priority", std::to_string(-std::clamp(*nice, -kMost, kMost)));
    return {};
}

/// Files as of sbatch are not written. The job runs as well without them, so this is no refusal.
std::string no_file(const std::string& file, std::string_view what, std::string_view shown_by) {
    return "'" + file + "' is not written; Reeve keeps " + std::string(what) + ", and `" +
           std::string(shown_by) +
           "` shows it (for a file of the job's own, let the script say exec >FILE)";
}

Done take_output(const std::string& value, Sbatch& sbatch) {
    sbatch.warnings.push_back(no_file(value, "the output", "reeve logs"));
    return {};
}

Done take_error(const std::string& value, Sbatch& sbatch) {
    sbatch.warnings.push_back(no_file(value, "standard error", "reeve logs --stderr"));
    sbatch.flags.emplace_back("--split-output");
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
    {'o', "output",        Needs::kValue,   take_output       },
    {'e', "error",         Needs::kValue,   take_error        },
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
    {0,   "requeue",       Needs::kNothing, set_flag<kRequeue>},
    {0,   "export",        Needs::kValue,   take_export       },
    {0,   "signal",        Needs::kValue,   take_signal       },
    {0,   "nice",          Needs::kMaybe,   take_nice         },
    {0,   "mail-type",     Needs::kValue,   take_mail         },
    {0,   "mail-user",     Needs::kValue,   take_mail         },
});

/// An option as it was written, with the value that clings to it, if any.
struct Written {
    const Option* option = nullptr;
    std::optional<std::string> value = {};
};

Written find_option(const std::string& word) {
    if (word.starts_with("--")) {
        const std::size_t equals = word.find('=');
        const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
        const auto* row = std::ranges::find(kOptions, std::string_view(name), &Option::name);
        Written written{row == kOptions.end() ? nullptr : row, {}};
        if (equals != std::string::npos) {
            written.value = word.substr(equals + 1);
        }
        return written;
    }
    if (word.size() < 2 || word[0] != '-') {
        return {};
    }
    const auto* row = std::ranges::find(kOptions, word[1], &Option::letter);
    Written written{row == kOptions.end() ? nullptr : row, {}};
    if (word.size() > 2) {
        written.value = word.substr(word[2] == '=' ? 3 : 2);
    }
    return written;
}

tl::unexpected<Error> unknown_option(const std::string& word) {
    std::vector<std::string> names;
    names.reserve(kOptions.size());
    for (const Option& option : kOptions) {
        names.push_back("--" + std::string(option.name));
    }
    const std::string near = nearest(word.substr(0, word.find('=')), names);
    return refuse(
        "#SBATCH " + word.substr(0, word.find('=')) + " is not supported" +
        (near.empty() ? "; remove it, or say the same on a #REEVE line"
                      : "; did you mean " + near + "?"));
}

Done take_sbatch_line(const std::vector<std::string>& words, Sbatch& sbatch) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        Written written = find_option(words[i]);
        if (written.option == nullptr) {
            return unknown_option(words[i]);
        }
        const Option& option = *written.option;
        const std::string name = "#SBATCH --" + std::string(option.name);
        if (option.needs == Needs::kNothing && written.value) {
            return refuse(name + " takes no value");
        }
        if (option.needs == Needs::kValue && !written.value) {
            if (++i == words.size()) {
                return refuse(name + " needs a value");
            }
            written.value = words[i];
        }
        if (Done done = option.take(written.value.value_or(""), sbatch); !done) {
            return refuse(name + ": " + done.error().message);
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
        Done done = take_sbatch_line(*words, sbatch_);
        for (const std::string& warning : sbatch_.warnings) {
            found_.warnings.push_back("line " + std::to_string(number) + ": " + warning);
        }
        return done;
    }

    [[nodiscard]] Directives finish() && {
        if (sbatch_.has_cpus) {
            sbatch_.add("--cpus", std::to_string(sbatch_.tasks * sbatch_.cpus_per_task));
        }
        found_.sbatch = std::move(sbatch_.flags);
        return std::move(found_);
    }

  private:
    Directives found_;
    Sbatch sbatch_;
};

/// Opens a quotation, or closes the one that is open.
char toggled(char quote, char c) {
    return quote == 0 ? c : '\0';
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
