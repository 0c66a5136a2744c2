// What every store's readers do alike: lists, positions, events, and what pruning leaves.
#include <algorithm>

#include "store_fixture.hpp"

namespace reeve::conformance {
namespace {

using ledger::JobFilter;
using ledger::JobOrder;
using model::ElementState;
using Ids = std::vector<std::uint64_t>;

class Reader : public StoreSuite {
  protected:
    /// Jobs 1..9, each with something to tell it from the others.
    void add_jobs() {
        auto changes = script();
        add_people(changes);
        changes.submit(job_in(1, ElementState::kSucceeded), {.name = "a"});
        changes.submit(job_in(2, ElementState::kFailed), {.name = "b", .labels = {{"k", "v"}}});
        changes.submit(job_in(3, ElementState::kRunning), {.name = "a"});
        changes.submit(job_in(4, ElementState::kScheduled), {.name = "a"});
        model::JobRecord bobs = job_in(5, ElementState::kQueued);
        bobs.user = UserId(2);
        changes.submit(
            bobs, {
                      .name = "b", .labels = {{"k", "v"}, {"l", "w"}}
        });
        model::JobRecord urgent = job_in(6, ElementState::kQueued);
        urgent.priority = 10;
        urgent.rank = -std::int64_t{urgent.priority};
        urgent.project = ProjectId(2);
        changes.submit(urgent, {.name = "a"});
        changes.submit(job_in(7, ElementState::kHeld), {.name = "a", .labels = {{"k", "w"}}});
        model::JobRecord array = job_in(8, ElementState::kRunning);  // With elements that wait.
        array.range.last = 9;
        array.is_array = true;
        array.counts[ElementState::kQueued] = 9;
        changes.submit(array, {.name = "a"});
        model::JobRecord low = job_in(9, ElementState::kQueued);
        low.priority = -5;
        low.rank = -std::int64_t{low.priority};
        changes.submit(low, {.name = "c"});
        ASSERT_TRUE(changes.commit(store()));
    }

    /// The whole list, `limit` rows a page.
    Ids walk(const JobFilter& filter, JobOrder order, std::size_t limit) {
        Ids ids;
        std::optional<ledger::JobCursor> after;
        const auto from = reader();
        for (int pages = 0; pages < 100; ++pages) {
            const auto page = from->jobs(filter, order, after, limit);
            if (!page) {
                ADD_FAILURE() << page.error().context;
                return ids;
            }
            EXPECT_LE(page->rows.size(), limit);
            const Ids some = ids_of(*page);
            ids.insert(ids.end(), some.begin(), some.end());
            if (!page->next) {
                return ids;
            }
            after = page->next;
        }
        ADD_FAILURE() << "a list without an end";
        return ids;
    }
};

INSTANTIATE_TEST_SUITE_P(All, Reader, testing::ValuesIn(implementations()), [](const auto& about) {
    return about.param.name;
});

TEST_P(Reader, FiltersEveryOrder) {
    add_jobs();

    struct Case {
        JobFilter filter;
        Ids by_id;
        Ids in_queue;
    };

    const auto states = [](std::vector<ElementState> wanted) {
        return JobFilter{.states = std::move(wanted)};
    };
    const std::vector<Case> cases = {
        {{},                                                                                {1, 2, 3, 4, 5, 6, 7, 8, 9}, {6, 5, 7, 8, 9}},
        {states({ElementState::kQueued}),                                                   {5, 6, 9},                   {6, 5, 9}      },
        {states({ElementState::kHeld}),                                                     {7},                         {7}            },
        {states({ElementState::kRunning}),                                                  {3, 8},                      {8}            },
        {states({ElementState::kScheduled}),                                                {4},                         {}             },
        {states({ElementState::kStopping}),                                                 {},                          {}             },
        {states({ElementState::kQueued, ElementState::kRunning}),                           {3, 5, 6, 8, 9},             {6, 5, 8, 9}   },
        {states({ElementState::kSucceeded, ElementState::kFailed}),                         {1, 2},                      {}             },
        {{.user = "alice"},                                                                 {1, 2, 3, 4, 6, 7, 8, 9},    {6, 7, 8, 9}   },
        {{.user = "bob"},                                                                   {5},                         {5}            },
        {{.user = "nobody"},                                                                {},                          {}             },
        {{.project = "speech"},                                                             {6},                         {6}            },
        {{.project = "nothing"},                                                            {},                          {}             },
        {{.user = "bob", .project = "speech"},                                              {},                          {}             },
        {{.user = "alice", .project = "vision"},                                            {1, 2, 3, 4, 7, 8, 9},       {7, 8, 9}      },
        {{.name = "a"},                                                                     {1, 3, 4, 6, 7, 8},          {6, 7, 8}      },
        {{.name = "A"},                                                                     {},                          {}             },
        {{.labels = {{"k", "v"}}},                                                          {2, 5},                      {5}            },
        {{.labels = {{"k", "v"}, {"l", "w"}}},                                              {5},                         {5}            },
        {{.labels = {{"k", "v"}, {"l", "x"}}},                                              {},                          {}             },
        {{.ids = {JobId(9), JobId(2), JobId(77), JobId(9)}},                                {2, 9},                      {9}            },
        {{.states = {ElementState::kRunning}, .name = "a"},                                 {3, 8},                      {8}            },
        {{.states = {ElementState::kQueued}, .user = "bob", .name = "b"},                   {5},                         {5}            },
        {{.states = {ElementState::kFailed}, .user = "alice", .ids = {JobId(2), JobId(3)}},
         {2},
         {}                                                                                                                             },
    };
    for (std::size_t i = 0; i < cases.size(); ++i) {
        for (const std::size_t limit : {1U, 2U, 100U}) {
            SCOPED_TRACE(std::to_string(i) + ", limit " + std::to_string(limit));
            Ids newest_first = cases[i].by_id;
            std::ranges::reverse(newest_first);
            EXPECT_EQ(walk(cases[i].filter, JobOrder::kOldestFirst, limit), cases[i].by_id);
            EXPECT_EQ(walk(cases[i].filter, JobOrder::kNewestFirst, limit), newest_first);
            EXPECT_EQ(walk(cases[i].filter, JobOrder::kQueue, limit), cases[i].in_queue);
        }
    }
}

TEST_P(Reader, FollowsAJobThroughItsStates) {
    add_jobs();
    model::JobRecord job = job_in(9, ElementState::kQueued);
    job.priority = -5;
    job.rank = -std::int64_t{job.priority};
    auto changes = Script(store().open_epoch().value());
    for (const ElementState state :
         {ElementState::kHeld, ElementState::kQueued, ElementState::kScheduled,
          ElementState::kRunning, ElementState::kStopping, ElementState::kTimedOut}) {
        model::JobRecord next = job;
        next.counts = {};
        next.counts[state] = 1;
        next.ended_at = is_end(state) ? kStart : model::kNever;
        changes.update(job, next);
        job = next;
        ASSERT_TRUE(changes.commit(store()));
        for (std::size_t i = 0; i < model::kElementStates; ++i) {
            const auto wanted = static_cast<ElementState>(i);
            const Ids found = walk(
                {.states = {wanted}, .user = "alice", .name = "c"}, JobOrder::kNewestFirst, 10);
            EXPECT_EQ(found, wanted == state ? Ids{9} : Ids{}) << i;
        }
        const bool waits = state == ElementState::kHeld || state == ElementState::kQueued;
        EXPECT_EQ(walk({}, JobOrder::kQueue, 10).size(), waits ? 5U : 4U);
    }
}

TEST_P(Reader, ARowHasAllThatIsShown) {
    add_jobs();
    auto changes = Script(store().open_epoch().value());
    model::ElementRecord first{.key = {.job = JobId(3)}, .attempt = 1};
    model::ElementRecord second{
        .key = {.job = JobId(3)}, .attempt = 2, .state = ElementState::kRunning, .node = NodeId(1)};
    changes.put_element(first).put_element(second);
    ASSERT_TRUE(changes.commit(store()));

    const auto row = reader()->job(JobId(3));
    ASSERT_TRUE(row);
    EXPECT_EQ(row->record, job_in(3, ElementState::kRunning));
    EXPECT_EQ(row->name, "a");
    EXPECT_EQ(row->user, "alice");
    EXPECT_EQ(row->project, "vision");
    EXPECT_EQ(row->gpus, (model::GpuAsk{.count = 2, .model = "a30"}));
    EXPECT_EQ(row->on, "zone==a");
    EXPECT_EQ(row->host, (model::HostAmount{.cpu_millicores = 1000}));
    EXPECT_EQ(row->element, second);
    EXPECT_EQ(reader()->job(JobId(5))->element, std::nullopt);
    EXPECT_EQ(reader()->job(JobId(8))->element, std::nullopt);
    EXPECT_EQ(reader()->job(JobId(10)).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(reader()->spec(JobId(10)).error().code, ErrorCode::kNotFound);
}

TEST_P(Reader, ListsStayWholeWhileJobsCome) {
    auto changes = script();
    add_people(changes);
    for (std::uint64_t id = 1; id <= 20; ++id) {
        changes.submit(job_in(id, ElementState::kQueued));
    }
    ASSERT_TRUE(changes.commit(store()));
    for (const JobOrder order : {JobOrder::kNewestFirst, JobOrder::kOldestFirst}) {
        const auto from = reader();
        Ids seen;
        std::optional<ledger::JobCursor> after;
        std::uint64_t next_id =
            from->jobs({}, JobOrder::kNewestFirst, {}, 1)->rows[0].record.id.value();
        for (int page_number = 0; page_number < 4; ++page_number) {
            const auto page = from->jobs({}, order, after, 5);
            ASSERT_TRUE(page);
            EXPECT_EQ(page->as_of, Revision(changes.rev()));
            const Ids some = ids_of(*page);
            seen.insert(seen.end(), some.begin(), some.end());
            after = page->next;
            changes.submit(job_in(++next_id, ElementState::kQueued));
            ASSERT_TRUE(changes.commit(store()));
        }
        std::ranges::sort(seen);
        EXPECT_EQ(std::ranges::unique(seen).begin(), seen.end());
        EXPECT_EQ(seen.size(), 20U);
        EXPECT_EQ(after.has_value(), order == JobOrder::kOldestFirst);  // What came, comes last.
    }
}

TEST_P(Reader, ListsAreWholeWhereNoTwoJobsHaveOneRank) {
    constexpr std::uint64_t kJobs = 150;  // More ranks than a page merges runs of.
    auto changes = script();
    add_people(changes);
    for (std::uint64_t id = 1; id <= kJobs; ++id) {
        const bool waits = id % 3 != 0;
        model::JobRecord job = job_in(id, waits ? ElementState::kQueued : ElementState::kRunning);
        job.rank = static_cast<std::int64_t>(id * 77 % kJobs);
        changes.submit(job);
    }
    ASSERT_TRUE(changes.commit(store()));
    const auto from = reader();
    for (const JobOrder order :
         {JobOrder::kNewestFirst, JobOrder::kOldestFirst, JobOrder::kQueue}) {
        Ids seen;
        std::optional<ledger::JobCursor> after;
        do {
            const auto page =
                from->jobs({.states = {ElementState::kQueued}}, order, after, 30).value();
            const Ids some = ids_of(page);
            seen.insert(seen.end(), some.begin(), some.end());
            after = page.next;
        } while (after);
        const auto place = [order](std::uint64_t id) {
            const auto number = static_cast<std::int64_t>(id);
            return order == JobOrder::kQueue         ? number * 77 % std::int64_t{kJobs}
                   : order == JobOrder::kOldestFirst ? number
                                                     : -number;
        };
        EXPECT_EQ(seen.size(), kJobs / 3 * 2);
        EXPECT_TRUE(std::ranges::is_sorted(seen, {}, place));
    }
}

TEST_P(Reader, CountsPositions) {
    add_jobs();
    const auto from = reader();
    EXPECT_EQ(from->position(-10, JobId(6)).value(), 1U);
    EXPECT_EQ(from->position(0, JobId(5)).value(), 2U);
    EXPECT_EQ(from->position(0, JobId(8)).value(), 3U);  // Job 7 is held: nobody waits for it.
    EXPECT_EQ(from->position(5, JobId(9)).value(), 4U);
    EXPECT_EQ(from->position(-1000, JobId(1)).value(), 1U);
}

TEST_P(Reader, PositionsEndAtTenThousand) {
    auto changes = script();
    for (std::uint64_t id = 1; id <= ledger::kPositionMax + 1; ++id) {
        model::JobRecord job = job_in(id, ElementState::kQueued);
        job.priority = id <= 5 ? 1 : 0;
        job.rank = -std::int64_t{job.priority};
        changes.submit(job);
    }
    ASSERT_TRUE(changes.commit(store()));
    const auto from = reader();
    EXPECT_EQ(from->position(0, JobId(6)).value(), 6U);
    EXPECT_EQ(from->position(0, JobId(ledger::kPositionMax)).value(), ledger::kPositionMax);
    EXPECT_EQ(from->position(0, JobId(ledger::kPositionMax + 1)).value(), ledger::kPositionMax + 1);
    EXPECT_EQ(from->position(1, JobId(1)).value(), ledger::kPositionMax + 1);
}

TEST_P(Reader, PagesAttempts) {
    add_jobs();
    auto changes = Script(store().open_epoch().value());
    std::vector<model::ElementRecord> all;
    for (const std::uint32_t index : {0U, 3U, 4'000'000'000U}) {
        for (const std::uint32_t attempt : {1U, 2U}) {
            all.push_back({
                .key = {.job = JobId(8), .index = index},
                  .attempt = attempt
            });
            changes.put_element(all.back());
        }
    }
    changes.put_element({.key = {.job = JobId(9)}});
    ASSERT_TRUE(changes.commit(store()));
    for (const std::size_t limit : {1U, 2U, 6U, 100U}) {
        std::vector<model::ElementRecord> seen;
        std::optional<std::pair<std::uint32_t, std::uint32_t>> after;
        for (int pages = 0; pages < 10; ++pages) {
            const auto page = reader()->elements(JobId(8), after, limit);
            ASSERT_TRUE(page);
            seen.insert(seen.end(), page->rows.begin(), page->rows.end());
            after = page->next;
            if (!after) {
                break;
            }
        }
        EXPECT_EQ(seen, all) << limit;
    }
    EXPECT_EQ(reader()->elements(JobId(77), {}, 5).error().code, ErrorCode::kNotFound);
}

TEST_P(Reader, GivesAllocations) {
    auto changes = script();
    const model::AllocationRecord allocation{
        .id = AllocationId(4), .state = model::AllocationState::kReleased};
    changes.put(allocation);
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(reader()->allocation(AllocationId(4)).value(), allocation);
    EXPECT_EQ(reader()->allocation(AllocationId(5)).value(), std::nullopt);
}

TEST_P(Reader, EventsGoOnFromAnyRevision) {
    add_jobs();  // 5 interned records, 9 jobs: one commit.
    auto changes = Script(store().open_epoch().value());
    changes.put_element({.key = {.job = JobId(5)}, .state = ElementState::kRunning});
    ASSERT_TRUE(changes.commit(store()));
    const auto from = reader();
    for (std::uint64_t since = 0; since <= 15; ++since) {
        const auto page = from->events(Revision(since), 4);
        ASSERT_TRUE(page);
        EXPECT_FALSE(page->is_gap);
        EXPECT_EQ(page->last_rev, Revision(15));
        ASSERT_EQ(page->events.size(), std::min<std::size_t>(4, 15 - since));
        for (std::size_t i = 0; i < page->events.size(); ++i) {
            EXPECT_EQ(page->events[i].rev, Revision(since + i + 1));
        }
    }
    const auto all = from->events(Revision(0), 100)->events;
    EXPECT_EQ(all[0].kind, "internal");
    EXPECT_EQ(all[0].json, "");
    EXPECT_EQ(all[9].kind, "job.submitted");
    EXPECT_EQ(all[9].user, "bob");
    EXPECT_NE(all[9].json.find(R"("object":"job/5")"), std::string::npos) << all[9].json;
    EXPECT_EQ(all[14].kind, "element.running");
    EXPECT_TRUE(from->events(Revision(16), 4)->is_gap);  // Of a future that a restore took back.
    EXPECT_EQ(from->head().value(), std::pair(std::uint64_t{1}, Revision(15)));
}

TEST_P(Reader, PrunesOldEndsAndLeavesAGap) {
    auto changes = script();
    add_people(changes);
    const auto at = [](int minutes) { return kStart + std::chrono::minutes(minutes); };
    for (std::uint64_t id = 1; id <= 4; ++id) {
        model::JobRecord job = job_in(id, ElementState::kSucceeded);
        job.ended_at = at(static_cast<int>(id));
        changes.submit(job, {.name = "n", .labels = {{"k", "v"}}});
        changes.put_element(
            {.key = {.job = JobId(id)},
             .attempt = 2,
             .state = ElementState::kSucceeded,
             .ended_at = at(1),
             .node = NodeId(id),
             .allocation = AllocationId(id)});
        changes.put(model::AllocationRecord{
            .id = AllocationId(id), .state = model::AllocationState::kReleased});
    }
    changes.submit(job_in(5, ElementState::kQueued));
    ASSERT_TRUE(changes.commit(store()));
    const std::uint64_t pruned_rev = changes.rev();
    changes.set_time(at(100));
    changes.put(model::UserRecord{.id = UserId(3), .name = "carol"});
    ASSERT_TRUE(changes.commit(store()));

    const auto first = store().prune(at(4), 2);
    ASSERT_TRUE(first);
    ASSERT_EQ(first->size(), 2U);
    EXPECT_EQ(first->at(0).node, NodeId(1));
    EXPECT_EQ(
        first->at(0).key, (model::TaskKey{.element = {.job = JobId(1)}, .attempt = 2, .rank = 0}));
    EXPECT_EQ(first->at(1).node, NodeId(2));
    EXPECT_EQ(store().prune(at(4), 100)->size(), 1U);
    EXPECT_EQ(store().prune(at(4), 100)->size(), 0U);

    const auto from = reader();
    EXPECT_EQ(walk({}, JobOrder::kOldestFirst, 10), (Ids{4, 5}));
    EXPECT_EQ(walk({.labels = {{"k", "v"}}}, JobOrder::kOldestFirst, 10), (Ids{4}));
    EXPECT_EQ(from->spec(JobId(1)).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(from->allocation(AllocationId(3)).value(), std::nullopt);
    EXPECT_NE(from->allocation(AllocationId(4)).value(), std::nullopt);
    EXPECT_EQ(store().attempt_of({.job = JobId(1)}, 2).value(), std::nullopt);
    EXPECT_EQ(store().counts_of(JobId(1)).value(), std::nullopt);

    EXPECT_TRUE(from->events(Revision(0), 10)->is_gap);
    EXPECT_TRUE(from->events(Revision(pruned_rev - 1), 10)->is_gap);
    const auto kept = from->events(Revision(pruned_rev), 10);
    EXPECT_FALSE(kept->is_gap);
    EXPECT_EQ(kept->events.size(), 1U);
    ASSERT_TRUE(store().prune(at(200), 100));  // Now the log is empty.
    EXPECT_TRUE(from->events(Revision(pruned_rev), 10)->is_gap);
    EXPECT_FALSE(from->events(Revision(pruned_rev + 1), 10)->is_gap);

    restart();
    EXPECT_EQ(header.last_rev, Revision(pruned_rev + 1));
    EXPECT_EQ(header.last_job, JobId(5));
}

}  // namespace
}  // namespace reeve::conformance
