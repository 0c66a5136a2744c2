// Goal: what is asked of a job twice does what asking once does, and how an attempt ended is kept.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

using model::ElementState;
using model::EndReason;

TEST(Controls, WhatIsAskedTwiceIsNoConflict) {
    World world(2);
    const auto changed = [&](Control control, JobId job) {
        const auto reply = world.control(control, job);
        return reply ? std::to_string(std::get<Controlled>(*reply).element_count)
                     : reply.error().message;
    };
    const JobId waits = world.submit(one_gpu());
    const JobId runs = world.submit(one_gpu());
    const JobId queued = world.submit({.gpus = {.count = 2}});
    world.start(runs);
    world.start(waits);
    EXPECT_EQ(changed(Control::kHold, queued), "1");
    EXPECT_EQ(changed(Control::kHold, queued), "0");
    EXPECT_EQ(changed(Control::kRelease, queued), "1");
    EXPECT_EQ(changed(Control::kRelease, queued), "0");
    EXPECT_EQ(changed(Control::kHold, runs), "job 2 has nothing that waits, so nothing to hold");
    EXPECT_EQ(changed(Control::kRequeue, runs), "1");
    EXPECT_EQ(changed(Control::kRequeue, runs), "0");
    EXPECT_EQ(changed(Control::kStop, runs), "1");
    EXPECT_EQ(
        changed(Control::kRequeue, runs),
        "job 2 is being stopped, and is not queued again; submit it anew when it has ended");
    world.end(runs, {.end = model::TaskEnd::kStopped, .signal = 15});
    model::StateCounts counts;
    counts[ElementState::kCancelled] = 1;
    world.lookups.ended_jobs[JobId(70)] = {
        .user = world.ledger.state().user_named("ada")->id, .counts = counts};
    EXPECT_EQ(changed(Control::kStop, JobId(70)), "0");
    EXPECT_EQ(changed(Control::kStopForced, JobId(70)), "0");
    EXPECT_EQ(changed(Control::kHold, JobId(70)), "job 70 has already ended");
    counts[ElementState::kSucceeded] = 1;
    world.lookups.ended_jobs[JobId(70)].counts = counts;
    EXPECT_EQ(changed(Control::kStop, JobId(70)), "job 70 has already ended");
}

TEST(Controls, ThatChangeNothingOfAnElementMakeNoRecordOfIt) {
    World world(1);
    world.start(world.submit(one_gpu()));
    model::JobTerms terms = one_gpu();
    terms.array = model::ArrayRange{.last = 9};
    const JobId array = world.submit(terms);
    world.step();
    const auto changed = [&](Control control, std::uint32_t index) {
        const auto reply = world.control(control, array, index);
        return reply ? std::to_string(std::get<Controlled>(*reply).element_count)
                     : reply.error().message;
    };
    const Revision before = world.ledger.state().job(array)->rev;
    EXPECT_EQ(changed(Control::kRelease, 7), "0");
    EXPECT_EQ(world.ledger.state().element({.job = array, .index = 7}), nullptr);
    EXPECT_EQ(world.ledger.state().job(array)->rev, before);
    EXPECT_EQ(changed(Control::kStop, 7), "1");
    EXPECT_EQ(changed(Control::kStop, 7), "0");
    EXPECT_EQ(changed(Control::kHold, 7), "job 2_7 has already ended");
}

TEST(Controls, OfWhatIsQueuedAgainIsKeptHowItEnded) {
    World world(1);
    for (const auto& [outcome, want] : std::vector<std::pair<model::TaskOutcome, EndReason>>{
             {{.end = model::TaskEnd::kStopped, .exit_code = 3}, EndReason::kExitCode},
             {{.end = model::TaskEnd::kStopped, .signal = 15},   EndReason::kSignal  },
             {{.end = model::TaskEnd::kShimLost},                EndReason::kSignal  },
    }) {
        const JobId job = world.submit(one_gpu());
        world.start(job);
        ASSERT_TRUE(world.control(Control::kRequeue, job));
        ASSERT_TRUE(world.apply(Report{
            model::TaskEnded{.node = "n1", .key = world.key(job), .outcome = outcome}
        }));
        std::optional<EndReason> kept;
        for (const Change& change : world.ledger.changes()) {
            const auto* put = std::get_if<ElementPut>(&change.body);
            kept = put != nullptr && put->after->attempt == 1 ? put->after->end_reason : kept;
        }
        EXPECT_EQ(kept, want);
        world.step();
        ASSERT_TRUE(world.control(Control::kStopForced, job));
        world.end(job, {.end = model::TaskEnd::kStopped, .signal = 9});
    }
}

}  // namespace
}  // namespace reeve::ledger
