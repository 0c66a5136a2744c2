#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "ledger/ledger.hpp"
#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

using model::TaskEnd;

// ---- Properties over random histories.

bool is_same(const Foresight& a, const Foresight& b) {
    return a.runs().knows_the_same(b.runs()) && *a.calibration() == *b.calibration() &&
           a.open_forecasts() == b.open_forecasts();
}

bool is_same(const State& a, const State& b) {
    const auto views = [](const State& state) {
        std::vector<std::tuple<model::NodeRecord, model::Resources, std::set<AllocationId>>> nodes;
        for (const auto& [id, node] : state.nodes()) {
            nodes.emplace_back(node.record, node.free, node.allocations);
        }
        return nodes;
    };
    const auto usages = [](const State& state) {
        std::vector<model::Usage> usage = {state.usage_of_all()};
        for (const auto& [id, project] : state.projects()) {
            usage.push_back(state.usage(id));
        }
        return usage;
    };
    const auto requests = [](const State& state) {
        std::vector<std::pair<model::RequestRecord, std::size_t>> known;
        for (const auto& [id, request] : state.requests()) {
            known.emplace_back(request.record, request.jobs);
        }
        return known;
    };
    return a.jobs() == b.jobs() && a.elements() == b.elements() && requests(a) == requests(b) &&
           a.allocations() == b.allocations() && a.fair_share() == b.fair_share() &&
           a.core().was_told_the_same(b.core()) && is_same(a.foresight(), b.foresight()) &&
           views(a) == views(b) && usages(a) == usages(b) &&
           a.element_counts() == b.element_counts() && a.next_timer() == b.next_timer();
}

void restore_foresight(Ledger& fresh, const Foresight& known) {
    for (std::size_t i = 0; i < scheduler::RunLeaves::kShards; ++i) {
        for (const auto& [key, leaf] : *known.runs().shard(i)) {
            fresh.restore(RunStatsRecord{.key = key, .stats = leaf.stats, .told = leaf.told});
        }
    }
    for (const auto& [job, forecast] : known.open_forecasts()) {
        fresh.restore(ForecastRecord(forecast));
    }
    const scheduler::Calibration& past = *known.calibration();
    for (std::uint64_t number = 0; number < past.next(); ++number) {
        fresh.restore(OutcomeRecord{.number = number, .outcome = *past.at(number)});
    }
}

/// What a store would give back.
State rebuilt(const State& state) {
    Ledger fresh(
        {.scheduling = {.order = state.fair_share().rules()}},
        {.cluster_id = "c", .last_at = state.now()});
    for (const auto& [id, record] : state.users()) {
        fresh.restore(record);
    }
    for (const auto& [id, request] : state.requests()) {
        fresh.restore(model::RequestRecord(request.record));
    }
    for (const auto& [id, record] : state.gpu_models()) {
        fresh.restore(record);
    }
    for (const auto& [id, record] : state.projects()) {
        fresh.restore(record);
    }
    for (const model::AccountRecord& record : state.fair_share().accounts()) {
        fresh.restore(record);
    }
    for (const auto& [id, node] : state.nodes()) {
        fresh.restore(node.record);
    }
    for (const auto& [id, record] : state.jobs()) {
        fresh.restore(record);
    }
    for (const auto& [key, record] : state.elements()) {
        fresh.restore(record);
    }
    for (const auto& [id, record] : state.allocations()) {
        fresh.restore(record);
    }
    restore_foresight(fresh, state.foresight());
    return fresh.state();
}

std::uint32_t small_number(SeededRandom& random, std::uint64_t bound) {
    return static_cast<std::uint32_t>(random.below(bound));
}

void submit_something(World& world, SeededRandom& random, JobId job) {
    model::JobTerms terms = one_gpu();
    terms.priority = static_cast<std::int32_t>(random.below(2));
    terms.retries_max = static_cast<std::int32_t>(random.below(2));
    terms.gpus = random.below(2) == 0 ? model::GpuAsk{.count = 1} : model::GpuAsk{.milli = 300};
    terms.memory_mib = static_cast<std::int64_t>(random.below(6));
    if (random.below(3) == 0) {
        terms.on = "node.name!=" + std::string(1 + random.below(20), 'x');
    }
    if (random.below(3) == 0) {
        terms.array = {.first = 2, .last = 8, .step = 2, .running_max = small_number(random, 3)};
    }
    if (random.below(4) == 0) {
        terms.after.push_back({static_cast<model::DependencyKind>(random.below(3)), job});
    }
    (void)world.try_submit({terms, one_gpu()});
}

void control_something(World& world, SeededRandom& random, JobId job) {
    ControlJobs command{
        .actor = {.identity = {"ada"}}, .control = static_cast<Control>(random.below(5))};
    command.targets.push_back({job, {}});
    if (random.below(2) != 0) {
        command.targets.front().index = small_number(random, 9);
    }
    (void)world.apply(std::move(command));
}

void report_something(World& world, SeededRandom& random) {
    std::vector<model::ElementRecord> elements;
    for (const auto& [key, element] : world.ledger.state().elements()) {
        elements.push_back(element);
    }
    if (elements.empty()) {
        return;
    }
    const model::ElementRecord& element = elements.at(random.below(elements.size()));
    const model::TaskKey key{.element = element.key, .attempt = element.attempt};
    if (random.below(3) == 0) {
        const model::TaskStarted started{.node = "n1", .key = key};
        (void)world.apply(Report{started});
        return;
    }
    const model::TaskOutcome outcome{
        .end = static_cast<TaskEnd>(random.below(8)),
        .exit_code = static_cast<std::int32_t>(random.below(2))};
    const model::TaskEnded ended{.node = "n1", .key = key, .outcome = outcome};
    (void)world.apply(Report{ended});
}

void forecast_something(World& world, SeededRandom& random, JobId job) {
    const std::chrono::seconds until(random.below(100));
    (void)world.apply(
        NoteForecasts{{{.job = job, .at = world.now, .said = {.interval = {.until = until}}}}});
}

/// Does one thing that may or may not be sensible.
void do_something(World& world, SeededRandom& random) {
    const auto& jobs = world.ledger.state().jobs();
    const JobId job(random.below(jobs.empty() ? 5 : jobs.rbegin()->first.value() + 2));
    switch (random.below(9)) {
        case 0:
        case 1:  submit_something(world, random, job); break;
        case 2:  control_something(world, random, job); break;
        case 3:  (void)world.apply(Tick{}); break;
        case 4:  forecast_something(world, random, job); break;
        default: report_something(world, random); break;
    }
}

void check_capacity(const State& state) {
    for (const auto& [id, node] : state.nodes()) {
        ASSERT_GE(node.free.host.cpu_millicores, 0);
        for (const model::Gpu& gpu : node.free.gpus) {
            ASSERT_GE(gpu.free.milli, 0);
            ASSERT_GE(gpu.free.memory_mib, 0);
        }
    }
    for (const auto& [id, job] : state.jobs()) {
        std::uint32_t sum = 0;
        for (const std::uint32_t count : job.counts.of) {
            sum += count;
        }
        ASSERT_EQ(sum, job.range.count());
    }
}

scheduler::OrderRules rules_of(std::uint64_t seed) {
    return {
        .half_life = std::chrono::hours(seed % 3 == 0 ? 0 : 1),
        .ageing = std::chrono::hours(seed % 2)};
}

/// What jobs in memory ask for is known, and nothing else.
void check_requests(const State& state) {
    std::map<model::RequestId, std::size_t> jobs;
    std::set<std::string> expressions;
    for (const auto& [id, job] : state.jobs()) {
        ++jobs[job.request];
        expressions.insert(state.request(job.request)->on);
    }
    expressions.erase("");
    ASSERT_EQ(state.requests().size(), jobs.size());
    for (const auto& [id, count] : jobs) {
        ASSERT_EQ(state.requests().at(id).jobs, count);
    }
    ASSERT_EQ(state.core().request_count(), jobs.size());
    ASSERT_EQ(state.node_classes().expression_count(), expressions.size());
}

/// All jobs are cancelled, and what runs of them ends.
void end_all(World& world) {
    std::vector<JobId> jobs;
    for (const auto& [id, job] : world.ledger.state().jobs()) {
        jobs.push_back(id);
    }
    for (const JobId job : jobs) {
        (void)world.control(Control::kStop, job);
    }
    std::vector<model::TaskKey> tasks;
    for (const auto& [key, element] : world.ledger.state().elements()) {
        tasks.push_back({.element = key, .attempt = element.attempt});
    }
    for (const model::TaskKey& task : tasks) {
        world.say(model::TaskEnded{.node = "n1", .key = task});
    }
    ASSERT_TRUE(world.ledger.state().jobs().empty());
}

TEST(LedgerProperty, UndoLeavesNoTraceAndARestartChangesNothing) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        SeededRandom random(seed);
        World world(3, {.scheduling = {.order = rules_of(seed)}});
        for (int turn = 0; turn < 120; ++turn) {
            const State before = world.ledger.state();
            for (std::uint64_t i = 0; i <= random.below(3); ++i) {
                do_something(world, random);
            }
            (void)world.ledger.schedule(random.below(4), 100);
            if (random.below(4) == 0) {
                world.ledger.undo();
                // Time went on all the same, and with it the back-offs.
                State then = before;
                then.advance(world.now);
                ASSERT_TRUE(is_same(world.ledger.state(), then)) << "undo, turn " << turn;
                continue;
            }
            world.ledger.committed();
            ASSERT_NO_FATAL_FAILURE(check_capacity(world.ledger.state()));
            ASSERT_NO_FATAL_FAILURE(check_requests(world.ledger.state()));
            ASSERT_TRUE(is_same(world.ledger.state(), rebuilt(world.ledger.state())))
                << "restart, turn " << turn;
        }
        world.ledger.committed();
        ASSERT_NO_FATAL_FAILURE(end_all(world));
        ASSERT_NO_FATAL_FAILURE(check_requests(world.ledger.state()));
    }
}

}  // namespace
}  // namespace reeve::ledger
