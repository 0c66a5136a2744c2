#include "model/job_end.hpp"

#include <gtest/gtest.h>

namespace reeve::model {
namespace {

constexpr Instant kLater = Instant(std::chrono::seconds(5));

JobRecord ended_as(ElementState state) {
    JobRecord job;
    job.ended_at = kLater;
    job.counts[state] = 1;
    return job;
}

TEST(JobEnd, SaysWhatNeverHappened) {
    EXPECT_EQ(never_text({}), "");
    EXPECT_EQ(
        never_text({
            {DependencyKind::kOk, JobId(12)}
    }),
        "job 12 did not succeed");
    EXPECT_EQ(
        never_text({
            {DependencyKind::kNotOk, JobId(12)}
    }),
        "job 12 succeeded");
    EXPECT_EQ(
        never_text({
            {DependencyKind::kOk,    JobId(1)},
            {DependencyKind::kNotOk, JobId(2)}
    }),
        "job 1 did not succeed; job 2 succeeded");
    EXPECT_EQ(
        never_text({
            {DependencyKind::kOk, JobId(1)},
            {DependencyKind::kOk, JobId(1)}
    }),
        "job 1 did not succeed")
        << "asked for twice, it is said once";
}

TEST(JobEnd, IsNoneBeforeTheEnd) {
    JobRecord job = ended_as(ElementState::kQueued);
    job.ended_at = kNever;
    job.after = {
        {DependencyKind::kOk, JobId(12)}
    };  // It still waits for that.
    EXPECT_FALSE(end_of(job));
}

TEST(JobEnd, NamesWhatItWaitedFor) {
    JobRecord job = ended_as(ElementState::kFailed);
    job.after = {
        {DependencyKind::kOk, JobId(12)}
    };
    const auto end = end_of(job);
    ASSERT_TRUE(end);
    EXPECT_EQ(end->reason, EndReason::kDependencyNever);
    EXPECT_EQ(end->message, "job 12 did not succeed");
}

TEST(JobEnd, OfACancelledJobIsItsCancelAndOfOthersTheirElements) {
    const auto cancelled = end_of(ended_as(ElementState::kCancelled));
    ASSERT_TRUE(cancelled);
    EXPECT_EQ(cancelled->reason, EndReason::kCancelled);
    EXPECT_EQ(cancelled->message, "");
    EXPECT_FALSE(end_of(ended_as(ElementState::kSucceeded)));
    EXPECT_FALSE(end_of(ended_as(ElementState::kFailed)));
    EXPECT_FALSE(end_of(ended_as(ElementState::kTimedOut)));
}

}  // namespace
}  // namespace reeve::model
