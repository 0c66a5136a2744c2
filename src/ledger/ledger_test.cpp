#include "ledger/ledger.hpp"

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace reeve::ledger {
namespace {

using model::ElementKey;
using model::ElementState;
using model::TaskEnd;
using namespace std::chrono_literals;
using enum ElementState;

constexpr Instant kStart = Instant(1'000'000s);

model::JobTerms one_gpu() {
    return {.name = "train", .gpus = {.count = 1}};
}

/// A ledger with one node of `gpus` GPUs of 10,000 MiB, whose time goes on by a second at each
/// step.
class World {
  public:
    explicit World(int gpus, LedgerOptions options = {})
        : ledger_(std::move(options), {.cluster_id = "c"}) {
        ledger_.begin(now_);
        model::NodeHello hello{
            .node = "n1", .boot_id = "b1", .host = {"n1", 16000, 64000}
        };
        for (int i = 0; i < gpus; ++i) {
            hello.gpus.push_back(
                {.uuid = "GPU-" + std::to_string(i), .model = "NVIDIA A30", .total_mib = 10000});
        }
        hello_ = hello;
        say(hello);
    }

    Result<Reply> apply(Command command) {
        now_ = now_ + 1s;
        return ledger_.apply(std::move(command), lookups_, now_);
    }

    void say(model::AgentReport report) {
        ASSERT_TRUE(apply(Report{std::move(report)}));
        step();
    }

    /// Schedules and commits.
    void step() {
        while (ledger_.schedule(1, 1)) {  // The smallest budget: what is left goes on next time.
        }
        ledger_.committed();
    }

    Result<Reply> try_submit(std::vector<model::JobTerms> terms, const std::string& user = "ada") {
        SubmitJobs command{.actor = {.identity = {user, 1000, 1000}}};
        for (model::JobTerms& one : terms) {
            command.jobs.push_back({.terms = std::move(one), .spec_json = "{}"});
        }
        return apply(std::move(command));
    }

    JobId submit(model::JobTerms terms, const std::string& user = "ada") {
        const Result<Reply> reply = try_submit({std::move(terms)}, user);
        EXPECT_TRUE(reply) << (reply ? "" : reply.error().message);
        step();
        return reply ? std::get<Submitted>(*reply).first_job : JobId(0);
    }

    Result<Reply> control(Control what, JobId job, std::optional<std::uint32_t> index = {}) {
        Result<Reply> reply = apply(ControlJobs{
            .actor = {.identity = {"ada"}}, .control = what, .targets = {{job, index}}});
        step();
        return reply;
    }

    void start(JobId job, std::uint32_t index = 0) {
        say(model::TaskStarted{.node = "n1", .key = key(job, index), .pid = 7});
    }

    void end(JobId job, model::TaskOutcome outcome, std::uint32_t index = 0) {
        say(model::TaskEnded{.node = "n1", .key = key(job, index), .outcome = outcome});
    }

    model::TaskKey key(JobId job, std::uint32_t index = 0) {
        const model::ElementRecord* element = ledger_.state().element({job, index});
        return {
            .element = {job, index},
              .attempt = element == nullptr ? 1 : element->attempt
        };
    }

    /// The state of an element as the ledger knows it; "gone" once it ended.
    std::string state(JobId job, std::uint32_t index = 0) {
        const model::ElementRecord* element = ledger_.state().element({job, index});
        if (element != nullptr) {
            return std::string(word_of(element->state));
        }
        const model::JobRecord* record = ledger_.state().job(job);
        return record == nullptr ? "gone" : std::string(word_of(record->waiting_state));
    }

    Ledger ledger_;
    Lookups lookups_;
    Instant now_ = kStart;
    model::NodeHello hello_;
};

TEST(Ledger, RunsAJobToItsEnd) {
    World world(1);
    const JobId job = world.submit(one_gpu());
    EXPECT_EQ(world.state(job), "scheduled");
    world.start(job);
    EXPECT_EQ(world.state(job), "running");
    EXPECT_EQ(world.ledger_.state().usage(ProjectId(1)).gpu_milli, 1000);
    world.end(job, {.end = TaskEnd::kExited});
    EXPECT_EQ(world.state(job), "gone");
    EXPECT_EQ(world.ledger_.state().usage(ProjectId(1)), model::Usage{});
    EXPECT_TRUE(world.ledger_.state().allocations().empty());
}

TEST(Ledger, AnEndComesToWhatItWas) {
    struct Case {
        const char* name;
        model::TaskOutcome outcome;
        std::optional<Control> before;
        ElementState want;
        model::EndReason reason;
    };

    using R = model::EndReason;
    const std::vector<Case> cases = {
        {"exit 0",          {.end = TaskEnd::kExited},                  {},                kSucceeded, R::kExitCode   },
        {"exit 1",          {.end = TaskEnd::kExited, .exit_code = 1},  {},                kFailed,    R::kExitCode   },
        {"signal",          {.end = TaskEnd::kSignalled, .signal = 11}, {},                kFailed,    R::kSignal     },
        {"oom",             {.end = TaskEnd::kOom},                     {},                kFailed,    R::kOom        },
        {"time limit",      {.end = TaskEnd::kTimeLimit},               {},                kTimedOut,  R::kTimeLimit  },
        {"no start",        {.end = TaskEnd::kStartFailed},             {},                kFailed,    R::kStartFailed},
        {"shim lost",       {.end = TaskEnd::kShimLost},                {},                kFailed,    R::kSignal     },
        {"cancelled",       {.end = TaskEnd::kStopped},                 Control::kStop,    kCancelled, R::kCancelled  },
        {"cancelled early",
         {.end = TaskEnd::kNeverStarted},
         Control::kStop,
         kCancelled,                                                                                   R::kCancelled  },
        {"ended before",    {.end = TaskEnd::kExited},                  Control::kStop,    kSucceeded, R::kExitCode   },
        {"failed before",
         {.end = TaskEnd::kExited, .exit_code = 2},
         Control::kStop,
         kFailed,                                                                                      R::kExitCode   },
        {"requeued",        {.end = TaskEnd::kStopped},                 Control::kRequeue, kQueued,    R::kSignal     },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        World world(1);
        const JobId job = world.submit(one_gpu());
        if (c.before) {
            ASSERT_TRUE(world.control(*c.before, job));
        }
        ASSERT_TRUE(world.apply(Report{
            model::TaskEnded{.node = "n1", .key = world.key(job), .outcome = c.outcome}
        }));
        std::optional<model::ElementRecord> ended;
        for (const Change& change : world.ledger_.changes()) {
            const auto* put = std::get_if<ElementPut>(&change.body);
            if (put != nullptr && put->after->ended_at != model::kNever) {
                ended = put->after;
            }
        }
        ASSERT_TRUE(ended);
        EXPECT_EQ(ended->state, c.want);
        EXPECT_EQ(ended->end_reason, c.reason);
    }
}

TEST(Ledger, RetriesWithBackoffThatDoubles) {
    World world(1);
    model::JobTerms terms = one_gpu();
    terms.retries_max = 2;
    terms.retry_backoff_s = 10;
    const JobId job = world.submit(terms);
    const model::TaskOutcome failure{.end = TaskEnd::kExited, .exit_code = 1};
    for (const std::chrono::seconds backoff : {10s, 20s}) {
        world.end(job, failure);
        EXPECT_EQ(world.state(job), "queued");
        EXPECT_EQ(world.ledger_.next_wakeup(), world.now_ + 10s) << "silence or back-off";
        world.now_ = world.now_ + (backoff - 2s);
        ASSERT_TRUE(world.apply(Tick{}));
        world.say(world.hello_);
        EXPECT_EQ(world.state(job), "scheduled");
    }
    world.end(job, failure);
    EXPECT_EQ(world.state(job), "gone");
}

TEST(Ledger, PlacesInOrderAndLetsSmallOnesPass) {
    World world(2);
    const JobId running = world.submit(one_gpu());
    model::JobTerms two = one_gpu();
    two.gpus.count = 2;
    const JobId large = world.submit(two);
    const JobId small = world.submit(one_gpu());
    const JobId next = world.submit(one_gpu());
    model::JobTerms urgent = one_gpu();
    urgent.priority = 1;
    const JobId first = world.submit(urgent);
    EXPECT_EQ(world.state(large), "queued");
    EXPECT_EQ(world.state(small), "scheduled");
    world.end(running, {});
    EXPECT_EQ(world.state(first), "scheduled");
    EXPECT_EQ(world.state(next), "queued");
}

TEST(Ledger, AnArrayIsOneRecordUntilItsElementsStart) {
    World world(4);
    model::JobTerms terms = one_gpu();
    terms.array = {.first = 1, .last = 1'000'000, .step = 1, .running_max = 3};
    const JobId job = world.submit(terms);
    EXPECT_EQ(world.ledger_.state().elements().size(), 3U);
    EXPECT_EQ(world.state(job, 3), "scheduled");
    ASSERT_TRUE(world.control(Control::kStop, job, 5));
    ASSERT_TRUE(world.control(Control::kHold, job, 4));
    world.end(job, {}, 2);
    EXPECT_EQ(world.state(job, 6), "scheduled") << "4 is held, 5 is cancelled";
    EXPECT_FALSE(world.control(Control::kStop, job, 5)) << "ended";
    EXPECT_FALSE(world.control(Control::kStop, job, 1'000'001)) << "no such element";
    ASSERT_TRUE(world.control(Control::kStop, job));
    EXPECT_EQ(world.ledger_.state().job(job)->counts[kCancelled], 1'000'000U - 4U);
    world.end(job, {.end = TaskEnd::kStopped}, 1);
    world.end(job, {.end = TaskEnd::kStopped}, 3);
    world.end(job, {.end = TaskEnd::kStopped}, 6);
    EXPECT_EQ(world.state(job), "gone");
}

TEST(Ledger, DependenciesAreSettledOrNeverHappen) {
    struct Case {
        const char* name;
        model::DependencyKind kind;
        model::TaskOutcome outcome;
        const char* want;
    };

    const model::TaskOutcome failure{.end = TaskEnd::kExited, .exit_code = 1};
    const std::vector<Case> cases = {
        {"ok after success",    model::DependencyKind::kOk,    {},      "scheduled"},
        {"ok after failure",    model::DependencyKind::kOk,    failure, "gone"     },
        {"any after failure",   model::DependencyKind::kAny,   failure, "scheduled"},
        {"notok after failure", model::DependencyKind::kNotOk, failure, "scheduled"},
        {"notok after success", model::DependencyKind::kNotOk, {},      "gone"     },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        World world(1);
        const JobId job = world.submit(one_gpu());
        model::JobTerms terms = one_gpu();
        terms.after = {
            {c.kind, job}
        };
        const JobId waiting = world.submit(terms);
        EXPECT_EQ(world.state(waiting), "queued");
        world.end(job, c.outcome);
        EXPECT_EQ(world.state(waiting), c.want);
    }
}

TEST(Ledger, ALongChainFailsWithoutRecursion) {
    World world(1);
    const JobId first = world.submit(one_gpu());
    model::JobTerms terms = one_gpu();
    JobId last = first;
    for (int i = 0; i < 20'000; ++i) {
        terms.after = {
            {model::DependencyKind::kOk, last}
        };
        last = std::get<Submitted>(*world.try_submit({terms})).first_job;
    }
    world.step();
    world.end(first, {.end = TaskEnd::kExited, .exit_code = 1});
    EXPECT_TRUE(world.ledger_.state().jobs().empty());
}

TEST(Ledger, SubmissionsThatAreRefusedChangeNothing) {
    struct Case {
        const char* name;
        model::JobTerms terms;
        ErrorCode want;
    };

    model::JobTerms unknown_project = one_gpu();
    unknown_project.project = "defualt";
    model::JobTerms too_many = one_gpu();
    too_many.gpus.count = 3;
    model::JobTerms other_model = one_gpu();
    other_model.gpus.model = "h100";
    model::JobTerms too_large = one_gpu();
    too_large.gpus = {.memory_mib = 10001};
    model::JobTerms no_such_job = one_gpu();
    no_such_job.after = {
        {model::DependencyKind::kOk, JobId(99)}
    };
    model::JobTerms long_array = one_gpu();
    long_array.array = {.first = 0, .last = 9};
    const std::vector<Case> cases = {
        {"unknown project",   unknown_project, ErrorCode::kInvalid      },
        {"too many GPUs",     too_many,        ErrorCode::kUnsatisfiable},
        {"no such model",     other_model,     ErrorCode::kUnsatisfiable},
        {"too much memory",   too_large,       ErrorCode::kUnsatisfiable},
        {"waits for nothing", no_such_job,     ErrorCode::kInvalid      },
        {"over the length",   long_array,      ErrorCode::kLimit        },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        World world(2, {.pending_elements_max = 9});
        const Result<Reply> reply = world.try_submit({one_gpu(), c.terms});
        ASSERT_FALSE(reply);
        EXPECT_EQ(reply.error().code, c.want) << reply.error().message;
        EXPECT_TRUE(world.ledger_.changes().empty());
        EXPECT_EQ(world.submit(one_gpu()), JobId(1)) << "no id was used up";
    }
}

TEST(Ledger, AnImpossibleRequestNamesTheLargestNode) {
    World world(2);
    model::JobTerms terms = one_gpu();
    terms.gpus.count = 8;
    const Result<Reply> reply = world.try_submit({terms});
    ASSERT_FALSE(reply);
    EXPECT_EQ(
        reply.error().message,
        "no node can ever run this; the largest is n1 (2 x NVIDIA A30, 16 CPUs, 62.5 GiB)");
}

TEST(Ledger, TheSameRequestIsAnsweredAlike) {
    World world(1);
    SubmitJobs command{
        .actor = {.identity = {"ada", 1000, 1000}},
        .jobs = {{.terms = one_gpu(), .spec_json = "{}"}},
        .idempotency_key = "k",
        .fingerprint = 5};
    const auto first = std::get<Submitted>(*world.apply(command));
    const auto again = std::get<Submitted>(*world.apply(command));
    EXPECT_EQ(again.first_job, first.first_job);
    EXPECT_TRUE(again.is_replay);
    command.fingerprint = 6;
    EXPECT_EQ(world.apply(command).error().code, ErrorCode::kConflict);
}

TEST(Ledger, OthersJobsAreNotOnesOwn) {
    World world(1);
    const JobId job = world.submit(one_gpu(), "bob");
    EXPECT_EQ(world.control(Control::kStop, job).error().code, ErrorCode::kForbidden);
    EXPECT_EQ(world.control(Control::kStop, JobId(77)).error().code, ErrorCode::kNotFound);
}

TEST(Ledger, QuotasHoldAtEveryAncestor) {
    World world(4);
    const Actor admin{.identity = {"root"}, .is_admin = true};
    ASSERT_TRUE(
        world.apply(PutProject{.actor = admin, .name = "lab", .quota = {.gpu_milli = 2000}}));
    ASSERT_TRUE(world.apply(PutProject{
        .actor = admin, .name = "vision", .parent = "lab", .quota = {.pending_elements = 2}}));
    EXPECT_FALSE(world.apply(PutProject{.actor = {.identity = {"ada"}}, .name = "mine"}));
    model::JobTerms terms = one_gpu();
    terms.project = "vision";
    const JobId first = world.submit(terms);
    const JobId second = world.submit(terms);
    const JobId third = world.submit(terms);
    EXPECT_EQ(world.state(second), "scheduled");
    EXPECT_EQ(world.state(third), "queued") << "the lab's two GPUs are taken";
    world.submit(terms);
    EXPECT_EQ(world.try_submit({terms}).error().code, ErrorCode::kQuota);
    world.end(first, {});
    EXPECT_EQ(world.state(third), "scheduled");
}

TEST(Ledger, AnotherBootProvesThatTasksEnded) {
    World world(1);
    const JobId job = world.submit(one_gpu());
    world.start(job);
    world.say(world.hello_);
    EXPECT_EQ(world.state(job), "running") << "the same boot, and a hello proves nothing";
    world.hello_.boot_id = "b2";
    world.say(world.hello_);
    EXPECT_EQ(world.state(job), "gone");
    EXPECT_TRUE(world.ledger_.state().allocations().empty());
}

TEST(Ledger, WhatIsOursButUnknownIsQuarantined) {
    World world(1);
    const model::TaskKey key{
        .element = {JobId(500), 0}
    };
    model::NodeHello hello = world.hello_;
    hello.tasks = {
        {.key = key, .cluster_id = "c", .gpus = {{"GPU-0", 1000, 10000}}, .has_started = true},
        {.key = {.element = {JobId(9), 0}}, .cluster_id = "another", .has_started = true}
    };
    world.say(hello);
    world.say(hello);
    EXPECT_EQ(world.ledger_.state().allocations().size(), 1U);
    EXPECT_TRUE(world.ledger_.take_unwanted().empty()) << "never killed by itself";
    const JobId job = world.submit(one_gpu());
    EXPECT_EQ(world.state(job), "queued") << "it keeps its GPU";
    ASSERT_TRUE(world.apply(ControlQuarantine{
        .actor = {.identity = {"root"}, .is_admin = true},
          .task = key
    }));
    EXPECT_EQ(world.ledger_.take_unwanted().size(), 1U);
    world.say(model::TaskEnded{.node = "n1", .key = key, .outcome = {.end = TaskEnd::kStopped}});
    EXPECT_EQ(world.state(job), "scheduled");
}

TEST(Ledger, ASilentNodeGetsNothingNew) {
    World world(1);
    world.now_ = world.now_ + 11s;
    ASSERT_TRUE(world.apply(Tick{}));
    const JobId job = world.submit(one_gpu());
    EXPECT_EQ(world.state(job), "queued");
    world.say(model::NodeSample{.node = "n1"});
    EXPECT_EQ(world.state(job), "scheduled");
}

TEST(Ledger, TheGateHoldsBackALoadedNode) {
    World world(1, {.gate = Gate{}});
    world.say(model::NodeSample{.node = "n1", .cpu_permille = 900});
    const JobId job = world.submit(one_gpu());
    EXPECT_EQ(world.state(job), "queued");
    world.say(model::NodeSample{.node = "n1", .cpu_permille = 899});
    EXPECT_EQ(world.state(job), "scheduled");
}

TEST(Ledger, AStrongerIntentReplacesAWeakerOne) {
    World world(1);
    const JobId job = world.submit(one_gpu());
    world.start(job);
    ASSERT_TRUE(world.control(Control::kRequeue, job));
    ASSERT_TRUE(world.control(Control::kStop, job));
    world.end(job, {.end = TaskEnd::kStopped});
    EXPECT_EQ(world.state(job), "gone") << "the cancel was lost behind the requeue";
}

// ---- Properties over random histories.

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
    return a.jobs() == b.jobs() && a.elements() == b.elements() &&
           a.allocations() == b.allocations() && a.queue() == b.queue() && views(a) == views(b) &&
           usages(a) == usages(b) && a.element_counts() == b.element_counts() &&
           a.next_timer() == b.next_timer();
}

/// What a store would give back.
State rebuilt(const State& state) {
    Ledger fresh({}, {.cluster_id = "c", .last_at = state.now()});
    for (const auto& [id, record] : state.users()) {
        fresh.restore(record);
    }
    for (std::uint64_t id = 1; id <= state.request_count(); ++id) {
        fresh.restore(*state.request(model::RequestId(id)));
    }
    for (const auto& [id, record] : state.gpu_models()) {
        fresh.restore(record);
    }
    for (const auto& [id, record] : state.projects()) {
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
    return fresh.state();
}

/// Does one thing that may or may not be sensible.
void do_something(World& world, SeededRandom& random) {
    const State& state = world.ledger_.state();
    const JobId job(
        random.below(state.jobs().empty() ? 5 : state.jobs().rbegin()->first.value() + 2));
    std::vector<model::ElementRecord> elements;
    for (const auto& [key, element] : state.elements()) {
        elements.push_back(element);
    }
    switch (random.below(8)) {
        case 0:
        case 1: {
            model::JobTerms terms = one_gpu();
            terms.priority = static_cast<std::int32_t>(random.below(2));
            terms.retries_max = static_cast<std::int32_t>(random.below(2));
            terms.gpus =
                random.below(2) == 0 ? model::GpuAsk{.count = 1} : model::GpuAsk{.milli = 300};
            if (random.below(3) == 0) {
                terms.array = {
                    .first = 2,
                    .last = 8,
                    .step = 2,
                    .running_max = static_cast<std::uint32_t>(random.below(3))};
            }
            if (random.below(4) == 0) {
                terms.after = {
                    {static_cast<model::DependencyKind>(random.below(3)), job}
                };
            }
            (void)world.try_submit({terms, one_gpu()});
            break;
        }
        case 2:
            (void)world.apply(ControlJobs{
                .actor = {.identity = {"ada"}},
                .control = static_cast<Control>(random.below(5)),
                .targets = {
                    {job, random.below(2) == 0
                              ? std::nullopt
                              : std::optional<std::uint32_t>(
                                    static_cast<std::uint32_t>(random.below(9)))}}});
            break;
        case 3: (void)world.apply(Tick{}); break;
        default:
            if (!elements.empty()) {
                const model::ElementRecord& element = elements.at(random.below(elements.size()));
                const model::TaskKey key{.element = element.key, .attempt = element.attempt};
                if (random.below(3) == 0) {
                    (void)world.apply(Report{
                        model::TaskStarted{.node = "n1", .key = key}
                    });
                } else {
                    (void)world.apply(Report{
                        model::TaskEnded{
                                         .node = "n1",
                                         .key = key,
                                         .outcome = {
                                .end = static_cast<TaskEnd>(random.below(8)),
                                .exit_code = static_cast<std::int32_t>(random.below(2))}}
                    });
                }
            }
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

TEST(LedgerProperty, UndoLeavesNoTraceAndARestartChangesNothing) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        SeededRandom random(seed);
        World world(3);
        for (int turn = 0; turn < 120; ++turn) {
            const State before = world.ledger_.state();
            for (std::uint64_t i = 0; i <= random.below(3); ++i) {
                do_something(world, random);
            }
            (void)world.ledger_.schedule(random.below(4), 100);
            if (random.below(4) == 0) {
                world.ledger_.undo();
                // Time went on all the same, and with it the back-offs.
                State then = before;
                then.advance(world.now_);
                ASSERT_TRUE(is_same(world.ledger_.state(), then)) << "undo, turn " << turn;
                continue;
            }
            world.ledger_.committed();
            ASSERT_NO_FATAL_FAILURE(check_capacity(world.ledger_.state()));
            ASSERT_TRUE(is_same(world.ledger_.state(), rebuilt(world.ledger_.state())))
                << "restart, turn " << turn;
        }
    }
}

}  // namespace
}  // namespace reeve::ledger
