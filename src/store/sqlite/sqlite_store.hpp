#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "ledger/reader.hpp"
#include "ledger/store.hpp"

namespace reeve::store_sqlite {

struct SqliteOptions {
    std::string path = {};  // Of the database; SQLite keeps "-wal" and "-shm" beside it.

    /// Up to this size the file is checked whole when it is opened; above it only its header, its
    /// schema and what is read anyway, as a check would take seconds (about 1 s per 500 MiB).
    std::uint64_t check_bytes_max = std::uint64_t{64} << 20U;

    std::uint64_t bytes_max = 0;  // The file may not grow above this; 0: as far as the disk goes.

    /// Of 4 KiB: the write-ahead log begins anew at about this size (64 MiB, as its file keeps).
    int log_pages_max = 16'000;

    /// An idempotency record goes when it is older than this, or when as many newer ones exist.
    std::uint64_t requests_max = 1'000'000;
    std::chrono::hours requests_kept = std::chrono::hours(24);
};

/// The ledger's store in one SQLite file: WAL, synchronous=FULL, one connection that writes and one
/// for each reader, and one that copies the log back on a thread of its own. The store is used by
/// one thread; open_reader() by any. The caller keeps other servers away with a lock of its own;
/// should one get in nevertheless, the epoch fences.
class SqliteStore : public ledger::Store, public ledger::ReaderSource {};

/// Opens the database, makes it if it is missing, and brings its schema up to date.
/// Errors: kConflict (a newer schema, another program's database), kInternal (corrupt: nothing was
/// changed), kStorageFull, kUnavailable.
[[nodiscard]] Result<std::unique_ptr<SqliteStore>> open_sqlite(const SqliteOptions& options);

}  // namespace reeve::store_sqlite
