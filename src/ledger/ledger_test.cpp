#include "ledger/ledger.hpp"

#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"
#include "model/job_end.hpp"

namespace reeve::ledger {
namespace {

using model::ElementState;
using model::TaskEnd;
using namespace std::chrono_literals;
using enum ElementState;

TEST(Ledger, RunsAJobToItsEnd) {
    World world(1);
    const JobId job = world.submit(one_gpu());
    EXPECT_EQ(world.state(job), "scheduled");
    world.start(job);
    EXPECT_EQ(world.state(job), "running");
    EXPECT_EQ(world.ledger.state().usage(ProjectId(1)).gpu_milli, 1000);
    world.end(job, {.end = TaskEnd::kExited});
    EXPECT_EQ(world.state(job), "gone");
    EXPECT_EQ(world.ledger.state().usage(ProjectId(1)), model::Usage{});
    EXPECT_TRUE(world.ledger.state().allocations().empty());
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
        {"exit 0",          {.end = TaskEnd::kExited},                  {},             kSucceeded, R::kExitCode   },
        {"exit 1",          {.end = TaskEnd::kExited, .exit_code = 1},  {},             kFailed,    R::kExitCode   },
        {"signal",          {.end = TaskEnd::kSignalled, .signal = 11}, {},             kFailed,    R::kSignal     },
        {"oom",             {.end = TaskEnd::kOom},                     {},             kFailed,    R::kOom        },
        {"time limit",      {.end = TaskEnd::kTimeLimit},               {},             kTimedOut,  R::kTimeLimit  },
        {"no start",        {.end = TaskEnd::kStartFailed},             {},             kFailed,    R::kStartFailed},
        {"shim lost",       {.end = TaskEnd::kShimLost},                {},             kFailed,    R::kSignal     },
        {"cancelled",       {.end = TaskEnd::kStopped},                 Control::kStop, kCancelled, R::kCancelled  },
        {"cancelled early",
         {.end = TaskEnd::kNeverStarted},
         Control::kStop,
         kCancelled,                                                                                R::kCancelled  },
        {"ended before",    {.end = TaskEnd::kExited},                  Control::kStop, kSucceeded, R::kExitCode   },
        {"failed before",
         {.end = TaskEnd::kExited, .exit_code = 2},
         Control::kStop,
         kFailed,                                                                                   R::kExitCode   },
        {"requeued",
         {.end = TaskEnd::kStopped, .signal = 15},
         Control::kRequeue,
         kQueued,                                                                                   R::kSignal     },
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
        for (const Change& change : world.ledger.changes()) {
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
        EXPECT_EQ(world.ledger.next_wakeup(), world.now + 10s) << "silence or back-off";
        world.now = world.now + (backoff - 2s);
        ASSERT_TRUE(world.apply(Tick{}));
        world.say(world.hello);
        EXPECT_EQ(world.state(job), "scheduled");
    }
    world.end(job, failure);
    EXPECT_EQ(world.state(job), "gone");
}

TEST(Ledger, AnArrayIsOneRecordUntilItsElementsStart) {
    World world(4);
    model::JobTerms terms = one_gpu();
    terms.array = {.first = 1, .last = 1'000'000, .step = 1, .running_max = 3};
    const JobId job = world.submit(terms);
    EXPECT_EQ(world.ledger.state().elements().size(), 3U);
    EXPECT_EQ(world.state(job, 3), "scheduled");
    ASSERT_TRUE(world.control(Control::kStop, job, 5));
    ASSERT_TRUE(world.control(Control::kHold, job, 4));
    world.end(job, {}, 2);
    EXPECT_EQ(world.state(job, 6), "scheduled") << "4 is held, 5 is cancelled";
    EXPECT_FALSE(world.control(Control::kStop, job, 5)) << "ended";
    EXPECT_FALSE(world.control(Control::kStop, job, 1'000'001)) << "no such element";
    ASSERT_TRUE(world.control(Control::kStop, job));
    EXPECT_EQ(world.ledger.state().job(job)->counts[kCancelled], 1'000'000U - 4U);
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

/// The last of what `world` has not committed yet of job `id`.
std::optional<model::JobRecord> last_put(const World& world, JobId id) {
    std::optional<model::JobRecord> last;
    for (const Change& change : world.ledger.changes()) {
        const auto* put = std::get_if<JobPut>(&change.body);
        if (put != nullptr && put->after && put->after->id == id) {
            last = *put->after;
        }
    }
    return last;
}

TEST(Ledger, AJobThatCouldNeverStartSaysWhatItWaitedFor) {
    for (const std::optional<model::ArrayRange>& array :
         {std::optional<model::ArrayRange>(), {model::ArrayRange{.first = 1, .last = 900}}}) {
        SCOPED_TRACE(array.has_value());
        World world(2);
        const JobId first = world.submit(one_gpu());
        const JobId other = world.submit(one_gpu());
        model::JobTerms terms = one_gpu();
        terms.array = array;
        terms.after = {
            {model::DependencyKind::kAny,   other},
            {model::DependencyKind::kNotOk, first}
        };
        const JobId waiting = world.submit(terms);
        if (array) {
            ASSERT_TRUE(world.control(Control::kHold, waiting, 3));  // It has a record now.
        }
        ASSERT_TRUE(world.apply(Report{
            model::TaskEnded{.node = "n1", .key = world.key(first)}
        }));
        const auto ended = last_put(world, waiting);
        ASSERT_TRUE(ended);
        const auto end = model::end_of(*ended);
        ASSERT_TRUE(end);
        EXPECT_EQ(end->reason, model::EndReason::kDependencyNever);
        EXPECT_EQ(end->message, "job 1 succeeded");
        std::string of_element = array ? "" : "job 1 succeeded";
        for (const Change& change : world.ledger.changes()) {
            const auto* put = std::get_if<ElementPut>(&change.body);
            if (put != nullptr && put->after->end_reason == model::EndReason::kDependencyNever) {
                of_element = put->after->message;
            }
        }
        EXPECT_EQ(of_element, "job 1 succeeded");
        world.step();
        world.end(other, {});
        EXPECT_TRUE(world.ledger.state().jobs().empty());
    }
}

TEST(Ledger, AJobThatIsCancelledWhileItWaitsSaysSo) {
    World world(1);
    model::JobTerms terms = one_gpu();
    terms.after = {
        {model::DependencyKind::kOk, world.submit(one_gpu())}
    };
    const JobId waiting = world.submit(terms);
    ASSERT_TRUE(world.apply(ControlJobs{
        .actor = {.identity = {"ada"}}, .control = Control::kStop, .targets = {{waiting}}}));
    const auto end = model::end_of(last_put(world, waiting).value());
    ASSERT_TRUE(end);
    EXPECT_EQ(end->reason, model::EndReason::kCancelled);
    EXPECT_EQ(end->message, "");
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
    EXPECT_TRUE(world.ledger.state().jobs().empty());
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
        {"unknown project",   unknown_project, ErrorCode::kNotFound     },
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
        EXPECT_TRUE(world.ledger.changes().empty());
        EXPECT_EQ(world.submit(one_gpu()), JobId(1)) << "no id was used up";
    }
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
    world.lookups.ended_jobs[JobId(70)].user = world.ledger.state().user_named("bob")->id;
    for (const Control control :
         {Control::kStop, Control::kStopForced, Control::kHold, Control::kRelease,
          Control::kRequeue}) {
        for (const JobId id : {job, JobId(70), JobId(77)}) {  // Live, ended, and of nobody.
            for (const std::optional<std::uint32_t> index : {std::optional<std::uint32_t>(), {3}}) {
                const auto reply = world.control(control, id, index);
                ASSERT_FALSE(reply);
                EXPECT_EQ(reply.error().code, ErrorCode::kNotFound);
                EXPECT_EQ(reply.error().message, "there is no job " + to_string(id));
            }
        }
    }
    EXPECT_EQ(world.state(job), "scheduled");
    const auto root = world.apply(ControlJobs{
        .actor = {.identity = {"root"}, .is_admin = true},
        .control = Control::kStop,
        .targets = {{job}}
    });
    EXPECT_TRUE(root);
}

/// The changes of `command`, each with who is behind it.
std::set<std::string> behind(World& world, Command command) {
    EXPECT_TRUE(world.apply(std::move(command)));
    while (world.ledger.schedule(100, 100)) {
    }
    std::set<std::string> found;
    for (const Change& change : world.ledger.changes()) {
        found.insert(change.actor + " " + change.source + " " + change.request_id);
    }
    world.ledger.committed();
    return found;
}

TEST(Ledger, EachChangeSaysWhoIsBehindIt) {
    World world(1);
    const Actor root{
        .identity = {"root", 5},
          .is_admin = true, .request_id = "r1", .source = "unix"
    };
    const std::set<std::string> roots = {"root unix r1"};
    const JobId job = world.submit(one_gpu());  // Runs.
    const JobId waits = world.submit(one_gpu());
    const JobId other = world.submit(one_gpu());
    const auto control = [&](Control what, JobId id) {
        return behind(world, ControlJobs{.actor = root, .control = what, .targets = {{id}}});
    };
    EXPECT_EQ(control(Control::kHold, waits), roots);
    EXPECT_EQ(control(Control::kRelease, waits), roots);
    EXPECT_EQ(control(Control::kRequeue, job), roots);
    EXPECT_EQ(control(Control::kStop, waits), roots);
    EXPECT_EQ(control(Control::kStop, job), roots);
    EXPECT_EQ(control(Control::kStopForced, job), roots);
    EXPECT_EQ(behind(world, PutProject{.actor = root, .name = "lab"}), roots);
    EXPECT_EQ(behind(world, ControlNode{.actor = root, .node = "n1", .reason = "fan"}), roots);
    const NodeControl resume = NodeControl::kResume;
    const std::set<std::string> own = {"reeve  "};
    EXPECT_EQ(behind(world, ControlNode{.actor = root, .control = resume, .node = "n1"}), roots);
    // The end frees the GPU: the agent's word, and then a start. Both follow by themselves.
    EXPECT_EQ(
        behind(
            world,
            Report{
                model::TaskEnded{
                                 .node = "n1",
                                 .key = world.key(job),
                                 .outcome = {.end = model::TaskEnd::kStopped}}
    }),
        own);
    EXPECT_EQ(world.state(other), "scheduled");
    EXPECT_EQ(
        behind(world, SubmitJobs{.actor = root, .jobs = {{.terms = one_gpu(), .spec_json = "{}"}}}),
        roots);
}

TEST(Ledger, AControlIsRecordedWithItsActor) {
    World world(1);
    model::JobTerms terms = one_gpu();
    terms.is_held = true;
    terms.array = model::ArrayRange{.first = 1, .last = 4};
    const JobId job = world.submit(terms);
    ASSERT_TRUE(world.apply(ControlJobs{
        .actor = {.identity = {"root"}, .is_admin = true},
        .control = Control::kStopForced,
        .targets = {{job, 3}}
    }));
    const std::vector<model::ControlRecord> found = world.controls();
    ASSERT_EQ(found.size(), 1U);
    const model::ControlRecord want{
        .job = job,
        .rev = found[0].rev,
        .control = Control::kStopForced,
        .index = 3,
        .actor = "root",
        .at = world.now};
    EXPECT_EQ(found[0], want);
    world.ledger.committed();
    EXPECT_FALSE(world.control(Control::kRequeue, job));  // It changed nothing, and is no record.
    EXPECT_TRUE(world.ledger.changes().empty());
}

TEST(Ledger, WhatHasEndedIsNotQueuedAgain) {
    World world(1);
    const JobId job = world.submit(one_gpu());
    world.start(job);
    world.lookups.ended_jobs[JobId(70)].user = world.ledger.state().user_named("ada")->id;
    const JobId waits = world.submit(one_gpu());
    EXPECT_EQ(
        world.control(Control::kRequeue, waits).error().message,
        "job " + to_string(waits) + " has nothing that runs, so nothing to requeue");
    const JobId ended(70);
    const auto requeued = world.control(Control::kRequeue, ended);
    ASSERT_FALSE(requeued);
    EXPECT_EQ(requeued.error().code, ErrorCode::kConflict);
    EXPECT_EQ(
        requeued.error().message,
        "job 70 has already ended, and only what runs is queued again; submit it anew");
    EXPECT_EQ(world.control(Control::kHold, ended).error().message, "job 70 has already ended");
}

TEST(Ledger, TheRevisionOfAJobFollowsWhateverIsAskedOfIt) {
    World world(1);
    const JobId job = world.submit(one_gpu());
    const auto rev = [&] { return world.ledger.state().job(job)->rev; };
    Revision before = rev();
    EXPECT_GT(before, Revision(0));
    const auto moves = [&] { return std::exchange(before, rev()) < rev(); };
    world.say(world.hello);
    EXPECT_FALSE(moves());  // Nothing of it has changed.
    world.start(job);
    EXPECT_TRUE(moves());
    ASSERT_TRUE(world.control(Control::kRequeue, job));
    EXPECT_TRUE(moves());
    ASSERT_TRUE(world.control(Control::kStop, job));  // Stopping already, now for good.
    EXPECT_TRUE(moves());
    ASSERT_TRUE(world.control(Control::kStopForced, job));
    EXPECT_TRUE(moves());
    world.ledger.undo();
}

TEST(Ledger, AControlMayAskThatTheJobIsAsItWasRead) {
    World world(1);
    const JobId job = world.submit(one_gpu());
    const auto stop = [&](std::optional<std::vector<Revision>> revs) {
        return world.apply(ControlJobs{
            .actor = {.identity = {"ada"}},
            .control = Control::kStop,
            .targets = {{job}},
            .if_rev = std::move(revs)});
    };
    const Revision read = world.ledger.state().job(job)->rev;
    EXPECT_EQ(stop(std::vector{Revision(1)}).error().code, ErrorCode::kPrecondition);
    EXPECT_EQ(stop(std::vector<Revision>()).error().code, ErrorCode::kPrecondition);
    EXPECT_TRUE(world.ledger.changes().empty());
    const auto stopped = stop(std::vector{Revision(1), read});
    ASSERT_TRUE(stopped);
    EXPECT_EQ(std::get<Controlled>(*stopped).rev, world.ledger.state().job(job)->rev);
    EXPECT_GT(std::get<Controlled>(*stopped).rev, read);
    EXPECT_EQ(stop(std::vector{read}).error().code, ErrorCode::kPrecondition);
}

TEST(Ledger, ADryRunSaysWhatWouldComeOfItAndChangesNothing) {
    World world(1);
    SubmitJobs command{
        .actor = {.identity = {"new", 1000, 1000}},
        .jobs = {{.terms = one_gpu()}},
        .idempotency_key = "k",
        .is_dry_run = true};
    command.jobs[0].terms.is_held = true;
    const Revision before = world.ledger.last_rev();
    const auto reply = world.apply(command);
    ASSERT_TRUE(reply);
    EXPECT_EQ(std::get<Checked>(*reply).job.counts[kHeld], 1U);
    EXPECT_TRUE(world.ledger.changes().empty());
    EXPECT_EQ(world.ledger.last_rev(), before);
    EXPECT_EQ(world.ledger.state().user_named("new"), nullptr);
    command.jobs[0].terms.gpus.count = 2;
    EXPECT_EQ(world.apply(command).error().code, ErrorCode::kUnsatisfiable);
    command.jobs[0].terms.gpus.count = 1;
    command.is_dry_run = false;
    const auto real = world.apply(command);
    ASSERT_TRUE(real);
    EXPECT_EQ(std::get<Submitted>(*real).first_job, JobId(1));  // No id was used up.
    EXPECT_FALSE(std::get<Submitted>(*real).is_replay);
}

TEST(Ledger, OthersJobsAreNotWaitedFor) {
    World world(1);
    const JobId live = world.submit(one_gpu(), "bob");
    EndedJob ended{.user = world.ledger.state().user_named("bob")->id};
    ended.counts[model::ElementState::kSucceeded] = 1;
    world.lookups.ended_jobs[JobId(70)] = ended;
    for (const JobId id : {live, JobId(70), JobId(77)}) {
        model::JobTerms terms = one_gpu();
        terms.after = {
            {.kind = model::DependencyKind::kAny, .job = id}
        };
        const auto hidden = world.try_submit({terms}, "ada");
        ASSERT_FALSE(hidden);
        EXPECT_EQ(
            hidden.error().message, "after: there is no job " + to_string(id) + " to wait for");
        EXPECT_EQ(world.try_submit({terms}, "bob").has_value(), id != JobId(77));
    }
}

TEST(Ledger, AnotherBootProvesThatTasksEnded) {
    World world(1);
    const JobId job = world.submit(one_gpu());
    world.start(job);
    world.say(world.hello);
    EXPECT_EQ(world.state(job), "running") << "the same boot, and a hello proves nothing";
    world.hello.boot_id = "b2";
    world.say(world.hello);
    EXPECT_EQ(world.state(job), "gone");
    EXPECT_TRUE(world.ledger.state().allocations().empty());
}

TEST(Ledger, ASilentNodeGetsNothingNew) {
    World world(1);
    world.now = world.now + 11s;
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

}  // namespace
}  // namespace reeve::ledger
