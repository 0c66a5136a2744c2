#include "store/sqlite/schema.hpp"

#include <array>
#include <string>
#include <utility>

namespace reeve::store_sqlite {
namespace {

// Ids, times (microseconds since 1970, 0: never) and amounts are integers; 64-bit ids and hashes
// are stored as their bits. Enumerations are the numbers of their C++ types, which therefore never
// change. docs/decisions/0012-changes-log-packed.md says what each index costs and what it is for.
constexpr std::string_view kFirst = R"sql(
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    cluster_id TEXT NOT NULL,
    incarnation INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    last_rev INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    last_job INTEGER NOT NULL,
    last_allocation INTEGER NOT NULL
);
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    uid INTEGER NOT NULL,
    gid INTEGER NOT NULL
);
CREATE INDEX users_by_name ON users (name);
CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    gpu_count INTEGER NOT NULL,
    gpu_milli INTEGER NOT NULL,
    gpu_memory_mib INTEGER NOT NULL,
    gpu_model TEXT,
    cpu_millicores INTEGER NOT NULL,
    memory_mib INTEGER NOT NULL
);
CREATE TABLE gpu_models (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE projects (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    parent INTEGER,
    gpu_milli_max INTEGER,
    cpu_millicores_max INTEGER,
    memory_mib_max INTEGER,
    running_elements_max INTEGER,
    pending_elements_max INTEGER
);
CREATE INDEX projects_by_name ON projects (name);
CREATE TABLE nodes (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    boot_id TEXT,
    cpu_millicores INTEGER NOT NULL,
    memory_mib INTEGER NOT NULL,
    is_drained INTEGER NOT NULL,
    drain_reason TEXT,
    enforcement TEXT
);
CREATE TABLE node_gpus (
    node INTEGER NOT NULL,
    position INTEGER NOT NULL,
    id INTEGER NOT NULL,
    uuid TEXT NOT NULL,
    model INTEGER NOT NULL,
    total_mib INTEGER NOT NULL,
    is_present INTEGER NOT NULL,
    is_simulated INTEGER NOT NULL,
    PRIMARY KEY (node, position)
) WITHOUT ROWID;

-- queue_class: 0 has queued elements, 1 held ones only, NULL none that wait. phase: the state, but
-- 2 for scheduled, running and stopping, so that the indexes change twice in a job's life.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    user INTEGER NOT NULL,
    project INTEGER NOT NULL,
    request INTEGER NOT NULL,
    state INTEGER NOT NULL,
    phase INTEGER NOT NULL,
    queue_class INTEGER,
    priority_negated INTEGER NOT NULL,
    name_hash INTEGER NOT NULL,
    retries_max INTEGER NOT NULL,
    retry_backoff_s INTEGER NOT NULL,
    time_limit_s INTEGER NOT NULL,
    submitted_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    range_first INTEGER NOT NULL,
    range_last INTEGER NOT NULL,
    range_step INTEGER NOT NULL,
    range_running_max INTEGER NOT NULL,
    is_array INTEGER NOT NULL,
    on_node_loss INTEGER NOT NULL,
    waiting_state INTEGER NOT NULL,
    next INTEGER NOT NULL,
    taken TEXT,
    after TEXT,
    counts TEXT
);
CREATE INDEX jobs_by_queue ON jobs (queue_class, priority_negated) WHERE queue_class IS NOT NULL;
CREATE INDEX jobs_by_phase ON jobs (phase) WHERE phase >= 2;
CREATE INDEX jobs_by_user ON jobs (user, phase);
CREATE INDEX jobs_by_project ON jobs (project, phase);
CREATE INDEX jobs_by_name ON jobs (name_hash, phase);
CREATE INDEX jobs_by_end ON jobs (ended_at) WHERE ended_at > 0;
CREATE TABLE job_texts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    labels TEXT,
    spec TEXT NOT NULL
);
CREATE TABLE job_labels (
    hash INTEGER NOT NULL,
    job INTEGER NOT NULL,
    PRIMARY KEY (hash, job)
) WITHOUT ROWID;

CREATE TABLE elements (
    job INTEGER NOT NULL,
    element INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    state INTEGER NOT NULL,
    intent INTEGER,
    is_forced INTEGER NOT NULL,
    end_reason INTEGER,
    exit_code INTEGER NOT NULL,
    signal INTEGER NOT NULL,
    retries_used INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    scheduled_at INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    node INTEGER NOT NULL,
    allocation INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    memory_peak_mib INTEGER NOT NULL,
    cpu_ms INTEGER NOT NULL,
    log_bytes INTEGER NOT NULL,
    message TEXT,
    PRIMARY KEY (job, element, attempt)
) WITHOUT ROWID;
CREATE INDEX elements_that_live ON elements (job, element)
    WHERE state <= 4 AND ended_at = 0;
CREATE TABLE allocations (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,
    element INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    is_quarantined INTEGER NOT NULL,  -- Later: owner.
    node INTEGER NOT NULL,
    project INTEGER NOT NULL,
    cpu_millicores INTEGER NOT NULL,
    memory_mib INTEGER NOT NULL,
    gpus TEXT,
    state INTEGER NOT NULL,
    reserved_at INTEGER NOT NULL,
    released_at INTEGER NOT NULL
);
CREATE INDEX allocations_that_hold ON allocations (state) WHERE state < 3;

CREATE TABLE idempotency (
    id INTEGER PRIMARY KEY,
    hash INTEGER NOT NULL,
    user INTEGER NOT NULL,
    key TEXT NOT NULL,
    fingerprint INTEGER NOT NULL,
    first_job INTEGER NOT NULL,
    job_count INTEGER NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX idempotency_by_hash ON idempotency (hash);

-- One row a commit: the events of first_rev..last_rev, packed.
CREATE TABLE changes (
    last_rev INTEGER PRIMARY KEY,
    first_rev INTEGER NOT NULL,
    at INTEGER NOT NULL,
    events BLOB NOT NULL
);

-- Room that is taken and given back to see whether there is any.
CREATE TABLE probe (id INTEGER PRIMARY KEY, room BLOB NOT NULL);
)sql";

// What people asked of a job. rev: of the change that says so.
constexpr std::string_view kControls = R"sql(
ALTER TABLE jobs ADD COLUMN rev INTEGER NOT NULL DEFAULT 0;
CREATE TABLE controls (
    job INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    control INTEGER NOT NULL,
    element INTEGER,
    actor TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (job, rev)
) WITHOUT ROWID;
)sql";

// What node expressions ask for, and what they ask about.
constexpr std::string_view kNodeLabels = R"sql(
ALTER TABLE requests ADD COLUMN node_expression TEXT;
ALTER TABLE nodes ADD COLUMN labels TEXT;
)sql";

// Which jobs may be stopped for others.
constexpr std::string_view kPreemptible = R"sql(
ALTER TABLE jobs ADD COLUMN is_preemptible INTEGER NOT NULL DEFAULT 0;
)sql";

// Where jobs are in the queue, which was by priority alone; what was used, for fair share.
constexpr std::string_view kFairShare = R"sql(
ALTER TABLE jobs RENAME COLUMN priority_negated TO rank;
ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN fair_load INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN fair_step INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET priority = -rank WHERE rank != 0;
ALTER TABLE projects ADD COLUMN share INTEGER NOT NULL DEFAULT 1;
CREATE TABLE accounts (
    project INTEGER NOT NULL,
    user INTEGER NOT NULL,
    used_milli_s INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (project, user)
) WITHOUT ROWID;
)sql";

// How many jobs ask for a request: it goes with the last of them.
constexpr std::string_view kRequestJobs = R"sql(
ALTER TABLE requests ADD COLUMN jobs INTEGER NOT NULL DEFAULT 0;
UPDATE requests SET jobs = counted.jobs
    FROM (SELECT request, count(*) AS jobs FROM jobs GROUP BY request) AS counted
    WHERE counted.request = requests.id;
DELETE FROM requests WHERE jobs = 0;
)sql";

// What is kept for a project, or for nobody. parts: of each node, see pack_parts().
constexpr std::string_view kBookings = R"sql(
CREATE TABLE bookings (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    project INTEGER,
    parts TEXT NOT NULL,
    release_after_s INTEGER NOT NULL,
    is_used INTEGER NOT NULL,
    made_by TEXT NOT NULL
);
)sql";

// What each user of a project may hold.
constexpr std::string_view kUserQuotas = R"sql(
ALTER TABLE projects ADD COLUMN user_gpu_milli_max INTEGER;
ALTER TABLE projects ADD COLUMN user_cpu_millicores_max INTEGER;
ALTER TABLE projects ADD COLUMN user_memory_mib_max INTEGER;
ALTER TABLE projects ADD COLUMN user_running_elements_max INTEGER;
ALTER TABLE projects ADD COLUMN user_pending_elements_max INTEGER;
)sql";

// What forecasts are made from. An outcome's id is its number in a ring; runs and shares are bins:
// number, ended, cut, in turns.
constexpr std::string_view kForecasts = R"sql(
ALTER TABLE allocations RENAME COLUMN is_quarantined TO owner;
ALTER TABLE jobs ADD COLUMN run_name INTEGER NOT NULL DEFAULT 0;
CREATE TABLE run_stats (
    project INTEGER NOT NULL,
    user INTEGER NOT NULL,
    name INTEGER NOT NULL,
    size INTEGER NOT NULL,
    told INTEGER NOT NULL,
    leaning INTEGER NOT NULL,
    runs TEXT NOT NULL,
    shares TEXT,
    PRIMARY KEY (project, user, name, size)
) WITHOUT ROWID;
CREATE TABLE forecasts (
    job INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    class INTEGER NOT NULL,
    sampled_from_s INTEGER NOT NULL,
    sampled_until_s INTEGER NOT NULL,
    from_s INTEGER NOT NULL,
    until_s INTEGER NOT NULL
);
CREATE TABLE forecast_outcomes (
    id INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    class INTEGER NOT NULL,
    verdict INTEGER NOT NULL,
    past_from INTEGER NOT NULL,
    past_until INTEGER NOT NULL
);
)sql";

// What a project gets back from who borrowed it.
constexpr std::string_view kGuarantees = R"sql(
ALTER TABLE projects ADD COLUMN guaranteed_gpu_milli INTEGER NOT NULL DEFAULT 0;
)sql";

/// Forward only, in order; a step that was released is never edited.
constexpr auto kSteps = std::to_array<std::string_view>(
    {kFirst, kControls, kNodeLabels, kPreemptible, kFairShare, kRequestJobs, kBookings, kUserQuotas,
     kForecasts, kGuarantees});

Result<std::int64_t> version_of(Database& database) {
    auto version = database.integer_of("PRAGMA user_version");
    if (!version) {
        return version;
    }
    auto application = database.integer_of("PRAGMA application_id");
    if (!application) {
        return application;
    }
    auto tables = database.integer_of("SELECT count(*) FROM sqlite_schema");
    if (!tables) {
        return tables;
    }
    const bool is_empty = *version == 0 && *application == 0 && *tables == 0;
    if (!is_empty && *application != kApplicationId) {
        return fail(
            ErrorCode::kConflict,
            database.path() + " is another program's database; give another data directory");
    }
    if (*version > schema_version()) {
        return fail(
            ErrorCode::kConflict, "this data was written by a newer reeve (schema " +
                                      std::to_string(*version) + ", this one knows " +
                                      std::to_string(schema_version()) +
                                      "); install that version or restore a backup");
    }
    return version;
}

Result<void> apply_step(Database& database, std::int64_t version, std::string_view cluster_id) {
    auto transaction = Transaction::begin_write(database);
    if (!transaction) {
        return tl::unexpected(std::move(transaction.error()));
    }
    std::string sql(kSteps.at(static_cast<std::size_t>(version)));
    if (version == 0) {
        sql += "INSERT INTO meta VALUES (1, '" + std::string(cluster_id) + "', 1, 0, 0, 0, 0, 0);";
        sql += "PRAGMA application_id = " + std::to_string(kApplicationId) + ";";
    }
    sql += "PRAGMA user_version = " + std::to_string(version + 1) + ";";
    if (auto done = database.execute(sql); !done) {
        return done;
    }
    return transaction->commit();
}

}  // namespace

std::int64_t schema_version() {
    return static_cast<std::int64_t>(kSteps.size());
}

Result<void> migrate(Database& database, std::string_view cluster_id) {
    const auto version = version_of(database);
    if (!version) {
        return tl::unexpected(version.error());
    }
    if (*version == 0 && cluster_id.empty()) {
        return fail(
            ErrorCode::kInternal,
            "the database " + database.path() +
                " has no tables; nothing was changed: restore a backup with `reeve server "
                "restore`");
    }
    for (std::int64_t step = *version; step < schema_version(); ++step) {
        if (auto done = apply_step(database, step, cluster_id); !done) {
            return tl::unexpected(
                std::move(done.error())
                    .with_context(
                        "migrate " + database.path() + " to schema " + std::to_string(step + 1)));
        }
    }
    return {};
}

Result<void> check_schema(Database& database) {
    const auto version = version_of(database);
    if (!version) {
        return tl::unexpected(version.error());
    }
    if (*version != schema_version()) {
        return fail(
            ErrorCode::kConflict, "the data has schema " + std::to_string(*version) +
                                      ", this reeve wants " + std::to_string(schema_version()) +
                                      "; start its server once to bring it up to date");
    }
    return {};
}

Result<void> check_not_newer(Database& database) {
    const auto version = version_of(database);
    return version ? Result<void>() : tl::unexpected(version.error());
}

Result<void> check_integrity(Database& database) {
    auto statement = database.prepare("PRAGMA quick_check(1)");
    if (!statement) {
        return tl::unexpected(std::move(statement.error()));
    }
    Run run(*statement);
    auto has_row = run.step();
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    const std::string answer = *has_row ? run.read_string() : std::string();
    if (answer != "ok") {
        return fail(
            ErrorCode::kInternal,
            database.path() +
                " is corrupt; nothing was changed: keep a copy of it, check the disk, and restore "
                "a backup with `reeve server restore`",
            answer);
    }
    return {};
}

}  // namespace reeve::store_sqlite
