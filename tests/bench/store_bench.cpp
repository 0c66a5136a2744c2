// What a store costs, by itself: `reeve_store_bench DIRECTORY [JOBS]`. Prints one line a figure.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>

#include "base/text.hpp"
#include "platform/clock.hpp"
#include "platform/files.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace reeve {
namespace {

using model::ElementState;
using std::chrono::microseconds;

constexpr std::size_t kBulk = 1000;
constexpr std::size_t kBatch = 64;
constexpr std::uint64_t kUsers = 50;
constexpr std::uint64_t kProjects = 10;

[[noreturn]] void give_up(const Error& error) {
    std::fprintf(stderr, "%s: %s\n", error.message.c_str(), error.context.c_str());
    std::exit(1);
}

template <class T>
T must(Result<T> result) {
    if (!result) {
        give_up(result.error());
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

microseconds thread_cpu() {
    rusage usage = {};
    if (getrusage(RUSAGE_THREAD, &usage) != 0) {
        give_up({.message = "getrusage failed", .context = ""});
    }
    return std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/// About 350 bytes, as SEMANTICS 10 asks.
std::string spec_text(std::uint64_t job) {
    return R"({"command":["/usr/bin/python3","train.py","--config","configs/resnet50.yaml","--seed",")" +
           std::to_string(job) +
           R"("],"name":"train-resnet50","gpus":{"count":1,"model":"a30"},"cpu_millicores":4000,)"
           R"("memory_mib":16384,"time_limit_s":86400,"working_dir":"/home/alice/projects/vision",)"
           R"("environment":{"OMP_NUM_THREADS":"4","WANDB_PROJECT":"vision","DATA":"/data/imagenet"}})";
}

class Bench {
  public:
    explicit Bench(const std::string& directory)
        : path_(directory + "/bench.db"),
          store_(must(store_sqlite::open_sqlite({.path = path_}))),
          header_(must(store_->open_epoch())),
          rev_(header_.last_rev.value()),
          job_(header_.last_job.value()) {}

    void add_people() {
        std::vector<ledger::Change> changes;
        for (std::uint64_t id = 1; id <= kUsers; ++id) {
            changes.push_back(change(ledger::Put<model::UserRecord>{
                .after =
                    model::UserRecord{.id = UserId(id), .name = "user" + std::to_string(id)}
            }));
        }
        for (std::uint64_t id = 1; id <= kProjects; ++id) {
            changes.push_back(change(ledger::Put<model::ProjectRecord>{
                .after = model::ProjectRecord{
                                              .id = ProjectId(id), .name = "project" + std::to_string(id)}
            }));
        }
        changes.push_back(change(ledger::Put<model::RequestRecord>{
            .after = model::RequestRecord{.id = model::RequestId(1), .gpus = {.count = 1}}
        }));
        must(store_->commit(header_.epoch, changes));
    }

    /// One request of `count` jobs by one user.
    std::vector<ledger::Change> submission(std::size_t count) {
        std::vector<ledger::Change> changes;
        changes.reserve(count + 1);
        for (std::size_t i = 0; i < count; ++i) {
            changes.push_back(change(job_put()));
        }
        changes.push_back(change(ledger::Put<model::IdempotencyRecord>{
            .after = model::IdempotencyRecord{
                                              .user = UserId(1), .key = "key-" + std::to_string(rev_), .at = at()}
        }));
        return changes;
    }

    /// `count` requests of one job by several users.
    std::vector<ledger::Change> batch(std::size_t count) {
        std::vector<ledger::Change> changes;
        changes.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            ++user_;
            changes.push_back(change(job_put()));
        }
        return changes;
    }

    struct Cost {
        double wall_us = 0;
        double cpu_us = 0;  // Of this thread, in user and in kernel.
    };

    /// Of a job, for `jobs` jobs in commits of `count`; making the changes is not timed.
    Cost commit_cost(std::size_t jobs, std::size_t count, bool is_bulk) {
        microseconds spent(0);
        microseconds cpu(0);
        for (std::size_t done = 0; done < jobs; done += count) {
            ++user_;
            const auto changes = is_bulk ? submission(count) : batch(count);
            const auto cpu_from = thread_cpu();
            const auto from = platform::monotonic_now();
            must(store_->commit(header_.epoch, changes));
            spent += platform::monotonic_now() - from;
            cpu += thread_cpu() - cpu_from;
        }
        return {
            .wall_us = static_cast<double>(spent.count()) / static_cast<double>(jobs),
            .cpu_us = static_cast<double>(cpu.count()) / static_cast<double>(jobs)};
    }

    void time(const char* what, const std::function<std::size_t(ledger::Reader&)>& read) {
        const auto reader = must(store_->open_reader());
        std::size_t rows = read(*reader);
        const auto from = platform::monotonic_now();
        constexpr int kRounds = 5;
        for (int round = 0; round < kRounds; ++round) {
            rows = read(*reader);
        }
        const auto spent = platform::monotonic_now() - from;
        std::printf(
            "%-44s %9.2f ms  (%zu rows)\n", what,
            static_cast<double>(spent.count()) / 1000 / kRounds, rows);
    }

    void time_page(const char* what, const ledger::JobFilter& filter, ledger::JobOrder order) {
        time(what, [&](ledger::Reader& reader) {
            return must(reader.jobs(filter, order, {}, 100)).rows.size();
        });
    }

    void time_recovery() {
        std::size_t records = 0;
        const auto from = platform::monotonic_now();
        must(store_->recover([&](ledger::Recovered&&) { ++records; }));
        const auto spent = platform::monotonic_now() - from;
        std::printf(
            "%-44s %9.2f s   (%zu records)\n", "recover", static_cast<double>(spent.count()) / 1e6,
            records);
    }

    [[nodiscard]] std::uint64_t jobs() const { return job_; }

    /// The last job runs, ends, and is gone from the queue; microseconds.
    double life_us(std::size_t jobs) {
        microseconds spent(0);
        for (std::size_t i = 0; i < jobs; ++i) {
            model::JobRecord job = record(job_ - i);
            for (const ElementState state :
                 {ElementState::kScheduled, ElementState::kRunning, ElementState::kSucceeded}) {
                ledger::JobPut put;
                put.before = job;
                job.counts = {};
                job.counts[state] = 1;
                job.ended_at = is_end(state) ? at() : model::kNever;
                put.after = job;
                ledger::ElementPut element;
                element.user = job.user;
                element.after =
                    model::ElementRecord{.key = {.job = job.id}, .state = state, .node = NodeId(1)};
                const std::vector<ledger::Change> changes = {
                    change(std::move(put)), change(std::move(element))};
                const auto from = platform::monotonic_now();
                must(store_->commit(header_.epoch, changes));
                spent += platform::monotonic_now() - from;
            }
        }
        return static_cast<double>(spent.count()) / static_cast<double>(jobs);
    }

  private:
    [[nodiscard]] Instant at() const {
        return Instant(microseconds(1'795'532'400'000'000 + static_cast<std::int64_t>(rev_)));
    }

    ledger::Change change(ledger::Body body) {
        ++rev_;
        return {
            .rev = Revision(rev_),
            .at = at(),
            .actor = "user1",
            .request_id = "4f2a9c1e77b0",
            .body = std::move(body)};
    }

    [[nodiscard]] model::JobRecord record(std::uint64_t id) const {
        model::JobRecord job{
            .id = JobId(id),
            .user = UserId(user_ % kUsers + 1),
            .project = ProjectId(user_ % kProjects + 1),
            .request = model::RequestId(1),
            .time_limit_s = 86400,
            .submitted_at = at()};
        job.counts[ElementState::kQueued] = 1;
        return job;
    }

    ledger::JobPut job_put() {
        ++job_;
        ledger::JobPut put;
        put.after = record(job_);
        put.texts = ledger::JobTexts{.name = "train-resnet50", .spec_json = spec_text(job_)};
        return put;
    }

    std::string path_;
    std::unique_ptr<store_sqlite::SqliteStore> store_;
    ledger::StoreHeader header_;
    std::uint64_t rev_;
    std::uint64_t job_;
    std::uint64_t user_ = 0;
};

void print(const char* what, const Bench::Cost& cost, const Bench::Cost& before) {
    std::printf(
        "%-44s %9.2f us/job = %.0f jobs/s; CPU %.2f us/job (%+.0f %%)\n", what, cost.wall_us,
        1e6 / cost.wall_us, cost.cpu_us, 100 * (cost.cpu_us / before.cpu_us - 1));
}

void run(const std::string& directory, std::uint64_t jobs) {
    Bench bench(directory);
    bench.add_people();
    constexpr std::size_t kPart = 50'000;
    const auto empty = bench.commit_cost(kPart, kBulk, true);
    print("bulk of 1000, empty", empty, empty);
    const auto empty_64 = bench.commit_cost(kPart, kBatch, false);
    print("batches of 64, empty", empty_64, empty_64);
    if (jobs > 2 * kPart) {
        static_cast<void>(bench.commit_cost(jobs - 2 * kPart, kBulk, true));
    }
    print("bulk of 1000, full", bench.commit_cost(kPart, kBulk, true), empty);
    print("batches of 64, full", bench.commit_cost(kPart, kBatch, false), empty_64);
    std::printf("%-44s %9.2f us\n", "a job's life in 3 commits", bench.life_us(1000));

    using ledger::JobOrder;
    bench.time_page("page: newest", {}, JobOrder::kNewestFirst);
    bench.time_page("page: oldest", {}, JobOrder::kOldestFirst);
    bench.time_page("page: queue", {}, JobOrder::kQueue);
    bench.time_page("page: queued", {.states = {ElementState::kQueued}}, JobOrder::kNewestFirst);
    bench.time_page("page: running", {.states = {ElementState::kRunning}}, JobOrder::kNewestFirst);
    bench.time_page(
        "page: succeeded", {.states = {ElementState::kSucceeded}}, JobOrder::kNewestFirst);
    bench.time_page("page: failed", {.states = {ElementState::kFailed}}, JobOrder::kNewestFirst);
    bench.time_page("page: user", {.user = "user7"}, JobOrder::kNewestFirst);
    bench.time_page(
        "page: user, failed", {.states = {ElementState::kFailed}, .user = "user7"},
        JobOrder::kNewestFirst);
    bench.time_page(
        "page: user, project without one", {.user = "user7", .project = "project1"},
        JobOrder::kNewestFirst);
    bench.time_page("page: project", {.project = "project3"}, JobOrder::kNewestFirst);
    bench.time_page("page: name", {.name = "train-resnet50"}, JobOrder::kNewestFirst);
    bench.time_page("page: label without one", {.labels = {{"a", "b"}}}, JobOrder::kNewestFirst);
    bench.time_page("page: queue of a user", {.user = "user7"}, JobOrder::kQueue);
    bench.time_page("page: queue of a name", {.name = "train-resnet50"}, JobOrder::kQueue);
    bench.time("position: first", [&](ledger::Reader& reader) {
        return must(reader.position(0, JobId(1)));
    });
    bench.time("position: last", [&](ledger::Reader& reader) {
        return must(reader.position(0, JobId(bench.jobs())));
    });
    bench.time("events: 1000 from the beginning", [&](ledger::Reader& reader) {
        return must(reader.events(Revision(0), 1000)).events.size();
    });
    bench.time_recovery();
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: reeve_store_bench DIRECTORY [JOBS]\n");
        return 2;
    }
    const auto jobs =
        argc > 2 ? reeve::parse_integer(argv[2]) : reeve::Result<std::int64_t>(1'000'000);
    if (!jobs || *jobs < 0) {
        std::fprintf(stderr, "JOBS is a whole number\n");
        return 2;
    }
    reeve::run(argv[1], static_cast<std::uint64_t>(*jobs));
    return 0;
}
