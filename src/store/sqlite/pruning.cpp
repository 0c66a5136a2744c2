#include "store/sqlite/pruning.hpp"

#include <optional>
#include <string>
#include <utility>

namespace reeve::store_sqlite {
namespace {

// Rows of one call. Above what one commit usually adds, so that pruning keeps up.
constexpr std::int64_t kRequestsPerCall = 2'000;
constexpr std::int64_t kChangesPerCall = 10'000;

struct EndedJob {
    JobId id = JobId(0);
    std::string labels = {};
};

Result<std::vector<EndedJob>> ended_before(
    Database& database, Instant before, std::size_t jobs_max) {
    auto statement = database.prepare(
        "SELECT jobs.id, labels FROM jobs JOIN job_texts USING (id) "
        "WHERE ended_at > 0 AND ended_at < ? ORDER BY ended_at, jobs.id LIMIT ?");
    if (!statement) {
        return tl::unexpected(std::move(statement.error()));
    }
    Run run(*statement);
    run.time(before).integer(static_cast<std::int64_t>(jobs_max));
    std::vector<EndedJob> jobs;
    auto has_row = run.step();
    for (; has_row && *has_row; has_row = run.step()) {
        const auto id = run.read_id<JobId>();
        jobs.push_back({.id = id, .labels = run.read_string()});
    }
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    return jobs;
}

/// Deletes what `job` held, and adds its tasks.
Result<void> prune_tasks(
    Database& database, JobId job, std::vector<ledger::Store::PrunedTask>& tasks) {
    auto attempts = database.prepare(
        "SELECT element, attempt, node, allocation FROM elements WHERE job = ? "
        "ORDER BY element, attempt");
    auto remove = database.prepare("DELETE FROM allocations WHERE id = ? AND state = 3");
    if (!attempts || !remove) {
        return tl::unexpected(std::move(attempts ? remove.error() : attempts.error()));
    }
    Run run(*attempts);
    run.id(job);
    auto has_row = run.step();
    for (; has_row && *has_row; has_row = run.step()) {
        const auto index = run.read_as<std::uint32_t>();
        const auto attempt = run.read_as<std::uint32_t>();
        const auto node = run.read_id<NodeId>();
        const auto allocation = run.read_id<AllocationId>();
        if (node != NodeId(0)) {
            tasks.push_back({
                .node = node,
                .key = {.element = {.job = job, .index = index}, .attempt = attempt}
            });
        }
        if (auto done = Run(*remove).id(allocation).finish(); !done) {
            return done;
        }
    }
    return has_row ? Result<void>() : tl::unexpected(std::move(has_row.error()));
}

Result<void> prune_changes(Database& database, Instant before) {
    auto statement = database.prepare(
        "DELETE FROM changes WHERE at < ? AND last_rev IN "
        "(SELECT last_rev FROM changes ORDER BY last_rev LIMIT ?)");
    if (!statement) {
        return tl::unexpected(std::move(statement.error()));
    }
    return Run(*statement).time(before).integer(kChangesPerCall).finish();
}

Result<std::vector<ledger::Store::PrunedTask>> prune_in_transaction(
    Database& database, ChangeWriter& writer, Instant before, std::size_t jobs_max) {
    const auto jobs = ended_before(database, before, jobs_max);
    if (!jobs) {
        return tl::unexpected(jobs.error());
    }
    std::vector<ledger::Store::PrunedTask> tasks;
    for (const EndedJob& job : *jobs) {
        auto done = prune_tasks(database, job.id, tasks).and_then([&] {
            return writer.remove_job(job.id, job.labels);
        });
        if (!done) {
            return tl::unexpected(std::move(done.error()));
        }
    }
    auto done = writer.write_counts().and_then([&] { return prune_changes(database, before); });
    if (!done) {
        return tl::unexpected(std::move(done.error()));
    }
    return tasks;
}

}  // namespace

Result<std::vector<ledger::Store::PrunedTask>> prune_ended(
    Database& database, ChangeWriter& writer, Instant before, std::size_t jobs_max) {
    auto transaction = Transaction::begin_write(database);
    if (!transaction) {
        return tl::unexpected(std::move(transaction.error()));
    }
    auto tasks = prune_in_transaction(database, writer, before, jobs_max);
    if (!tasks) {
        return tasks;
    }
    if (auto done = transaction->commit(); !done) {
        return tl::unexpected(std::move(done.error()));
    }
    return tasks;
}

Result<void> prune_requests(Database& database, const RequestLimits& limits) {
    // Ids follow the order in time, and only the oldest go: so ids count the records, too.
    const auto newest = database.integer_of("SELECT coalesce(max(id), 0) FROM idempotency");
    if (!newest) {
        return tl::unexpected(newest.error());
    }
    const std::int64_t kept_from = *newest - static_cast<std::int64_t>(limits.kept_max);
    std::int64_t last = 0;
    {
        auto oldest = database.prepare("SELECT id, at FROM idempotency ORDER BY id LIMIT ?");
        if (!oldest) {
            return tl::unexpected(std::move(oldest.error()));
        }
        Run run(*oldest);
        run.integer(kRequestsPerCall);
        auto has_row = run.step();
        for (; has_row && *has_row; has_row = run.step()) {
            const std::int64_t id = run.read_integer();
            if (id > kept_from && run.read_time() >= limits.before) {
                break;
            }
            last = id;
        }
        if (!has_row) {
            return tl::unexpected(std::move(has_row.error()));
        }
    }
    return last == 0
               ? Result<void>()
               : database.execute("DELETE FROM idempotency WHERE id <= " + std::to_string(last));
}

}  // namespace reeve::store_sqlite
