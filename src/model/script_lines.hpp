#pragma once

#include <string_view>

namespace reeve::model {

/// True if one of the comment lines at the head of a script is meant for sbatch.
[[nodiscard]] bool has_sbatch_lines(std::string_view script);

}  // namespace reeve::model
