#include "cli/usage.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace reeve::cli {
namespace {

/// Such as "Could not convert: --pid = x", "FILE is required".
std::string in_words_without_colon(const CLI::App& app, const std::string& text) {
    constexpr std::string_view kConvert = "Could not convert: ";
    constexpr std::string_view kIs = " = ";
    if (const std::size_t is = text.find(kIs);
        text.starts_with(kConvert) && is != std::string::npos) {
        const std::string name = text.substr(kConvert.size(), is - kConvert.size());
        const CLI::Option* option = app.get_option_no_throw(name);
        const bool is_flag = option != nullptr && option->get_type_name().empty();
        return is_flag ? name + " takes no value"
                       : name + ": '" + text.substr(is + kIs.size()) + "' is not a whole number";
    }
    constexpr std::string_view kRequired = " is required";
    if (text.ends_with(kRequired)) {
        return text.substr(0, text.size() - kRequired.size()) + " is missing";
    }
    constexpr std::string_view kOverride = " was given a disallowed flag override";
    if (text.ends_with(kOverride)) {
        return text.substr(0, text.size() - kOverride.size()) + " takes no value";
    }
    return text;
}

/// What CLI11 says of an argument, as we say it. What is not known is left as it is.
std::string in_words(const CLI::App& app, const std::string& text) {
    const std::size_t colon =
        text.starts_with("Could not convert: ") ? std::string::npos : text.find(": ");
    if (colon == std::string::npos) {
        return in_words_without_colon(app, text);
    }
    const std::string flag = text.substr(0, colon);
    const std::string said = text.substr(colon + 2);
    if (said.ends_with(" missing")) {  // "1 required TEXT missing"
        return flag + " needs a value";
    }
    if (said.starts_with("At Most 1 ")) {  // "At Most 1 required but received 2"
        return flag + " is given more than once; once is accepted";
    }
    if (said.starts_with("Should be true/false")) {
        return flag + " takes no value";
    }
    constexpr std::string_view kValue = "Value ";
    constexpr std::string_view kRange = " not in range ";
    if (const std::size_t range = said.find(kRange);
        said.starts_with(kValue) && range != std::string::npos) {  // "Value x not in range 1 to 9"
        return flag + ": '" + said.substr(kValue.size(), range - kValue.size()) +
               "' is not a number from " + said.substr(range + kRange.size());
    }
    constexpr std::string_view kNotIn = " not in {";
    if (const std::size_t list = said.find(kNotIn);
        list != std::string::npos && said.ends_with('}')) {  // "x not in {a,b}"
        std::string names;
        for (const std::string& name : split(
                 std::string_view(said).substr(
                     list + kNotIn.size(), said.size() - list - kNotIn.size() - 1),
                 ',')) {
            names += (names.empty() ? "" : ", ") + name;
        }
        return flag + ": '" + said.substr(0, list) + "' is none of " + names;
    }
    return text;
}

/// `-w=2s` as `--watch=2s`: only long flags take a value by "=".
void lengthen(const CLI::App& app, std::string& word) {
    const bool has_value = word.size() > 2 && word[0] == '-' && word[1] != '-' && word[2] == '=';
    const CLI::Option* option = has_value ? app.get_option_no_throw(word.substr(0, 2)) : nullptr;
    if (option != nullptr && !option->get_lnames().empty()) {
        word = "--" + option->get_lnames().front() + word.substr(2);
    }
}

}  // namespace

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

Result<void> parse_arguments(CLI::App& app, const std::vector<std::string>& words, Advice advice) {
    std::vector<std::string> reversed(words.rbegin(), words.rend());  // As CLI11 takes them.
    if (!app.get_prefix_command()) {
        std::ranges::for_each(reversed, [&app](std::string& word) { lengthen(app, word); });
    }
    app.allow_extras();
    try {
        app.parse(std::move(reversed));
    } catch (const CLI::ParseError& error) {
        return fail(ErrorCode::kInvalid, in_words(app, error.what()));
    }
    const std::vector<std::string> left = app.remaining();
    if (!left.empty() && left.front().starts_with('-') && left.front().size() > 1) {
        if (std::string known = advice == nullptr ? "" : advice(left); !known.empty()) {
            return fail(ErrorCode::kInvalid, std::move(known));
        }
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
