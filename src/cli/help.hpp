#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

namespace reeve::cli {

/// `reeve VERB --help`. The app's name is all that the usage line says.
[[nodiscard]] std::string help_text(CLI::App& app);

/// True if one of these flags is among the words, and not as a part of the command that `run`
/// takes.
[[nodiscard]] bool has_flag(
    const CLI::App& app,
    const std::vector<std::string>& words,
    std::initializer_list<std::string_view> flags);

/// Likewise, of --help.
[[nodiscard]] bool wants_help(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace reeve::cli
