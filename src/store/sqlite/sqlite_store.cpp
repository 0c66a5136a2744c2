#include "store/sqlite/sqlite_store.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "ledger/event.hpp"
#include "platform/files.hpp"
#include "platform/os_random.hpp"
#include "store/sqlite/change_log.hpp"
#include "store/sqlite/change_writer.hpp"
#include "store/sqlite/checkpointer.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/database_files.hpp"
#include "store/sqlite/partial_file.hpp"
#include "store/sqlite/pruning.hpp"
#include "store/sqlite/recovery.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/sqlite_reader.hpp"

namespace reeve::store_sqlite {
namespace {

constexpr std::size_t kPackedBytesMax = 256 << 10;  // Of one row of changes, so that reading stays
                                                    // cheap.
constexpr std::uint64_t kRequestsPerPrune = 256;
constexpr std::size_t kClusterIdBytes = 16;
constexpr std::string_view kProbeRoom = "262144";  // Bytes.

class Store final : public SqliteStore {
  public:
    Store(SqliteOptions options, std::unique_ptr<Database> database, ChangeWriter writer)
        : options_(std::move(options)), database_(std::move(database)), writer_(std::move(writer)) {
        names_.user = [this](UserId id) { return name_in(writer_.names().users, id); };
        names_.project = [this](ProjectId id) { return name_in(writer_.names().projects, id); };
        names_.node = [this](NodeId id) { return name_in(writer_.names().nodes, id); };
        names_.owner = [this](JobId id) {
            return name_in(writer_.names().users, writer_.owner_of(id).value_or(UserId(0)));
        };
    }

    [[nodiscard]] Result<void> prepare();

    Result<ledger::StoreHeader> open_epoch() override;

    Result<std::vector<Arrivals>> arrivals() override { return read_arrivals(*database_); }

    Result<void> recover(const std::function<void(ledger::Recovered&&)>& each) override;
    Result<void> commit(std::uint64_t epoch, std::span<const ledger::Change> changes) override;
    Result<void> probe() override;
    Result<std::optional<model::StateCounts>> counts_of(JobId job) override;
    Result<std::optional<UserId>> owner_of(JobId job) override;
    Result<std::string> spec_of(JobId job) override;
    Result<std::optional<model::IdempotencyRecord>> request_of(
        UserId user, const std::string& key) override;
    Result<std::optional<model::ElementRecord>> attempt_of(
        const model::ElementKey& key, std::uint32_t attempt) override;
    Result<std::vector<PrunedTask>> prune(Instant before, std::size_t jobs_max) override;
    Result<std::unique_ptr<ledger::Reader>> open_reader() override;

  private:
    enum Index : std::uint8_t {
        kMeta,
        kUpdateMeta,
        kInsertChanges,
        kCountsOf,
        kSpecOf,
        kRequestOf,
        kAttemptOf,
        kStatements,
    };

    template <class Id>
    static std::string name_in(const std::map<Id, std::string>& names, Id id) {
        const auto found = names.find(id);
        return found == names.end() ? std::string() : found->second;
    }

    static std::string sql_of(Index index);

    [[nodiscard]] Statement& at(Index index) { return statements_.at(index); }

    [[nodiscard]] Result<ledger::StoreHeader> header();
    [[nodiscard]] Result<void> check_may_commit(
        std::uint64_t epoch, std::span<const ledger::Change> changes);
    [[nodiscard]] Result<void> write_all(std::span<const ledger::Change> changes);
    [[nodiscard]] Result<void> write_packed(Revision first, const ledger::Change& last);
    [[nodiscard]] Result<void> write_header(const ledger::Change& last);
    void reload_writer(Error& error);
    void note_ids(const ledger::Body& body);

    SqliteOptions options_;
    std::unique_ptr<Database> database_;
    ChangeWriter writer_;
    std::array<Statement, kStatements> statements_ = {};
    ledger::Names names_ = {};
    std::string packed_ = {};  // Kept for its memory.
    std::uint64_t last_job_ = 0;
    std::uint64_t last_allocation_ = 0;
    std::uint64_t new_requests_ = 0;  // Since they were last pruned.
    std::unique_ptr<Checkpointer> checkpointer_ = {};
};

std::string Store::sql_of(Index index) {
    switch (index) {
        case kMeta:
            return "SELECT cluster_id, incarnation, epoch, last_rev, last_at, last_job, "
                   "last_allocation, (SELECT coalesce(max(id), 0) FROM requests) FROM meta";
        case kUpdateMeta:
            return "UPDATE meta SET last_rev = ?, last_at = ?, last_job = max(last_job, ?), "
                   "last_allocation = max(last_allocation, ?)";
        case kInsertChanges:
            return "INSERT INTO changes (last_rev, first_rev, at, events) VALUES (?, ?, ?, ?)";
        case kCountsOf: return "SELECT counts, state FROM jobs WHERE id = ?";
        case kSpecOf:   return "SELECT spec FROM job_texts WHERE id = ?";
        case kRequestOf:
            return "SELECT " + std::string(kIdempotencyColumns) +
                   " FROM idempotency WHERE hash = ?";
        case kAttemptOf:
            return "SELECT " + std::string(kElementColumns) +
                   " FROM elements WHERE job = ? AND element = ? AND attempt = ?";
        case kStatements: break;
    }
    return {};
}

Result<void> Store::prepare() {
    for (std::size_t i = 0; i < kStatements; ++i) {
        auto statement = database_->prepare(sql_of(static_cast<Index>(i)));
        if (!statement) {
            return tl::unexpected(std::move(statement.error()));
        }
        statements_.at(i) = std::move(*statement);
    }
    auto checkpointer = Checkpointer::start(*database_, options_.log_pages_max);
    if (!checkpointer) {
        return tl::unexpected(std::move(checkpointer.error()));
    }
    checkpointer_ = std::move(*checkpointer);
    return {};
}

Result<ledger::StoreHeader> Store::header() {
    Run run(at(kMeta));
    auto has_row = run.step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    if (!*has_row) {
        return fail(
            ErrorCode::kInternal, "the database is corrupt; restore a backup", "meta is empty");
    }
    ledger::StoreHeader header;
    header.cluster_id = run.read_string();
    header.incarnation = run.read_unsigned();
    header.epoch = run.read_unsigned();
    header.last_rev = run.read_id<Revision>();
    header.last_at = run.read_time();
    header.last_job = run.read_id<JobId>();
    header.last_allocation = run.read_id<AllocationId>();
    header.last_request = run.read_id<model::RequestId>();
    return header;
}

Result<ledger::StoreHeader> Store::open_epoch() {
    auto transaction = Transaction::begin_write(*database_);
    if (!transaction) {
        return tl::unexpected(std::move(transaction.error()));
    }
    if (auto done = database_->execute("UPDATE meta SET epoch = epoch + 1"); !done) {
        return tl::unexpected(std::move(done.error()));
    }
    auto opened = header();
    if (!opened) {
        return opened;
    }
    if (auto done = transaction->commit(); !done) {
        return tl::unexpected(std::move(done.error()));
    }
    return opened;
}

Result<void> Store::recover(const std::function<void(ledger::Recovered&&)>& each) {
    return recover_all(*database_, each);
}

Result<void> Store::check_may_commit(std::uint64_t epoch, std::span<const ledger::Change> changes) {
    const auto newest = header();
    if (!newest) {
        return tl::unexpected(newest.error());
    }
    if (newest->epoch != epoch) {
        return fail(
            ErrorCode::kConflict, "another server has taken over this data",
            "epoch " + std::to_string(epoch) + " is fenced by " + std::to_string(newest->epoch));
    }
    std::uint64_t rev = newest->last_rev.value();
    for (const ledger::Change& change : changes) {
        if (change.rev.value() != ++rev) {
            return fail(
                ErrorCode::kInternal, "the changes do not follow each other",
                "revision " + std::to_string(change.rev.value()) + " came where " +
                    std::to_string(rev) + " follows");
        }
    }
    return {};
}

void Store::note_ids(const ledger::Body& body) {
    if (const auto* job = std::get_if<ledger::JobPut>(&body); job != nullptr && job->after) {
        last_job_ = std::max(last_job_, job->after->id.value());
    } else if (const auto* allocation = std::get_if<ledger::Put<model::AllocationRecord>>(&body);
               allocation != nullptr && allocation->after) {
        last_allocation_ = std::max(last_allocation_, allocation->after->id.value());
    } else if (std::holds_alternative<ledger::Put<model::IdempotencyRecord>>(body)) {
        ++new_requests_;
    }
}

Result<void> Store::write_packed(Revision first, const ledger::Change& last) {
    const auto done =
        Run(at(kInsertChanges)).id(last.rev).id(first).time(last.at).blob(packed_).finish();
    packed_.clear();
    return done;
}

Result<void> Store::write_header(const ledger::Change& last) {
    return Run(at(kUpdateMeta))
        .id(last.rev)
        .time(last.at)
        .unsigned_integer(last_job_)
        .unsigned_integer(last_allocation_)
        .finish();
}

Result<void> Store::write_all(std::span<const ledger::Change> changes) {
    packed_.clear();
    last_job_ = 0;
    last_allocation_ = 0;
    Revision first = changes.front().rev;
    for (const ledger::Change& change : changes) {
        if (auto done = writer_.write(change.body); !done) {
            return done;
        }
        note_ids(change.body);
        pack_event(ledger::event_of(change, names_), packed_);
        if (packed_.size() >= kPackedBytesMax || &change == &changes.back()) {
            if (auto done = write_packed(first, change); !done) {
                return done;
            }
            first = Revision(change.rev.value() + 1);
        }
    }
    if (new_requests_ >= std::min(kRequestsPerPrune, options_.requests_max)) {
        new_requests_ = 0;
        const RequestLimits limits{
            .kept_max = options_.requests_max,
            .before = changes.back().at + -std::chrono::microseconds(options_.requests_kept)};
        if (auto done = prune_requests(*database_, limits); !done) {
            return done;
        }
    }
    return writer_.write_counts().and_then([&] { return write_header(changes.back()); });
}

Result<void> Store::commit(std::uint64_t epoch, std::span<const ledger::Change> changes) {
    if (changes.empty()) {
        return {};
    }
    Result<void> done;
    {
        auto transaction = Transaction::begin_write(*database_);
        if (!transaction) {
            return tl::unexpected(std::move(transaction.error()));
        }
        done = check_may_commit(epoch, changes)
                   .and_then([&] { return write_all(changes); })
                   .and_then([&] { return transaction->commit(); });
    }
    if (!done) {
        reload_writer(done.error());
    }
    return done;
}

/// It may name, or have counted, what was undone.
void Store::reload_writer(Error& error) {
    if (auto loaded = writer_.reload(); !loaded) {
        error.context += "; then: " + loaded.error().context;
    }
}

Result<void> Store::probe() {
    // Takes room and writes it, then gives it back: an update in place could succeed on a full
    // disk. It also overwrites in the log what an earlier commit that failed may have left there.
    return database_
        ->execute(
            "INSERT OR REPLACE INTO probe VALUES (1, zeroblob(" + std::string(kProbeRoom) + "))")
        .and_then([&] { return database_->execute("DELETE FROM probe"); });
}

Result<std::optional<model::StateCounts>> Store::counts_of(JobId job) {
    Run run(at(kCountsOf));
    auto has_row = run.id(job).step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    if (!*has_row) {
        return std::optional<model::StateCounts>();
    }
    const std::string_view counts = run.read_text();
    return unpack_counts(counts, run.read_as<model::ElementState>());
}

Result<std::optional<UserId>> Store::owner_of(JobId job) {
    auto owner = writer_.owner_of(job);
    if (!owner) {
        return tl::unexpected(std::move(owner.error()));
    }
    return *owner == UserId(0) ? std::optional<UserId>() : std::optional(*owner);
}

Result<std::string> Store::spec_of(JobId job) {
    Run run(at(kSpecOf));
    auto has_row = run.id(job).step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    if (!*has_row) {
        return fail(ErrorCode::kNotFound, "there is no job " + to_string(job));
    }
    return run.read_string();
}

Result<std::optional<model::IdempotencyRecord>> Store::request_of(
    UserId user, const std::string& key) {
    Run run(at(kRequestOf));
    run.unsigned_integer(hash_of_request(user, key));
    auto has_row = run.step();
    for (; has_row && *has_row; has_row = run.step()) {
        auto request = read_idempotency(run);
        if (request.user == user && request.key == key) {
            return std::optional(std::move(request));
        }
    }
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    return std::optional<model::IdempotencyRecord>();
}

Result<std::optional<model::ElementRecord>> Store::attempt_of(
    const model::ElementKey& key, std::uint32_t attempt) {
    Run run(at(kAttemptOf));
    auto has_row = run.id(key.job).integer(key.index).integer(attempt).step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    return *has_row ? std::optional(read_element(run)) : std::optional<model::ElementRecord>();
}

Result<std::vector<ledger::Store::PrunedTask>> Store::prune(Instant before, std::size_t jobs_max) {
    auto pruned = prune_ended(*database_, writer_, before, jobs_max);
    if (!pruned) {
        reload_writer(pruned.error());
    }
    return pruned;
}

Result<std::unique_ptr<ledger::Reader>> Store::open_reader() {
    return open_sqlite_reader(options_.path);
}

/// Checks the file whole if that is quick. SQLite refuses by itself a file that is shorter than its
/// header says.
Result<void> check_pages(Database& database, std::uint64_t bytes_max) {
    const auto pages = database.integer_of("PRAGMA page_count");
    if (!pages) {
        return tl::unexpected(pages.error());
    }
    constexpr std::uint64_t kPageBytes = 4096;
    if (static_cast<std::uint64_t>(*pages) * kPageBytes > bytes_max) {
        return {};
    }
    return check_integrity(database);
}

Result<void> limit_size(Database& database, std::uint64_t bytes_max) {
    if (bytes_max == 0) {
        return {};
    }
    constexpr std::uint64_t kPageBytes = 4096;
    return database.execute(
        "PRAGMA max_page_count = " +
        std::to_string(std::max<std::uint64_t>(bytes_max / kPageBytes, 1)));
}

/// Under another name until it is whole: whatever kills this leaves no half of a database.
Result<void> make_database(const PartialFile& partial) {
    {
        auto database = Database::open(partial.path(), OpenMode::kCreate);
        if (!database) {
            return tl::unexpected(std::move(database.error()));
        }
        if (auto done = migrate(*database, platform::random_hex(kClusterIdBytes)); !done) {
            return done;
        }
    }
    return partial.publish();
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> open_sqlite(const SqliteOptions& options) {
    const auto present = find_database(options.path);
    if (!present) {
        return tl::unexpected(present.error());
    }
    const PartialFile partial(options.path);
    partial.remove();  // What was killed before it was whole, or just when it was.
    if (*present == Presence::kMissing) {
        if (auto made = make_database(partial); !made) {
            return tl::unexpected(std::move(made.error()));
        }
    }
    auto opened = Database::open(options.path, OpenMode::kReadWrite);
    if (!opened) {
        return tl::unexpected(std::move(opened.error()));
    }
    auto database = std::make_unique<Database>(std::move(*opened));
    // What is not ours, or not sound, is refused before anything is set, as settings are kept in
    // the file.
    auto checked = check_not_newer(*database)
                       .and_then([&] { return check_pages(*database, options.check_bytes_max); })
                       .and_then([&] { return migrate(*database, ""); })
                       .and_then([&] { return close_to_others(options.path); })
                       .and_then([&] { return set_up_writer(*database); })
                       .and_then([&] { return limit_size(*database, options.bytes_max); });
    if (!checked) {
        return tl::unexpected(std::move(checked.error()));
    }
    auto writer = ChangeWriter::prepare(*database);
    if (!writer) {
        return tl::unexpected(std::move(writer.error()));
    }
    auto store = std::make_unique<Store>(options, std::move(database), std::move(*writer));
    if (auto done = store->prepare(); !done) {
        return tl::unexpected(std::move(done.error()));
    }
    return store;
}

}  // namespace reeve::store_sqlite
