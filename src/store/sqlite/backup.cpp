#include "store/sqlite/backup.hpp"

#include <memory>
#include <utility>

#include <sqlite3.h>
#include <unistd.h>

#include "platform/files.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/database_files.hpp"
#include "store/sqlite/partial_file.hpp"
#include "store/sqlite/schema.hpp"

namespace reeve::store_sqlite {
namespace {

/// All pages of `from` into the empty `to`.
Result<void> copy_pages(Database& from, Database& to) {
    sqlite3_backup* const copy = sqlite3_backup_init(to.handle(), "main", from.handle(), "main");
    if (copy == nullptr) {
        return error_of(to.handle(), sqlite3_extended_errcode(to.handle()), "copy " + from.path());
    }
    const int stepped = sqlite3_backup_step(copy, -1);
    const int finished = sqlite3_backup_finish(copy);
    if (stepped != SQLITE_DONE || finished != SQLITE_OK) {
        return error_of(
            to.handle(), finished == SQLITE_OK ? stepped : finished,
            "copy " + from.path() + " to " + to.path());
    }
    return {};
}

/// Into one file, without a log beside it.
Result<void> copy_database(const std::string& from, const std::string& to) {
    auto source = open_reading(from);
    if (!source) {
        return tl::unexpected(std::move(source.error()));
    }
    if (auto known = check_not_newer(*source); !known) {
        return known;
    }
    auto target = Database::open(to, OpenMode::kCreate);
    if (!target) {
        return tl::unexpected(std::move(target.error()));
    }
    return copy_pages(*source, *target).and_then([&] {
        return target->execute("PRAGMA synchronous = FULL; PRAGMA journal_mode = DELETE;");
    });
}

/// A missing file would be a fresh database to SQLite.
Result<void> check_exists(const std::string& path) {
    if (!platform::path_exists(path)) {
        return fail(ErrorCode::kNotFound, path + " does not exist");
    }
    return {};
}

Result<void> begin_incarnation(const std::string& path) {
    auto database = Database::open(path, OpenMode::kReadWrite);
    if (!database) {
        return tl::unexpected(std::move(database.error()));
    }
    auto checked = check_integrity(*database);
    if (!checked) {
        return checked;
    }
    return migrate(*database, "").and_then([&] {
        return database->execute(
            "UPDATE meta SET incarnation = incarnation + 1, last_job = last_job + 1000000;");
    });
}

}  // namespace

Result<void> backup(const std::string& path, const std::string& target) {
    if (auto exists = check_exists(path); !exists) {
        return exists;
    }
    if (platform::path_exists(target)) {
        return fail(ErrorCode::kConflict, target + " is there already; give a new file");
    }
    const std::string directory = directory_of(target);
    if (!platform::path_exists(directory)) {
        return fail(
            ErrorCode::kNotFound,
            "there is no folder " + directory + "; make it, or name a file in another");
    }
    if (!platform::is_directory(directory) || ::access(directory.c_str(), W_OK | X_OK) != 0) {
        return fail(
            ErrorCode::kForbidden, "the server may not write to " + directory +
                                       "; let its user do so, or name a file in another folder");
    }
    const PartialFile partial(target);
    return copy_database(path, partial.path()).and_then([&] { return partial.publish(); });
}

Result<void> restore(const std::string& source, const std::string& path) {
    if (auto exists = check_exists(source); !exists) {
        return exists;
    }
    if (platform::path_exists(path)) {
        return fail(
            ErrorCode::kConflict, path + " is there already; restore into an empty data directory");
    }
    const auto present = find_database(path);
    if (!present) {  // Its log would be taken for that of the backup.
        return tl::unexpected(present.error());
    }
    const PartialFile partial(path);
    return copy_database(source, partial.path())
        .and_then([&] { return begin_incarnation(partial.path()); })
        .and_then([&] { return partial.publish(); });
}

}  // namespace reeve::store_sqlite
