#include "platform/identity.hpp"

#include <array>

#include <grp.h>
#include <pwd.h>
#include <sys/types.h>

#include "platform/system_error.hpp"

namespace reeve::platform {
namespace {

constexpr std::size_t kEntryBytesMax = 1 << 16;
constexpr int kGroupsMax = 65536;  // NGROUPS_MAX of Linux.

Result<UserEntry> entry_of(int error, const passwd* found, const std::string& who) {
    if (error != 0) {
        return fail(ErrorCode::kUnavailable, "cannot look up " + who + ": " + error_text(error));
    }
    if (found == nullptr) {
        return fail(ErrorCode::kNotFound, "there is no " + who + " on this machine");
    }
    return UserEntry{found->pw_name, found->pw_uid, found->pw_gid, found->pw_dir, found->pw_shell};
}

}  // namespace

Result<UserEntry> user_by_id(std::uint32_t uid) {
    std::vector<char> buffer(kEntryBytesMax);
    passwd entry = {};
    passwd* found = nullptr;
    const int error = getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    return entry_of(error, found, "user with uid " + std::to_string(uid));
}

Result<UserEntry> user_by_name(const std::string& name) {
    std::vector<char> buffer(kEntryBytesMax);
    passwd entry = {};
    passwd* found = nullptr;
    const int error = getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    return entry_of(error, found, "user " + name);
}

std::vector<std::uint32_t> groups_of(const std::string& user, std::uint32_t gid) {
    std::vector<gid_t> groups(64);
    while (true) {
        int count = static_cast<int>(groups.size());
        if (getgrouplist(user.c_str(), gid, groups.data(), &count) >= 0) {
            groups.resize(static_cast<std::size_t>(count));
            return {groups.begin(), groups.end()};
        }
        if (count > kGroupsMax || groups.size() >= static_cast<std::size_t>(kGroupsMax)) {
            return {gid};
        }
        groups.resize(groups.size() * 2);
    }
}

}  // namespace reeve::platform
