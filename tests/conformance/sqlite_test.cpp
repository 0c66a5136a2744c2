// What is the SQLite store's own: files, schemas, disks, processes.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/files.hpp"
#include "sqlite_fixture.hpp"
#include "store/sqlite/backup.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store_fixture.hpp"

namespace reeve::conformance {
namespace {

using model::ElementState;

void overwrite(const std::string& path, std::size_t offset, std::string_view bytes) {
    std::string file = platform::read_file(path, kFileBytesMax).value();
    ASSERT_GE(file.size(), offset + bytes.size());
    file.replace(offset, bytes.size(), bytes);
    ASSERT_TRUE(platform::write_file(path, file));
}

TEST_F(Sqlite, RefusesANewerSchema) {
    make(1);
    tamper(path(), "PRAGMA user_version = 4711");
    expect_refused(ErrorCode::kConflict, "newer reeve (schema 4711");
}

TEST_F(Sqlite, RefusesAnotherProgramsDatabase) {
    tamper(path(), "CREATE TABLE songs (title TEXT)");
    expect_refused(ErrorCode::kConflict, "another program's database");
}

TEST_F(Sqlite, RefusesAFileThatIsNoDatabase) {
    ASSERT_TRUE(platform::write_file(path(), std::string(8192, 'x')));
    expect_refused(ErrorCode::kInternal, "not a database");
}

TEST_F(Sqlite, RefusesAnEmptyFileAndOneWithoutTables) {
    ASSERT_TRUE(platform::write_file(path(), ""));
    expect_refused(ErrorCode::kInternal, "is empty; nothing was changed: restore a backup");
    EXPECT_EQ(platform::list_directory(directory.path())->size(), 1U);
    tamper(path(), "CREATE TABLE t (x); DROP TABLE t");
    expect_refused(ErrorCode::kInternal, "has no tables");
}

TEST_F(Sqlite, RefusesALogWithoutItsDatabase) {
    make(1);
    const std::string backup = directory.file("backup.db");
    ASSERT_TRUE(store_sqlite::backup(path(), backup));
    ASSERT_EQ(remove(path().c_str()), 0);
    ASSERT_TRUE(platform::write_file(path() + "-wal", "frames"));
    const auto opened = open_sqlite({.path = path()});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kInternal);
    EXPECT_NE(opened.error().message.find(path() + "-wal is there"), std::string::npos)
        << opened.error().message;
    const auto restored = store_sqlite::restore(backup, path());
    EXPECT_FALSE(restored) << "the log would be the backup's";
    EXPECT_EQ(platform::read_file(path() + "-wal", 100).value(), "frames");
    EXPECT_FALSE(platform::path_exists(path()));
}

TEST_F(Sqlite, ADatabaseIsMadeWholeWhateverWasKilledBefore) {
    ASSERT_TRUE(platform::write_file(path() + ".partial", std::string(5000, 'x')));
    ASSERT_TRUE(platform::write_file(path() + ".partial-journal", "x"));
    make(1);
    EXPECT_EQ(
        platform::list_directory(directory.path()).value(), std::vector<std::string>{"reeve.db"});
    ASSERT_EQ(link(path().c_str(), (path() + ".partial").c_str()), 0);
    EXPECT_EQ(open()->open_epoch()->last_job, JobId(1));
    EXPECT_FALSE(platform::path_exists(path() + ".partial"));
}

mode_t mode_of(const std::string& file) {
    struct stat found = {};
    EXPECT_EQ(stat(file.c_str(), &found), 0) << file;
    return found.st_mode & 07777U;
}

TEST_F(Sqlite, NobodyElseMayReadTheFilesOrABackup) {
    const mode_t mask = umask(0);
    {
        const auto store = open();
        ASSERT_TRUE(store->open_epoch());
        for (const char* suffix : {"", "-wal", "-shm"}) {
            EXPECT_EQ(mode_of(path() + suffix), 0600U) << suffix;
            ASSERT_EQ(chmod((path() + suffix).c_str(), 0644), 0);  // As older versions made them.
        }
        const std::string backup = directory.file("backup.db");
        ASSERT_TRUE(store_sqlite::backup(path(), backup));
        EXPECT_EQ(mode_of(backup), 0600U);
        ASSERT_TRUE(store_sqlite::restore(backup, directory.file("restored.db")));
        EXPECT_EQ(mode_of(directory.file("restored.db")), 0600U);
        const auto again = open();
        for (const char* suffix : {"", "-wal", "-shm"}) {
            EXPECT_EQ(mode_of(path() + suffix), 0600U) << suffix;
        }
    }
    umask(mask);
}

TEST_F(Sqlite, RefusesATruncatedFile) {
    make(500);
    const std::string file = platform::read_file(path(), kFileBytesMax).value();
    ASSERT_TRUE(platform::write_file(path(), file.substr(0, file.size() / 2)));
    expect_refused(ErrorCode::kInternal, "corrupt");
}

TEST_F(Sqlite, RefusesADamagedPage) {
    make(500);
    const std::size_t middle = platform::read_file(path(), kFileBytesMax)->size() / 2 / 4096 * 4096;
    overwrite(path(), middle, std::string(4096, '\xA5'));
    expect_refused(ErrorCode::kInternal, "corrupt");
}

TEST_F(Sqlite, ADamagedPageOfALargeFileIsFoundWhenItIsRead) {
    make(500);
    const std::size_t middle = platform::read_file(path(), kFileBytesMax)->size() / 2 / 4096 * 4096;
    overwrite(path(), middle, std::string(4096, '\xA5'));
    const auto opened = open_sqlite({.path = path(), .check_bytes_max = 0});
    ASSERT_TRUE(opened);
    const auto verified = store_sqlite::verify(path());
    EXPECT_TRUE(!verified || !verified->problems.empty());
}

TEST_F(Sqlite, RefusesADirectoryThatIsMissing) {
    const auto opened = open_sqlite({.path = directory.file("missing/reeve.db")});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kUnavailable);
}

/// Runs `body` in a child process; its exit status.
template <class Body>
int in_child(const Body& body) {
    const pid_t child = fork();
    if (child == 0) {
        _exit(body());
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(Sqlite, RefusesADirectoryThatMayNotBeWritten) {
    ASSERT_EQ(chmod(directory.path().c_str(), 0555), 0);
    const int status = in_child([&] {
        constexpr uid_t kNobody = 65534;
        if (geteuid() == 0 && setuid(kNobody) != 0) {
            return 1;
        }
        const auto opened = open_sqlite({.path = path()});
        return !opened && opened.error().code == ErrorCode::kUnavailable ? 0 : 2;
    });
    EXPECT_EQ(status, 0);
    ASSERT_EQ(chmod(directory.path().c_str(), 0700), 0);
}

TEST_F(Sqlite, AFullDiskTakesNothingAndLosesNothing) {
    make(1);
    // A large job takes 25 pages; so much that the last one misses some, and a few are left.
    constexpr std::uint64_t kRoom = (std::uint64_t{1} << 20U) + std::uint64_t{32} * 1024;
    const auto store = open_sqlite({.path = path(), .bytes_max = kRoom}).value();
    Script changes(store->open_epoch().value());
    const ledger::JobTexts large{.name = "n", .spec_json = std::string(100'000, 's')};
    std::uint64_t id = 1;
    Result<void> done;
    while (done && id < 100) {
        changes.put(model::UserRecord{.id = UserId(id + 10), .name = "user"});
        changes.submit(job_in(++id, ElementState::kQueued), large);
        done = changes.commit(*store);
    }
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::kStorageFull) << done.error().context;
    const auto reader = store->open_reader().value();
    EXPECT_EQ(reader->job(JobId(id)).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(reader->head()->second, Revision(changes.rev()));
    EXPECT_EQ(store->probe().error().code, ErrorCode::kStorageFull);

    model::JobRecord job = job_in(id - 1, ElementState::kSucceeded);
    changes.update(job_in(id - 1, ElementState::kQueued), job);  // What needs no room goes on.
    ASSERT_TRUE(changes.commit(*store));
    for (std::uint64_t ended = 2; ended < id - 1; ++ended) {
        changes.update(
            job_in(ended, ElementState::kQueued), job_in(ended, ElementState::kSucceeded));
    }
    ASSERT_TRUE(changes.commit(*store));
    ASSERT_TRUE(store->prune(kStart + std::chrono::hours(1), 100));
    EXPECT_TRUE(store->probe());  // There is room again.
    changes.submit(job_in(id, ElementState::kQueued), large);
    EXPECT_TRUE(changes.commit(*store));
    EXPECT_EQ(store_sqlite::verify(path())->problems, std::vector<std::string>());
}

TEST_F(Sqlite, ASecondServerIsFencedOff) {
    const auto first = open();
    Script old(first->open_epoch().value());
    const auto second = open();
    Script next(second->open_epoch().value());
    old.submit(job_in(1, ElementState::kQueued));
    EXPECT_EQ(old.commit(*first).error().code, ErrorCode::kConflict);
    next.submit(job_in(1, ElementState::kQueued));
    EXPECT_TRUE(next.commit(*second));
}

TEST_F(Sqlite, ReadersSeeWhatIsCommittedAndNeverWait) {
    const auto store = open();
    Script changes(store->open_epoch().value());
    add_people(changes);
    ASSERT_TRUE(changes.commit(*store));
    const auto first = store->open_reader().value();
    const auto second = store->open_reader().value();
    for (std::uint64_t id = 1; id <= 3; ++id) {
        changes.submit(job_in(id, ElementState::kQueued));
        ASSERT_TRUE(changes.commit(*store));
        EXPECT_EQ(first->jobs({}, ledger::JobOrder::kNewestFirst, {}, 10)->rows.size(), id);
        EXPECT_EQ(second->head()->second, Revision(changes.rev()));
    }
}

/// The ids of each page, until there is none (or so many that something is wrong).
std::vector<std::vector<std::uint64_t>> pages_of(
    ledger::Reader& reader,
    const ledger::JobFilter& filter,
    ledger::JobOrder order,
    std::size_t limit) {
    std::vector<std::vector<std::uint64_t>> pages;
    std::optional<ledger::JobCursor> after;
    do {
        const auto page = reader.jobs(filter, order, after, limit);
        EXPECT_TRUE(page);
        if (!page) {
            break;
        }
        pages.push_back(ids_of(*page));
        after = page->next;
    } while (after && pages.size() < 100);
    return pages;
}

std::vector<std::uint64_t> sorted(const std::vector<std::vector<std::uint64_t>>& pages) {
    std::vector<std::uint64_t> ids;
    for (const std::vector<std::uint64_t>& page : pages) {
        ids.insert(ids.end(), page.begin(), page.end());
    }
    std::ranges::sort(ids);
    return ids;
}

TEST_F(Sqlite, TheLogIsCopiedBackBesideTheWriterAndBegunAnew) {
    constexpr int kLogPages = 400;
    constexpr std::uint64_t kPageBytes = 4096;
    const auto store = open_sqlite({.path = path(), .log_pages_max = kLogPages}).value();
    Script changes(store->open_epoch().value());
    add_people(changes);
    const auto bytes_of = [](const std::string& file) {
        return platform::read_file(file, kFileBytesMax).value().size();
    };
    std::uint64_t log_bytes_max = 0;
    for (std::uint64_t id = 1; id <= 300; ++id) {
        changes.submit(
            job_in(id, ElementState::kQueued),
            {.name = "n", .spec_json = std::string(10 * kPageBytes, 'x')});
        ASSERT_TRUE(changes.commit(*store));
        log_bytes_max = std::max<std::uint64_t>(log_bytes_max, bytes_of(path() + "-wal"));
    }
    EXPECT_GT(bytes_of(path()), 2000 * kPageBytes) << "nothing was copied back";
    EXPECT_LT(log_bytes_max, kPageBytes * kLogPages * 5);
}

TEST_F(Sqlite, APageThatHasToLookAtManyIsShortAndGoesOn) {
    const auto store = open();
    Script changes(store->open_epoch().value());
    add_people(changes);
    constexpr std::uint64_t kJobs = 25'000;
    for (std::uint64_t id = 1; id <= kJobs; ++id) {
        model::JobRecord job = job_in(id, ElementState::kQueued);
        job.project = ProjectId(id == 2 || id == kJobs - 1 ? 2 : 1);
        changes.submit(job, {.name = id == 3 ? "rare" : "train"});
    }
    ASSERT_TRUE(changes.commit(*store));
    const auto reader = store->open_reader().value();
    for (const ledger::JobOrder order :
         {ledger::JobOrder::kNewestFirst, ledger::JobOrder::kOldestFirst,
          ledger::JobOrder::kQueue}) {
        const std::vector<std::vector<std::uint64_t>> full =
            pages_of(*reader, {.user = "alice", .name = "train", .labels = {}}, order, 1000);
        for (std::size_t i = 0; i < full.size(); ++i) {
            EXPECT_EQ(full[i].size(), std::min<std::size_t>(1000, kJobs - 1 - i * 1000));
        }
        const std::vector<std::uint64_t> all = sorted(full);
        EXPECT_EQ(all.size(), kJobs - 1);
        EXPECT_EQ(std::ranges::adjacent_find(all), all.end());

        const std::vector<std::vector<std::uint64_t>> rare =
            pages_of(*reader, {.user = "alice", .project = "speech"}, order, 10);
        EXPECT_EQ(sorted(rare), (std::vector<std::uint64_t>{2, kJobs - 1}));
        EXPECT_EQ(rare.size(), 3U);
    }
}

TEST_F(Sqlite, DropsIdempotencyRecordsByCountAndAge) {
    const auto store =
        open_sqlite({.path = path(), .requests_max = 3, .requests_kept = std::chrono::hours(1)})
            .value();
    Script changes(store->open_epoch().value());
    const auto put = [&](int number, Instant at) {
        changes.set_time(at);
        changes.put(
            model::IdempotencyRecord{.user = UserId(1), .key = std::to_string(number), .at = at});
    };
    const auto is_kept = [&](int number) {
        return store->request_of(UserId(1), std::to_string(number)).value().has_value();
    };
    for (int i = 0; i < 6; ++i) {
        put(i, kStart);
    }
    ASSERT_TRUE(changes.commit(*store));
    EXPECT_FALSE(is_kept(2));
    EXPECT_TRUE(is_kept(3));
    for (int i = 6; i < 9; ++i) {
        put(i, kStart + std::chrono::minutes(61));
    }
    ASSERT_TRUE(changes.commit(*store));
    EXPECT_FALSE(is_kept(5));
    EXPECT_TRUE(is_kept(6));
}

TEST_F(Sqlite, BackupAndRestoreBeginANewIncarnation) {
    make(3);
    const auto store = open();  // It runs meanwhile, with a log beside the file.
    Script changes(store->open_epoch().value());
    changes.submit(job_in(4, ElementState::kQueued));
    ASSERT_TRUE(changes.commit(*store));
    const std::string target = directory.file("backup.db");
    ASSERT_TRUE(store_sqlite::backup(path(), target));
    EXPECT_EQ(store_sqlite::backup(path(), target).error().code, ErrorCode::kConflict);
    EXPECT_EQ(
        store_sqlite::backup(directory.file("none.db"), directory.file("x")).error().code,
        ErrorCode::kNotFound);
    const Error nowhere = store_sqlite::backup(path(), directory.file("no/x")).error();
    EXPECT_EQ(nowhere.code, ErrorCode::kNotFound);
    EXPECT_EQ(
        nowhere.message,
        "there is no folder " + directory.file("no") + "; make it, or name a file in another");
    EXPECT_EQ(store_sqlite::backup(path(), path() + "/x").error().code, ErrorCode::kForbidden);
    changes.submit(job_in(5, ElementState::kQueued));  // After the backup.
    ASSERT_TRUE(changes.commit(*store));

    EXPECT_EQ(store_sqlite::restore(target, path()).error().code, ErrorCode::kConflict);
    const std::string restored = directory.file("restored.db");
    ASSERT_TRUE(store_sqlite::restore(target, restored));
    EXPECT_EQ(
        platform::list_directory(directory.path()).value(),
        (std::vector<std::string>{
            "backup.db", "reeve.db", "reeve.db-shm", "reeve.db-wal", "restored.db"}));
    const auto again = open_sqlite({.path = restored}).value();
    const auto header = again->open_epoch().value();
    EXPECT_EQ(header.incarnation, 2U);
    EXPECT_EQ(header.last_job, JobId(1'000'004));
    EXPECT_EQ(header.last_rev, Revision(changes.rev() - 1));
    EXPECT_EQ(header.cluster_id, store->open_epoch()->cluster_id);
    EXPECT_EQ(of_kind<model::JobRecord>(recovered(*again)).size(), 4U);
    const auto verified = store_sqlite::verify(restored);
    ASSERT_TRUE(verified) << verified.error().context;
    EXPECT_EQ(verified->problems, std::vector<std::string>());
    EXPECT_EQ(verified->jobs, 4U);
    EXPECT_EQ(verified->changes, header.last_rev.value());
}

TEST_F(Sqlite, RestoresNothingFromADamagedBackup) {
    make(500);
    const std::string target = directory.file("backup.db");
    ASSERT_TRUE(store_sqlite::backup(path(), target));
    const std::size_t middle = platform::read_file(target, kFileBytesMax)->size() / 2 / 4096 * 4096;
    overwrite(target, middle, std::string(4096, '\xA5'));
    const std::string restored = directory.file("restored.db");
    EXPECT_EQ(store_sqlite::restore(target, restored).error().code, ErrorCode::kInternal);
    EXPECT_FALSE(platform::path_exists(restored));
    EXPECT_FALSE(platform::path_exists(restored + ".partial"));
}

TEST_F(Sqlite, VerifyFindsWhatDoesNotFit) {
    struct Case {
        const char* sql;
        const char* want;
    };

    const std::vector<Case> cases = {
        {"UPDATE jobs SET phase = 5 WHERE id = 2",                                       "job 2: its indexes"                  },
        {"UPDATE jobs SET queue_class = NULL WHERE id = 2",                              "job 2: its indexes"                  },
        {"UPDATE jobs SET user = 77 WHERE id = 2",                                       "job 2: its user is missing"          },
        {"UPDATE jobs SET ended_at = 1 WHERE id = 2",                                    "job 2: it has ended"                 },
        {"UPDATE jobs SET range_last = 5 WHERE id = 2",                                  "job 2: its counts do not add up"     },
        {"UPDATE requests SET jobs = 2",                                                 "request 1: counts more or fewer jobs"},
        {"DELETE FROM job_texts WHERE id = 2",                                           "job 2: its texts are missing"        },
        {"DELETE FROM jobs WHERE id = 3",                                                "job 3: has texts only"               },
        {"UPDATE elements SET state = 4",                                                "job 1: its counts differ"            },
        {"UPDATE allocations SET state = 3",                                             "job 1: an element holds nothing"     },
        {"UPDATE elements SET job = 9",                                                  "job 9: has elements only"            },
        {"UPDATE meta SET last_job = 2",                                                 "job 3: is above"                     },
        {"UPDATE meta SET last_allocation = 0",                                          "allocation 1: is above"              },
        {"UPDATE meta SET last_rev = 3",                                                 "change 3: is not the newest"         },
        {"UPDATE changes SET first_rev = first_rev - 1",                                 "change 0: its events"                },
        {"DELETE FROM changes WHERE last_rev = (SELECT min(last_rev) + 1 FROM changes)",
         "revisions are missing"                                                                                               },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.sql);
        const TempDirectory other;
        const std::string file = other.file("reeve.db");
        {
            const auto store = open_sqlite({.path = file}).value();
            Script changes(store->open_epoch().value());
            add_people(changes);
            model::JobRecord live = job_in(1, ElementState::kRunning);
            changes.submit(live).submit(job_in(2, ElementState::kQueued));
            changes.submit(job_in(3, ElementState::kQueued));
            changes.put_element(
                {.key = {.job = JobId(1)},
                 .state = ElementState::kRunning,
                 .allocation = AllocationId(1)});
            changes.put(model::AllocationRecord{.id = AllocationId(1)});
            ASSERT_TRUE(changes.commit(*store));
            for (std::uint64_t id = 10; id < 13; ++id) {
                changes.put(model::UserRecord{.id = UserId(id), .name = "u"});
                ASSERT_TRUE(changes.commit(*store));
            }
        }
        EXPECT_EQ(store_sqlite::verify(file)->problems, std::vector<std::string>());
        tamper(file, c.sql);
        const auto verified = store_sqlite::verify(file);
        ASSERT_TRUE(verified) << verified.error().context;
        const bool is_found = std::ranges::any_of(
            verified->problems,
            [&](const std::string& problem) { return problem.find(c.want) != std::string::npos; });
        EXPECT_TRUE(is_found) << testing::PrintToString(verified->problems);
    }
}

/// Commits until it is killed, and says each revision that was acknowledged.
[[noreturn]] void commit_for_ever(const std::string& path, int acknowledged) {
    const auto store = open_sqlite({.path = path}).value();
    const auto header = store->open_epoch().value();
    Script changes(header);
    for (std::uint64_t id = header.last_job.value() + 1;; ++id) {
        for (int i = 0; i < 5; ++i) {
            changes.submit(job_in(id, ElementState::kQueued), {.spec_json = std::string(500, 's')});
            id += i < 4 ? 1 : 0;
        }
        if (!changes.commit(*store)) {
            _exit(1);
        }
        const std::uint64_t rev = changes.rev();
        if (write(acknowledged, &rev, sizeof rev) != sizeof rev) {
            _exit(2);
        }
    }
}

TEST_F(Sqlite, KeepsWhatItAcknowledgedThroughKills) {
    std::uint64_t acknowledged = 0;
    for (int round = 0; round < 10; ++round) {
        std::array<int, 2> pipe_ends = {};
        ASSERT_EQ(pipe(pipe_ends.data()), 0);
        const pid_t child = fork();
        if (child == 0) {
            close(pipe_ends[0]);
            commit_for_ever(path(), pipe_ends[1]);
        }
        close(pipe_ends[1]);
        std::uint64_t rev = 0;
        // A different moment each round; what it acknowledges until the kill arrives counts, too.
        for (int heard = 0; read(pipe_ends[0], &rev, sizeof rev) == sizeof rev; ++heard) {
            acknowledged = rev;
            if (heard == round * 3) {
                ASSERT_EQ(kill(child, SIGKILL), 0);
            }
        }
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status));
        close(pipe_ends[0]);

        const auto store = open();
        const auto header = store->open_epoch().value();
        EXPECT_GE(header.last_rev, Revision(acknowledged));
        EXPECT_EQ(header.last_rev.value() % 5, 0U);  // Whole commits only.
        EXPECT_EQ(header.last_job.value(), header.last_rev.value());
        EXPECT_EQ(of_kind<model::JobRecord>(recovered(*store)).size(), header.last_rev.value());
        acknowledged = header.last_rev.value();
    }
    EXPECT_GT(acknowledged, 100U);
}

}  // namespace
}  // namespace reeve::conformance
