#include <string>

#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

model::JobTerms with_memory(std::int64_t mib, std::string on = "") {
    return {.name = "t", .on = std::move(on), .memory_mib = mib};
}

void expect_limit(const Result<Reply>& reply, const std::string& words) {
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::kLimit);
    EXPECT_NE(reply.error().message.find(words), std::string::npos) << reply.error().message;
}

TEST(Requests, ThatDifferHaveALimit) {
    World world(1, {.requests_max = 3});
    for (int mib = 1; mib <= 3; ++mib) {
        ASSERT_TRUE(world.try_submit({with_memory(mib)}));
    }
    expect_limit(world.try_submit({with_memory(4)}), "for 3 different amounts and nodes");
    EXPECT_TRUE(world.try_submit({with_memory(2)})) << "known, so nothing new";
    expect_limit(
        world.try_submit({with_memory(1), with_memory(4)}), "jobs[1]: jobs of this server");
    EXPECT_EQ(world.ledger.state().request_count(), 3U);
}

TEST(Requests, ThatDifferInNodesHaveALimit) {
    World world(1, {.expressions_max = 2});
    ASSERT_TRUE(world.try_submit({with_memory(1, "!a")}));
    ASSERT_TRUE(world.try_submit({with_memory(1, "!b")}));
    expect_limit(world.try_submit({with_memory(1, "!c")}), "on: jobs of this server have named 2");
    EXPECT_TRUE(world.try_submit({with_memory(9, "!b")})) << "other amounts, a known expression";
    EXPECT_TRUE(world.try_submit({with_memory(9)}));
}

}  // namespace
}  // namespace reeve::ledger
