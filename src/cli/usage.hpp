#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/result.hpp"

namespace reeve::cli {

/// What to write in place of words that begin with a flag that does not exist; "" if unknown.
using Advice = std::string (*)(const std::vector<std::string>& words);

/// Parses `words` (no program name) into what `app` is bound to. Anything left over is an error,
/// unless the app takes a prefix command or has positionals for it.
/// Errors: kInvalid; for a flag that does not exist, what `advice` says, else the nearest one.
[[nodiscard]] Result<void> parse_arguments(
    CLI::App& app, const std::vector<std::string>& words, Advice advice = nullptr);

/// "--gpus" for "--gpuss"; "" if nothing is near.
[[nodiscard]] std::string nearest_flag(const CLI::App& app, const std::string& word);

/// Long names of all flags of `app`, dashes included.
[[nodiscard]] std::vector<std::string> flags_of(const CLI::App& app);

}  // namespace reeve::cli
