#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/result.hpp"

namespace reeve::cli {

/// Parses `words` (no program name) into what `app` is bound to. Anything left over is an error,
/// unless the app takes a prefix command or has positionals for it.
/// Errors: kInvalid; a flag that does not exist gets the nearest one suggested.
[[nodiscard]] Result<void> parse_arguments(CLI::App& app, const std::vector<std::string>& words);

/// "--gpus" for "--gpuss"; "" if nothing is near.
[[nodiscard]] std::string nearest_flag(const CLI::App& app, const std::string& word);

/// Long names of all flags of `app`, dashes included.
[[nodiscard]] std::vector<std::string> flags_of(const CLI::App& app);

}  // namespace reeve::cli
