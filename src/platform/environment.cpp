#include "platform/environment.hpp"

#include <cstdlib>

#include <unistd.h>

#include "platform/identity.hpp"

namespace reeve::platform {

std::optional<std::string> environment_variable(std::string_view name) {
    const char* value = std::getenv(std::string(name).c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::string default_data_directory() {
    if (const auto service = environment_variable("STATE_DIRECTORY"); service) {
        return *service;
    }
    if (const auto state = environment_variable("XDG_STATE_HOME");
        state && state->starts_with('/')) {
        return *state + "/reeve";
    }
    const auto home = environment_variable("HOME");
    if (home && home->starts_with('/')) {
        return *home + "/.local/state/reeve";
    }
    const auto user = user_by_id(getuid());
    return user ? user->home + "/.local/state/reeve" : "/var/lib/reeve";
}

}  // namespace reeve::platform
