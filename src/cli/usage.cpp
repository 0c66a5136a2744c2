#include "cli/usage.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace reeve::cli {

std::vector<std::string> flags_of(const CLI::App& app) {
    std::vector<std::string> flags;
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_group().empty()) {
            continue;  // Hidden.
        }
        for (const std::string& name : option->get_lnames()) {
            flags.push_back("--" + name);
        }
    }
    return flags;
}

std::string nearest_flag(const CLI::App& app, const std::string& word) {
    return nearest(word.substr(0, word.find('=')), flags_of(app));
}

Result<void> parse_arguments(CLI::App& app, const std::vector<std::string>& words) {
    std::vector<std::string> reversed(words.rbegin(), words.rend());  // As CLI11 takes them.
    app.allow_extras();
    try {
        app.parse(std::move(reversed));
    } catch (const CLI::ParseError& error) {
        const std::string text = error.what();  // "--server: 1 required TEXT missing"
        return fail(
            ErrorCode::kInvalid,
            text.ends_with(" missing") ? text.substr(0, text.find(':')) + " needs a value" : text);
    }
    const std::vector<std::string> left = app.remaining();
    if (!left.empty() && left.front().starts_with('-') && left.front().size() > 1) {
        const std::string near = nearest_flag(app, left.front());
        return fail(
            ErrorCode::kInvalid,
            "unknown flag " + left.front() +
                (near.empty() ? "; --help lists those there are" : "; did you mean " + near + "?"));
    }
    if (!left.empty() && !app.get_prefix_command()) {
        return fail(ErrorCode::kInvalid, "'" + left.front() + "' is one argument too many");
    }
    return {};
}

}  // namespace reeve::cli
