#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

// The files of a database, before SQLite opens them.
namespace reeve::store_sqlite {

[[nodiscard]] std::string directory_of(const std::string& path);

/// The database at `path`, and what SQLite keeps beside it.
[[nodiscard]] std::vector<std::string> files_of(const std::string& path);

enum class Presence : std::uint8_t { kMissing, kThere };

/// Whether there is a database at `path`. Errors: kInternal of one that is empty, or gone while its
/// log is there: SQLite would make a new one of either. Nothing is changed.
[[nodiscard]] Result<Presence> find_database(const std::string& path);

/// Makes the file, for its owner alone: specs have environments with secrets in them, and SQLite
/// gives what it keeps beside a file the file's own mode. One that is there stays.
void make_private_file(const std::string& path);

/// Takes what others may do to the files of the database from them. Errors: as fail_errno().
[[nodiscard]] Result<void> close_to_others(const std::string& path);

}  // namespace reeve::store_sqlite
