#include "controller/forecaster.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include <gtest/gtest.h>

#include "controller/view_world.hpp"

namespace reeve::controller {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

/// What a forecaster is given, and what it gives.
class ForecasterTest : public testing::Test {
  protected:
    ForecasterOptions options() {
        return {
            .clock = [this] { return Instant(microseconds(now.load())); },
            .worked = [this] { return microseconds(worked.load()); },
            .view =
                [this] {
                    const std::scoped_lock lock(mutex);
                    ++looks;
                    went_on.notify_all();
                    return view;
                },
            .queue = [this]() -> Result<std::vector<ledger::JobRow>> {
                ++reads;
                if (has_bad_reads) {
                    return fail(ErrorCode::kInternal, "the disk cannot be read");
                }
                return std::vector<ledger::JobRow>{
                    waiting_job(5, 2, hours(10)), waiting_job(6, 2, hours(10))};
            },
            .note =
                [this](const std::vector<ledger::ForecastRecord>& forecasts) {
                    const std::scoped_lock lock(mutex);
                    noted.insert(noted.end(), forecasts.begin(), forecasts.end());
                },
            .trouble = [this](const Error& /*error*/) { ++troubles; },
            .rest = milliseconds(1)};
    }

    void show(std::uint64_t rev) {
        auto next = std::make_shared<View>(half_used_view(hours(10)));
        next->rev = Revision(rev);
        const std::scoped_lock lock(mutex);
        view = next;
    }

    /// Asked each time that the thread looks at the view.
    template <class Condition>
    bool comes_true(const Condition& condition) {
        std::unique_lock lock(mutex);
        return went_on.wait_for(lock, std::chrono::seconds(30), condition);
    }

    std::mutex mutex;
    std::condition_variable went_on;
    int looks = 0;
    std::shared_ptr<const View> view = nullptr;
    std::vector<ledger::ForecastRecord> noted;
    std::atomic<std::int64_t> now = kViewNow.since_epoch().count();
    std::atomic<std::int64_t> worked = 0;
    std::atomic<int> reads = 0;
    std::atomic<int> troubles = 0;
    std::atomic<bool> has_bad_reads = false;
};

TEST_F(ForecasterTest, MakesASheetWheneverTheStateHasChanged) {
    show(7);
    Forecaster forecaster(options());
    EXPECT_EQ(forecaster.sheet(), nullptr);
    forecaster.start();
    ASSERT_TRUE(comes_true([&] { return forecaster.sheet() != nullptr; }));
    EXPECT_EQ(forecaster.sheet()->rev, Revision(7));
    EXPECT_EQ(forecaster.sheet()->samples, kForecastSamples);
    EXPECT_EQ(forecaster.sheet()->jobs.size(), 2U);
    show(8);
    EXPECT_TRUE(comes_true([&] { return forecaster.sheet()->rev == Revision(8); }));
    const int before = reads;
    int more = 4;
    ASSERT_TRUE(comes_true([&] { return more-- == 0; }));
    EXPECT_EQ(reads, before) << "nothing has changed";
}

TEST_F(ForecasterTest, LooksAgainAfterAMinute) {
    show(7);
    Forecaster forecaster(options());
    forecaster.start();
    ASSERT_TRUE(comes_true([&] { return forecaster.sheet() != nullptr; }));
    now += microseconds(std::chrono::seconds(61)).count();
    EXPECT_TRUE(comes_true([&] { return forecaster.sheet()->at != kViewNow; }))
        << "what runs has run for longer by now";
    EXPECT_EQ(forecaster.sheet()->rev, Revision(7));
}

TEST_F(ForecasterTest, TheFirstForecastOfAJobIsNotedAndNoOther) {
    show(7);
    Forecaster forecaster(options());
    forecaster.start();
    for (std::uint64_t rev = 8; rev < 12; ++rev) {
        show(rev);
        ASSERT_TRUE(comes_true([&] {
            return forecaster.sheet() != nullptr && forecaster.sheet()->rev == Revision(rev);
        }));
    }
    forecaster.stop();
    ASSERT_EQ(noted.size(), 2U);
    EXPECT_EQ(noted[0].job, JobId(5));
    EXPECT_EQ(noted[1].job, JobId(6));
}

TEST_F(ForecasterTest, SaysThatTheQueueCannotBeReadAndTriesAgain) {
    has_bad_reads = true;
    show(7);
    Forecaster forecaster(options());
    forecaster.start();
    ASSERT_TRUE(comes_true([&] { return troubles > 1; }));
    EXPECT_EQ(forecaster.sheet(), nullptr);
    has_bad_reads = false;
    EXPECT_TRUE(comes_true([&] { return forecaster.sheet() != nullptr; }));
}

/// It may rest for hours, and ends at once all the same.
TEST_F(ForecasterTest, RestsThriceAsLongAsItWorksAndEndsAtOnce) {
    show(7);
    ForecasterOptions slow = options();
    slow.queue = [this, queue = slow.queue] {
        worked += microseconds(hours(1)).count();  // Work that takes an hour.
        return queue();
    };
    Forecaster forecaster(std::move(slow));
    forecaster.start();
    ASSERT_TRUE(comes_true([&] { return looks > 0; }));
    forecaster.stop();
    EXPECT_LE(reads, 1);
    EXPECT_EQ(forecaster.sheet(), nullptr) << "it would rest after its first sample";
}

}  // namespace
}  // namespace reeve::controller
