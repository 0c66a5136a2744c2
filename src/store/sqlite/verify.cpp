#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "store/sqlite/backup.hpp"
#include "store/sqlite/change_log.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/schema.hpp"

namespace reeve::store_sqlite {
namespace {

using model::ElementState;

constexpr int kProblemsPerRule = 10;

struct Rule {
    std::string_view words;     // What is wrong with the object that a row names.
    std::string_view culprits;  // SQL: gives its number.
};

constexpr auto kRules = std::to_array<Rule>({
    {"change %: revisions are missing before it",
     "SELECT first_rev FROM (SELECT first_rev, lag(last_rev) OVER (ORDER BY last_rev) AS before "
     "FROM changes) WHERE before IS NOT NULL AND first_rev <> before + 1"                                                     },
    {"change %: is not the newest of the log, but should be",
     "SELECT last_rev FROM meta WHERE last_rev <> (SELECT max(last_rev) FROM changes)"                                        },
    {"job %: is above the highest id given",
     "SELECT id FROM jobs WHERE id > (SELECT last_job FROM meta)"                                                             },
    {"allocation %: is above the highest id given",
     "SELECT id FROM allocations WHERE id > (SELECT last_allocation FROM meta)"                                               },
    {"job %: its user is missing",                            "SELECT id FROM jobs WHERE user NOT IN (SELECT id FROM users)"  },
    {"job %: its project is missing",
     "SELECT id FROM jobs WHERE project NOT IN (SELECT id FROM projects)"                                                     },
    {"reservation %: its project is missing",
     "SELECT id FROM bookings WHERE project NOT IN (SELECT id FROM projects)"                                                 },
    {"job %: its request is missing",
     "SELECT id FROM jobs WHERE request NOT IN (SELECT id FROM requests)"                                                     },
    {"request %: counts more or fewer jobs than ask for it",
     "SELECT id FROM requests LEFT JOIN (SELECT request, count(*) AS asking FROM jobs GROUP BY "
     "request) "
     "ON request = id WHERE jobs <> coalesce(asking, 0)"                                                                      },
    {"job %: its texts are missing",
     "SELECT id FROM jobs WHERE id NOT IN (SELECT id FROM job_texts)"                                                         },
    {"job %: has texts only",                                 "SELECT id FROM job_texts WHERE id NOT IN (SELECT id FROM jobs)"},
    {"job %: has elements only",
     "SELECT DISTINCT job FROM elements WHERE job NOT IN (SELECT id FROM jobs)"                                               },
    {"job %: has controls only",
     "SELECT DISTINCT job FROM controls WHERE job NOT IN (SELECT id FROM jobs)"                                               },
    {"job %: an element holds nothing, but is not pending",
     "SELECT job FROM elements WHERE state IN (2, 3, 4) AND NOT EXISTS (SELECT 1 FROM allocations "
     "WHERE allocations.id = elements.allocation AND allocations.state < 3)"                                                  },
    {"job %: two attempts of an element live",
     "SELECT job FROM elements WHERE state <= 4 AND ended_at = 0 GROUP BY job, element "
     "HAVING count(*) > 1"                                                                                                    },
});

using LiveCounts = std::map<JobId, model::StateCounts>;

class Verifier {
  public:
    explicit Verifier(Database& database) : database_(database) {}

    Result<Verification> run() {
        auto done = check_file().and_then([&] { return check_rules(); }).and_then([&] {
            return check_changes();
        });
        done =
            done.and_then([&] { return read_elements(); }).and_then([&] { return check_jobs(); });
        if (!done) {
            return tl::unexpected(std::move(done.error()));
        }
        return std::move(found_);
    }

  private:
    template <class Each>
    Result<void> for_each(std::string_view sql, const Each& each) {
        auto statement = database_.prepare(sql);
        if (!statement) {
            return tl::unexpected(std::move(statement.error()));
        }
        Run run(*statement);
        auto has_row = run.step();
        for (; has_row && *has_row; has_row = run.step()) {
            each(run);
        }
        return has_row ? Result<void>() : tl::unexpected(std::move(has_row.error()));
    }

    void report(std::string_view words, std::uint64_t number) {
        if (++reported_[words] <= kProblemsPerRule) {
            std::string problem(words);
            found_.problems.push_back(
                problem.replace(problem.find('%'), 1, std::to_string(number)));
        }
    }

    Result<void> check_file() {
        return for_each("PRAGMA integrity_check(10)", [&](Run& run) {
            if (std::string line = run.read_string(); line != "ok") {
                found_.problems.push_back("file: " + line);
            }
        });
    }

    Result<void> check_rules() {
        Result<void> done;
        for (const Rule& rule : kRules) {
            done = done.and_then([&] {
                return for_each(
                    rule.culprits, [&](Run& run) { report(rule.words, run.read_unsigned()); });
            });
        }
        return done;
    }

    Result<void> check_changes() {
        return for_each("SELECT first_rev, last_rev, events FROM changes", [&](Run& run) {
            const std::uint64_t first = run.read_unsigned();
            const std::uint64_t count = run.read_unsigned() - first + 1;
            const auto packed = count_events(run.read_text());
            if (!packed || *packed != count) {
                report("change %: its events cannot be read", first);
            }
            found_.changes += count;
        });
    }

    Result<void> read_elements() {
        return for_each("SELECT job, state FROM elements", [&](Run& run) {
            const auto job = run.read_id<JobId>();
            const auto state = run.read_as<ElementState>();
            if (phase_of(state) == kLivePhase) {
                ++live_[job][state];
            }
            ++found_.elements;
        });
    }

    Result<void> check_jobs() {
        return for_each(
            "SELECT " + std::string(kJobColumns) + ", phase, queue_class FROM jobs", [&](Run& run) {
                const model::JobRecord job = read_job(run);
                JobIndexes stored{.state = model::state_of(job.counts)};
                stored.phase = run.read_integer();
                if (!run.read_is_null()) {
                    stored.queue_class = run.read_integer();
                }
                if (stored != indexes_of(job)) {
                    report("job %: its indexes do not say what its counts say", job.id.value());
                }
                check_counts(job);
                ++found_.jobs;
            });
    }

    void check_counts(const model::JobRecord& job) {
        const std::uint32_t ended = job.counts.ended();
        const std::uint32_t all = job.counts.pending() + job.counts.live() + ended;
        if (all != job.range.count()) {
            report("job %: its counts do not add up to its elements", job.id.value());
        }
        if ((ended == all) != (job.ended_at != model::kNever)) {
            report("job %: it has ended, or has not, but says otherwise", job.id.value());
        }
        const model::StateCounts live = live_[job.id];
        for (const ElementState state :
             {ElementState::kScheduled, ElementState::kRunning, ElementState::kStopping}) {
            if (live[state] != job.counts[state]) {
                report("job %: its counts differ from its elements", job.id.value());
                return;
            }
        }
    }

    Database& database_;
    Verification found_ = {};
    LiveCounts live_ = {};
    std::map<std::string_view, int> reported_ = {};
};

}  // namespace

Result<Verification> verify(const std::string& path) {
    auto database = open_reading(path);
    if (!database) {
        return tl::unexpected(std::move(database.error()));
    }
    if (auto known = check_schema(*database); !known) {
        return tl::unexpected(std::move(known.error()));
    }
    auto transaction = Transaction::begin_read(*database);
    if (!transaction) {
        return tl::unexpected(std::move(transaction.error()));
    }
    return Verifier(*database).run();
}

}  // namespace reeve::store_sqlite
