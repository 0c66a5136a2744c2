#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "controller/scenario.hpp"
#include "controller/view.hpp"

// The nodes of a scenario.
namespace reeve::controller {

/// Drains, resumes, removes and adds what `what_if` says, and puts what ran on removed nodes into
/// `lost`. Errors: kNotFound, kInvalid.
[[nodiscard]] Result<void> change_nodes(View& view, const WhatIf& what_if, std::set<JobId>& lost);

/// Nothing holds it any more: its project, those above and the cluster have so much less.
void forget_usage(View& view, const Holding& holding);

/// "; did you mean 'n1'?", or "; there are: n1, n2, …".
[[nodiscard]] std::string those_there_are(
    const std::string& name, const std::vector<std::string>& names);

}  // namespace reeve::controller
