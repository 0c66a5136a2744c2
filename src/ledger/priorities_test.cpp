// Goal: a job gets the priority that it names, of those that its user may have.
#include "ledger/priorities.hpp"

#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

Priorities low_and_urgent() {
    return {
        .names = {{"low", -10}, {"urgent", 100}},
          .users_most = 50
    };
}

Result<std::int32_t> asked(const std::string& name, std::int32_t priority, bool is_admin = false) {
    return priority_of(low_and_urgent(), {.priority = priority, .priority_name = name}, is_admin);
}

TEST(Priorities, AreNamedOrSaid) {
    EXPECT_EQ(asked("", 7).value(), 7);
    EXPECT_EQ(asked("", 50).value(), 50);
    EXPECT_EQ(asked("low", 7).value(), -10);
    EXPECT_EQ(asked("urgent", 0, true).value(), 100);
    EXPECT_EQ(asked("", 1000, true).value(), 1000);
}

TEST(Priorities, ThatAreNotThereOrTooHighAreRefused) {
    EXPECT_EQ(asked("high", 0).error().code, ErrorCode::kInvalid);
    EXPECT_EQ(
        asked("high", 0).error().message,
        "priority: none is named 'high'; expects low (-10) or a number from -1000 to 50");
    EXPECT_EQ(
        asked("high", 0, true).error().message,
        "priority: none is named 'high'; expects low (-10), urgent (100) or a number from -1000 to "
        "1000");
    EXPECT_EQ(
        priority_of({}, {.priority_name = "high"}, true).error().message,
        "priority: none is named 'high'; expects a number from -1000 to 1000");
    for (const auto& refused : {asked("urgent", 0), asked("", 51)}) {
        EXPECT_EQ(refused.error().code, ErrorCode::kPolicy);
    }
    EXPECT_EQ(
        asked("", 51).error().message,
        "priority: 51 is for administrators; others may have low (-10) or a number from -1000 to "
        "50");
    EXPECT_EQ(
        asked("urgent", 0).error().message,
        "priority: urgent (100) is for administrators; others may have low (-10) or a number from "
        "-1000 to 50");
}

TEST(Priorities, OrderTheQueue) {
    World world(1, {.priorities = std::make_shared<const Priorities>(low_and_urgent())});
    const JobId runs = world.submit(one_gpu());
    model::JobTerms terms = one_gpu();
    terms.priority_name = "low";
    const JobId low = world.submit(terms);
    const JobId normal = world.submit(one_gpu());
    world.end(runs, {});
    EXPECT_EQ(world.state(normal), "scheduled");
    EXPECT_EQ(world.state(low), "queued");
    terms.priority_name = "urgent";
    EXPECT_EQ(world.try_submit({terms}).error().code, ErrorCode::kPolicy);
    EXPECT_EQ(world.ledger.state().job(low)->priority, -10);
}

}  // namespace
}  // namespace reeve::ledger
