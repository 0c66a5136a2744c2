#include "store/sqlite/recovery.hpp"

#include <string>
#include <utility>
#include <vector>

#include "store/sqlite/rows.hpp"

namespace reeve::store_sqlite {
namespace {

using Each = std::function<void(ledger::Recovered&&)>;

template <class Read>
Result<void> recover_kind(
    Database& database, const std::string& sql, const Read& read, const Each& each) {
    auto statement = database.prepare(sql);
    if (!statement) {
        return tl::unexpected(std::move(statement.error()));
    }
    Run run(*statement);
    auto has_row = run.step();
    for (; has_row && *has_row; has_row = run.step()) {
        each(read(run));
    }
    return has_row ? Result<void>() : tl::unexpected(std::move(has_row.error()));
}

std::string select(std::string_view columns, std::string_view rest) {
    return "SELECT " + std::string(columns) + " FROM " + std::string(rest);
}

Result<void> recover_nodes(Database& database, const Each& each) {
    auto gpus =
        database.prepare(select(kNodeGpuColumns, "node_gpus WHERE node = ? ORDER BY position"));
    if (!gpus) {
        return tl::unexpected(std::move(gpus.error()));
    }
    Result<void> read_gpus;
    auto done = recover_kind(
        database, select(kNodeColumns, "nodes ORDER BY id"), read_node,
        [&](ledger::Recovered&& recovered) {
            auto& node = std::get<model::NodeRecord>(recovered);
            Run run(*gpus);
            run.id(node.id);
            auto has_row = run.step();
            for (; has_row && *has_row; has_row = run.step()) {
                static_cast<void>(run.read_integer());  // The node.
                static_cast<void>(run.read_integer());  // The position.
                node.gpus.push_back(read_node_gpu(run));
            }
            if (!has_row) {
                read_gpus = tl::unexpected(std::move(has_row.error()));
            }
            each(std::move(recovered));
        });
    return done ? read_gpus : done;
}

}  // namespace

Result<void> recover_all(Database& database, const Each& each) {
    auto transaction = Transaction::begin_read(database);
    if (!transaction) {
        return tl::unexpected(std::move(transaction.error()));
    }
    const auto recover_one = [&](std::string_view columns, std::string_view rest, auto read) {
        return recover_kind(database, select(columns, rest), read, each);
    };
    return recover_one(kUserColumns, "users ORDER BY id", read_user)
        .and_then([&] {
            return recover_one(
                kRequestColumns,
                "requests WHERE id IN (SELECT request FROM jobs WHERE ended_at = 0) ORDER BY id",
                read_request);
        })
        .and_then(
            [&] { return recover_one(kGpuModelColumns, "gpu_models ORDER BY id", read_gpu_model); })
        .and_then(
            [&] { return recover_one(kProjectColumns, "projects ORDER BY id", read_project); })
        .and_then([&] {
            return recover_one(kAccountColumns, "accounts ORDER BY project, user", read_account);
        })
        .and_then([&] { return recover_nodes(database, each); })
        .and_then([&] {
            return recover_one(kJobColumns, "jobs WHERE ended_at = 0 ORDER BY id", read_job);
        })
        .and_then([&] {
            return recover_one(
                kElementColumns,
                "elements AS e INDEXED BY elements_that_live WHERE state <= 4 AND ended_at = 0 "
                "AND NOT EXISTS (SELECT 1 FROM elements AS later WHERE later.job = e.job "
                "AND later.element = e.element AND later.attempt > e.attempt) "
                "ORDER BY job, element",
                read_element);
        })
        .and_then([&] {
            return recover_one(
                kAllocationColumns, "allocations WHERE state < 3 ORDER BY id", read_allocation);
        })
        .and_then(
            [&] { return recover_one(kBookingColumns, "bookings ORDER BY id", read_booking); })
        .and_then([&] {
            return recover_one(
                kRunStatsColumns, "run_stats ORDER BY project, user, name, size", read_run_stats);
        })
        .and_then(
            [&] { return recover_one(kForecastColumns, "forecasts ORDER BY job", read_forecast); })
        .and_then([&] {
            return recover_one(kOutcomeColumns, "forecast_outcomes ORDER BY number", read_outcome);
        });
}

Result<std::vector<ledger::Store::Arrivals>> read_arrivals(Database& database) {
    auto statement = database.prepare(select(
        std::string(kRequestColumns) + ", elements",
        "requests JOIN (SELECT request, sum((range_last - range_first) / range_step + 1) AS "
        "elements FROM jobs GROUP BY request) AS asked ON asked.request = requests.id "
        "ORDER BY id"));
    if (!statement) {
        return tl::unexpected(std::move(statement.error()));
    }
    std::vector<ledger::Store::Arrivals> all;
    Run run(*statement);
    auto has_row = run.step();
    for (; has_row && *has_row; has_row = run.step()) {
        model::RequestRecord request = read_request(run);
        all.push_back({.request = std::move(request), .elements = run.read_as<std::uint64_t>()});
    }
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    return all;
}

}  // namespace reeve::store_sqlite
