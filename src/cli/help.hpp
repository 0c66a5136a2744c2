#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace reeve::cli {

/// `reeve VERB --help`. The app's name is all that the usage line says.
[[nodiscard]] std::string help_text(CLI::App& app);

/// True if --help is among the words, and not as a part of the command that `run` takes.
[[nodiscard]] bool wants_help(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace reeve::cli
