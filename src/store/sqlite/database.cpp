#include "store/sqlite/database.hpp"

#include <cerrno>
#include <utility>

#include <sqlite3.h>

#include "store/sqlite/database_files.hpp"

namespace reeve::store_sqlite {
namespace {

constexpr int kBusyTimeoutMs = 5'000;

struct Meaning {
    ErrorCode code = ErrorCode::kInternal;
    std::string_view text = {};
};

Meaning meaning_of(int primary_code) {
    switch (primary_code) {
        case SQLITE_FULL:
            return {ErrorCode::kStorageFull, "no room is left for the database; make room"};
        case SQLITE_READONLY: return {ErrorCode::kStorageFull, "the database may not be written"};
        case SQLITE_CANTOPEN: return {ErrorCode::kUnavailable, "the database cannot be opened"};
        case SQLITE_PERM:
        case SQLITE_AUTH:     return {ErrorCode::kUnavailable, "no permission for the database"};
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {ErrorCode::kUnavailable, "the database is in use by another process"};
        case SQLITE_IOERR: return {ErrorCode::kUnavailable, "the disk under the database failed"};
        case SQLITE_CORRUPT:
            return {
                ErrorCode::kInternal,
                "the database is corrupt; nothing was changed: keep a copy of it, check the disk, "
                "and restore a backup with `reeve server restore`"};
        case SQLITE_NOTADB:
            return {
                ErrorCode::kInternal,
                "this file is not a database of reeve; nothing was changed: restore a backup with "
                "`reeve server restore`, or give another data directory"};
        default: return {ErrorCode::kInternal, "the database refused"};
    }
}

bool is_no_room(int error) {
    return error == ENOSPC || error == EDQUOT || error == EROFS;
}

}  // namespace

tl::unexpected<Error> error_of(sqlite3* handle, int code, std::string_view step) {
    const int primary = code & 0xFF;
    Meaning meaning = meaning_of(primary);
    // A write that the file system refuses for want of room comes as an input/output error.
    if (primary == SQLITE_IOERR && handle != nullptr && is_no_room(sqlite3_system_errno(handle))) {
        meaning = meaning_of(SQLITE_FULL);
    }
    std::string context(step);
    context += ": SQLite ";
    context += std::to_string(code);
    context += ": ";
    context += handle == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle);
    return fail(meaning.code, std::string(meaning.text), std::move(context));
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
    sqlite3_finalize(statement);  // Repeats the error of the last step, which was told then.
}

Run::~Run() {
    if (statement_ != nullptr) {
        sqlite3_reset(statement_);  // Likewise.
    }
}

Run& Run::integer(std::int64_t value) {
    const int code = sqlite3_bind_int64(statement_, ++parameter_, value);
    fault_ = fault_ == SQLITE_OK ? code : fault_;
    return *this;
}

Run& Run::text(std::string_view value) {
    const int code = sqlite3_bind_text64(
        statement_, ++parameter_, value.data() == nullptr ? "" : value.data(), value.size(),
        SQLITE_STATIC, SQLITE_UTF8);
    fault_ = fault_ == SQLITE_OK ? code : fault_;
    return *this;
}

Run& Run::blob(std::string_view value) {
    const int code = sqlite3_bind_blob64(
        statement_, ++parameter_, value.data() == nullptr ? "" : value.data(), value.size(),
        SQLITE_STATIC);
    fault_ = fault_ == SQLITE_OK ? code : fault_;
    return *this;
}

Run& Run::null() {
    const int code = sqlite3_bind_null(statement_, ++parameter_);
    fault_ = fault_ == SQLITE_OK ? code : fault_;
    return *this;
}

Result<bool> Run::step() {
    column_ = 0;
    const int code = fault_ == SQLITE_OK ? sqlite3_step(statement_) : fault_;
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code == SQLITE_DONE) {
        return false;
    }
    return error_of(sqlite3_db_handle(statement_), code, sqlite3_sql(statement_));
}

Result<void> Run::finish() {
    auto stepped = step();
    if (!stepped) {
        return tl::unexpected(std::move(stepped.error()));
    }
    return {};
}

std::int64_t Run::read_integer() {
    return sqlite3_column_int64(statement_, column_++);
}

std::string_view Run::read_text() {
    const int column = column_++;
    const void* bytes = sqlite3_column_blob(statement_, column);  // Of a text, its UTF-8.
    const int size = sqlite3_column_bytes(statement_, column);
    return bytes == nullptr
               ? std::string_view()
               : std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

bool Run::read_is_null() {
    return sqlite3_column_type(statement_, column_) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* handle) const noexcept {
    sqlite3_close_v2(handle);
}

Result<Database> Database::open(const std::string& path, OpenMode mode) {
    // Without its own statistics, SQLite takes no lock at each allocation. It refuses (and nothing
    // is lost but some speed) if somebody else has used it before.
    static const int configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    static_cast<void>(configured);
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
    switch (mode) {
        case OpenMode::kReadOnly:  flags |= SQLITE_OPEN_READONLY; break;
        case OpenMode::kReadWrite: flags |= SQLITE_OPEN_READWRITE; break;
        case OpenMode::kCreate:    flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE; break;
    }
    if (mode == OpenMode::kCreate) {
        make_private_file(path);
    }
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
    Database database;
    database.handle_.reset(handle);
    database.path_ = path;
    if (code != SQLITE_OK) {
        return error_of(handle, code, "open " + path);
    }
    sqlite3_busy_timeout(handle, kBusyTimeoutMs);
    return database;
}

Result<void> Database::execute(const std::string& sql) {
    const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        return error_of(handle_.get(), code, path_ + ": " + sql);
    }
    return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(
        handle_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
        &statement, nullptr);
    if (code != SQLITE_OK) {
        return error_of(handle_.get(), code, path_ + ": " + std::string(sql));
    }
    return Statement(statement);
}

Result<std::int64_t> Database::integer_of(std::string_view sql) {
    auto statement = prepare(sql);
    if (!statement) {
        return tl::unexpected(std::move(statement.error()));
    }
    Run run(*statement);
    auto has_row = run.step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    if (!*has_row) {
        return fail(ErrorCode::kInternal, "the database has no answer", std::string(sql));
    }
    return run.read_integer();
}

std::int64_t Database::changed_rows() const {
    return sqlite3_changes64(handle_.get());
}

Result<Transaction> Transaction::begin_write(Database& database) {
    if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) {
        return tl::unexpected(std::move(begun.error()));
    }
    return Transaction(database);
}

Result<Transaction> Transaction::begin_read(Database& database) {
    if (auto begun = database.execute("BEGIN"); !begun) {
        return tl::unexpected(std::move(begun.error()));
    }
    return Transaction(database);
}

Result<void> Transaction::commit() {
    auto done = database_->execute("COMMIT");
    if (done) {
        database_ = nullptr;
    }
    return done;
}

Transaction::~Transaction() {
    // Some errors roll back by themselves; then there is nothing left to do.
    if (database_ != nullptr && sqlite3_get_autocommit(database_->handle()) == 0) {
        sqlite3_exec(database_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
}

}  // namespace reeve::store_sqlite
