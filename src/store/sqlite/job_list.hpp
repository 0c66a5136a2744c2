#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ledger/reader.hpp"
#include "store/sqlite/database.hpp"

// Which jobs are on a page. Each filter has an index in which the wanted jobs stand in the order of
// the list, phase by phase; a page merges these runs. What no index covers (two filters at once) is
// checked job by job, a bounded number of times.
namespace reeve::store_sqlite {

/// Where a job stands in a list, lowest first: in the queue by its rank, then id; else by id alone,
/// negated where the newest comes first.
struct Rank {
    std::int64_t rank = 0;
    std::int64_t id = 0;

    friend auto operator<=>(const Rank&, const Rank&) = default;
};

struct RankPage {
    std::vector<Rank> ranks = {};
    std::optional<Rank> next = {};  // The last one that was looked at, if there may be more.
};

/// What a list is cut down to, in the store's own terms.
struct Wanted {
    std::optional<std::uint64_t> user = {};
    std::optional<std::uint64_t> project = {};
    std::optional<std::string> name = {};
    std::map<std::string, std::string> labels = {};
    std::vector<JobId> ids = {};
    std::set<model::ElementState> states = {};  // Empty: all.
};

/// One statement for each index. Use inside a read transaction.
class JobList {
  public:
    /// `database` outlives it and is not moved.
    [[nodiscard]] static Result<JobList> prepare(Database& database);

    /// Ranks after `after`, up to `limit`.
    [[nodiscard]] Result<RankPage> page(
        const Wanted& wanted,
        ledger::JobOrder order,
        const std::optional<Rank>& after,
        std::size_t limit);

    /// The rank of a job in a list of this order, from the one it has in the queue and its id; and
    /// the id again.
    [[nodiscard]] static Rank rank_of(ledger::JobOrder order, std::int64_t rank, JobId id);
    [[nodiscard]] static JobId id_of(ledger::JobOrder order, const Rank& rank);

  private:
    enum Index : std::uint8_t {
        kAll,
        kByPhase,
        kByUser,
        kByProject,
        kByName,
        kByLabel,
        kByRank,      // Of one phase, queued or held, and one rank.
        kQueueSame,   // The queue, of one class: the rest of a rank;
        kQueueAfter,  // and what comes after it.
        kIndexes,
    };

    /// A run of an index that holds wanted jobs in the order of the list.
    struct Source {
        Index index = kAll;
        std::int64_t key = 0;
        std::int64_t second_key = 0;
        Rank last = {};  // Read up to here.
        std::vector<Rank> buffer = {};
        std::size_t taken = 0;
        bool is_done = false;
    };

    struct Query {
        const Wanted& wanted;
        ledger::JobOrder order = ledger::JobOrder::kNewestFirst;
        Rank after = {};
        std::size_t limit = 0;
        bool checks_each = false;  // The sources hold more than what is wanted.
    };

    explicit JobList(Database& database) noexcept : database_(&database) {}

    static std::string sql_of(Index index, ledger::JobOrder order);

    [[nodiscard]] Statement& at(Index index, ledger::JobOrder order) {
        const bool is_descending = order == ledger::JobOrder::kNewestFirst;
        return (is_descending ? descending_ : ascending_).at(index);
    }

    [[nodiscard]] Result<std::vector<Source>> sources_of(Query& query);
    [[nodiscard]] Result<bool> add_phases(const Query& query, std::vector<Source>& sources);
    [[nodiscard]] Result<bool> add_pending(
        const Query& query, std::int64_t phase, std::vector<Source>& sources);
    [[nodiscard]] Result<void> refill(const Query& query, Source& source);
    [[nodiscard]] Result<void> read_ranks(
        const Query& query, Index index, Source& source, std::size_t count);
    [[nodiscard]] Result<std::optional<Rank>> take_next(
        const Query& query, std::vector<Source>& sources);
    [[nodiscard]] Result<bool> is_wanted(const Query& query, const Rank& rank);
    [[nodiscard]] Result<RankPage> merge(const Query& query, std::vector<Source> sources);
    [[nodiscard]] Result<RankPage> page_of_ids(const Query& query);
    [[nodiscard]] Result<std::optional<RankPage>> sorted_page(const Query& query);
    [[nodiscard]] Result<RankPage> cut(const Query& query, std::vector<Rank> ranks);

    /// The rank of a job that is wanted; nothing if it is not.
    [[nodiscard]] Result<std::optional<Rank>> check(const Query& query, JobId id);
    [[nodiscard]] Result<bool> has_texts(const Wanted& wanted, JobId id);

    Database* database_;
    std::array<Statement, kIndexes> ascending_ = {};
    std::array<Statement, kIndexes> descending_ = {};
    Statement next_rank_ = {};
    Statement facts_ = {};
    Statement texts_ = {};
};

}  // namespace reeve::store_sqlite
