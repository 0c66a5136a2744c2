#include "store/sqlite/database_files.hpp"

#include <algorithm>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>

#include "platform/system_error.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::store_sqlite {
namespace {

constexpr mode_t kPrivate = 0600;
constexpr mode_t kOfOthers = 0077;

std::optional<struct stat> look_at(const std::string& path) {
    struct stat found = {};
    return stat(path.c_str(), &found) == 0 ? std::optional(found) : std::nullopt;
}

}  // namespace

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) {
        return ".";
    }
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::vector<std::string> files_of(const std::string& path) {
    return {path, path + "-journal", path + "-wal", path + "-shm"};
}

Result<Presence> find_database(const std::string& path) {
    const std::string what_to_do =
        "; nothing was changed: restore a backup with `reeve server restore`, or, to begin anew "
        "without the jobs that it had, move " +
        path + "* aside";
    if (const auto found = look_at(path); found) {
        // No server makes one: a new database gets its name when it is whole.
        return found->st_size > 0
                   ? Result<Presence>(Presence::kThere)
                   : fail(ErrorCode::kInternal, "the database " + path + " is empty" + what_to_do);
    }
    const std::vector<std::string> files = files_of(path);
    const auto left = std::ranges::find_if(files, [](const std::string& file) {
        const auto found = look_at(file);
        return found && found->st_size > 0;
    });
    return left == files.end()
               ? Result<Presence>(Presence::kMissing)
               : fail(
                     ErrorCode::kInternal, "the database " + path + " is gone, though " + *left +
                                               " is there" + what_to_do);
}

void make_private_file(const std::string& path) {
    // Why it cannot be made SQLite says when it opens it.
    const platform::UniqueFd made(
        open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kPrivate));
}

Result<void> close_to_others(const std::string& path) {
    for (const std::string& file : files_of(path)) {
        const auto found = look_at(file);
        if (found && (found->st_mode & kOfOthers) != 0 && chmod(file.c_str(), kPrivate) != 0) {
            return platform::fail_errno("cannot keep others from reading " + file);
        }
    }
    return {};
}

}  // namespace reeve::store_sqlite
