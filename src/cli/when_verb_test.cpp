#include <string>

#include <gtest/gtest.h>

#include "cli/verb_call.hpp"

namespace reeve::cli {
namespace {

std::string answer_with(const std::string& forecast) {
    return R"({"job":"7","kind":"expected","expected_at":"2126-12-01T08:00:00.000000Z",)"
           R"("nodes":["n1"],"starts_before":3,"without_limit":0,"assumed_run_s":3600)" +
           forecast + R"(,"as_of":{"incarnation":1,"revision":9}})";
}

TEST(WhenVerb, GivesTheIntervalAndWhatItRestsOn) {
    FakeTransport server;
    server.answer(
        200,
        answer_with(R"(,"forecast":{"from":"2126-11-30T08:00:00.000000Z",)"
                    R"("until":"2126-11-30T09:00:00.000000Z","confidence_percent":80,"samples":40,)"
                    R"("revision":8,"age_s":12,"past_forecasts":50,"past_inside":41})"));
    const Call said = call(server, "when", {"7"});
    ASSERT_TRUE(said.code) << said.code.error().message;
    EXPECT_EQ(asked_of(server)[0], "GET /api/v1/jobs/7/when");
    constexpr const char* kSamples =
        "  from 40 samples of run times at revision 8, 12s old; of 50 past forecasts 82 % were "
        "inside\n";
    for (const char* part :
         {"(2126-11-30T08:00:00Z) to in ", "(2126-11-30T09:00:00Z), with 80 % confidence\n",
          kSamples, "  by time limits alone it starts in ",
          "(2126-12-01T08:00:00Z) on n1, after 3 tasks"}) {
        EXPECT_NE(said.out.find(part), std::string::npos) << part << "\n" << said.out;
    }
}

TEST(WhenVerb, SaysThatThereAreNoSamplesYet) {
    FakeTransport server;
    server.answer(200, answer_with(""));
    const Call said = call(server, "when", {"7"});
    ASSERT_TRUE(said.code) << said.code.error().message;
    EXPECT_EQ(said.out.find("confidence"), std::string::npos) << said.out;
    EXPECT_NE(said.out.find("there are no samples of run times with it yet"), std::string::npos)
        << said.out;
}

}  // namespace
}  // namespace reeve::cli
