#include "store_fixture.hpp"

#include <cstdlib>

#include "platform/files.hpp"
#include "store/memory/memory_store.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace reeve::conformance {
namespace {

class MemorySubject final : public Subject {
  public:
    ledger::Store& store() override { return store_; }

    std::unique_ptr<ledger::Reader> reader() override { return store_.open_reader().value(); }

    void restart() override { store_.crash(); }

  private:
    store_memory::MemoryStore store_;
};

class SqliteSubject final : public Subject {
  public:
    SqliteSubject() { restart(); }

    ledger::Store& store() override { return *store_; }

    std::unique_ptr<ledger::Reader> reader() override { return store_->open_reader().value(); }

    void restart() override {
        store_.reset();
        auto opened = store_sqlite::open_sqlite({.path = directory_.file("reeve.db")});
        if (!opened) {
            ADD_FAILURE() << opened.error().message << ": " << opened.error().context;
            std::abort();
        }
        store_ = std::move(*opened);
    }

  private:
    TempDirectory directory_;
    std::unique_ptr<store_sqlite::SqliteStore> store_;
};

}  // namespace

TempDirectory::TempDirectory() : path_(testing::TempDir() + "reeve-store-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) {
        std::abort();
    }
}

TempDirectory::~TempDirectory() {
    EXPECT_TRUE(platform::remove_tree(path_));
}

std::vector<Implementation> implementations() {
    return {
        {"Memory", [] { return std::unique_ptr<Subject>(std::make_unique<MemorySubject>()); }},
        {"Sqlite", [] { return std::unique_ptr<Subject>(std::make_unique<SqliteSubject>()); }}
    };
}

Script& Script::add(ledger::Body body) {
    changes_.push_back(
        {.rev = Revision(++rev_), .at = at_, .actor = "alice", .body = std::move(body)});
    return *this;
}

Script& Script::submit(model::JobRecord job, ledger::JobTexts texts) {
    ledger::JobPut put;
    put.after = std::move(job);
    put.texts = std::move(texts);
    return add(std::move(put));
}

Script& Script::update(const model::JobRecord& before, const model::JobRecord& after) {
    ledger::JobPut put;
    put.before = before;
    put.after = after;
    return add(std::move(put));
}

Script& Script::put_element(model::ElementRecord element) {
    ledger::ElementPut put;
    put.user = UserId(1);
    put.project = ProjectId(1);
    put.after = std::move(element);
    return add(std::move(put));
}

Result<void> Script::commit(ledger::Store& store) {
    const std::vector<ledger::Change> changes = std::exchange(changes_, {});
    auto done = store.commit(epoch_, changes);
    if (!done) {
        rev_ -= changes.size();
    }
    return done;
}

model::JobRecord job_in(std::uint64_t id, model::ElementState state) {
    model::JobRecord job{
        .id = JobId(id),
        .user = UserId(1),
        .project = ProjectId(1),
        .request = model::RequestId(1),
        .submitted_at = kStart};
    job.counts[state] = 1;
    const bool waits = state == model::ElementState::kQueued || state == model::ElementState::kHeld;
    job.next = waits ? 0 : 1;  // What has left the queue has a record, or ended before.
    if (is_end(state)) {
        job.ended_at = kStart;
    }
    return job;
}

void add_people(Script& script) {
    script
        .put(model::UserRecord{
            .id = UserId(1), .name = "alice", .uid = 1000, .gid = 1000
    })
        .put(model::UserRecord{.id = UserId(2), .name = "bob", .uid = 1001, .gid = 1001})
        .put(model::ProjectRecord{.id = ProjectId(1), .name = "vision"})
        .put(model::ProjectRecord{
            .id = ProjectId(2), .name = "speech", .parent = ProjectId(1), .quota = {}})
        .put(model::RequestRecord{
            .id = model::RequestId(1),
            .gpus = {.count = 2, .model = "a30"},
            .host = {.cpu_millicores = 1000},
            .on = "zone==a"});
}

std::vector<ledger::Recovered> recovered(ledger::Store& store) {
    std::vector<ledger::Recovered> records;
    const auto done =
        store.recover([&](ledger::Recovered&& record) { records.push_back(std::move(record)); });
    EXPECT_TRUE(done) << done.error().context;
    return records;
}

std::vector<std::uint64_t> ids_of(const ledger::JobPage& page) {
    std::vector<std::uint64_t> ids;
    ids.reserve(page.rows.size());
    for (const ledger::JobRow& row : page.rows) {
        ids.push_back(row.record.id.value());
    }
    return ids;
}

}  // namespace reeve::conformance
