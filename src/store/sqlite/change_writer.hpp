#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "ledger/change.hpp"
#include "ledger/event.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/rows.hpp"

namespace reeve::store_sqlite {

/// The names that events show, as of what was written last.
struct KnownNames {
    std::map<UserId, std::string> users = {};
    std::map<ProjectId, std::string> projects = {};
    std::map<NodeId, std::string> nodes = {};
};

/// Writes changes into the tables of records, inside the caller's transaction, which ends with
/// write_counts(). After an error, or a rollback, call reload() before the next write.
class ChangeWriter {
  public:
    /// `database` outlives it and is not moved.
    [[nodiscard]] static Result<ChangeWriter> prepare(Database& database);

    /// Reads the names, and forgets what was not counted.
    [[nodiscard]] Result<void> reload();

    [[nodiscard]] Result<void> write(const ledger::Body& body);

    [[nodiscard]] const KnownNames& names() const noexcept { return names_; }

    /// Whose job it is; UserId(0) if there is none.
    [[nodiscard]] Result<UserId> owner_of(JobId job);

    /// Deletes a job with its texts, labels and elements. The allocations stay.
    [[nodiscard]] Result<void> remove_job(JobId job, const std::string& packed_labels);

    /// Notes of each request how many jobs more or fewer ask for it, and deletes those that no job
    /// asks for any more. Once for all of a transaction, as most of its jobs ask for the same.
    [[nodiscard]] Result<void> write_counts();

  private:
    enum Index : std::uint8_t {
        kPutUser,
        kPutRequest,
        kPutGpuModel,
        kPutProject,
        kPutAccount,
        kPutNode,
        kPutNodeGpu,
        kInsertJob,
        kInsertTexts,
        kInsertLabel,
        kUpdateJob,
        kUpdateJobIndexed,
        kPutElement,
        kPutAllocation,
        kPutBooking,
        kPutControl,
        kInsertIdempotency,
        kPutRunStats,
        kPutForecast,
        kPutOutcome,
        kDeleteUser,
        kDeleteRequest,
        kCountRequest,
        kDropUnasked,
        kDeleteGpuModel,
        kDeleteProject,
        kDeleteAccount,
        kDeleteNode,
        kDeleteNodeGpus,
        kDeleteJob,
        kDeleteTexts,
        kDeleteLabel,
        kDeleteElements,
        kDeleteElement,
        kDeleteControl,
        kDeleteControls,
        kDeleteAllocation,
        kDeleteBooking,
        kFindIdempotency,
        kDeleteIdempotency,
        kDeleteRunStats,
        kDeleteForecast,
        kDeleteOutcome,
        kOwner,
        kLabelsOf,
        kStatements,
    };

    static std::string sql_of(Index index);

    explicit ChangeWriter(Database& database) noexcept : database_(&database) {}

    [[nodiscard]] Statement& at(Index index) { return statements_.at(index); }

    template <class Record>
    [[nodiscard]] Result<void> put_or_delete(
        const ledger::Put<Record>& put, Index put_index, Index delete_index);

    [[nodiscard]] Result<void> write_one(const ledger::Put<model::UserRecord>& put);
    [[nodiscard]] Result<void> write_one(const ledger::Put<model::RequestRecord>& put);
    [[nodiscard]] Result<void> write_one(const ledger::Put<model::GpuModelRecord>& put);
    [[nodiscard]] Result<void> write_one(const ledger::Put<model::ProjectRecord>& put);
    [[nodiscard]] Result<void> write_one(const ledger::Put<model::AccountRecord>& put);
    [[nodiscard]] Result<void> write_one(const ledger::Put<model::NodeRecord>& put);
    [[nodiscard]] Result<void> write_one(const ledger::JobPut& put);
    [[nodiscard]] Result<void> write_one(const ledger::ElementPut& put);
    [[nodiscard]] Result<void> write_one(const ledger::Put<model::AllocationRecord>& put);
    [[nodiscard]] Result<void> write_one(const ledger::Put<model::ControlRecord>& put);
    [[nodiscard]] Result<void> write_one(const ledger::Put<model::IdempotencyRecord>& put);
    [[nodiscard]] Result<void> write_one(const ledger::Put<model::BookingRecord>& put);
    [[nodiscard]] Result<void> write_one(const ledger::Put<ledger::RunStatsRecord>& put);
    [[nodiscard]] Result<void> write_one(const ledger::Put<ledger::ForecastRecord>& put);
    [[nodiscard]] Result<void> write_one(const ledger::Put<ledger::OutcomeRecord>& put);

    [[nodiscard]] Result<void> insert_job(
        const model::JobRecord& job, const ledger::JobTexts& texts);
    [[nodiscard]] Result<void> update_job(
        const model::JobRecord& before, const model::JobRecord& after);
    [[nodiscard]] Result<void> delete_job(JobId job);
    [[nodiscard]] Result<void> delete_by_id(Index index, std::uint64_t id);
    [[nodiscard]] Result<void> delete_idempotency(const model::IdempotencyRecord& request);

    Database* database_;
    std::array<Statement, kStatements> statements_ = {};
    KnownNames names_ = {};
    std::map<model::RequestId, std::int64_t> request_jobs_ = {};  // So many more, not written yet.
    Packed packed_ = {};
};

}  // namespace reeve::store_sqlite
