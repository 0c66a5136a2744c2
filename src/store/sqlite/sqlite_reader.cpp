#include "store/sqlite/sqlite_reader.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/sqlite/change_log.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/job_list.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/schema.hpp"

namespace reeve::store_sqlite {
namespace {

using ElementCursor = std::optional<std::pair<std::uint32_t, std::uint32_t>>;

class SqliteReader final : public ledger::Reader {
  public:
    SqliteReader(std::unique_ptr<Database> database, JobList list)
        : database_(std::move(database)), list_(std::move(list)) {}

    [[nodiscard]] Result<void> prepare();

    Result<ledger::JobPage> jobs(
        const ledger::JobFilter& filter,
        ledger::JobOrder order,
        const std::optional<ledger::JobCursor>& after,
        std::size_t limit) override;
    Result<ledger::JobRow> job(JobId id) override;
    Result<std::string> spec(JobId id) override;
    Result<ledger::ElementPage> elements(
        JobId id, const ElementCursor& after, std::size_t limit) override;
    Result<std::optional<model::AllocationRecord>> allocation(AllocationId id) override;
    Result<std::vector<model::ControlRecord>> controls(JobId id, std::size_t limit) override;
    Result<std::uint64_t> position(std::int64_t rank, JobId id) override;
    Result<std::vector<std::uint64_t>> positions(
        const std::vector<ledger::JobCursor>& jobs) override;
    Result<ledger::EventPage> events(Revision since, std::size_t limit) override;
    Result<std::pair<std::uint64_t, Revision>> head() override;

  private:
    enum Index : std::uint8_t {
        kHead,
        kUserId,
        kProjectId,
        kJob,
        kUserName,
        kProjectName,
        kRequest,
        kLastAttempt,
        kSpec,
        kElements,
        kAllocation,
        kBeforeRank,
        kBeforeId,
        kQueueFront,
        kControls,
        kChanges,
        kStatements,
    };

    static std::string sql_of(Index index);

    [[nodiscard]] Statement& at(Index index) { return statements_.at(index); }

    [[nodiscard]] Result<std::optional<std::uint64_t>> id_named(
        Index index, const std::string& name);
    [[nodiscard]] Result<Transaction> begin();
    [[nodiscard]] Result<std::string> name_of(Index index, std::uint64_t id);
    [[nodiscard]] Result<model::RequestRecord> request_of(model::RequestId id);
    [[nodiscard]] Result<std::optional<Wanted>> wanted_of(const ledger::JobFilter& filter);
    [[nodiscard]] Result<std::optional<ledger::JobRow>> find_row(JobId id);
    [[nodiscard]] Result<void> fill_row(ledger::JobRow& row);
    [[nodiscard]] Result<void> fill_request(ledger::JobRow& row);
    [[nodiscard]] Result<void> fill_element(ledger::JobRow& row);
    [[nodiscard]] Result<bool> has_job(JobId id);

    std::unique_ptr<Database> database_;
    JobList list_;
    std::array<Statement, kStatements> statements_ = {};

    // What rows of one page have in common is read once: they are of few users and ask for few
    // things. Of the transaction that begins a page.
    std::map<std::pair<Index, std::uint64_t>, std::string> names_;
    std::map<model::RequestId, model::RequestRecord> requests_;
};

tl::unexpected<Error> no_job(JobId id) {
    return fail(ErrorCode::kNotFound, "there is no job " + to_string(id));
}

std::string SqliteReader::sql_of(Index index) {
    switch (index) {
        case kHead:      return "SELECT incarnation, last_rev FROM meta";
        case kUserId:    return "SELECT id FROM users WHERE name = ?";
        case kProjectId: return "SELECT id FROM projects WHERE name = ?";
        case kJob:
            return "SELECT " + std::string(kJobColumns) +
                   ", text_name, labels FROM jobs LEFT JOIN "
                   "(SELECT id AS text_id, name AS text_name, labels FROM job_texts) "
                   "ON text_id = id WHERE id = ?";
        case kUserName:    return "SELECT name FROM users WHERE id = ?";
        case kProjectName: return "SELECT name FROM projects WHERE id = ?";
        case kRequest:
            return "SELECT " + std::string(kRequestColumns) + " FROM requests WHERE id = ?";
        case kLastAttempt:
            return "SELECT " + std::string(kElementColumns) +
                   " FROM elements WHERE job = ? ORDER BY element DESC, attempt DESC LIMIT 1";
        case kSpec: return "SELECT spec FROM job_texts WHERE id = ?";
        case kElements:
            return "SELECT " + std::string(kElementColumns) +
                   " FROM elements WHERE job = ? AND (element, attempt) > (?, ?) "
                   "ORDER BY element, attempt LIMIT ?";
        case kAllocation:
            return "SELECT " + std::string(kAllocationColumns) + " FROM allocations WHERE id = ?";
        case kBeforeRank:
            return "SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY jobs_by_queue "
                   "WHERE queue_class = 0 AND rank < ? LIMIT ?)";
        case kBeforeId:
            return "SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY jobs_by_queue "
                   "WHERE queue_class = 0 AND rank = ? AND id < ? LIMIT ?)";
        case kQueueFront:
            return "SELECT rank, id FROM jobs INDEXED BY jobs_by_queue "
                   "WHERE queue_class = 0 ORDER BY rank, id LIMIT ?";
        case kControls:
            return "SELECT " + std::string(kControlColumns) +
                   " FROM controls WHERE job = ? ORDER BY rev DESC LIMIT ?";
        case kChanges:
            return "SELECT first_rev, events FROM changes WHERE last_rev > ? ORDER BY last_rev";
        case kStatements: break;
    }
    return {};
}

Result<void> SqliteReader::prepare() {
    for (std::size_t i = 0; i < kStatements; ++i) {
        auto statement = database_->prepare(sql_of(static_cast<Index>(i)));
        if (!statement) {
            return tl::unexpected(std::move(statement.error()));
        }
        statements_.at(i) = std::move(*statement);
    }
    return {};
}

Result<std::optional<std::uint64_t>> SqliteReader::id_named(Index index, const std::string& name) {
    Run run(at(index));
    auto has_row = run.text(name).step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    return *has_row ? std::optional(run.read_unsigned()) : std::optional<std::uint64_t>();
}

Result<Transaction> SqliteReader::begin() {
    names_.clear();
    requests_.clear();
    return Transaction::begin_read(*database_);
}

Result<std::string> SqliteReader::name_of(Index index, std::uint64_t id) {
    if (const auto known = names_.find({index, id}); known != names_.end()) {
        return known->second;
    }
    Run run(at(index));
    auto has_row = run.unsigned_integer(id).step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    return names_.emplace(std::pair(index, id), *has_row ? run.read_string() : std::string())
        .first->second;
}

/// One that asks for nothing if there is none.
Result<model::RequestRecord> SqliteReader::request_of(model::RequestId id) {
    if (const auto known = requests_.find(id); known != requests_.end()) {
        return known->second;
    }
    Run run(at(kRequest));
    auto has_row = run.id(id).step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    return requests_.emplace(id, *has_row ? read_request(run) : model::RequestRecord())
        .first->second;
}

/// Nothing if no job can match: nobody has that name.
Result<std::optional<Wanted>> SqliteReader::wanted_of(const ledger::JobFilter& filter) {
    Wanted wanted{
        .name = filter.name,
        .labels = filter.labels,
        .ids = filter.ids,
        .states = {filter.states.begin(), filter.states.end()}
    };
    if (filter.user) {
        const auto user = id_named(kUserId, *filter.user);
        if (!user) {
            return tl::unexpected(user.error());
        }
        if (!*user) {
            return std::optional<Wanted>();
        }
        wanted.user = *user;
    }
    if (filter.project) {
        const auto project = id_named(kProjectId, *filter.project);
        if (!project) {
            return tl::unexpected(project.error());
        }
        if (!*project) {
            return std::optional<Wanted>();
        }
        wanted.project = *project;
    }
    return std::optional(std::move(wanted));
}

Result<ledger::JobPage> SqliteReader::jobs(
    const ledger::JobFilter& filter,
    ledger::JobOrder order,
    const std::optional<ledger::JobCursor>& after,
    std::size_t limit) {
    auto transaction = begin();
    if (!transaction) {
        return tl::unexpected(std::move(transaction.error()));
    }
    const auto now = head();
    if (!now) {
        return tl::unexpected(now.error());
    }
    ledger::JobPage page{.as_of = now->second};
    const auto wanted = wanted_of(filter);
    if (!wanted) {
        return tl::unexpected(wanted.error());
    }
    if (!*wanted) {
        return page;
    }
    std::optional<Rank> from;
    if (after) {
        from = JobList::rank_of(order, after->rank, after->id);
    }
    const auto found =
        list_.page(**wanted, order, from, std::clamp<std::size_t>(limit, 1, ledger::kPageMax));
    if (!found) {
        return tl::unexpected(found.error());
    }
    for (const Rank& rank : found->ranks) {
        auto row = find_row(JobList::id_of(order, rank));
        if (!row) {
            return tl::unexpected(std::move(row.error()));
        }
        if (*row) {
            page.rows.push_back(std::move(**row));
        }
    }
    if (found->next) {
        page.next =
            ledger::JobCursor{.rank = found->next->rank, .id = JobList::id_of(order, *found->next)};
    }
    return page;
}

Result<std::optional<ledger::JobRow>> SqliteReader::find_row(JobId id) {
    ledger::JobRow row;
    {
        Run run(at(kJob));
        auto has_row = run.id(id).step();
        if (!has_row) {
            return tl::unexpected(std::move(has_row.error()));
        }
        if (!*has_row) {
            return std::optional<ledger::JobRow>();
        }
        row.record = read_job(run);
        row.name = run.read_string();
        row.labels = unpack_labels(run.read_text());
    }
    if (auto done = fill_row(row); !done) {
        return tl::unexpected(std::move(done.error()));
    }
    return std::optional(std::move(row));
}

Result<void> SqliteReader::fill_row(ledger::JobRow& row) {
    auto user = name_of(kUserName, row.record.user.value());
    if (!user) {
        return tl::unexpected(std::move(user.error()));
    }
    row.user = std::move(*user);
    auto project = name_of(kProjectName, row.record.project.value());
    if (!project) {
        return tl::unexpected(std::move(project.error()));
    }
    row.project = std::move(*project);
    return fill_request(row).and_then(
        [&] { return row.record.range.count() == 1 ? fill_element(row) : Result<void>(); });
}

Result<void> SqliteReader::fill_request(ledger::JobRow& row) {
    auto request = request_of(row.record.request);
    if (!request) {
        return tl::unexpected(std::move(request.error()));
    }
    row.gpus = std::move(request->gpus);
    row.host = request->host;
    row.on = std::move(request->on);
    return {};
}

Result<void> SqliteReader::fill_element(ledger::JobRow& row) {
    if (row.record.next == 0 && row.record.taken.empty()) {
        return {};  // None has left the queue: there is no record.
    }
    Run run(at(kLastAttempt));
    auto has_row = run.id(row.record.id).step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    if (*has_row) {
        row.element = read_element(run);
    }
    return {};
}

Result<ledger::JobRow> SqliteReader::job(JobId id) {
    auto transaction = begin();
    if (!transaction) {
        return tl::unexpected(std::move(transaction.error()));
    }
    auto row = find_row(id);
    if (!row) {
        return tl::unexpected(std::move(row.error()));
    }
    if (!*row) {
        return no_job(id);
    }
    return std::move(**row);
}

Result<std::string> SqliteReader::spec(JobId id) {
    Run run(at(kSpec));
    auto has_row = run.id(id).step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    if (!*has_row) {
        return no_job(id);
    }
    return run.read_string();
}

Result<bool> SqliteReader::has_job(JobId id) {
    return Run(at(kSpec)).id(id).step();
}

Result<ledger::ElementPage> SqliteReader::elements(
    JobId id, const ElementCursor& after, std::size_t limit) {
    auto transaction = begin();
    if (!transaction) {
        return tl::unexpected(std::move(transaction.error()));
    }
    const auto exists = has_job(id);
    const auto now = head();
    if (!exists || !now) {
        return tl::unexpected(exists ? now.error() : exists.error());
    }
    if (!*exists) {
        return no_job(id);
    }
    const std::size_t count = std::clamp<std::size_t>(limit, 1, ledger::kPageMax);
    ledger::ElementPage page{.as_of = now->second};
    Run run(at(kElements));
    run.id(id)
        .integer(after ? std::int64_t{after->first} : -1)
        .integer(after ? std::int64_t{after->second} : 0)
        .integer(static_cast<std::int64_t>(count) + 1);
    auto has_row = run.step();
    for (; has_row && *has_row; has_row = run.step()) {
        if (page.rows.size() == count) {
            page.next = std::pair(page.rows.back().key.index, page.rows.back().attempt);
            break;
        }
        page.rows.push_back(read_element(run));
    }
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    return page;
}

Result<std::optional<model::AllocationRecord>> SqliteReader::allocation(AllocationId id) {
    Run run(at(kAllocation));
    auto has_row = run.id(id).step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    return *has_row ? std::optional(read_allocation(run))
                    : std::optional<model::AllocationRecord>();
}

Result<std::vector<model::ControlRecord>> SqliteReader::controls(JobId id, std::size_t limit) {
    std::vector<model::ControlRecord> found;
    Run run(at(kControls));
    limit = std::clamp<std::size_t>(limit, 1, ledger::kPageMax);
    auto has_row = run.id(id).integer(static_cast<std::int64_t>(limit)).step();
    for (; has_row && *has_row; has_row = run.step()) {
        found.push_back(read_control(run));
    }
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    std::ranges::reverse(found);
    return found;
}

Result<std::uint64_t> SqliteReader::position(std::int64_t rank, JobId id) {
    auto transaction = begin();
    if (!transaction) {
        return tl::unexpected(std::move(transaction.error()));
    }
    std::uint64_t before = 0;
    {
        Run run(at(kBeforeRank));
        auto has_row = run.integer(rank).unsigned_integer(ledger::kPositionMax).step();
        if (!has_row) {
            return tl::unexpected(std::move(has_row.error()));
        }
        before = run.read_unsigned();
    }
    Run run(at(kBeforeId));
    auto has_row = run.integer(rank).id(id).unsigned_integer(ledger::kPositionMax - before).step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    return before + run.read_unsigned() + 1;
}

Result<std::vector<std::uint64_t>> SqliteReader::positions(
    const std::vector<ledger::JobCursor>& jobs) {
    using Place = std::pair<std::int64_t, std::uint64_t>;
    std::vector<std::pair<Place, std::size_t>> wanted;
    wanted.reserve(jobs.size());
    for (const ledger::JobCursor& job : jobs) {
        wanted.emplace_back(Place(job.rank, job.id.value()), wanted.size());
    }
    std::ranges::sort(wanted);
    std::vector<std::uint64_t> positions(jobs.size());
    Run run(at(kQueueFront));
    run.unsigned_integer(ledger::kPositionMax);
    std::optional<Place> next;  // The job that `before` others stand before.
    std::uint64_t before = 0;
    const auto step = [&]() -> Result<void> {
        const auto has_row = run.step();
        if (!has_row) {
            return tl::unexpected(has_row.error());
        }
        next.reset();
        if (*has_row) {
            const std::int64_t rank = run.read_integer();
            next = Place(rank, run.read_unsigned());
        }
        return {};
    };
    Result<void> stepped = step();
    for (const auto& [place, index] : wanted) {
        for (; stepped && next && *next < place; stepped = step()) {
            ++before;
        }
        positions[index] = before + 1;
    }
    return stepped ? Result<std::vector<std::uint64_t>>(std::move(positions))
                   : tl::unexpected(std::move(stepped.error()));
}

Result<ledger::EventPage> SqliteReader::events(Revision since, std::size_t limit) {
    auto transaction = begin();
    if (!transaction) {
        return tl::unexpected(std::move(transaction.error()));
    }
    const auto now = head();
    if (!now) {
        return tl::unexpected(now.error());
    }
    ledger::EventPage page{.last_rev = now->second};
    page.is_gap = since > page.last_rev;  // A cursor of another incarnation.
    const EventRange range{
        .since = since, .limit = std::clamp<std::size_t>(limit, 1, ledger::kPageMax)};
    Run run(at(kChanges));
    run.id(since);
    auto has_row = run.step();
    if (has_row && !*has_row) {  // Nothing after it: either it is the newest, or all was pruned.
        page.is_gap = since != page.last_rev;
    }
    for (; has_row && *has_row && page.events.size() < range.limit; has_row = run.step()) {
        const auto first_rev = run.read_id<Revision>();
        if (page.events.empty() && first_rev.value() > since.value() + 1) {
            page.is_gap = true;
            return page;
        }
        if (auto done = unpack_events(run.read_text(), first_rev, range, page.events); !done) {
            return tl::unexpected(std::move(done.error()));
        }
    }
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    return page;
}

Result<std::pair<std::uint64_t, Revision>> SqliteReader::head() {
    Run run(at(kHead));
    auto has_row = run.step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    const std::uint64_t incarnation = run.read_unsigned();
    return std::pair(incarnation, run.read_id<Revision>());
}

}  // namespace

Result<std::unique_ptr<ledger::Reader>> open_sqlite_reader(const std::string& path) {
    auto opened = open_reading(path);
    if (!opened) {
        return tl::unexpected(std::move(opened.error()));
    }
    auto database = std::make_unique<Database>(std::move(*opened));
    if (auto done = check_schema(*database); !done) {
        return tl::unexpected(std::move(done.error()));
    }
    auto list = JobList::prepare(*database);
    if (!list) {
        return tl::unexpected(std::move(list.error()));
    }
    auto reader = std::make_unique<SqliteReader>(std::move(database), std::move(*list));
    if (auto done = reader->prepare(); !done) {
        return tl::unexpected(std::move(done.error()));
    }
    return reader;
}

}  // namespace reeve::store_sqlite
