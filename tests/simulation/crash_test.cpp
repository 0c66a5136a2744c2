// Goal: nothing acknowledged is lost, no task runs twice, no GPU is given twice, and every job
// comes to one end, whatever crashes, fills up, or gets lost on the way, in whatever order. Method:
// the real ledger, controller and agent reactors in one thread, over machines, a network, a store
// and a clock that fail by a seed. Every step is checked. A failure prints its seed;
// REEVE_SIM_SEED=N replays exactly that run, REEVE_SIM_SEEDS=N runs so many.
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.hpp"
#include "cluster_world.hpp"

namespace reeve::simulation {
namespace {

constexpr int kSteps = 400;
constexpr int kStepsToSettle = 20'000;

std::int64_t number_of(const char* variable, std::int64_t otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : parse_integer(text).value_or(otherwise);
}

/// Runs one seed; what went wrong, "" if nothing did.
std::string run(std::uint64_t seed, std::size_t& ended) {
    ClusterWorld world(seed);
    for (int i = 0; i < kSteps && world.trouble().empty(); ++i) {
        world.step();
    }
    world.heal();
    for (int i = 0; i < kStepsToSettle && world.trouble().empty() && !world.is_settled(); ++i) {
        world.step();
    }
    ended += world.ended_count();
    if (!world.trouble().empty()) {
        return world.trouble() + "\n" + world.summary();
    }
    return world.is_settled() ? "" : "it does not settle\n" + world.summary();
}

/// The numbers that begin the lines of seeds/crash.txt.
std::vector<std::uint64_t> kept_seeds() {
    std::ifstream file(REEVE_SEEDS_DIR "/crash.txt");
    std::vector<std::uint64_t> seeds;
    for (std::string line; std::getline(file, line);) {
        const Result<std::int64_t> seed = parse_integer(split(line, ' ').front());
        if (seed) {
            seeds.push_back(static_cast<std::uint64_t>(*seed));
        }
    }
    return seeds;
}

TEST(Crash, SeedsThatFoundABugFindItNoMore) {
    const std::vector<std::uint64_t> seeds = kept_seeds();
    EXPECT_FALSE(seeds.empty());
    std::size_t ended = 0;
    for (const std::uint64_t seed : seeds) {
        EXPECT_EQ(run(seed, ended), "") << "replay with REEVE_SIM_SEED=" << seed;
    }
}

TEST(Crash, NothingAcknowledgedIsLostAndNothingRunsTwice) {
    const std::int64_t one = number_of("REEVE_SIM_SEED", -1);
    const std::int64_t first = one >= 0 ? one : 0;
    const std::int64_t last = one >= 0 ? one : number_of("REEVE_SIM_SEEDS", 500) - 1;
    std::size_t ended = 0;
    for (std::int64_t seed = first; seed <= last; ++seed) {
        const std::string trouble = run(static_cast<std::uint64_t>(seed), ended);
        ASSERT_EQ(trouble, "") << "replay with REEVE_SIM_SEED=" << seed;
    }
    EXPECT_GT(ended, static_cast<std::size_t>(last - first + 1)) << "the runs were empty";
}

}  // namespace
}  // namespace reeve::simulation
