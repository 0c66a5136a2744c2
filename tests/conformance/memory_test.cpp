// The memory store's faults.
#include "store/memory/memory_store.hpp"
#include "store_fixture.hpp"

namespace reeve::conformance {
namespace {

using model::ElementState;
using store_memory::Fault;
using store_memory::MemoryStore;

class Memory : public testing::Test {
  protected:
    Result<void> submit(std::uint64_t id) {
        changes.submit(job_in(id, ElementState::kQueued));
        return changes.commit(store);
    }

    bool has(std::uint64_t id) { return store.counts_of(JobId(id)).value().has_value(); }

    MemoryStore store;
    Script changes = Script(store.open_epoch().value());
};

TEST_F(Memory, AFaultIsOfOneCommit) {
    struct Case {
        Fault fault;
        std::optional<ErrorCode> code;
        bool is_there;
        bool is_there_after_crash;
    };

    const std::vector<Case> cases = {
        {Fault::kNone,        std::nullopt,            true,  true },
        {Fault::kFull,        ErrorCode::kStorageFull, false, false},
        {Fault::kFailed,      ErrorCode::kUnavailable, false, false},
        {Fault::kCrashBefore, ErrorCode::kUnavailable, false, false},
        {Fault::kCrashAfter,  ErrorCode::kUnavailable, true,  true },
        {Fault::kUnsynced,    std::nullopt,            true,  false},
    };
    std::uint64_t id = 0;
    for (const Case& c : cases) {
        SCOPED_TRACE(static_cast<int>(c.fault));
        changes = Script(store.open_epoch().value());
        store.set_next_fault(c.fault);
        const auto done = submit(++id);
        EXPECT_EQ(done.has_value(), !c.code);
        EXPECT_TRUE(done || done.error().code == *c.code);
        EXPECT_EQ(has(id), c.is_there);
        const auto before = store.state().header;
        store.crash();
        EXPECT_EQ(has(id), c.is_there_after_crash);
        EXPECT_EQ(
            before.last_rev.value() - store.state().header.last_rev.value(),
            c.fault == Fault::kUnsynced ? 1U : 0U);
    }
}

TEST_F(Memory, ACrashLosesAllSinceTheFirstUnsyncedCommit) {
    ASSERT_TRUE(submit(1));
    const auto kept = store.state();
    store.set_next_fault(Fault::kUnsynced);
    ASSERT_TRUE(submit(2));
    model::JobRecord changed = job_in(1, ElementState::kQueued);
    changed.priority = 7;
    changes.update(job_in(1, ElementState::kQueued), changed);
    changes.put_element({.key = {.job = JobId(1)}});
    ASSERT_TRUE(changes.commit(store));
    EXPECT_EQ(store.state().jobs.at(JobId(1)).record, changed);
    store.crash();
    EXPECT_EQ(store.state().jobs.at(JobId(1)).record, job_in(1, ElementState::kQueued));
    EXPECT_TRUE(store.state().elements.empty());
    EXPECT_FALSE(has(2));
    EXPECT_EQ(store.state().header.last_rev, kept.header.last_rev);
    EXPECT_EQ(store.state().header.last_job, JobId(1));
    EXPECT_EQ(store.state().events.size(), 1U);
    changes = Script(store.open_epoch().value());
    EXPECT_TRUE(submit(2));
}

TEST_F(Memory, PlansFaultsByCommit) {
    store.set_faults(
        [](std::uint64_t commit) { return commit == 1 ? Fault::kFull : Fault::kNone; });
    EXPECT_TRUE(store.probe());
    EXPECT_TRUE(submit(1));
    EXPECT_FALSE(store.probe());
    EXPECT_FALSE(submit(2));
    EXPECT_TRUE(store.probe());
    EXPECT_TRUE(submit(2));
    EXPECT_EQ(store.commits(), 3U);
}

TEST_F(Memory, ASnapshotIsAStoreOfItsOwn) {
    ASSERT_TRUE(submit(1));
    MemoryStore copy(store.state());
    copy.begin_incarnation();
    ASSERT_TRUE(submit(2));
    const auto header = copy.open_epoch().value();
    EXPECT_EQ(header.incarnation, 2U);
    EXPECT_EQ(header.last_job, JobId(1'000'001));
    EXPECT_FALSE(copy.counts_of(JobId(2)).value());
}

}  // namespace
}  // namespace reeve::conformance
