#include "store/sqlite/connection.hpp"

#include <utility>

namespace reeve::store_sqlite {
namespace {

// No mmap_size on either: a disk that fails under a mapped page is a SIGBUS, not an error.

// Pages are 4 KiB. wal_autocheckpoint: the log is copied back beside the writer (Checkpointer).
// secure_delete is on in Debian's build, and would write every freed page.
constexpr const char* kWriterSettings = R"sql(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = 0;
PRAGMA journal_size_limit = 67108864;
PRAGMA secure_delete = OFF;
PRAGMA foreign_keys = OFF;
PRAGMA recursive_triggers = OFF;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -32768;
)sql";

constexpr const char* kReaderSettings = R"sql(
PRAGMA query_only = ON;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -4096;
)sql";

}  // namespace

Result<void> set_up_writer(Database& database) {
    return database.execute(kWriterSettings);
}

Result<Database> open_reading(const std::string& path) {
    auto database = Database::open(path, OpenMode::kReadOnly);
    if (!database) {
        return database;
    }
    if (auto done = database->execute(kReaderSettings); !done) {
        return tl::unexpected(std::move(done.error()));
    }
    return database;
}

}  // namespace reeve::store_sqlite
