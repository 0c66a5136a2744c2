// What was asked for is kept as long as a job that asked for it, and known as long as one that has
// not ended.
#include "store_fixture.hpp"

namespace reeve::conformance {
namespace {

using model::ElementState;
using model::RequestId;

class Requests : public StoreSuite {
  protected:
    static model::RequestRecord request(std::uint64_t id) {
        return {.id = RequestId(id), .gpus = {.count = static_cast<std::int64_t>(id)}};
    }

    static model::JobRecord job(std::uint64_t id, ElementState state, std::uint64_t request) {
        model::JobRecord job = job_in(id, state);
        job.request = RequestId(request);
        return job;
    }

    std::vector<model::RequestRecord> known() {
        return of_kind<model::RequestRecord>(recovered(store()));
    }

    std::int64_t gpus_of(std::uint64_t id) { return reader()->job(JobId(id))->gpus.count; }
};

INSTANTIATE_TEST_SUITE_P(
    All, Requests, testing::ValuesIn(implementations()), [](const auto& about) {
        return about.param.name;
    });

TEST_P(Requests, AreKnownAsLongAsAJobThatHasNotEnded) {
    auto changes = script();
    changes.put(request(3)).submit(job(1, ElementState::kQueued, 3));
    changes.put(request(5)).submit(job(2, ElementState::kRunning, 5));
    changes.submit(job(3, ElementState::kSucceeded, 5));
    changes.put(request(7)).submit(job(4, ElementState::kFailed, 7));
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(known(), (std::vector{request(3), request(5)}));
    changes.update(job(2, ElementState::kRunning, 5), job(2, ElementState::kSucceeded, 5));
    changes.update(job(1, ElementState::kQueued, 3), job(1, ElementState::kHeld, 3));
    ASSERT_TRUE(changes.commit(store()));
    restart();
    EXPECT_EQ(known(), std::vector{request(3)});
    EXPECT_EQ(header.last_request, RequestId(7));
    EXPECT_EQ(gpus_of(2), 5) << "that it ended hides nothing";
    EXPECT_EQ(gpus_of(4), 7);
}

TEST_P(Requests, AreKeptAsLongAsAJobThatIs) {
    auto changes = script();
    for (std::uint64_t id = 1; id <= 3; ++id) {
        changes.put(request(id));
    }
    changes.submit(job(1, ElementState::kSucceeded, 1)).submit(job(2, ElementState::kQueued, 1));
    changes.submit(job(3, ElementState::kFailed, 2)).submit(job(4, ElementState::kFailed, 3));
    model::JobRecord later = job(5, ElementState::kFailed, 2);
    later.ended_at = kStart + std::chrono::hours(2);
    changes.submit(later);
    ASSERT_TRUE(changes.commit(store()));
    ASSERT_TRUE(store().prune(kStart + std::chrono::hours(1), 10));
    EXPECT_EQ(gpus_of(2), 1);
    EXPECT_EQ(gpus_of(5), 2);
    restart();
    EXPECT_EQ(header.last_request, RequestId(2)) << "the third went with the fourth job";
    ASSERT_TRUE(store().prune(kStart + std::chrono::hours(3), 10));
    restart();
    EXPECT_EQ(header.last_request, RequestId(1));

    changes = script();  // A number may come again once nothing has it.
    changes.put(request(2)).submit(job(6, ElementState::kQueued, 2));
    changes.update(job(2, ElementState::kQueued, 1), job(2, ElementState::kQueued, 2));
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(known(), std::vector{request(2)});
    EXPECT_EQ(gpus_of(2), 2);
}

}  // namespace
}  // namespace reeve::conformance
