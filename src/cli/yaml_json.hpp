#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace reeve::cli {

/// Each YAML document (JSON is YAML) as JSON text; empty ones are left out. Under the top-level
/// keys `texts` a number is taken for its text. At most 32 levels and 100,000 values. Errors:
/// kInvalid: not YAML; kTooLarge.
[[nodiscard]] Result<std::vector<std::string>> json_of_yaml(
    std::string_view yaml, const std::set<std::string>& texts);

}  // namespace reeve::cli
