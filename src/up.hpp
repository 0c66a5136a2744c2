#pragma once

#include <string>
#include <vector>

namespace reeve {

/// `reeve up`: runs a server until SIGINT, SIGTERM or SIGHUP. The exit code. To be called before
/// any thread exists.
[[nodiscard]] int run_up(const std::vector<std::string>& arguments);

}  // namespace reeve
