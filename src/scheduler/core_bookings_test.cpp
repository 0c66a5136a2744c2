// What is booked: by hand, and against brute force on small instances made up from a seed.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "scheduler/core_world.hpp"
#include "scheduler/engine_world.hpp"
#include "scheduler/forward.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::seconds;

constexpr auto kHour = seconds(3600);
constexpr auto kNlp = ProjectId(1);
constexpr auto kVision = ProjectId(2);
constexpr auto kNow = Instant(seconds(1'000'000));  // When a CoreWorld begins.

model::Request gpus(std::int64_t count) {
    return {.gpus = model::WholeGpus{.count = count}};
}

CoreWorld world_of(int nodes, std::int64_t count, const CoreOptions& options = {}) {
    CoreWorld world(options);
    for (int id = 1; id <= nodes; ++id) {
        world.put_node(node_of(
            static_cast<std::uint64_t>(id), {.gpus = count, .cpu = 64000, .memory_mib = 65536}));
    }
    return world;
}

JobId submit(CoreWorld& world, ProjectId project, std::int64_t count, seconds limit) {
    return world.submit(
        {.project = project,
         .request = world.put_request(gpus(count)),
         .limit = planning_limit(limit)},
        limit);
}

/// The whole of nodes 1 to `nodes`, from one hour from the beginning on to another.
Booking whole(
    std::uint64_t nodes, std::int64_t from_h, std::int64_t until_h, std::vector<ProjectId> who) {
    Booking booking{
        .id = BookingId(1),
        .from = kNow + from_h * kHour,
        .until = kNow + until_h * kHour,
        .projects = std::move(who)};
    for (std::uint64_t node = 1; node <= nodes; ++node) {
        booking.parts.push_back({.node = NodeId(node)});
    }
    return booking;
}

TEST(CoreBookings, OthersAreStartedOnlyIfTheyEndBefore) {
    CoreWorld world = world_of(1, 4);
    world.put_booking(whole(1, 2, 4, {kVision}));
    const JobId exact = submit(world, kNlp, 1, longest_limit(2 * kHour));
    const JobId longer = submit(world, kNlp, 1, longest_limit(2 * kHour) + seconds(1));
    const JobId unlimited = submit(world, kNlp, 1, seconds(0));
    const JobId its_own = submit(world, kVision, 1, 9 * kHour);
    EXPECT_EQ(world.schedule(), (std::vector<JobId>{exact, its_own}));
    EXPECT_TRUE(world.waiting().contains(longer) && world.waiting().contains(unlimited));
    ASSERT_EQ(world.core().reservations().size(), 1U);
    EXPECT_EQ(world.core().reservations().front().at, kNow + 4 * kHour);
}

TEST(CoreBookings, WhatIsBookedIsAnybodysAgainOnceItIsOverOrDropped) {
    for (const bool is_dropped : {false, true}) {
        CoreWorld world = world_of(1, 4);
        world.put_booking(whole(1, 0, 4, {kVision}));
        const JobId other = submit(world, kNlp, 1, kHour);
        EXPECT_TRUE(world.schedule().empty());
        if (is_dropped) {
            world.drop_booking(BookingId(1));
        } else {
            ASSERT_TRUE(world.advance());
            EXPECT_EQ(world.now(), kNow + 4 * kHour);
        }
        EXPECT_EQ(world.schedule(), std::vector<JobId>{other});
    }
}

TEST(CoreBookings, RoomThatIsFreeOnceABookingIsOverIsPromisedBeforeAnythingEnds) {
    CoreWorld world = world_of(2, 2);
    world.put_booking(whole(1, 0, 1, {kVision}));
    const JobId its_own = submit(world, kVision, 1, 3 * kHour);
    const JobId elsewhere = submit(world, kNlp, 2, 2 * kHour);
    submit(world, kNlp, 1, 4 * kHour);
    EXPECT_EQ(world.schedule(), (std::vector<JobId>{its_own, elsewhere}));
    ASSERT_EQ(world.core().reservations().size(), 1U);
    const Reservation& promise = world.core().reservations().front();
    EXPECT_EQ(promise.at, kNow + kHour);
    EXPECT_EQ(promise.parts.front().node, NodeId(1));
}

TEST(CoreBookings, NobodyIsLetIntoMaintenance) {
    CoreWorld world = world_of(2, 1);
    world.put_booking(whole(1, 0, 4, {}));
    const JobId first = submit(world, kNlp, 1, kHour);
    const JobId second = submit(world, kVision, 1, kHour);
    EXPECT_EQ(world.schedule(), std::vector<JobId>{first});
    EXPECT_EQ(world.running().at(first).parts.front().node, NodeId(2));
    EXPECT_TRUE(world.waiting().contains(second));
}

TEST(CoreBookings, ItsOwnJobsComeToWhatIsBookedFirst) {
    CoreWorld world = world_of(3, 1);
    Booking booking = whole(1, 0, 4, {kVision});
    booking.parts.front().node = NodeId(3);
    world.put_booking(booking);
    const JobId its_own = submit(world, kVision, 1, kHour);
    EXPECT_EQ(world.schedule(), std::vector<JobId>{its_own});
    EXPECT_EQ(world.running().at(its_own).parts.front().node, NodeId(3));
}

TEST(CoreBookings, OfANodeSomeGpusWithTheirPartOfTheHost) {
    CoreWorld world(CoreOptions{});
    world.put_node(node_of(1, {.gpus = 2, .cpu = 8000, .memory_mib = 8000}));
    Booking booking = whole(1, 0, 4, {kVision});
    booking.parts.front() = {
        .node = NodeId(1),
        .is_whole = false,
        .gpus = {GpuId(100)},
        .host = {.cpu_millicores = 4000, .memory_mib = 4000}
    };
    world.put_booking(booking);
    const auto ask = [&](ProjectId project, std::int64_t cpu) {
        model::Request request = gpus(1);
        request.host.cpu_millicores = cpu;
        return world.submit(
            {.project = project, .request = world.put_request(request), .limit = kHour}, kHour);
    };
    const JobId too_large = ask(kNlp, 5000);
    EXPECT_TRUE(world.schedule().empty());
    world.cancel(too_large);
    const JobId its_own = ask(kVision, 3000);
    const JobId beside = ask(kNlp, 4000);
    const JobId no_more = ask(kNlp, 0);
    EXPECT_EQ(world.schedule(), (std::vector<JobId>{its_own, beside}));
    EXPECT_EQ(world.running().at(beside).parts.front().grant.gpus.front().gpu, GpuId(101));
    EXPECT_TRUE(world.waiting().contains(no_more));
}

TEST(CoreBookings, GangsAreOnBookedNodesAndOthers) {
    CoreWorld world = world_of(3, 1);
    world.put_booking(whole(2, 0, 4, {kVision}));
    const auto gang = [&](ProjectId project, std::int32_t nodes) {
        return world.submit(
            {.project = project,
             .request = world.put_request(gpus(1)),
             .nodes = nodes,
             .limit = kHour},
            kHour);
    };
    const JobId others = gang(kNlp, 2);
    const JobId its_own = gang(kVision, 3);
    EXPECT_EQ(world.schedule(), std::vector<JobId>{its_own});
    EXPECT_TRUE(world.waiting().contains(others));
}

TEST(CoreBookings, NothingIsStoppedWhereOthersHaveBooked) {
    CoreWorld world = world_of(2, 1, {.preemption = PreemptionMode::kAny});
    world.put_booking(whole(1, 1, 4, {kVision}));
    const model::RequestId one = world.put_request(gpus(1));
    for (int i = 0; i < 2; ++i) {
        world.submit({.project = kVision, .request = one, .limit = 8 * kHour}, 8 * kHour, true);
    }
    EXPECT_EQ(world.schedule().size(), 2U);
    const JobId urgent = world.submit(
        {.priority = 9, .project = kNlp, .request = one, .limit = 2 * kHour}, 2 * kHour);
    world.schedule();
    ASSERT_EQ(world.preemptions().size(), 1U);
    ASSERT_TRUE(world.advance());
    EXPECT_EQ(world.schedule(), std::vector<JobId>{urgent});
    EXPECT_EQ(world.running().at(urgent).parts.front().node, NodeId(2));
}

TEST(CoreBookings, ForwardReleasesWhatNobodyCameFor) {
    CoreWorld world = world_of(1, 1);
    world.put_booking(whole(1, 1, 9, {kVision}));
    submit(world, kNlp, 1, 2 * kHour);
    Situation situation = world.situation();
    const auto starts_at = [&]() {
        std::vector<Instant> starts;
        (void)run_forward(situation, 100, [&](const Ahead& ahead) {
            starts.push_back(ahead.at);
            return true;
        });
        return starts;
    };
    EXPECT_EQ(starts_at(), std::vector<Instant>{kNow + 9 * kHour});
    situation.bookings.front().release_at = kNow + kHour + seconds(900);
    EXPECT_EQ(starts_at(), std::vector<Instant>{kNow + kHour + seconds(900)});

    submit(world, kVision, 1, kHour + seconds(10));  // Runs when it begins.
    situation = world.situation();
    situation.bookings.front().release_at = kNow + kHour + seconds(900);
    EXPECT_EQ(starts_at().back(), kNow + 9 * kHour);
}

// ---- Against brute force.

/// The first GPUs of a node with their part of the host, or all of it.
BookedPart random_part(Random& random, const NodeView& node) {
    BookedPart part{.node = node.id};
    const auto count = static_cast<std::int64_t>(node.free.gpus.size());
    if (count == 0 || one_in(random, 2)) {
        return part;
    }
    part.is_whole = false;
    const std::int64_t booked = pick(random, 1, count);
    for (std::int64_t i = 0; i < booked; ++i) {
        part.gpus.push_back(node.free.gpus[static_cast<std::size_t>(i)].id);
    }
    part.host = {
        .cpu_millicores = node.host_total.cpu_millicores * booked / count,
        .memory_mib = node.host_total.memory_mib * booked / count};
    return part;
}

std::vector<ProjectId> random_projects(Random& random) {
    std::vector<ProjectId> projects;
    for (const ProjectId project : {kNlp, kVision}) {
        if (one_in(random, 3)) {
            projects.push_back(project);
        }
    }
    return projects;
}

/// Bookings that do not contradict each other: of a node, one after the other.
std::vector<Booking> random_bookings(Random& random, const std::vector<NodeView>& nodes) {
    std::map<NodeId, std::int64_t> free_from;
    std::vector<Booking> bookings;
    for (std::int64_t n = pick(random, 0, 3); n > 0; --n) {
        Booking booking{.id = BookingId(bookings.size() + 1), .projects = random_projects(random)};
        std::int64_t from = pick(random, 0, 30) * 100;
        for (const NodeView& node : nodes) {
            if (one_in(random, 2)) {
                from = std::max(from, free_from[node.id]);
                booking.parts.push_back(random_part(random, node));
            }
        }
        const std::int64_t until = from + pick(random, 1, 30) * 100;
        booking.from = kNow + seconds(from);
        booking.until = kNow + seconds(until);
        for (const BookedPart& part : booking.parts) {
            free_from[part.node] = until;
        }
        bookings.push_back(booking);
    }
    return bookings;
}

/// A job that waits, and what it would see.
struct Asker {
    const CoreWorld& world;
    JobId job;
    const GroupKey& group;

    /// What has a part of `node` at `at`: what runs, and what is promised to others.
    [[nodiscard]] std::vector<model::Grant> held_at(const NodeView& node, Instant at) const {
        std::vector<model::Grant> held;
        const Timeline known = world.timeline_of(node.id, false);
        for (const auto& [id, hold] : known.holds()) {
            if (known.end_of(hold, world.now()) > at) {
                held.push_back(hold.grant);
            }
        }
        for (const Reservation& each : world.core().reservations()) {
            const bool is_on = each.at <= at && at < each.at + world.run_of(each.group);
            for (const Placed& part : each.parts) {
                if (is_on && part.node == node.id && each.job != job) {
                    held.push_back(part.grant);
                }
            }
        }
        return held;
    }

    static void take_booked(
        const BookedPart& part, const std::vector<model::Grant>& held, NodeView& view) {
        if (part.is_whole) {
            view.availability = Availability::kDrained;
            return;
        }
        model::HostAmount unused = part.host;
        for (const model::Grant& grant : held) {
            if (touches(grant, part)) {
                unused.cpu_millicores -= grant.host.cpu_millicores;
                unused.memory_mib -= grant.host.memory_mib;
            }
        }
        view.free.host.cpu_millicores -= std::max<std::int64_t>(unused.cpu_millicores, 0);
        view.free.host.memory_mib -= std::max<std::int64_t>(unused.memory_mib, 0);
        for (model::Gpu& gpu : view.free.gpus) {
            const bool is_booked = std::ranges::find(part.gpus, gpu.id) != part.gpus.end();
            gpu.free = is_booked ? model::GpuAmount{} : gpu.free;
        }
    }

    /// What it may use of a node at one moment, from scratch.
    [[nodiscard]] NodeView free_at(const NodeView& node, Instant at) const {
        NodeView view = node;
        view.free.host = node.host_total;
        for (model::Gpu& gpu : view.free.gpus) {
            gpu.free = {.milli = model::kWholeGpuMilli, .memory_mib = gpu.total_mib};
        }
        const std::vector<model::Grant> held = held_at(node, at);
        for (const model::Grant& grant : held) {
            auto left = model::take(view.free, grant);
            EXPECT_TRUE(left) << "more is held, or promised, than there is";
            view.free = *left;
        }
        for (const auto& [id, booking] : world.bookings()) {
            const BookedPart* part = booking.part_on(node.id);
            if (part != nullptr && booking.is_open(at) && !booking.lets_in(group.project)) {
                take_booked(*part, held, view);
            }
        }
        return view;
    }

    /// The moments at which something changes, from `from` for its run.
    [[nodiscard]] std::vector<Instant> moments(const NodeView& node, Instant from) const {
        std::vector<Instant> moments = {from};
        const Timeline known = world.timeline_of(node.id, false);
        for (const auto& [id, hold] : known.holds()) {
            moments.push_back(known.end_of(hold, world.now()));
        }
        for (const auto& [id, booking] : world.bookings()) {
            moments.insert(moments.end(), {booking.from, booking.until});
        }
        for (const Reservation& each : world.core().reservations()) {
            moments.insert(moments.end(), {each.at, each.at + world.run_of(each.group)});
        }
        std::erase_if(
            moments, [&](Instant at) { return at < from || at >= from + world.run_of(group); });
        return moments;
    }

    /// Whether it finds room on a node from `from` for its run: the least of what is free.
    [[nodiscard]] bool has_room(const NodeView& node, Instant from) const {
        NodeView least = free_at(node, from);
        for (const Instant at : moments(node, from)) {
            const NodeView view = free_at(node, at);
            if (!can_take(view, world.request_of(group))) {
                return false;
            }
            for (std::size_t i = 0; i < view.free.gpus.size(); ++i) {
                model::GpuAmount& free = least.free.gpus[i].free;
                free.milli = std::min(free.milli, view.free.gpus[i].free.milli);
                free.memory_mib = std::min(free.memory_mib, view.free.gpus[i].free.memory_mib);
            }
        }
        return can_take(least, world.request_of(group));
    }
};

/// A job that is the only one with a promise could not start earlier.
void expect_is_promised_the_earliest(const CoreWorld& world) {
    if (world.core().reservations().size() != 1) {
        return;
    }
    const Reservation& first = world.core().reservations().front();
    GroupKey for_ever = first.group;
    for_ever.limit = std::chrono::hours(1000);  // For all moments that there are.
    const Asker every{.world = world, .job = first.job, .group = for_ever};
    const Asker asker{.world = world, .job = first.job, .group = first.group};
    for (const NodeView& node : world.views()) {
        for (const Instant at : every.moments(node, world.now())) {
            const bool is_earlier = at + seconds(1) < first.at;
            EXPECT_FALSE(
                is_earlier && node.availability == Availability::kReady && asker.has_room(node, at))
                << "job " << first.job.value() << " could start earlier";
        }
    }
}

void expect_nobody_waits_beside_room(const CoreWorld& world) {
    const std::vector<NodeView> nodes = world.views();
    for (const auto& [id, job] : world.waiting()) {
        const Asker asker{.world = world, .job = id, .group = job.group};
        for (const NodeView& node : nodes) {
            EXPECT_FALSE(asker.has_room(node, world.now()))
                << "job " << id.value() << " waits beside node " << node.id.value();
        }
    }
    for (const Reservation& first : world.core().reservations()) {
        const Asker asker{.world = world, .job = first.job, .group = first.group};
        const NodeId node = first.parts.front().node;
        EXPECT_TRUE(asker.has_room(*std::ranges::find(nodes, node, &NodeView::id), first.at))
            << "job " << first.job.value() << " is promised what is not there";
    }
}

CoreWorld random_world(Random& random, Backfill backfill) {
    CoreWorld world({.backfill = backfill, .assumed_run = seconds(1000)});
    for (std::int64_t i = pick(random, 1, 4); i > 0; --i) {
        world.put_node(random_node(random, static_cast<std::uint64_t>(i)));
    }
    return world;
}

void submit_any(CoreWorld& world, Random& random) {
    const std::int64_t limit = pick(random, 0, 30) * 100;
    world.submit(
        {.priority = static_cast<std::int32_t>(pick(random, 0, 1)),
         .project = one_in(random, 2) ? kNlp : kVision,
         .request = world.put_request(random_request(random)),
         .limit = planning_limit(seconds(limit))},
        seconds(limit > 0 ? pick(random, 1, limit) : 500));
}

void submit_some(CoreWorld& world, Random& random) {
    for (std::int64_t n = pick(random, 0, 2); n > 0; --n) {
        submit_any(world, random);
    }
}

/// Some come late, and some go early.
void change_bookings(CoreWorld& world, Random& random, const std::vector<Booking>& bookings) {
    for (const Booking& booking : bookings) {
        if (one_in(random, 10) && booking.until > world.now()) {
            world.put_booking(booking);
        } else if (one_in(random, 20)) {
            world.drop_booking(booking.id);
        }
    }
}

void pass_time(CoreWorld& world, Random& random) {
    if (!one_in(random, 3)) {
        world.advance();
        return;
    }
    world.wait(seconds(pick(random, 1, 300)));
    world.end_due();
}

TEST(CoreBookingsProperty, NothingRunsIntoAWindowAndNobodyWaitsBesideRoom) {
    for (std::uint64_t seed = 1; seed <= 400 && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        CoreWorld world = random_world(random, static_cast<Backfill>(seed % 3));
        const std::vector<Booking> bookings = random_bookings(random, world.views());
        for (int step = 0; step < 25 && !testing::Test::HasFailure(); ++step) {
            submit_some(world, random);
            change_bookings(world, random, bookings);
            pass_time(world, random);
            world.schedule();
            expect_nobody_waits_beside_room(world);
            expect_is_promised_the_earliest(world);
        }
    }
}

using Starts = std::map<JobId, Instant>;

/// What starts when of jobs that take a node each, so that it does not matter which.
Starts starts_of_whole_nodes(std::uint64_t seed, const std::vector<Booking>& bookings) {
    SeededRandom random(seed);
    CoreWorld world = world_of(3, 2, {.backfill = static_cast<Backfill>(seed % 3)});
    for (const Booking& booking : bookings) {
        world.put_booking(booking);
    }
    Starts starts;
    for (int step = 0; step < 40; ++step) {
        for (std::int64_t n = pick(random, 0, 2); n > 0; --n) {
            submit(
                world, one_in(random, 2) ? kNlp : kVision, 2, seconds(pick(random, 1, 30) * 100));
        }
        world.wait(seconds(pick(random, 1, 500)));
        world.end_due();
        for (const JobId id : world.schedule()) {
            starts.emplace(id, world.now());
        }
    }
    return starts;
}

TEST(CoreBookingsProperty, ItsOwnJobsStartAsIfNothingWereBooked) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        std::vector<Booking> bookings = random_bookings(random, world_of(3, 2).views());
        for (Booking& booking : bookings) {
            booking.projects = {kNlp, kVision};
        }
        EXPECT_EQ(starts_of_whole_nodes(seed, bookings), starts_of_whole_nodes(seed, {}));
    }
}

TEST(CoreBookingsProperty, TheOrderInWhichItIsToldDoesNotMatterAndACopyDecidesTheSame) {
    for (std::uint64_t seed = 1; seed <= 150 && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        CoreWorld world = random_world(random, static_cast<Backfill>(seed % 3));
        for (const Booking& booking : random_bookings(random, world.views())) {
            world.put_booking(booking);
        }
        for (int step = 0; step < 12; ++step) {
            submit_any(world, random);
            submit_any(world, random);
            world.advance();
            CoreWorld copy = world;
            ASSERT_EQ(copy.schedule(), world.schedule());
            ASSERT_TRUE(copy.core().was_told_the_same(world.core()));
        }
        for (int i = 0; i < 10; ++i) {
            submit_any(world, random);
        }
        Situation situation = world.situation();
        const auto starts_of = [&] {
            std::vector<std::tuple<JobId, Instant, std::vector<NodeId>>> starts;
            (void)run_forward(situation, SIZE_MAX - 1, [&](const Ahead& ahead) {
                starts.emplace_back(ahead.job, ahead.at, ahead.nodes);
                return true;
            });
            return starts;
        };
        const auto starts = starts_of();
        for (int i = 0; i < 3; ++i) {
            shuffle(situation.nodes, random);
            shuffle(situation.bookings, random);
            shuffle(situation.running, random);
            shuffle(situation.waiting, random);
            EXPECT_EQ(starts_of(), starts);
        }
    }
}

}  // namespace
}  // namespace reeve::scheduler
