// A database of an earlier version is brought up to date, whole.
#include <string>
#include <vector>

#include "sqlite_fixture.hpp"
#include "store/sqlite/backup.hpp"
#include "store_fixture.hpp"

namespace reeve::conformance {
namespace {

using model::ElementState;

// What makes of a database what it was before a schema.

/// 10.
std::string before_guarantees() {
    return "ALTER TABLE projects DROP COLUMN guaranteed_gpu_milli; ";
}

/// 9.
std::string before_forecasts() {
    return before_guarantees() +
           "ALTER TABLE jobs DROP COLUMN run_name; DROP TABLE run_stats; DROP TABLE forecasts; "
           "DROP TABLE forecast_outcomes; ALTER TABLE allocations RENAME COLUMN owner TO "
           "is_quarantined; ";
}

/// 8.
std::string before_user_quotas() {
    return before_forecasts() +
           "ALTER TABLE projects DROP COLUMN user_gpu_milli_max; ALTER TABLE projects DROP COLUMN "
           "user_cpu_millicores_max; ALTER TABLE projects DROP COLUMN user_memory_mib_max; ALTER "
           "TABLE "
           "projects DROP COLUMN user_running_elements_max; ALTER TABLE projects DROP COLUMN "
           "user_pending_elements_max; ";
}

/// 5.
std::string before_fair_share() {
    return before_user_quotas() +
           "UPDATE jobs SET rank = -priority; ALTER TABLE jobs RENAME COLUMN rank TO "
           "priority_negated; "
           "ALTER TABLE jobs DROP COLUMN priority; ALTER TABLE jobs DROP COLUMN fair_load; "
           "ALTER TABLE jobs DROP COLUMN fair_step; ALTER TABLE projects DROP COLUMN share; "
           "DROP TABLE accounts; ALTER TABLE requests DROP COLUMN jobs; DROP TABLE bookings; ";
}

TEST_F(Sqlite, BringsTheFirstSchemaUpToDate) {
    make(3);
    tamper(
        path(),
        before_fair_share() +
            "ALTER TABLE requests DROP COLUMN node_expression; ALTER TABLE nodes DROP COLUMN "
            "labels; DROP TABLE controls; ALTER TABLE jobs DROP COLUMN rev; ALTER TABLE jobs DROP "
            "COLUMN is_preemptible; PRAGMA user_version = 1");
    const auto store = open_sqlite({.path = path()});
    ASSERT_TRUE(store) << store.error().context;
    const auto header = (*store)->open_epoch().value();
    EXPECT_EQ(header.last_job, JobId(3));
    const auto reader = (*store)->open_reader().value();
    EXPECT_EQ(reader->job(JobId(3))->record.rev, Revision(0));
    EXPECT_TRUE(reader->controls(JobId(3), 10)->empty());
    Script changes(header);
    model::JobRecord held = job_in(3, ElementState::kHeld);
    held.rev = Revision(header.last_rev.value() + 1);
    changes.update(job_in(3, ElementState::kQueued), held);
    ASSERT_TRUE(changes.commit(**store));
    EXPECT_EQ((*store)->open_reader().value()->job(JobId(3))->record.rev, held.rev);
}

TEST_F(Sqlite, JobsKeepTheirPlaceFromBeforeFairShare) {
    {
        const auto store = open();
        Script changes(store->open_epoch().value());
        add_people(changes);
        for (std::uint64_t id = 1; id <= 3; ++id) {
            model::JobRecord job = job_in(id, ElementState::kQueued);
            job.priority = id == 2 ? 7 : 0;
            job.rank = -std::int64_t{job.priority};
            changes.submit(job, {.name = "n", .spec_json = "{}"});
        }
        ASSERT_TRUE(changes.commit(*store));
    }
    tamper(path(), before_fair_share() + "PRAGMA user_version = 4");
    const auto store = open();
    const auto reader = store->open_reader().value();
    EXPECT_EQ(reader->job(JobId(2))->record.priority, 7);
    EXPECT_EQ(reader->job(JobId(2))->record.rank, -7);
    EXPECT_EQ(reader->position(-7, JobId(2)).value(), 1U);
    EXPECT_EQ(reader->position(0, JobId(1)).value(), 2U);
}

TEST_F(Sqlite, BringsTheSecondSchemaUpToDate) {
    {
        const auto store = open();
        Script changes(store->open_epoch().value());
        add_people(changes);
        changes.put(model::NodeRecord{.id = NodeId(1), .name = "n1", .labels = {{"zone", "a"}}});
        changes.put(model::RequestRecord{.id = model::RequestId(7), .on = "zone==a"});
        model::JobRecord job = job_in(1, ElementState::kQueued);
        job.request = model::RequestId(7);
        changes.submit(job);
        ASSERT_TRUE(changes.commit(*store));
    }
    tamper(
        path(),
        before_fair_share() +
            "ALTER TABLE requests DROP COLUMN node_expression; ALTER TABLE nodes DROP COLUMN "
            "labels; ALTER TABLE jobs DROP COLUMN is_preemptible; PRAGMA user_version = 2");
    const auto store = open();
    ASSERT_TRUE(store->open_epoch());
    const auto records = recovered(*store);
    EXPECT_EQ(
        of_kind<model::NodeRecord>(records),
        std::vector{(model::NodeRecord{.id = NodeId(1), .name = "n1"})});
    EXPECT_EQ(of_kind<model::RequestRecord>(records).back().id, model::RequestId(7));
    EXPECT_EQ(of_kind<model::RequestRecord>(records).back().on, "");
}

TEST_F(Sqlite, BringsTheFourthSchemaUpToDate) {
    make(3);
    tamper(
        path(),
        "INSERT INTO requests SELECT 2, gpu_count, gpu_milli, gpu_memory_mib, gpu_model, "
        "cpu_millicores, memory_mib, node_expression, 0 FROM requests; UPDATE jobs SET request = 2 "
        "WHERE id = 3; INSERT INTO requests SELECT 3, gpu_count, gpu_milli, gpu_memory_mib, "
        "gpu_model, cpu_millicores, memory_mib, node_expression, 0 FROM requests WHERE id = 2; " +
            before_fair_share() + "PRAGMA user_version = 4");
    const auto store = open();
    const auto header = store->open_epoch().value();
    EXPECT_EQ(header.last_request, model::RequestId(2)) << "nobody asks for the third";
    EXPECT_EQ(of_kind<model::RequestRecord>(recovered(*store)).size(), 2U);
    EXPECT_EQ(store_sqlite::verify(path())->problems, std::vector<std::string>());
}

TEST_F(Sqlite, BringsTheSixthSchemaUpToDate) {
    make(2);
    tamper(path(), before_user_quotas() + "DROP TABLE bookings; PRAGMA user_version = 6");
    const auto store = open();
    Script changes(store->open_epoch().value());
    EXPECT_EQ(of_kind<model::JobRecord>(recovered(*store)).size(), 2U);
    const model::BookingRecord booking{.id = model::BookingId(1), .name = "demo"};
    changes.put(booking);
    ASSERT_TRUE(changes.commit(*store));
    EXPECT_EQ(of_kind<model::BookingRecord>(recovered(*store)), std::vector{booking});
}

TEST_F(Sqlite, BringsTheSeventhSchemaUpToDate) {
    make(1);
    tamper(path(), before_user_quotas() + "PRAGMA user_version = 7");
    const auto store = open();
    Script changes(store->open_epoch().value());
    model::ProjectRecord project = of_kind<model::ProjectRecord>(recovered(*store)).at(0);
    EXPECT_EQ(project.user_quota, model::Quota());
    project.user_quota.gpu_milli = 1500;
    changes.put(project);
    ASSERT_TRUE(changes.commit(*store));
    EXPECT_EQ(of_kind<model::ProjectRecord>(recovered(*store)).at(0), project);
}

TEST_F(Sqlite, BringsTheEighthSchemaUpToDate) {
    make(3);
    tamper(path(), before_forecasts() + "PRAGMA user_version = 8");
    const auto store = open();
    ASSERT_TRUE(store->open_epoch());
    const auto records = recovered(*store);
    EXPECT_TRUE(of_kind<ledger::RunStatsRecord>(records).empty());
    for (const model::JobRecord& job : of_kind<model::JobRecord>(records)) {
        EXPECT_EQ(job.run_name, 0U) << "runs are then remembered by what they ask for alone";
    }
    EXPECT_EQ(store_sqlite::verify(path())->problems, std::vector<std::string>());
}

TEST_F(Sqlite, BringsTheNinthSchemaUpToDate) {
    make(1);
    tamper(path(), before_guarantees() + "PRAGMA user_version = 9");
    const auto store = open();
    Script changes(store->open_epoch().value());
    model::ProjectRecord project = of_kind<model::ProjectRecord>(recovered(*store)).at(0);
    EXPECT_EQ(project.guaranteed_gpu_milli, 0);
    project.guaranteed_gpu_milli = 1500;
    ASSERT_TRUE(changes.put(project).commit(*store));
    EXPECT_EQ(of_kind<model::ProjectRecord>(recovered(*store)).at(0), project);
}

}  // namespace
}  // namespace reeve::conformance
