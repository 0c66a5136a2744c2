// What people asked of a job is kept as long as the job.
#include "store_fixture.hpp"

namespace reeve::conformance {
namespace {

using model::ElementState;

class Controls : public StoreSuite {};

INSTANTIATE_TEST_SUITE_P(
    All, Controls, testing::ValuesIn(implementations()), [](const auto& about) {
        return about.param.name;
    });

TEST_P(Controls, KeepsWhatWasAskedOfAJobAsLongAsTheJob) {
    auto changes = script();
    add_people(changes);
    model::JobRecord job = job_in(1, ElementState::kCancelled);
    job.rev = Revision(77);
    job.ended_at = kStart;
    changes.submit(job);
    changes.submit(job_in(2, ElementState::kQueued));
    const model::ControlRecord hold{
        .job = JobId(1),
        .rev = Revision(5),
        .control = model::JobControl::kHold,
        .actor = "ada",
        .at = kStart};
    const model::ControlRecord stop{
        .job = JobId(1),
        .rev = Revision(9),
        .control = model::JobControl::kStopForced,
        .index = 0,
        .actor = "root",
        .at = kStart};
    changes.put(hold);
    changes.put(stop);
    ASSERT_TRUE(changes.commit(store()));
    const auto from = reader();
    EXPECT_EQ(from->job(JobId(1)).value().record.rev, Revision(77));
    EXPECT_EQ(from->controls(JobId(1), 10).value(), (std::vector{hold, stop}));
    EXPECT_EQ(from->controls(JobId(1), 1).value(), std::vector{stop});
    EXPECT_TRUE(from->controls(JobId(2), 10).value().empty());
    restart();
    EXPECT_EQ(reader()->controls(JobId(1), 10).value(), (std::vector{hold, stop}));
    ASSERT_TRUE(store().prune(kStart + std::chrono::hours(1), 10));
    EXPECT_TRUE(reader()->controls(JobId(1), 10).value().empty());
}

}  // namespace
}  // namespace reeve::conformance
