#include "model/spec_rules.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.hpp"

namespace reeve::model {
namespace {

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80;
}

/// A control character begins at `at`: C0, DEL, or C1 (C2 80 to C2 9F in UTF-8).
bool is_control_at(std::string_view text, std::size_t at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte == 0xC2 && at + 1 < text.size()) {
        return static_cast<unsigned char>(text[at + 1]) < 0xA0;
    }
    return byte < 0x20 || byte == 0x7F;
}

bool has_control(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_control_at(text, i)) {
            return true;
        }
    }
    return false;
}

std::size_t characters_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return !is_continuation(c); }));
}

std::string quoted(std::string_view text) {
    constexpr std::size_t kShownMax = 60;
    std::string shown = "'";
    for (std::size_t i = 0; i < std::min(text.size(), kShownMax); ++i) {
        shown += is_control_at(text, i) ? '?' : text[i];
    }
    while (text.size() > kShownMax && is_continuation(text[shown.size() - 1])) {
        shown.pop_back();  // Never half a character.
    }
    return shown + (text.size() > kShownMax ? "…'" : "'");
}

/// Variables by which Reeve tells a task what it was granted.
bool is_ours(std::string_view name) {
    constexpr auto kNames =
        std::to_array<std::string_view>({"CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"});
    return std::ranges::find(kNames, name) != kNames.end() || name.starts_with("CUDA_MPS_") ||
           name.starts_with("REEVE_");
}

struct KindName {
    std::string_view name;
    DependencyKind kind;
};

constexpr auto kKinds = std::to_array<KindName>({
    {"ok",    DependencyKind::kOk   },
    {"any",   DependencyKind::kAny  },
    {"notok", DependencyKind::kNotOk},
});

std::string fault_of_gpus(const GpuAsk& ask) {
    if (!ask.model.empty() && ask.count == 0 && !ask.is_share()) {
        return "resources.gpu_model: a model alone asks for no GPU; give gpus (1, 2, …, or a share "
               "such as 0.25) or gpu_memory_mib too";
    }
    return "";
}

}  // namespace

std::optional<std::int64_t> whole_of(double number) {
    constexpr double kExactMax = 9'007'199'254'740'992.0;  // 2^53.
    const bool is_whole = std::abs(number) < kExactMax && std::trunc(number) == number;
    return is_whole ? std::optional(static_cast<std::int64_t>(number)) : std::nullopt;
}

namespace {

// A look at each byte of every submission: by table, and texts in a loop of their own.
constexpr std::array<bool, 256> kOpensOrCloses = [] {
    std::array<bool, 256> table = {};
    for (const char c : std::string_view("\"{}[]")) {
        table.at(static_cast<unsigned char>(c)) = true;
    }
    return table;
}();

/// Where the text that begins at `from` ends: its last quote, or the end of all.
std::size_t end_of_text(std::string_view json, std::size_t from) {
    std::size_t at = from + 1;
    for (; at < json.size() && json[at] != '"'; ++at) {
        at += json[at] == '\\' ? 1U : 0U;
    }
    return at;
}

}  // namespace

bool is_nested_deeper(std::string_view json, int depth) {
    int open = 0;
    for (std::size_t i = 0; i < json.size() && open <= depth; ++i) {
        const char c = json[i];
        if (!kOpensOrCloses[static_cast<unsigned char>(c)]) {
            continue;
        }
        if (c == '"') {
            i = end_of_text(json, i);
        } else {
            open += c == '{' || c == '[' ? 1 : -1;
        }
    }
    return open > depth;
}

std::string default_name(const Execution& execution) {
    if (!execution.script.empty()) {
        return "script";
    }
    std::string_view program = execution.argv.empty() ? "" : std::string_view(execution.argv[0]);
    while (program.ends_with('/')) {
        program.remove_suffix(1);
    }
    program.remove_prefix(std::min(program.size(), program.rfind('/') + 1));
    std::string name;
    std::size_t characters = 0;
    for (std::size_t i = 0; i < program.size(); ++i) {
        characters += is_continuation(program[i]) ? 0U : 1U;
        if (characters > kNameCharactersMax) {
            break;
        }
        if (is_control_at(program, i)) {
            name += '?';
            i += program[i] == '\xC2' ? 1U : 0U;
        } else {
            name += program[i];
        }
    }
    return fault_of_name(name).empty() ? name : "job";
}

std::string_view name_of(DependencyKind kind) {
    return std::ranges::find(kKinds, kind, &KindName::kind)->name;
}

std::optional<DependencyKind> dependency_kind(std::string_view name) {
    const auto row = std::ranges::find(kKinds, name, &KindName::name);
    return row == kKinds.end() ? std::nullopt : std::optional(row->kind);
}

std::size_t text_bytes_of(const JobSpec& spec) {
    std::size_t bytes = spec.execution.script.size();
    for (const std::string& argument : spec.execution.argv) {
        bytes += argument.size();
    }
    for (const auto& [name, value] : spec.execution.environment) {
        bytes += name.size() + value.size();
    }
    return bytes;
}

std::string fault_of_name(std::string_view name) {
    const bool is_blank = std::ranges::all_of(name, [](char c) { return c == ' '; });
    if (is_blank || characters_of(name) > kNameCharactersMax || has_control(name)) {
        return "a name has 1 to " + std::to_string(kNameCharactersMax) +
               " visible characters, unlike " + quoted(name);
    }
    return "";
}

std::string fault_of_project(std::string_view project) {
    const auto is_allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || is_digit(c) || c == '.' || c == '_' || c == '-';
    };
    if (project.empty() || project.size() > kProjectBytesMax ||
        !std::ranges::all_of(project, is_allowed) ||
        !(is_letter(project.front()) || is_digit(project.front()))) {
        return "a project's name has 1 to 63 of a-z 0-9 . _ - and begins with a letter or digit, "
               "unlike " +
               quoted(project);
    }
    return "";
}

std::string fault_of_priority_name(std::string_view name) {
    const auto is_allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_' || c == '-';
    };
    if (name.empty() || name.size() > kPriorityNameBytesMax ||
        !std::ranges::all_of(name, is_allowed) || !is_letter(name.front())) {
        return "expects a whole number from -1000 to 1000 or a name, which has 1 to 63 of a-z 0-9 "
               "_ "
               "- and begins with a letter, not " +
               quoted(name);
    }
    return "";
}

std::string fault_of_gpu_model(std::string_view model) {
    const auto is_allowed = [](char c) {
        return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
    };
    if (model.empty() || model.size() > kGpuModelBytesMax ||
        !std::ranges::all_of(model, is_allowed) ||
        !(is_letter(model.front()) || is_digit(model.front()))) {
        return "a GPU model is a word of the name that its driver gives it, such as a30 or "
               "rtx5090, unlike " +
               quoted(model);
    }
    return "";
}

std::string fault_of_environment_name(std::string_view name) {
    const auto is_allowed = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
    if (name.empty() || name.size() > kEnvironmentNameBytesMax || is_digit(name.front()) ||
        !std::ranges::all_of(name, is_allowed)) {
        return "a variable's name has 1 to 255 of A-Z a-z 0-9 _ and does not begin with a "
               "digit, unlike " +
               quoted(name);
    }
    if (is_ours(name)) {
        return std::string(name) +
               " is set by Reeve, from what the job is granted; leave it out and ask with gpus or "
               "gpu_memory_mib";
    }
    return "";
}

std::string fault_of_label_key(std::string_view key) {
    const auto is_allowed = [](char c) {
        return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-' || c == '/';
    };
    if (key.empty() || key.size() > kLabelKeyBytesMax || !std::ranges::all_of(key, is_allowed) ||
        !(is_letter(key.front()) || is_digit(key.front()))) {
        return "a label's key has 1 to 63 of A-Z a-z 0-9 . _ - / and begins with a letter or "
               "digit, unlike " +
               quoted(key);
    }
    return "";
}

std::string fault_of_label_value(std::string_view value) {
    if (value.size() > kLabelValueBytesMax || has_control(value) ||
        value.find(',') != std::string_view::npos) {
        return "a label's value has up to 255 bytes, no comma and no control characters, unlike " +
               quoted(value);
    }
    return "";
}

std::string fault_of_working_dir(std::string_view path) {
    if (!path.starts_with('/') || path.size() > kPathBytesMax) {
        return "a working directory is an absolute path of up to 4095 bytes, unlike " +
               quoted(path);
    }
    return "";
}

std::string fault_of_argument(std::string_view text) {
    return text.size() > kArgumentBytesMax ? "has more than 131071 bytes, which Linux refuses" : "";
}

std::string fault_of_script(std::string_view script) {
    if (script.empty()) {
        return "is empty; leave it out, and give a command";
    }
    if (!script.starts_with("#!")) {
        return "does not begin with #! and the program to run it, such as #!/bin/sh";
    }
    return script.size() > kScriptBytesMax
               ? "has more than 512 KiB; put the program in a file, and run that"
               : "";
}

std::string fault_of_array(const ArrayRange& array) {
    if (array.last < array.first) {
        return "ends before it begins: last is " + std::to_string(array.last) + ", first is " +
               std::to_string(array.first);
    }
    if ((array.last - array.first) / array.step >= kArrayCountMax) {
        return "has more than " + std::to_string(kArrayCountMax) + " elements; submit it in parts";
    }
    return "";
}

std::string fault_of_gpu_milli(std::int64_t milli) {
    return format_milli(milli) +
           " GPUs: ask for whole GPUs (1, 2, …) or for a share of one (0.25, or gpu_memory_mib)";
}

std::string fault_of_spec(const JobSpec& spec) {
    const Execution& run = spec.execution;
    if (run.script.empty() && (run.argv.empty() || run.argv.front().empty())) {
        return run.argv.empty() ? "command: a job needs a command (a list such as [\"python\", "
                                  "\"train.py\"]) or a script"
                                : "command[0]: the program to run cannot be empty";
    }
    return fault_of_gpus(spec.terms.gpus);
}

}  // namespace reeve::model
