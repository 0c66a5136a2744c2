#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace reeve::platform {

/// A line of the user database.
struct UserEntry {
    std::string name = {};
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::string home = {};
    std::string shell = {};
};

/// Asks the user database, which may be on the network: not from a thread that must not wait.
/// Errors: kNotFound; kUnavailable if it cannot be asked.
[[nodiscard]] Result<UserEntry> user_by_id(std::uint32_t uid);
[[nodiscard]] Result<UserEntry> user_by_name(const std::string& name);

/// Every group of the user, `gid` included.
[[nodiscard]] std::vector<std::uint32_t> groups_of(const std::string& user, std::uint32_t gid);

}  // namespace reeve::platform
