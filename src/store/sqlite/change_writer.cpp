#include "store/sqlite/change_writer.hpp"

#include <optional>
#include <utility>
#include <variant>

namespace reeve::store_sqlite {
namespace {

std::string put_sql(std::string_view table, std::string_view columns) {
    std::string sql = "INSERT OR REPLACE INTO ";
    sql += table;
    sql += " (";
    sql += columns;
    sql += ") VALUES (?";
    for (const char c : columns) {
        if (c == ',') {
            sql += ", ?";
        }
    }
    return sql + ")";
}

std::string insert_sql(std::string_view table, const std::string& columns) {
    std::string sql = put_sql(table, columns);
    return sql.erase(sql.find(" OR REPLACE"), std::string_view(" OR REPLACE").size());
}

constexpr std::string_view kSetChanging =
    "UPDATE jobs SET request = ?, priority = ?, fair_load = ?, retries_max = ?, retry_backoff_s = "
    "?, time_limit_s = ?, "
    "on_node_loss = ?, is_preemptible = ?, waiting_state = ?, next = ?, taken = ?, after = ?, "
    "counts = ?, state = ?, "
    "rev = ?";

/// All rows of `sql`, an id and a name each.
template <class Id>
Result<void> load(Database& database, std::string_view sql, std::map<Id, std::string>& names) {
    names.clear();
    auto statement = database.prepare(sql);
    if (!statement) {
        return tl::unexpected(std::move(statement.error()));
    }
    Run run(*statement);
    auto has_row = run.step();
    for (; has_row && *has_row; has_row = run.step()) {
        const Id id = run.read_id<Id>();
        names[id] = run.read_string();
    }
    return has_row ? Result<void>() : tl::unexpected(std::move(has_row.error()));
}

}  // namespace

std::string ChangeWriter::sql_of(Index index) {
    switch (index) {
        case kPutUser:     return put_sql("users", kUserColumns);
        case kPutRequest:  return put_sql("requests", kRequestColumns);
        case kPutGpuModel: return put_sql("gpu_models", kGpuModelColumns);
        case kPutProject:  return put_sql("projects", kProjectColumns);
        case kPutAccount:  return put_sql("accounts", kAccountColumns);
        case kPutNode:     return put_sql("nodes", kNodeColumns);
        case kPutNodeGpu:  return put_sql("node_gpus", kNodeGpuColumns);
        case kInsertJob:
            return insert_sql("jobs", std::string(kJobColumns) + ", phase, queue_class, name_hash");
        case kInsertTexts: return insert_sql("job_texts", "id, name, labels, spec");
        case kInsertLabel: return put_sql("job_labels", "hash, job");
        case kUpdateJob:   return std::string(kSetChanging) + " WHERE id = ?";
        case kUpdateJobIndexed:
            return std::string(kSetChanging) +
                   ", rank = ?, ended_at = ?, phase = ?, queue_class = ? WHERE id = ?";
        case kPutElement:    return put_sql("elements", kElementColumns);
        case kPutAllocation: return put_sql("allocations", kAllocationColumns);
        case kPutBooking:    return put_sql("bookings", kBookingColumns);
        case kPutControl:    return put_sql("controls", kControlColumns);
        case kInsertIdempotency:
            return insert_sql("idempotency", std::string(kIdempotencyColumns) + ", hash");
        case kPutRunStats:    return put_sql("run_stats", kRunStatsColumns);
        case kPutForecast:    return put_sql("forecasts", kForecastColumns);
        case kPutOutcome:     return put_sql("forecast_outcomes", kOutcomeColumns);
        case kDeleteUser:     return "DELETE FROM users WHERE id = ?";
        case kDeleteRequest:  return "DELETE FROM requests WHERE id = ?";
        case kCountRequest:   return "UPDATE requests SET jobs = jobs + ? WHERE id = ?";
        case kDropUnasked:    return "DELETE FROM requests WHERE id = ? AND jobs = 0";
        case kDeleteGpuModel: return "DELETE FROM gpu_models WHERE id = ?";
        case kDeleteProject:  return "DELETE FROM projects WHERE id = ?";
        case kDeleteAccount:  return "DELETE FROM accounts WHERE project = ? AND user = ?";
        case kDeleteNode:     return "DELETE FROM nodes WHERE id = ?";
        case kDeleteNodeGpus: return "DELETE FROM node_gpus WHERE node = ?";
        case kDeleteJob:      return "DELETE FROM jobs WHERE id = ? RETURNING request";
        case kDeleteTexts:    return "DELETE FROM job_texts WHERE id = ?";
        case kDeleteLabel:    return "DELETE FROM job_labels WHERE hash = ? AND job = ?";
        case kDeleteElements: return "DELETE FROM elements WHERE job = ?";
        case kDeleteElement:
            return "DELETE FROM elements WHERE job = ? AND element = ? AND attempt = ?";
        case kDeleteControl:     return "DELETE FROM controls WHERE job = ? AND rev = ?";
        case kDeleteControls:    return "DELETE FROM controls WHERE job = ?";
        case kDeleteAllocation:  return "DELETE FROM allocations WHERE id = ?";
        case kDeleteBooking:     return "DELETE FROM bookings WHERE id = ?";
        case kFindIdempotency:   return "SELECT id, user, key FROM idempotency WHERE hash = ?";
        case kDeleteIdempotency: return "DELETE FROM idempotency WHERE id = ?";
        case kDeleteRunStats:
            return "DELETE FROM run_stats WHERE project = ? AND user = ? AND name = ? AND size = ?";
        case kDeleteForecast: return "DELETE FROM forecasts WHERE job = ?";
        case kDeleteOutcome:  return "DELETE FROM forecast_outcomes WHERE id = ?";
        case kOwner:          return "SELECT user FROM jobs WHERE id = ?";
        case kLabelsOf:       return "SELECT labels FROM job_texts WHERE id = ?";
        case kStatements:     break;
    }
    return {};
}

Result<ChangeWriter> ChangeWriter::prepare(Database& database) {
    ChangeWriter writer(database);
    for (std::size_t i = 0; i < kStatements; ++i) {
        auto statement = database.prepare(sql_of(static_cast<Index>(i)));
        if (!statement) {
            return tl::unexpected(std::move(statement.error()));
        }
        writer.statements_.at(i) = std::move(*statement);
    }
    if (auto loaded = writer.reload(); !loaded) {
        return tl::unexpected(std::move(loaded.error()));
    }
    return writer;
}

Result<void> ChangeWriter::reload() {
    request_jobs_.clear();
    return load(*database_, "SELECT id, name FROM users", names_.users)
        .and_then(
            [&] { return load(*database_, "SELECT id, name FROM projects", names_.projects); })
        .and_then([&] { return load(*database_, "SELECT id, name FROM nodes", names_.nodes); });
}

Result<void> ChangeWriter::write_counts() {
    for (const auto& [id, more] : std::exchange(request_jobs_, {})) {
        auto done =
            more == 0 ? Result<void>() : Run(at(kCountRequest)).integer(more).id(id).finish();
        if (done && more < 0) {
            done = Run(at(kDropUnasked)).id(id).finish();
        }
        if (!done) {
            return done;
        }
    }
    return {};
}

Result<void> ChangeWriter::write(const ledger::Body& body) {
    return std::visit([&](const auto& put) { return write_one(put); }, body);
}

Result<UserId> ChangeWriter::owner_of(JobId job) {
    Run run(at(kOwner));
    auto has_row = run.id(job).step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    return *has_row ? run.read_id<UserId>() : UserId(0);
}

Result<void> ChangeWriter::delete_by_id(Index index, std::uint64_t id) {
    return Run(at(index)).unsigned_integer(id).finish();
}

template <class Record>
Result<void> ChangeWriter::put_or_delete(
    const ledger::Put<Record>& put, Index put_index, Index delete_index) {
    if (!put.after) {
        return put.before ? delete_by_id(delete_index, put.before->id.value()) : Result<void>();
    }
    Run run(at(put_index));
    bind(run, *put.after);
    return run.finish();
}

Result<void> ChangeWriter::write_one(const ledger::Put<model::UserRecord>& put) {
    if (put.after) {
        names_.users[put.after->id] = put.after->name;
    }
    return put_or_delete(put, kPutUser, kDeleteUser);
}

Result<void> ChangeWriter::write_one(const ledger::Put<model::RequestRecord>& put) {
    return put_or_delete(put, kPutRequest, kDeleteRequest);
}

Result<void> ChangeWriter::write_one(const ledger::Put<model::GpuModelRecord>& put) {
    return put_or_delete(put, kPutGpuModel, kDeleteGpuModel);
}

Result<void> ChangeWriter::write_one(const ledger::Put<model::ProjectRecord>& put) {
    if (put.after) {
        names_.projects[put.after->id] = put.after->name;
    }
    return put_or_delete(put, kPutProject, kDeleteProject);
}

Result<void> ChangeWriter::write_one(const ledger::Put<model::AccountRecord>& put) {
    if (put.after) {
        Run run(at(kPutAccount));
        bind(run, *put.after);
        return run.finish();
    }
    return put.before
               ? Run(at(kDeleteAccount)).id(put.before->project).id(put.before->user).finish()
               : Result<void>();
}

Result<void> ChangeWriter::write_one(const ledger::Put<model::NodeRecord>& put) {
    if (put.before) {
        if (auto gone = delete_by_id(kDeleteNodeGpus, put.before->id.value()); !gone) {
            return gone;
        }
    }
    if (put.after) {
        names_.nodes[put.after->id] = put.after->name;
        for (std::size_t i = 0; i < put.after->gpus.size(); ++i) {
            Run run(at(kPutNodeGpu));
            bind_node_gpu(run, *put.after, i);
            if (auto done = run.finish(); !done) {
                return done;
            }
        }
        Packed packed;
        Run run(at(kPutNode));
        bind(run, *put.after, packed);
        return run.finish();
    }
    return put.before ? delete_by_id(kDeleteNode, put.before->id.value()) : Result<void>();
}

Result<void> ChangeWriter::write_one(const ledger::JobPut& put) {
    if (put.after && put.before) {
        return update_job(*put.before, *put.after);
    }
    if (put.after) {
        return insert_job(*put.after, put.texts ? *put.texts : ledger::JobTexts());
    }
    if (!put.before) {
        return {};
    }
    std::string labels;
    {
        Run run(at(kLabelsOf));
        auto has_row = run.id(put.before->id).step();
        if (!has_row) {
            return tl::unexpected(std::move(has_row.error()));
        }
        labels = *has_row ? run.read_string() : std::string();
    }
    return remove_job(put.before->id, labels);
}

Result<void> ChangeWriter::insert_job(const model::JobRecord& job, const ledger::JobTexts& texts) {
    ++request_jobs_[job.request];
    {
        Run run(at(kInsertJob));
        bind_job_fixed(run, job);
        bind_job_changing(run, job, packed_);
        bind_job_indexed(run, job);
        if (auto done = run.unsigned_integer(hash_of(texts.name)).finish(); !done) {
            return done;
        }
    }
    for (const auto& [key, value] : texts.labels) {
        Run run(at(kInsertLabel));
        if (auto done = run.unsigned_integer(hash_of_label(key, value)).id(job.id).finish();
            !done) {
            return done;
        }
    }
    const std::string labels = pack_labels(texts.labels);
    Run run(at(kInsertTexts));
    return run.id(job.id).text(texts.name).text_or_null(labels).text(texts.spec_json).finish();
}

Result<void> ChangeWriter::update_job(
    const model::JobRecord& before, const model::JobRecord& after) {
    if (before.request != after.request) {
        --request_jobs_[before.request];
        ++request_jobs_[after.request];
    }
    const bool keeps_indexes = indexes_of(before).phase == indexes_of(after).phase &&
                               indexes_of(before).queue_class == indexes_of(after).queue_class &&
                               before.rank == after.rank && before.ended_at == after.ended_at;
    Run run(at(keeps_indexes ? kUpdateJob : kUpdateJobIndexed));
    bind_job_changing(run, after, packed_);
    if (!keeps_indexes) {
        bind_job_indexed(run, after);
    }
    if (auto done = run.id(after.id).finish(); !done) {
        return done;
    }
    if (database_->changed_rows() != 1) {
        return fail(
            ErrorCode::kInternal, "job " + to_string(after.id) + " is not in the store",
            "an update found no row");
    }
    return {};
}

Result<void> ChangeWriter::remove_job(JobId job, const std::string& packed_labels) {
    for (const auto& [key, value] : unpack_labels(packed_labels)) {
        Run run(at(kDeleteLabel));
        if (auto done = run.unsigned_integer(hash_of_label(key, value)).id(job).finish(); !done) {
            return done;
        }
    }
    return delete_by_id(kDeleteElements, job.value())
        .and_then([&] { return delete_by_id(kDeleteControls, job.value()); })
        .and_then([&] { return delete_by_id(kDeleteTexts, job.value()); })
        .and_then([&] { return delete_job(job); });
}

Result<void> ChangeWriter::delete_job(JobId job) {
    Run run(at(kDeleteJob));
    auto has_row = run.id(job).step();
    for (; has_row && *has_row; has_row = run.step()) {
        --request_jobs_[run.read_id<model::RequestId>()];
    }
    return has_row ? Result<void>() : tl::unexpected(std::move(has_row.error()));
}

Result<void> ChangeWriter::write_one(const ledger::ElementPut& put) {
    if (put.after) {
        Run run(at(kPutElement));
        bind(run, *put.after);
        return run.finish();
    }
    if (!put.before) {
        return {};
    }
    Run run(at(kDeleteElement));
    return run.id(put.before->key.job)
        .integer(put.before->key.index)
        .integer(put.before->attempt)
        .finish();
}

Result<void> ChangeWriter::write_one(const ledger::Put<model::AllocationRecord>& put) {
    if (!put.after) {
        return put.before ? delete_by_id(kDeleteAllocation, put.before->id.value())
                          : Result<void>();
    }
    Run run(at(kPutAllocation));
    bind(run, *put.after, packed_);
    return run.finish();
}

Result<void> ChangeWriter::write_one(const ledger::Put<model::ControlRecord>& put) {
    if (put.after) {
        Run run(at(kPutControl));
        bind(run, *put.after);
        return run.finish();
    }
    return put.before ? Run(at(kDeleteControl)).id(put.before->job).id(put.before->rev).finish()
                      : Result<void>();
}

Result<void> ChangeWriter::write_one(const ledger::Put<model::BookingRecord>& put) {
    if (!put.after) {
        return put.before ? delete_by_id(kDeleteBooking, put.before->id.value()) : Result<void>();
    }
    Run run(at(kPutBooking));
    bind(run, *put.after, packed_);
    return run.finish();
}

Result<void> ChangeWriter::delete_idempotency(const model::IdempotencyRecord& request) {
    std::optional<std::uint64_t> found;
    {
        Run run(at(kFindIdempotency));
        run.unsigned_integer(hash_of_request(request.user, request.key));
        auto has_row = run.step();
        for (; has_row && *has_row && !found; has_row = run.step()) {
            const std::uint64_t id = run.read_unsigned();
            const auto user = run.read_id<UserId>();
            if (user == request.user && run.read_text() == request.key) {
                found = id;
            }
        }
        if (!has_row) {
            return tl::unexpected(std::move(has_row.error()));
        }
    }
    return found ? delete_by_id(kDeleteIdempotency, *found) : Result<void>();
}

Result<void> ChangeWriter::write_one(const ledger::Put<model::IdempotencyRecord>& put) {
    const auto& any = put.after ? put.after : put.before;
    if (!any) {
        return {};
    }
    if (auto gone = delete_idempotency(*any); !gone || !put.after) {
        return gone;
    }
    Run run(at(kInsertIdempotency));
    bind(run, *put.after);
    return run.unsigned_integer(hash_of_request(put.after->user, put.after->key)).finish();
}

Result<void> ChangeWriter::write_one(const ledger::Put<ledger::RunStatsRecord>& put) {
    if (put.after) {
        Run run(at(kPutRunStats));
        bind(run, *put.after, packed_);
        return run.finish();
    }
    if (!put.before) {
        return {};
    }
    const scheduler::RunKey& key = put.before->key;
    Run run(at(kDeleteRunStats));
    return run.id(key.project).id(key.user).integer(key.name).integer(key.size).finish();
}

Result<void> ChangeWriter::write_one(const ledger::Put<ledger::ForecastRecord>& put) {
    if (put.after) {
        Run run(at(kPutForecast));
        bind(run, *put.after);
        return run.finish();
    }
    return put.before ? delete_by_id(kDeleteForecast, put.before->job.value()) : Result<void>();
}

Result<void> ChangeWriter::write_one(const ledger::Put<ledger::OutcomeRecord>& put) {
    if (put.after) {
        Run run(at(kPutOutcome));
        bind(run, *put.after);
        return run.finish();
    }
    return put.before
               ? delete_by_id(kDeleteOutcome, put.before->number % scheduler::Calibration::kKept)
               : Result<void>();
}

}  // namespace reeve::store_sqlite
