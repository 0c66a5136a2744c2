#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/instant.hpp"
#include "base/result.hpp"
#include "base/strong_id.hpp"

struct sqlite3;
struct sqlite3_stmt;

// A thin layer over SQLite's C interface: ownership, and its result codes as Errors.
namespace reeve::store_sqlite {

class Database;

/// A prepared statement. Used through a Run, which gives it back clean.
class Statement {
  public:
    Statement() noexcept = default;

  private:
    friend class Database;
    friend class Run;

    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };

    explicit Statement(sqlite3_stmt* statement) noexcept : handle_(statement) {}

    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

/// One execution of a statement: binds from the first parameter on, steps, and reads columns from
/// the first on. Resets the statement when it goes. What failed in binding is told by the next
/// step. Texts and blobs that are bound must live until then.
class Run {
  public:
    explicit Run(Statement& statement) noexcept : statement_(statement.handle_.get()) {}

    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    Run(Run&&) = delete;
    Run& operator=(Run&&) = delete;
    ~Run();

    Run& integer(std::int64_t value);
    Run& text(std::string_view value);
    Run& blob(std::string_view value);
    Run& null();

    /// As its bits: ids and hashes use all 64, and SQLite has signed integers only.
    Run& unsigned_integer(std::uint64_t value) { return integer(static_cast<std::int64_t>(value)); }

    template <class Tag>
    Run& id(StrongId<Tag> value) {
        return unsigned_integer(value.value());
    }

    Run& time(Instant value) { return integer(value.since_epoch().count()); }

    /// "" is stored as NULL, which takes no room.
    Run& text_or_null(std::string_view value) { return value.empty() ? null() : text(value); }

    /// True: a row is there to be read. False: it is done.
    [[nodiscard]] Result<bool> step();

    /// Steps a statement that gives no rows.
    [[nodiscard]] Result<void> finish();

    [[nodiscard]] std::int64_t read_integer();
    [[nodiscard]] std::string_view read_text();  // Valid until the next step.
    [[nodiscard]] bool read_is_null();           // Does not move on.

    [[nodiscard]] std::uint64_t read_unsigned() {
        return static_cast<std::uint64_t>(read_integer());
    }

    template <class Id>
    [[nodiscard]] Id read_id() {
        return Id(read_unsigned());
    }

    [[nodiscard]] Instant read_time() { return Instant(std::chrono::microseconds(read_integer())); }

    [[nodiscard]] std::string read_string() { return std::string(read_text()); }

    template <class Integer>
    [[nodiscard]] Integer read_as() {
        return static_cast<Integer>(read_integer());
    }

  private:
    sqlite3_stmt* statement_;
    int parameter_ = 0;
    int column_ = 0;
    int fault_ = 0;  // The first result code of a bind that was not SQLITE_OK.
};

enum class OpenMode : std::uint8_t {
    kReadOnly,
    kReadWrite,
    kCreate,  // As kReadWrite, and makes the file if it is missing, for its owner alone.
};

/// One connection. One thread uses it at a time.
class Database {
  public:
    /// Errors: as error_of() says, naming the path.
    [[nodiscard]] static Result<Database> open(const std::string& path, OpenMode mode);

    /// Runs statements that give no rows, or whose rows do not matter.
    [[nodiscard]] Result<void> execute(const std::string& sql);

    [[nodiscard]] Result<Statement> prepare(std::string_view sql);

    /// The one integer that `sql` gives. Errors: also kInternal if it gives none.
    [[nodiscard]] Result<std::int64_t> integer_of(std::string_view sql);

    /// How many rows the last statement inserted, updated or deleted.
    [[nodiscard]] std::int64_t changed_rows() const;

    [[nodiscard]] sqlite3* handle() const noexcept { return handle_.get(); }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

  private:
    struct Close {
        void operator()(sqlite3* handle) const noexcept;
    };

    std::unique_ptr<sqlite3, Close> handle_;
    std::string path_;
};

/// What SQLite said last, as an Error: kStorageFull (no room, or a disk that may not be written),
/// kUnavailable (busy, no such directory, no permission, input/output), kInternal (corrupt, not a
/// database, a bug). Corrupt data is never repaired here: the message says what to do instead.
[[nodiscard]] tl::unexpected<Error> error_of(sqlite3* handle, int code, std::string_view step);

/// Rolls back when it goes, unless it was committed.
class Transaction {
  public:
    /// Begins to write (BEGIN IMMEDIATE) or to read a stable state (BEGIN).
    [[nodiscard]] static Result<Transaction> begin_write(Database& database);
    [[nodiscard]] static Result<Transaction> begin_read(Database& database);

    Transaction(Transaction&& other) noexcept
        : database_(std::exchange(other.database_, nullptr)) {}

    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();

    [[nodiscard]] Result<void> commit();

  private:
    explicit Transaction(Database& database) noexcept : database_(&database) {}

    Database* database_;
};

}  // namespace reeve::store_sqlite
