#include "cli/help.hpp"

#include <algorithm>
#include <memory>

namespace reeve::cli {
namespace {

/// CLI11's layout, in words of people: no types of C++, no ranges that it checks.
class HelpFormatter final : public CLI::Formatter {
  public:
    [[nodiscard]] std::string make_usage(const CLI::App* /*app*/, std::string name) const override {
        return "Usage: " + name + "\n";
    }

    [[nodiscard]] std::string make_option_name(
        const CLI::Option* option, bool is_positional) const override {
        std::string name = CLI::Formatter::make_option_name(option, is_positional);
        while (name.find('{') != std::string::npos) {  // "--watch{2s}": what it is without a value.
            name.erase(name.find('{'), name.find('}') - name.find('{') + 1);
        }
        return name;
    }

    [[nodiscard]] std::string make_option_opts(const CLI::Option* option) const override {
        const bool is_positional = option->get_lnames().empty() && option->get_snames().empty();
        const std::string type = option->get_type_name();
        std::string text;
        if (!type.empty()) {  // A flag has none.
            text = type.starts_with("UINT") || type.starts_with("INT") ? " NUMBER" : " TEXT";
        }
        if (is_positional) {
            return option->get_expected_max() > 1 ? "..." : "";
        }
        return option->get_required() ? text + " (required)" : text;
    }
};

}  // namespace

std::string help_text(CLI::App& app) {
    app.formatter(std::make_shared<HelpFormatter>());
    std::string text = app.help();
    for (std::size_t at = 0; (at = text.find("\n\n\n", at)) != std::string::npos;) {
        text.erase(at, 1);  // CLI11 leaves more lines empty than one.
    }
    text.erase(text.find_last_not_of('\n') + 1);
    return text + "\n";
}

bool has_flag(
    const CLI::App& app,
    const std::vector<std::string>& words,
    std::initializer_list<std::string_view> flags) {
    const auto is_it = [&](const std::string& word) {
        return std::ranges::find(flags, std::string_view(word)) != flags.end();
    };
    if (!app.get_prefix_command()) {
        return std::ranges::any_of(words, is_it);
    }
    for (std::size_t at = 0; at < words.size() && words[at].starts_with('-'); ++at) {
        const CLI::Option* flag = app.get_option_no_throw(words[at]);
        const bool has_value = flag != nullptr && flag->get_items_expected_min() > 0;
        if (is_it(words[at]) || (has_value && at + 1 < words.size() && is_it(words[at + 1]))) {
            return true;
        }
        at += has_value ? 1U : 0U;
    }
    return false;
}

bool wants_help(const CLI::App& app, const std::vector<std::string>& words) {
    return has_flag(app, words, {"-h", "--help"});
}

}  // namespace reeve::cli
