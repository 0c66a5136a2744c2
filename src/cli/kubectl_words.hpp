#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

// "get jobs", "describe job 7", "delete job 7": verbs of kubectl, for hands that know them.
namespace reeve::cli {

[[nodiscard]] bool is_kubectl_verb(std::string_view word);

/// "q 7" of "get job 7" and of "get job/7". `words` begins with a verb of kubectl.
/// Errors: kInvalid, with what that verb takes.
[[nodiscard]] Result<std::vector<std::string>> from_kubectl(const std::vector<std::string>& words);

/// `reeve get --help`.
[[nodiscard]] std::string kubectl_help(std::string_view verb);

}  // namespace reeve::cli
