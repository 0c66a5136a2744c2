#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

// What `reeve server backup|restore|verify` do with a database.
namespace reeve::store_sqlite {

/// Writes a consistent copy of the database at `path` to the new file `target`, one file that needs
/// nothing beside it, durable on return. The server may run meanwhile and is not held up.
/// Errors: kConflict (`target` is there already), and those of open_sqlite().
[[nodiscard]] Result<void> backup(const std::string& path, const std::string& target);

/// Makes the database at `path` from the backup `source`, brought up to this schema. It begins a
/// new incarnation: job ids go on at the highest + 1,000,000, and old event cursors are void.
/// Errors: kConflict (a database is there already, or the backup's schema is newer), kInternal (the
/// backup is corrupt), and those of open_sqlite(). After an error nothing is at `path`.
[[nodiscard]] Result<void> restore(const std::string& source, const std::string& path);

struct Verification {
    std::uint64_t jobs = 0;
    std::uint64_t elements = 0;
    std::uint64_t changes = 0;

    /// What is wrong, a line each, a bounded number of them. Empty: nothing is.
    std::vector<std::string> problems = {};
};

/// Checks every page and index, and that the records fit together. Changes nothing; the server may
/// run meanwhile. Errors: those of open_sqlite(), where not even that can be checked.
[[nodiscard]] Result<Verification> verify(const std::string& path);

}  // namespace reeve::store_sqlite
