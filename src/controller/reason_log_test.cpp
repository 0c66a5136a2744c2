#include "controller/reason_log.hpp"

#include <gtest/gtest.h>

#include "controller/view_world.hpp"

namespace reeve::controller {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

Instant at(int second) {
    return Instant(seconds(second));
}

bool always() {
    return true;
}

class ReasonLogTest : public testing::Test {
  protected:
    /// Looks at jobs that wait, and says how often it was asked why.
    int look(
        const std::vector<ledger::JobRow>& queue,
        int second,
        const std::string& reason,
        const std::function<bool()>& goes_on = always) {
        int asked = 0;
        log.look(
            queue, at(second),
            [&](const ledger::JobRow& /*job*/, std::uint64_t /*position*/) {
                ++asked;
                return reason;
            },
            goes_on);
        return asked;
    }

    ReasonLog log;
};

TEST_F(ReasonLogTest, KeepsWhatChanged) {
    const std::vector<ledger::JobRow> queue = {waiting_job(5, 2, hours(1))};
    look(queue, 1, "quota");
    look(queue, 2, "quota");
    look(queue, 4, "gpu_short");
    look({}, 5, "");
    const std::vector<ReasonSpan> wanted = {
        {.since = at(1), .seen = at(2), .reason = "quota"    },
        {.since = at(4), .seen = at(4), .reason = "gpu_short"}
    };
    EXPECT_EQ(log.of(JobId(5)), wanted) << "also when it no longer waits";
    EXPECT_TRUE(log.of(JobId(6)).empty());
    look(queue, 9, "");
    EXPECT_EQ(log.of(JobId(5)), wanted) << "what cannot be told is no reason";
}

TEST_F(ReasonLogTest, AsksOnceForThoseThatAskForTheSame) {
    ledger::JobRow held = waiting_job(8, 2, hours(1));
    held.record.waiting_state = model::ElementState::kHeld;
    ledger::JobRow after = waiting_job(9, 2, hours(1));
    after.record.after = {{.job = JobId(1)}};
    const std::vector<ledger::JobRow> queue = {
        waiting_job(5, 2, hours(1)), waiting_job(6, 2, hours(1)), waiting_job(7, 2, hours(2)), held,
        after};
    EXPECT_EQ(look(queue, 1, "behind"), 4) << "5 for 6, and each of the others";
    EXPECT_EQ(log.of(JobId(6)).size(), 1U);
}

TEST_F(ReasonLogTest, GoesOnWithWhatItKnowsWhenItsTimeIsOver) {
    const std::vector<ledger::JobRow> queue = {
        waiting_job(5, 2, hours(1)), waiting_job(6, 2, hours(2)), waiting_job(7, 2, hours(1))};
    int looks = 1;
    EXPECT_EQ(look(queue, 1, "behind", [&] { return looks-- > 0; }), 1);
    EXPECT_EQ(log.of(JobId(6)).size(), 0U);
    EXPECT_EQ(log.of(JobId(7)).size(), 1U);
}

TEST_F(ReasonLogTest, IsBounded) {
    const std::vector<ledger::JobRow> one = {waiting_job(1, 2, hours(1))};
    for (int i = 0; i < 100; ++i) {
        look(one, i, i % 2 == 0 ? "quota" : "behind");
    }
    ASSERT_EQ(log.of(JobId(1)).size(), kReasonSpansMax);
    EXPECT_EQ(log.of(JobId(1)).back().since, at(99));
    std::vector<ledger::JobRow> many = one;
    many.reserve(kReasonJobsMax + 2);
    for (std::uint64_t id = 3; id < kReasonJobsMax + 2; ++id) {
        many.push_back(waiting_job(id, 2, hours(1)));
    }
    look({waiting_job(2, 2, hours(1))}, 200, "behind");
    look(many, 201, "behind");
    EXPECT_TRUE(log.of(JobId(2)).empty()) << "it has not waited since";
    look(one, 202, "quota");
    EXPECT_EQ(log.of(JobId(1)).size(), kReasonSpansMax) << "it waits, however old it is";
}

}  // namespace
}  // namespace reeve::controller
