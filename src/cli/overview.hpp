#pragma once

#include "cli/session.hpp"

namespace reeve::cli {

/// `reeve` alone: the server and its free GPUs, what the caller runs, what waits, the quota if
/// there is one, and what to type next. Five lines at most. Errors: as of the requests.
[[nodiscard]] Result<int> print_overview(Session& session);

}  // namespace reeve::cli
