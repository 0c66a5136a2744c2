// Goal: who has used less of what is theirs waits with less. Method: examples of a tree of
// projects; undoing and recovering over lives made up from a seed; and the core itself, to which
// two users submit much at once.
#include "scheduler/fair_share.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "scheduler/core_world.hpp"
#include "scheduler/engine_world.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr auto kRoot = ProjectId(1);
constexpr auto kVision = ProjectId(2);
constexpr auto kSpeech = ProjectId(3);
constexpr auto kSmall = ProjectId(4);  // Below vision,
constexpr auto kLarge = ProjectId(5);  // and this.
constexpr auto kAnn = UserId(1);
constexpr auto kBob = UserId(2);
constexpr auto kCid = UserId(3);
constexpr auto kNow = Instant(seconds(1'000'000));
const OrderRules rules = {.half_life = hours(24)};

FairShare tree() {
    FairShare shares(rules);
    shares.put_project({.id = kRoot});
    shares.put_project({.id = kVision, .parent = kRoot, .share = 2});
    shares.put_project({.id = kSpeech, .parent = kRoot});
    shares.put_project({.id = kSmall, .parent = kVision});
    shares.put_project({.id = kLarge, .parent = kVision, .share = 3});
    return shares;
}

TEST(FairShare, CountsWhatIsNotOver) {
    FairShare shares = tree();
    EXPECT_EQ(shares.load_of(kSpeech, kAnn, 100, kNow).before, 0);
    EXPECT_EQ(shares.load_of(kSpeech, kAnn, 100, kNow).each, 100);
    shares.plan(kSpeech, kAnn, 5000);
    EXPECT_EQ(shares.load_of(kSpeech, kAnn, 100, kNow).before, 5000);
    shares.plan(kSpeech, kAnn, -5000);
    EXPECT_EQ(shares.load_of(kSpeech, kAnn, 100, kNow).before, 0);
}

TEST(FairShare, CountsWhatWasUsedAndForgetsIt) {
    FairShare shares = tree();
    shares.put_account(kSpeech, kAnn, shares.charged(kSpeech, kAnn, 8000, kNow));
    EXPECT_EQ(shares.used(kSpeech, kAnn, kNow), 8000);
    EXPECT_EQ(shares.used(kSpeech, kAnn, kNow + hours(24)), 4000);
    EXPECT_EQ(shares.load_of(kSpeech, kAnn, 0, kNow + hours(48)).before, 2000);
    EXPECT_EQ(shares.charged(kSpeech, kAnn, 1000, kNow + hours(24)).used_milli_s, 5000);
    shares.put_account(kSpeech, kBob, shares.charged(kSpeech, kBob, 100, kNow));
    EXPECT_EQ(shares.used(kSpeech, std::nullopt, kNow), 8100);
    EXPECT_EQ(shares.used(kVision, std::nullopt, kNow), 0);
}

TEST(FairShare, DividesAProjectAmongItsUsersAndTheProjectsBelow) {
    FairShare shares = tree();
    const auto weight = [&](ProjectId project, UserId user) {
        return shares.load_of(project, user, 1200, kNow).each;
    };
    EXPECT_EQ(weight(kSpeech, kAnn), 1200);
    EXPECT_EQ(weight(kVision, kAnn), 600);  // Two shares.
    shares.plan(kSpeech, kAnn, 1);
    EXPECT_EQ(weight(kSpeech, kAnn), 1200);
    EXPECT_EQ(weight(kSpeech, kBob), 2400);  // Would be the second.
    EXPECT_EQ(weight(kVision, kBob), 600);   // Another project: nothing of it changes.
    shares.plan(kSpeech, kBob, 1);
    EXPECT_EQ(weight(kSpeech, kAnn), 2400);
    // One of four shares of vision's two, as soon as both projects below have jobs.
    EXPECT_EQ(weight(kSmall, kCid), 600);
    shares.plan(kLarge, kAnn, 1);
    EXPECT_EQ(weight(kSmall, kCid), 2400);
    EXPECT_EQ(weight(kLarge, kAnn), 600);
    EXPECT_EQ(weight(kVision, kAnn), 2400);  // Beside three shares below it.
    shares.plan(kVision, kAnn, 1);
    EXPECT_EQ(weight(kLarge, kAnn), 800);
    shares.plan(kLarge, kAnn, -1);
    shares.plan(kVision, kAnn, -1);
    EXPECT_EQ(weight(kSmall, kCid), 600);
}

TEST(FairShare, AShareThatChangesCountsAtOnce) {
    FairShare shares = tree();
    shares.plan(kLarge, kAnn, 1);
    shares.put_project({.id = kLarge, .parent = kVision, .share = 1});
    EXPECT_EQ(shares.load_of(kSmall, kCid, 600, kNow).each, 600);  // Half of two shares.
    shares.plan(kLarge, kAnn, -1);
    EXPECT_EQ(shares.load_of(kSmall, kCid, 600, kNow).each, 300);
}

struct Planned {
    ProjectId project;
    UserId user;
    std::int64_t amount;
};

/// Plans something, or takes back some of what was planned.
void plan_or_take_back(FairShare& shares, std::vector<Planned>& planned, Random& random) {
    if (random.below(3) == 0 && !planned.empty()) {
        const auto which = random.below(planned.size());
        const Planned back = planned[which];
        planned[which] = planned.back();
        planned.pop_back();
        shares.plan(back.project, back.user, -back.amount);
        return;
    }
    planned.push_back(
        {.project = ProjectId(1 + random.below(5)),
         .user = UserId(1 + random.below(3)),
         .amount = static_cast<std::int64_t>(1 + random.below(1000))});
    shares.plan(planned.back().project, planned.back().user, planned.back().amount);
}

void expect_same_loads(const FairShare& is, const FairShare& want) {
    for (std::uint64_t project = 1; project <= 5; ++project) {
        for (std::uint64_t user = 1; user <= 3; ++user) {
            const Load mine = is.load_of(ProjectId(project), UserId(user), 720, kNow);
            const Load other = want.load_of(ProjectId(project), UserId(user), 720, kNow);
            ASSERT_EQ(mine.before, other.before);
            ASSERT_EQ(mine.each, other.each);
        }
    }
}

TEST(FairShareProperty, WhatIsTakenBackNeverWas) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        FairShare shares = tree();
        std::vector<Planned> planned;
        for (int i = 0; i < 60; ++i) {
            plan_or_take_back(shares, planned, random);
            FairShare anew = tree();
            for (const Planned& each : planned) {
                anew.plan(each.project, each.user, each.amount);
            }
            expect_same_loads(shares, anew);
        }
    }
}

/// Submits a job of an hour on one GPU for a user, as the ledger does.
JobId submit(CoreWorld& world, FairShare& shares, ProjectId project, UserId user) {
    const std::int64_t hour = 3'600'000;
    const Load load = shares.load_of(project, user, hour, world.now());
    shares.plan(project, user, hour);
    const GroupKey group{
        .project = project,
        .request = world.put_request({.gpus = model::WholeGpus{.count = 1}}),
        .limit = planning_limit(hours(1))};
    return world.submit_at(
        rank_of(rules, {.submitted_at = world.now(), .load = load.before}), group, hours(1));
}

TEST(FairShare, WhoSubmitsALittleIsNotBehindWhoSubmittedMuch) {
    CoreWorld world({});
    world.put_node(node_of(1, {.gpus = 1}));
    FairShare shares = tree();
    std::vector<JobId> of_ann;
    of_ann.reserve(20);
    for (int i = 0; i < 20; ++i) {
        of_ann.push_back(submit(world, shares, kSpeech, kAnn));
    }
    const JobId first_of_bob = submit(world, shares, kSpeech, kBob);
    const JobId second_of_bob = submit(world, shares, kSpeech, kBob);
    std::vector<JobId> started = world.schedule();
    while (world.advance()) {
        const std::vector<JobId> next = world.schedule();
        started.insert(started.end(), next.begin(), next.end());
    }
    const std::vector<JobId> want = {of_ann[0], first_of_bob, of_ann[1], second_of_bob};
    ASSERT_EQ(started.size(), 22U);
    EXPECT_EQ(
        std::vector<JobId>(started.begin(), started.begin() + 2),
        std::vector<JobId>(want.begin(), want.begin() + 2));
    // The second half of bob's counts twice, as there are two users: before ann's third or so.
    const auto place = std::ranges::find(started, second_of_bob) - started.begin();
    EXPECT_LE(place, 4);
    std::vector<JobId> rest;
    std::ranges::copy_if(started, std::back_inserter(rest), [&](JobId id) {
        return id != first_of_bob && id != second_of_bob;
    });
    EXPECT_EQ(rest, of_ann);
}

}  // namespace
}  // namespace reeve::scheduler
