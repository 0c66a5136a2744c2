// Bookings, as people make them and as time goes on.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/utc.hpp"
#include "ledger/booking_rules.hpp"
#include "ledger/event.hpp"
#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

Actor admin() {
    return {
        .identity = {"root", 1000, 1000},
          .is_admin = true, .source = "unix"
    };
}

/// Of node n1, for project vision, from an hour from now on for two.
PutBooking for_vision(const World& world) {
    return {
        .actor = admin(),
        .name = "demo",
        .from = world.now + hours(1),
        .until = world.now + hours(3),
        .project = "vision",
        .nodes = {"n1"},
        .release_after_s = 900};
}

World world_with_projects() {
    World world(2);
    for (const auto& [name, parent] :
         {std::pair("vision", "default"), std::pair("vision-lab", "vision")}) {
        EXPECT_TRUE(world.apply(PutProject{.actor = admin(), .name = name, .parent = parent}));
    }
    world.step();
    return world;
}

model::JobTerms terms_of(const std::string& project, std::int64_t limit_s) {
    model::JobTerms terms = one_gpu();
    terms.project = project;
    terms.time_limit_s = limit_s;
    return terms;
}

std::vector<std::string> kinds_of(const Ledger& ledger) {
    std::vector<std::string> kinds;
    for (const Change& change : ledger.changes()) {
        kinds.push_back(event_of(change, {}).kind);
    }
    return kinds;
}

TEST(LedgerBookings, KeepsRoomForTheProjectAndAllBelowIt) {
    World world = world_with_projects();
    ASSERT_TRUE(world.apply(for_vision(world)));
    world.step();
    const JobId brief = world.submit(terms_of("default", 1800));
    const JobId other = world.submit(terms_of("default", 7200));
    const JobId its_own = world.submit(terms_of("vision-lab", 7200));
    EXPECT_EQ(world.state(brief), "scheduled");
    EXPECT_EQ(world.state(its_own), "scheduled");
    world.end(brief, {});
    EXPECT_EQ(world.state(other), "queued");

    ASSERT_TRUE(world.apply(PutProject{.actor = admin(), .name = "new", .parent = "vision"}));
    world.step();
    const JobId of_a_new_one = world.submit(terms_of("new", 7200));
    EXPECT_EQ(world.state(of_a_new_one), "scheduled");

    ASSERT_TRUE(world.apply(DropBooking{.actor = admin(), .name = "demo"}));
    EXPECT_EQ(kinds_of(world.ledger), std::vector<std::string>{"reservation.removed"});
    world.end(its_own, {});
    EXPECT_EQ(world.state(other), "scheduled");
}

TEST(LedgerBookings, IsReleasedIfNobodyComesAndOverAtItsEnd) {
    for (const bool somebody_comes : {false, true}) {
        World world = world_with_projects();
        const Instant from = world.now + hours(1);
        ASSERT_TRUE(world.apply(for_vision(world)));
        world.step();
        world.now = from;
        ASSERT_TRUE(world.apply(Tick{}));
        world.step();
        world.say(world.hello);  // It was silent meanwhile.
        if (somebody_comes) {
            const JobId job = world.submit(terms_of("vision", 60));
            EXPECT_EQ(world.state(job), "scheduled");
            world.end(job, {});
            EXPECT_TRUE(world.ledger.state().bookings().begin()->second.is_used);
        }
        world.now = from + seconds(900);
        ASSERT_TRUE(world.apply(Tick{}));
        EXPECT_FALSE(world.ledger.schedule(10, 10));
        if (!somebody_comes) {
            EXPECT_EQ(kinds_of(world.ledger), std::vector<std::string>{"reservation.released"});
            EXPECT_TRUE(world.ledger.state().bookings().empty());
            continue;
        }
        EXPECT_TRUE(kinds_of(world.ledger).empty());
        EXPECT_EQ(*world.ledger.next_wakeup(), from + hours(2));
        world.now = from + hours(2);
        ASSERT_TRUE(world.apply(Tick{}));
        EXPECT_FALSE(world.ledger.schedule(10, 10));
        EXPECT_EQ(kinds_of(world.ledger), std::vector<std::string>{"reservation.ended"});
    }
}

TEST(LedgerBookings, WhatRunsIntoItIsAUse) {
    World world = world_with_projects();
    const Instant from = world.now + hours(1);
    ASSERT_TRUE(world.apply(for_vision(world)));
    world.step();
    const JobId job = world.submit(terms_of("vision", 7200));
    EXPECT_EQ(*world.ledger.next_wakeup() < from, true) << "its node may fall silent";
    world.now = from;
    ASSERT_TRUE(world.apply(Tick{}));
    EXPECT_FALSE(world.ledger.schedule(10, 10));
    EXPECT_EQ(kinds_of(world.ledger), std::vector<std::string>{"reservation.used"});
    world.ledger.undo();  // The commit failed: it is said again.
    EXPECT_FALSE(world.ledger.state().bookings().begin()->second.is_used);
    EXPECT_FALSE(world.ledger.schedule(10, 10));
    EXPECT_EQ(kinds_of(world.ledger), std::vector<std::string>{"reservation.used"});
    world.step();
    world.end(job, {});
    world.now = world.now + hours(1);
    ASSERT_TRUE(world.apply(Tick{}));
    world.step();
    EXPECT_EQ(world.ledger.state().bookings().size(), 1U);
}

TEST(LedgerBookings, WhatRunsIntoItIsRefusedOrIgnored) {
    World world = world_with_projects();
    const JobId job = world.submit(terms_of("default", 7200));
    world.start(job);
    const Instant until = world.now + hours(2);
    const auto refused = world.apply(for_vision(world));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
    EXPECT_EQ(
        refused.error().message,
        "job " + to_string(job) + " of ada (project default) runs on node 'n1' until " +
            format_seconds(until) +
            ", into the reservation; let it begin later, take other nodes, or ignore what runs "
            "(ignore_running)");
    EXPECT_TRUE(world.ledger.changes().empty());

    PutBooking one_gpu_of_it = for_vision(world);
    one_gpu_of_it.gpus = 1;  // The other one.
    EXPECT_TRUE(world.apply(one_gpu_of_it));
    world.step();
    PutBooking later = for_vision(world);
    later.name = "later";
    later.from = world.now + hours(4);
    later.until = world.now + hours(5);
    EXPECT_TRUE(world.apply(later));
    world.step();
    PutBooking ignoring = for_vision(world);
    ignoring.name = "maintenance";
    ignoring.project = "";
    ignoring.release_after_s = 0;
    ignoring.from = world.now + seconds(30);
    ignoring.until = world.now + seconds(60);
    EXPECT_FALSE(world.apply(ignoring));
    ignoring.is_ignoring_running = true;
    EXPECT_TRUE(world.apply(ignoring));
    world.step();
    EXPECT_EQ(world.state(job), "running");
}

TEST(LedgerBookings, ChoosesNodesThatAreFreeThenReadyThenTheFirst) {
    World world = world_with_projects();
    for (const char* name : {"n2", "n3", "n4"}) {
        model::NodeHello hello = world.hello;
        hello.node = name;
        hello.labels = {
            {"zone", name == std::string("n4") ? "b" : "a"}
        };
        for (auto& gpu : hello.gpus) {
            gpu.uuid += name;
        }
        world.say(hello);
    }
    ASSERT_TRUE(world.apply(ControlNode{.actor = admin(), .node = "n1"}));
    const JobId job = world.submit(terms_of("default", 7200));
    ASSERT_EQ(world.state(job), "scheduled");
    ASSERT_EQ(world.ledger.state().element({job, 0})->node, NodeId(2));
    PutBooking two = for_vision(world);
    two.nodes.clear();
    two.node_count = 2;
    ASSERT_TRUE(world.apply(two));
    const auto& parts = world.ledger.state().booking_named("demo")->parts;
    ASSERT_EQ(parts.size(), 2U);
    EXPECT_EQ(parts[0].node, NodeId(3));
    EXPECT_EQ(parts[1].node, NodeId(4));
    world.step();
    two.name = "in-a";
    two.on = "zone==a";
    const auto refused = world.apply(two);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsatisfiable);
    EXPECT_NE(
        refused.error().message.find("only 1 of 2 nodes that are 'zone==a'"), std::string::npos)
        << refused.error().message;
}

TEST(LedgerBookings, SaysWhatIsWrong) {
    World world = world_with_projects();
    ASSERT_TRUE(world.apply(for_vision(world)));
    world.step();

    struct Case {
        const char* what;
        void (*spoil)(PutBooking& command, Instant now);
        ErrorCode code;
    };

    const std::vector<Case> cases = {
        {"already; remove it",         [](auto& c, Instant) { c.name = "demo"; },                     ErrorCode::kConflict     },
        {"a reservation's name has",   [](auto& c, Instant) { c.name = "A b"; },                      ErrorCode::kInvalid      },
        {"start: ",                    [](auto& c, Instant now) { c.from = now + seconds(-60); },     ErrorCode::kInvalid      },
        {"is not after the start",     [](auto& c, Instant) { c.until = *c.from; },
         ErrorCode::kInvalid                                                                                                   },
        {"at most a year",             [](auto& c, Instant now) { c.until = now + hours(24 * 367); },
         ErrorCode::kInvalid                                                                                                   },
        {"there is no project",        [](auto& c, Instant) { c.project = "x"; },                     ErrorCode::kNotFound     },
        {"there is no node 'n9'",      [](auto& c, Instant) { c.nodes = {"n9"}; },                    ErrorCode::kNotFound     },
        {"is named twice",             [](auto& c, Instant) { c.nodes = {"n1", "n1"}; },              ErrorCode::kInvalid      },
        {"one of the two",             [](auto& c, Instant) { c.node_count = 1; },                    ErrorCode::kInvalid      },
        {"one of the two",             [](auto& c, Instant) { c.nodes.clear(); },                     ErrorCode::kInvalid      },
        {"for a count of nodes",       [](auto& c, Instant) { c.on = "zone==a"; },                    ErrorCode::kInvalid      },
        {"has 2 GPUs, not 3",          [](auto& c, Instant) { c.gpus = 3; },                          ErrorCode::kUnsatisfiable},
        {"is of whole nodes",
         [](auto& c,                               Instant) {
             c.project = "";
             c.gpus = 1;
         },                                                                       ErrorCode::kInvalid      },
        {"is reserved by 'demo' from", [](auto& c, Instant) { c.from = *c.from + seconds(-1); },
         ErrorCode::kConflict                                                                                                  },
        {"only an administrator",      [](auto& c, Instant) { c.actor.is_admin = false; },
         ErrorCode::kForbidden                                                                                                 },
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.what);
        PutBooking command = for_vision(world);
        command.name = "other";
        command.from = *command.from + hours(10);
        command.until = command.until + hours(10);
        if (std::string(each.what).starts_with("is reserved by")) {
            command = for_vision(world);
            command.name = "other";
        }
        each.spoil(command, world.now);
        const auto refused = world.apply(command);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, each.code);
        EXPECT_NE(refused.error().message.find(each.what), std::string::npos)
            << refused.error().message;
        EXPECT_TRUE(world.ledger.changes().empty());
    }
    EXPECT_EQ(
        world.apply(DropBooking{.actor = admin(), .name = "x"}).error().code, ErrorCode::kNotFound);
}

TEST(LedgerBookings, ThereAreOnlySoMany) {
    World world = world_with_projects();
    for (std::size_t i = 0; i < kBookingsMax; ++i) {
        PutBooking command = for_vision(world);
        command.name = "r" + std::to_string(i);
        command.from = world.now + hours(1) + seconds(60 * i);
        command.until = *command.from + seconds(1);
        ASSERT_TRUE(world.apply(command));
        world.ledger.committed();
    }
    const auto refused = world.apply(for_vision(world));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
}

TEST(LedgerBookings, ComeBackAfterARestartAndAFailedCommit) {
    World world = world_with_projects();
    ASSERT_TRUE(world.apply(for_vision(world)));
    const model::BookingRecord record = *world.ledger.state().booking_named("demo");
    world.ledger.undo();
    EXPECT_TRUE(world.ledger.state().bookings().empty());
    EXPECT_TRUE(world.ledger.state().core().bookings().empty());

    Ledger restarted({}, {.cluster_id = "c"});
    restarted.restore(model::ProjectRecord{.id = ProjectId(1), .name = "default"});
    restarted.restore(
        model::ProjectRecord{.id = ProjectId(2), .name = "vision", .parent = ProjectId(1)});
    restarted.restore(record);
    const Instant late = record.from + seconds(3600);
    restarted.begin(late);
    EXPECT_EQ(restarted.release_at(record), late + seconds(900)) << "nobody could come before";
    EXPECT_EQ(*restarted.next_wakeup(), record.from) << "it was not looked at yet";
    EXPECT_FALSE(restarted.schedule(10, 10));
    EXPECT_EQ(*restarted.next_wakeup(), late + seconds(900));
    EXPECT_EQ(restarted.state().core().bookings().size(), 1U);
}

}  // namespace
}  // namespace reeve::ledger
