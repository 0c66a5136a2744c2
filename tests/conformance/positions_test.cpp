// positions() says of many jobs what position() says of each.
#include "store_fixture.hpp"

namespace reeve::conformance {
namespace {

using model::ElementState;

class Positions : public StoreSuite {
  protected:
    void submit(std::uint64_t id, std::int32_t priority, ElementState state) {
        model::JobRecord job = job_in(id, state);
        job.priority = priority;
        job.rank = -std::int64_t{job.priority};
        changes_.submit(job);
    }

    void commit() { ASSERT_TRUE(changes_.commit(store())); }

    void expect_as_one_by_one(const std::vector<ledger::JobCursor>& jobs) {
        const auto from = reader();
        const auto positions = from->positions(jobs);
        ASSERT_TRUE(positions) << positions.error().message;
        std::vector<std::uint64_t> singly;
        singly.reserve(jobs.size());
        for (const ledger::JobCursor& job : jobs) {
            singly.push_back(from->position(job.rank, job.id).value());
        }
        EXPECT_EQ(*positions, singly);
    }

  private:
    void SetUp() override {
        StoreSuite::SetUp();
        changes_ = script();
    }

    Script changes_{ledger::StoreHeader{}};
};

INSTANTIATE_TEST_SUITE_P(
    All, Positions, testing::ValuesIn(implementations()), [](const auto& about) {
        return about.param.name;
    });

TEST_P(Positions, InAnyOrderAndOfJobsThatHaveLeftTheQueue) {
    submit(1, 0, ElementState::kQueued);
    submit(2, 7, ElementState::kQueued);
    submit(3, 0, ElementState::kHeld);
    submit(4, 0, ElementState::kQueued);
    submit(5, -3, ElementState::kQueued);
    submit(6, 7, ElementState::kRunning);
    commit();
    const auto from = reader();
    EXPECT_EQ(from->positions({}).value(), std::vector<std::uint64_t>());
    const std::vector<ledger::JobCursor> jobs = {
        {3,  JobId(5)},
        {0,  JobId(4)},
        {-7, JobId(2)},
        {0,  JobId(3)}, // Held: where it would stand.
        {0,  JobId(1)},
        {-7, JobId(6)},
        {0,  JobId(4)},
    };
    EXPECT_EQ(from->positions(jobs).value(), (std::vector<std::uint64_t>{4, 3, 1, 3, 2, 2, 3}));
    expect_as_one_by_one(jobs);
}

TEST_P(Positions, EndAtTenThousand) {
    for (std::uint64_t id = 1; id <= ledger::kPositionMax + 2; ++id) {
        submit(id, id <= 5 ? 1 : 0, ElementState::kQueued);
    }
    commit();
    const std::uint64_t most = ledger::kPositionMax;
    const std::vector<ledger::JobCursor> jobs = {
        {0,  JobId(most + 2)},
        {0,  JobId(most + 1)},
        {0,  JobId(most)    },
        {-1, JobId(5)       },
        {0,  JobId(6)       },
        {1,  JobId(1)       }
    };
    EXPECT_EQ(
        reader()->positions(jobs).value(),
        (std::vector<std::uint64_t>{most + 1, most + 1, most, 5, 6, most + 1}));
    expect_as_one_by_one(jobs);
}

}  // namespace
}  // namespace reeve::conformance
