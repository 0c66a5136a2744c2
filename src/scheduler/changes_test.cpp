#include "scheduler/changes.hpp"

#include <array>
#include <chrono>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "scheduler/core_world.hpp"
#include "scheduler/engine_world.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const std::map<GpuModelId, std::string>& models() {
    static const std::map<GpuModelId, std::string> known = {
        {GpuModelId(1), "NVIDIA A30"             },
        {GpuModelId(2), "NVIDIA GeForce RTX 5090"},
        {GpuModelId(3), "NVIDIA L40S"            },
    };
    return known;
}

constexpr auto kNow = Instant(seconds(1'000'000));

/// Nodes that are empty, and nothing promised.
Surroundings surroundings_of(const std::vector<NodeView>& nodes) {
    Surroundings around{.now = kNow, .assumed_run = hours(24), .gpu_models = models()};
    for (const NodeView& node : nodes) {
        around.nodes.emplace_back(node, around.assumed_run);
    }
    return around;
}

/// Takes GPUs from the front of a node.
NodeView used(NodeView node, std::size_t gpus) {
    for (std::size_t i = 0; i < gpus; ++i) {
        node.free.gpus.at(i).free = {};
    }
    return node;
}

Alternative changed(WishPart part, Wish wish) {
    return {.changed = {part}, .wish = std::move(wish)};
}

void expect_same(const std::vector<Alternative>& found, const std::vector<Alternative>& wanted) {
    ASSERT_EQ(found.size(), wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].changed, wanted[i].changed) << i;
        EXPECT_EQ(found[i].wish, wanted[i].wish) << i;
    }
}

NodeView empty_node() {
    return node_of(1, {.gpus = 4, .total_mib = 24576, .cpu = 16000, .memory_mib = 65536});
}

TEST(Alternatives, AreTheLargestThatFitOfEachPart) {
    struct Case {
        const char* name;
        Wish wish;
        NodeView node;
        std::vector<Alternative> wanted;
    };

    NodeView shared = empty_node();
    for (model::Gpu& gpu : shared.free.gpus) {
        gpu.free = {.milli = 520, .memory_mib = 12288};
    }
    const model::HostAmount small = {.cpu_millicores = 1000};
    const std::vector<Case> cases = {
        {"fits", {.gpus = {.count = 4}, .host = small}, empty_node(), {}},
        {"fewer GPUs",
         {.gpus = {.count = 4}, .host = small},
         used(empty_node(), 1),
         {changed(WishPart::kGpus, {.gpus = {.count = 3}, .host = small})}},
        {"a share of the only GPU",
         {.gpus = {.count = 1}, .host = small},
         shared, {changed(WishPart::kShare, {.gpus = {.milli = 500}, .host = small})}},
        {"a smaller share",
         {.gpus = {.milli = 750}, .host = small},
         shared, {changed(WishPart::kShare, {.gpus = {.milli = 500}, .host = small})}},
        {"less memory of a GPU",
         {.gpus = {.memory_mib = 20480}, .host = small},
         shared, {changed(WishPart::kGpuMemory, {.gpus = {.memory_mib = 12288}, .host = small})}},
        {"smaller GPUs",
         {.gpus = {.count = 2, .memory_mib = 40960}, .host = small},
         empty_node(),
         {changed(
             WishPart::kGpuMemory, {.gpus = {.count = 2, .memory_mib = 24576}, .host = small})}},
        {"another model",
         {.gpus = {.count = 2, .model = "rtx5090"}, .host = small},
         empty_node(),
         {changed(WishPart::kGpuModel, {.gpus = {.count = 2, .model = "a30"}, .host = small})}},
        {"fewer CPUs",
         {.gpus = {.count = 1}, .host = {.cpu_millicores = 17500}},
         empty_node(),
         {changed(WishPart::kCpus, {.gpus = {.count = 1}, .host = {.cpu_millicores = 16000}})}},
        {"less memory",
         {.host = {.cpu_millicores = 1000, .memory_mib = 100'000}},
         empty_node(),
         {changed(WishPart::kMemory, {.host = {.cpu_millicores = 1000, .memory_mib = 65536}})}},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        expect_same(alternatives(c.wish, surroundings_of({c.node})), c.wanted);
    }
}

TEST(Alternatives, ArePairsOnlyWhereNoSingleOneWillDo) {
    const Wish wish = {
        .gpus = {.count = 4},
          .host = {.cpu_millicores = 32000, .memory_mib = 1024}
    };
    const NodeView node = used(empty_node(), 2);
    expect_same(
        alternatives(
            wish, surroundings_of({
                      node
    })),
        {{.changed = {WishPart::kGpus, WishPart::kCpus},
          .wish = {.gpus = {.count = 2}, .host = {.cpu_millicores = 16000, .memory_mib = 1024}}}});
    NodeView other = node_of(2, {.gpus = 4, .cpu = 32000, .memory_mib = 512});
    expect_same(
        alternatives(
            wish, surroundings_of({
                      node, other
    })),
        {changed(
            WishPart::kMemory,
            {.gpus = {.count = 4}, .host = {.cpu_millicores = 32000, .memory_mib = 512}})});
    const Wish three = {
        .gpus = {.count = 4},
          .host = {.cpu_millicores = 32000, .memory_mib = 100'000}
    };
    EXPECT_TRUE(alternatives(three, surroundings_of({node})).empty()) << "three are not offered";
}

TEST(Alternatives, AShorterLimitPassesBeforeAPromise) {
    Surroundings around = surroundings_of({empty_node()});
    model::Grant all;
    const NodeView node = empty_node();
    for (const model::Gpu& gpu : node.free.gpus) {
        all.gpus.push_back({.gpu = gpu.id, .amount = gpu.free});
    }
    around.nodes[0].put_promise(
        {.job = JobId(5), .grant = all, .at = kNow + hours(1), .run = hours(1)});
    for (const seconds limit : {seconds(0), seconds(hours(3))}) {
        const Wish wish = {.gpus = {.count = 1}, .limit = limit};
        Wish shorter = wish;
        shorter.limit = minutes(59);
        expect_same(alternatives(wish, around), {changed(WishPart::kTime, shorter)});
        around.margin = seconds(60);
        shorter.limit = minutes(58);
        expect_same(alternatives(wish, around), {changed(WishPart::kTime, shorter)});
        around.margin = {};
    }
    EXPECT_TRUE(would_start({.limit = hours(3)}, around)) << "it needs no GPU";
}

TEST(Alternatives, AShorterLimitPassesBeforeWhatIsBookedForOthers) {
    Surroundings around = surroundings_of({empty_node()});
    around.nodes[0].put_booking(std::make_shared<const Booking>(Booking{
        .id = model::BookingId(1),
        .from = kNow + hours(1),
        .until = kNow + hours(2),
        .parts = {{.node = around.nodes[0].view().id}}}));
    const Wish wish = {.gpus = {.count = 1}, .limit = hours(3)};
    Wish shorter = wish;
    shorter.limit = minutes(59);
    expect_same(alternatives(wish, around), {changed(WishPart::kTime, shorter)});
    EXPECT_FALSE(would_start({.limit = hours(3)}, around)) << "all of the node is booked";
}

TEST(Alternatives, AQuotaIsNotPassedByWhatIsOffered) {
    Surroundings around = surroundings_of({empty_node()});
    around.levels = {
        {.quota = {.gpu_milli = 3000},       .used = {.gpu_milli = 1000}     },
        {.quota = {.cpu_millicores = 50000}, .used = {.cpu_millicores = 1000}},
    };
    expect_same(
        alternatives({.gpus = {.count = 4}}, around),
        {changed(WishPart::kGpus, {.gpus = {.count = 2}})});
    // Of 24 GiB, 18 are less than 750 thousandths: the next ones are not below what is left.
    around.levels[0].used.gpu_milli = 2250;
    expect_same(
        alternatives({.gpus = {.memory_mib = 24576}}, around),
        {changed(WishPart::kGpuMemory, {.gpus = {.memory_mib = 18432}})});
    // A GPU of 12 GiB would give 9 of them by no more.
    around.nodes.emplace_back(
        node_of(2, {.gpus = 1, .total_mib = 12288, .cpu = 4000}), around.assumed_run);
    expect_same(
        alternatives({.gpus = {.memory_mib = 12288}}, around),
        {changed(WishPart::kGpuMemory, {.gpus = {.memory_mib = 9216}})});
    around.levels.push_back({.quota = {.running_elements = 1}, .used = {.running_elements = 1}});
    EXPECT_TRUE(alternatives({.gpus = {.count = 4}}, around).empty());
}

TEST(Alternatives, AnyModelIsOfferedWhereNoOneAlone) {
    NodeView node = node_of(1, {.gpus = 2, .cpu = 4000});
    node.free.gpus[1].model = GpuModelId(3);
    expect_same(
        alternatives(
            {
                .gpus = {.count = 2, .model = "rtx5090"}
    },
            surroundings_of({node})),
        {changed(WishPart::kGpuModel, {.gpus = {.count = 2}})});
}

TEST(Steps, AreWhatPeopleWrite) {
    const Surroundings around = surroundings_of({});
    const auto cpus = steps_below(WishPart::kCpus, {.host = {.cpu_millicores = 36500}}, around);
    EXPECT_EQ(cpus.at(0).host.cpu_millicores, 36000);
    EXPECT_EQ(cpus.at(1).host.cpu_millicores, 34000);
    EXPECT_EQ(cpus.back().host.cpu_millicores, 100);
    const auto limits = steps_below(WishPart::kTime, {.limit = hours(13)}, around);
    EXPECT_EQ(limits.at(0).limit, hours(12));
    EXPECT_EQ(limits.at(1).limit, hours(12) - minutes(10));
    EXPECT_EQ(limits.back().limit, minutes(1));
    EXPECT_EQ(steps_below(WishPart::kTime, {}, around).at(0).limit, hours(23))
        << "below the assumed";
    EXPECT_TRUE(steps_below(WishPart::kGpuModel, {.gpus = {.count = 1}}, around).empty());
    EXPECT_LT(
        steps_below(WishPart::kMemory, {.host = {.memory_mib = std::int64_t{1} << 40}}, around)
            .size(),
        600U);
}

TEST(ShortName, IsTheShortestThatNoOtherAnswersTo) {
    const std::map<GpuModelId, std::string> models = {
        {GpuModelId(1), "NVIDIA A100-SXM4-40GB"  },
        {GpuModelId(2), "NVIDIA A100-SXM4-80GB"  },
        {GpuModelId(3), "NVIDIA GeForce RTX 5090"},
        {GpuModelId(4), "NVIDIA H100 80GB HBM3"  },
        {GpuModelId(5), "Quadro"                 },
    };
    EXPECT_EQ(short_name_of(GpuModelId(1), models), "40gb");
    EXPECT_EQ(short_name_of(GpuModelId(2), models), "sxm480gb");
    EXPECT_EQ(short_name_of(GpuModelId(3), models), "rtx5090");
    EXPECT_EQ(short_name_of(GpuModelId(4), models), "h100");
    EXPECT_EQ(short_name_of(GpuModelId(5), models), "quadro");
}

// ---- What makes it true: worlds made up from a seed, in which what is offered is done.

Wish random_wish(Random& random) {
    Wish wish{
        .host =
            {.cpu_millicores = pick(random, 1, 16) * 1000, .memory_mib = pick(random, 0, 8) * 4096},
        .limit = seconds(one_in(random, 5) ? 0 : pick(random, 1, 40) * 300)
    };
    switch (random.below(4)) {
        case 0:  wish.gpus.milli = pick(random, 1, 19) * 50; break;
        case 1:  wish.gpus.memory_mib = pick(random, 1, 40) * 1024; break;
        default: wish.gpus.count = pick(random, 0, 4); break;
    }
    if (wish.gpus.count + wish.gpus.milli > 0) {
        constexpr std::array<const char*, 3> kNames = {"a30", "rtx5090", "l40s"};
        wish.gpus.model = one_in(random, 4) ? kNames.at(random.below(3)) : "";
        wish.gpus.memory_mib = one_in(random, 5) ? 20480 : 0;
    }
    return wish;
}

JobId submit(CoreWorld& world, const Wish& wish) {
    std::optional<std::vector<GpuModelId>> wanted;
    if (!wish.gpus.model.empty()) {
        wanted.emplace();
        for (const auto& [id, name] : models()) {
            if (model::is_model(wish.gpus.model, name)) {
                wanted->push_back(id);
            }
        }
    }
    const model::Request request = model::request_of(wish.gpus, wish.host, std::move(wanted));
    return world.submit(
        {.request = world.put_request(request), .limit = planning_limit(wish.limit)}, seconds(50));
}

/// True if a job with `wish` starts in the next step of a copy of `world`, where `instead` has
/// gone.
bool starts(const CoreWorld& world, const Wish& wish, std::optional<JobId> instead) {
    CoreWorld copy = world;
    if (instead) {
        copy.cancel(*instead);
    }
    const JobId job = submit(copy, wish);
    copy.schedule();
    return copy.running().contains(job);
}

Surroundings surroundings_in(const CoreWorld& world, const CoreOptions& options) {
    Surroundings around{
        .now = world.now(), .assumed_run = options.assumed_run, .gpu_models = models()};
    for (const NodeView& node : world.views()) {
        around.nodes.push_back(world.timeline_of(node.id, true));
    }
    return around;
}

/// `wish` with one part as `from` has it.
Wish restored(Wish wish, WishPart part, const Wish& from) {
    switch (part) {
        case WishPart::kGpus:
        case WishPart::kShare:
            wish.gpus.count = from.gpus.count;
            wish.gpus.milli = from.gpus.milli;
            break;
        case WishPart::kTime:      wish.limit = from.limit; break;
        case WishPart::kGpuMemory: wish.gpus.memory_mib = from.gpus.memory_mib; break;
        case WishPart::kGpuModel:  wish.gpus.model = from.gpus.model; break;
        case WishPart::kCpus:      wish.host.cpu_millicores = from.host.cpu_millicores; break;
        case WishPart::kMemory:    wish.host.memory_mib = from.host.memory_mib; break;
    }
    return wish;
}

/// What is offered starts, and nothing that gives up a step less of one part.
void expect_true_and_least(
    const CoreWorld& world,
    const Surroundings& around,
    const Wish& wish,
    std::optional<JobId> instead) {
    for (const Alternative& offer : alternatives(wish, around)) {
        EXPECT_TRUE(starts(world, offer.wish, instead)) << "what is offered does not start";
        for (const WishPart part : offer.changed) {
            const Wish most = restored(offer.wish, part, wish);
            std::vector<Wish> steps = {most};
            if (part != WishPart::kGpuModel) {  // None of them is less than another.
                std::ranges::move(steps_below(part, most, around), std::back_inserter(steps));
                const auto at = std::ranges::find(steps, offer.wish);
                ASSERT_NE(at, steps.end());
                steps = {*std::prev(at)};
            }
            EXPECT_FALSE(starts(world, steps.front(), instead)) << "less had to be given up";
        }
    }
}

/// No offer means that no single step of any part starts.
void expect_nothing_is_left_out(
    const CoreWorld& world, const Surroundings& around, const Wish& wish) {
    std::vector<WishPart> offered;
    for (const Alternative& offer : alternatives(wish, around)) {
        if (offer.changed.size() == 1) {
            offered.push_back(offer.changed.front());
        }
    }
    for (const WishPart part :
         {WishPart::kGpus, WishPart::kTime, WishPart::kGpuMemory, WishPart::kGpuModel,
          WishPart::kCpus, WishPart::kMemory}) {
        const std::vector<Wish> steps = steps_below(part, wish, around);
        if (std::ranges::find(offered, part) == offered.end() && !steps.empty()) {
            EXPECT_FALSE(starts(world, steps.back(), std::nullopt)) << static_cast<int>(part);
        }
    }
}

/// What the property has looked at.
struct Seen {
    int singles = 0;
    int pairs = 0;
    int alone = 0;
};

/// Room that is kept for a job is kept while it waits: the new one comes beside it, unless nobody
/// else is there to take that room.
void expect_true_of(
    const CoreWorld& world, Surroundings around, JobId id, const Wish& wish, Seen& seen) {
    SCOPED_TRACE("job " + std::to_string(id.value()));
    const std::vector<Reservation>& kept = world.core().reservations();
    const bool has_room_kept = std::ranges::find(kept, id, &Reservation::job) != kept.end();
    const bool is_alone = world.waiting().size() == 1;
    const bool stays = has_room_kept && !is_alone;
    if (has_room_kept && is_alone) {
        for (Timeline& node : around.nodes) {
            node.drop_promises();
        }
        ++seen.alone;
    }
    expect_true_and_least(world, around, wish, stays ? std::nullopt : std::optional(id));
    if (stays) {
        expect_nothing_is_left_out(world, around, wish);
    }
    for (const Alternative& offer : alternatives(wish, around)) {
        ++(offer.changed.size() == 1 ? seen.singles : seen.pairs);
    }
}

void live(std::uint64_t seed, Seen& seen) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    const CoreOptions options{
        .backfill = static_cast<Backfill>(random.below(3)), .assumed_run = hours(2)};
    CoreWorld world(options);
    std::map<JobId, Wish> wishes;
    for (std::int64_t id = pick(random, 1, 5); id > 0; --id) {
        world.put_node(random_node(random, static_cast<std::uint64_t>(id)));
    }
    for (int step = 0; step < 12 && !testing::Test::HasFailure(); ++step) {
        for (std::int64_t n = pick(random, 1, 4); n > 0; --n) {
            const Wish wish = random_wish(random);
            wishes.emplace(submit(world, wish), wish);
        }
        if (one_in(random, 2)) {
            world.advance();
        }
        world.schedule();
        const Surroundings around = surroundings_in(world, options);
        for (const auto& [id, job] : world.waiting()) {
            expect_true_of(world, around, id, wishes.at(id), seen);
        }
    }
}

TEST(AlternativesProperty, WhatIsOfferedStartsInTheNextStepAndNothingSmallerDoes) {
    Seen seen;
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        live(seed, seen);
    }
    EXPECT_GT(seen.singles, 1000);
    EXPECT_GT(seen.pairs, 100);
    EXPECT_GT(seen.alone, 10);
}

TEST(AlternativesProperty, AMarginKeepsThemTrueForAsLong) {
    int offers = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        const CoreOptions options{.assumed_run = hours(2)};
        CoreWorld world(options);
        world.put_node(node_of(1, {.gpus = 4, .cpu = 64000}));
        const seconds end(pick(random, 1000, 9000));
        world.submit(
            {.request = world.put_request({.gpus = model::WholeGpus{.count = 3}}),
             .limit = planning_limit(end)},
            end);
        submit(world, {.gpus = {.count = 4}, .limit = hours(1)});
        const Wish wish = {.gpus = {.count = 1}, .limit = hours(5)};
        submit(world, wish);
        world.schedule();
        Surroundings around = surroundings_in(world, options);
        around.margin = seconds(30);
        for (const Alternative& offer : alternatives(wish, around)) {
            CoreWorld later = world;
            later.wait(around.margin);
            EXPECT_TRUE(starts(later, offer.wish, std::nullopt));
            ++offers;
        }
    }
    EXPECT_EQ(offers, 40);
}

/// The most there is to look at: with 1,000 nodes it takes some milliseconds.
TEST(Alternatives, AreNoneWhereThreeChangesWouldBeNeeded) {
    std::vector<NodeView> nodes;
    for (std::uint64_t id = 1; id <= 1000; ++id) {
        nodes.push_back(
            used(node_of(id, {.gpus = 8, .model = 2, .cpu = 16000, .memory_mib = 65536}), 7));
    }
    Wish wish = {
        .gpus = {.count = 64,               .model = "a30"         },
        .host = {.cpu_millicores = 128'000, .memory_mib = 1'000'000},
        .limit = hours(100)
    };
    const Surroundings around = surroundings_of(nodes);
    EXPECT_TRUE(alternatives(wish, around).empty());
    wish.host = {.cpu_millicores = 16000, .memory_mib = 65536};
    EXPECT_EQ(
        alternatives(wish, around).at(0).changed,
        (std::vector{WishPart::kGpus, WishPart::kGpuModel}));
}

}  // namespace
}  // namespace reeve::scheduler
