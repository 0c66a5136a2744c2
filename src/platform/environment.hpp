#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace reeve::platform {

/// A variable of this process's environment; absent if it is not set. Not while another thread
/// sets one: nobody here does.
[[nodiscard]] std::optional<std::string> environment_variable(std::string_view name);

/// Where state is kept if nobody says otherwise: $STATE_DIRECTORY (systemd sets it to
/// /var/lib/reeve for the service), else $XDG_STATE_HOME/reeve, else ~/.local/state/reeve.
[[nodiscard]] std::string default_data_directory();

}  // namespace reeve::platform
