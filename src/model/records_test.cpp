#include "model/records.hpp"

#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace reeve::model {
namespace {

TEST(IsModel, ComparesWholeWords) {
    struct Case {
        const char* asked;
        const char* model;
        bool want;
    };

    const std::vector<Case> cases = {
        {"a30",           "NVIDIA A30",              true },
        {"A30",           "NVIDIA A30",              true },
        {"a3",            "NVIDIA A30",              false},
        {"30",            "NVIDIA A30",              false},
        {"rtx5090",       "NVIDIA GeForce RTX 5090", true },
        {"rtx-5090",      "NVIDIA GeForce RTX 5090", true },
        {"5090",          "NVIDIA GeForce RTX 5090", true },
        {"rtx",           "NVIDIA GeForce RTX 5090", true },
        {"geforcertx509", "NVIDIA GeForce RTX 5090", false},
        {"h100",          "NVIDIA H100 80GB HBM3",   true },
        {"",              "NVIDIA A30",              false},
        {"--",            "NVIDIA A30",              false},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(is_model(c.asked, c.model), c.want) << c.asked << " / " << c.model;
    }
}

TEST(JobRecord, NextWaitingSkipsWhatHasARecord) {
    JobRecord job{
        .range = {.first = 5, .last = 8}
    };
    EXPECT_EQ(job.next_waiting(), 0U);
    job.next = 1;
    job.taken = {1, 2};
    EXPECT_EQ(job.next_waiting(), 3U);
    job.taken = {2};
    EXPECT_EQ(job.next_waiting(), 1U);
    job.taken = {1, 2, 3};
    EXPECT_EQ(job.next_waiting(), std::nullopt);
}

TEST(StateOf, TheStrongestCounts) {
    StateCounts counts;
    counts[ElementState::kSucceeded] = 3;
    EXPECT_EQ(state_of(counts), ElementState::kSucceeded);
    counts[ElementState::kCancelled] = 1;
    EXPECT_EQ(state_of(counts), ElementState::kCancelled);
    counts[ElementState::kFailed] = 1;
    EXPECT_EQ(state_of(counts), ElementState::kFailed);
    counts[ElementState::kHeld] = 1;
    EXPECT_EQ(state_of(counts), ElementState::kHeld);
    counts[ElementState::kRunning] = 1;
    EXPECT_EQ(state_of(counts), ElementState::kRunning);
}

TEST(Words, GoThereAndBack) {
    for (std::size_t i = 0; i < kElementStates; ++i) {
        const auto state = static_cast<ElementState>(i);
        EXPECT_EQ(parse_element_state(word_of(state)), state);
    }
    EXPECT_EQ(parse_element_state("pending"), std::nullopt);
}

}  // namespace
}  // namespace reeve::model
