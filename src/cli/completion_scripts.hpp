#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace reeve::cli {

/// Names of the shells that there is a completion for.
[[nodiscard]] std::vector<std::string> completion_shells();

/// What that shell has to read, in its language; "" for a shell that is not known. It asks
/// `reeve __complete WORD…`, whose last word is the one under the cursor.
[[nodiscard]] std::string_view completion_script(std::string_view shell);

}  // namespace reeve::cli
