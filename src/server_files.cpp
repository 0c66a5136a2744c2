#include "server_files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include <sys/stat.h>
#include <unistd.h>

#include "platform/files.hpp"
#include "platform/system_error.hpp"
#include "server.hpp"
#include "store/sqlite/backup.hpp"
#include "token_file.hpp"

namespace reeve {

Error about(const std::string& file, Error error) {
    const bool is_named = error.message.find(file) != std::string::npos;
    const int why = !platform::path_exists(file) || access(file.c_str(), R_OK) == 0 ? 0 : errno;
    error.message = (is_named ? "" : file + ": ") + error.message;
    if (why != 0) {
        error.code = ErrorCode::kForbidden;
        error.message += ": " + platform::error_text(why);
    }
    return error;
}

Result<void> make_data_directory(const std::string& path) {
    constexpr mode_t kPrivate = 0700;
    constexpr mode_t kReachable = 0111;  // By name alone, such as the socket's.
    const bool serves_all = geteuid() == 0;
    Result<void> made =
        platform::make_directories(path, serves_all ? kPrivate | kReachable : kPrivate);
    struct stat found = {};
    if (!made || !serves_all || stat(path.c_str(), &found) != 0 ||
        (found.st_mode & kReachable) == kReachable) {
        return made;
    }
    const mode_t mode = (found.st_mode & 07777U) | kReachable;
    return chmod(path.c_str(), mode) == 0
               ? made
               : platform::fail_errno("cannot let other users reach " + path + kSocketFile);
}

Result<std::string> DataDirectory::restore(
    const std::string& data_directory, const std::string& from) {
    const bool is_new = !platform::path_exists(data_directory);
    if (Result<void> made = make_data_directory(data_directory); !made) {
        return tl::unexpected<Error>(std::move(made.error()));
    }
    const Result<platform::FileLock> lock = platform::FileLock::acquire(data_directory + kLockFile);
    if (!lock) {
        return tl::unexpected<Error>(lock.error());
    }
    const std::string database = data_directory + kDatabaseFile;
    constexpr auto kParts = std::to_array<std::string_view>({"", "-wal", "-journal"});
    const auto* const part = std::ranges::find_if(kParts, [&](std::string_view end) {
        return platform::path_exists(database + std::string(end));
    });
    if (part != kParts.end()) {  // Also a log without its database.
        const std::string aside = data_directory + "/old";
        return fail(
            ErrorCode::kConflict, database + std::string(*part) +
                                      " is there; move it aside first: mkdir " + aside + " && mv " +
                                      database + "* " + aside + "/");
    }
    const Result<void> restored = store_sqlite::restore(from, data_directory + kDatabaseFile);
    if (!restored) {
        if (is_new) {  // Nothing of a restore that did not happen stays.
            std::remove((data_directory + kLockFile).c_str());
            rmdir(data_directory.c_str());
        }
        return tl::unexpected<Error>(about(from, restored.error()));
    }
    return "restored " + from + " to " + data_directory +
           "; job ids go on 1,000,000 higher. Start it with: reeve up --data " + data_directory;
}

Result<cli::DatabaseCheck> DataDirectory::verify(const std::string& file) {
    Result<store_sqlite::Verification> found = store_sqlite::verify(file);
    if (!found) {
        return tl::unexpected<Error>(about(file, found.error()));
    }
    return cli::DatabaseCheck{
        .jobs = static_cast<std::int64_t>(found->jobs),
        .elements = static_cast<std::int64_t>(found->elements),
        .changes = static_cast<std::int64_t>(found->changes),
        .problems = std::move(found->problems)};
}

Result<std::string> DataDirectory::make_token(
    const std::string& data_directory, const std::string& user) {
    return reeve::make_token(data_directory + kTokensFile, user);
}

}  // namespace reeve
