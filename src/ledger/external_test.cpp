// Goal: what runs on a GPU beside the queue takes its room from it, for as long as it is there and
// no longer; nothing is granted a second time, and what is granted already is not disturbed.
// Method: samples of nodes, as agents send them; GPUs of 10,000 MiB.
#include <optional>

#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

using model::AllocationOwner;
using model::GpuProcess;

class External : public testing::Test {
  protected:
    void sample(std::vector<GpuProcess> on_first, const std::string& trouble = "") {
        world.say(model::NodeSample{
            .node = "n1",
            .gpus = {
                     {.uuid = "GPU-0", .processes = std::move(on_first), .trouble = trouble},
                     {.uuid = "GPU-1"},
                     {.uuid = "GPU-9", .processes = {{.pid = 1, .memory_mib = 1}}}}
        });
    }

    [[nodiscard]] const NodeState& node() const { return *world.ledger.state().node_named("n1"); }

    /// What is held by what is not ours; there is no more than one.
    [[nodiscard]] std::optional<model::AllocationRecord> held() const {
        std::optional<model::AllocationRecord> found;
        for (const AllocationId id : node().allocations) {
            const model::AllocationRecord& allocation = *world.ledger.state().allocation(id);
            if (allocation.owner == AllocationOwner::kExternal) {
                EXPECT_FALSE(found);
                found = allocation;
            }
        }
        return found;
    }

    [[nodiscard]] model::GpuAmount amount() const {
        return held() ? held()->grant.gpus.front().amount : model::GpuAmount{};
    }

    [[nodiscard]] Revision rev() const { return world.ledger.last_rev(); }

    World world = World(2);
};

TEST_F(External, TakesItsMemoryAndAsMuchOfTheRest) {
    sample({
        {.pid = 4711, .memory_mib = 3000, .user = "bob", .command = "python3"}
    });
    ASSERT_TRUE(held());
    EXPECT_EQ(amount(), (model::GpuAmount{.milli = 313, .memory_mib = 3125}));
    const Outsiders& outsiders = node().liveness.outsiders.begin()->second;
    EXPECT_EQ(outsiders, (Outsiders{.user = "bob", .process = "python3 (pid 4711)"}));

    const JobId whole = world.submit({.gpus = {.count = 2}});
    EXPECT_EQ(world.state(whole), "queued") << "one of the two is in use";
    const JobId other = world.submit({.gpus = {.count = 1}, .time_limit_s = 60});
    EXPECT_EQ(world.state(other), "scheduled") << "the other is not";
    const JobId much = world.submit({.gpus = {.memory_mib = 7000}, .time_limit_s = 60});
    EXPECT_EQ(world.state(much), "queued");
    const JobId little = world.submit({.gpus = {.memory_mib = 6000}, .time_limit_s = 60});
    EXPECT_EQ(world.state(little), "scheduled") << "beside it";
}

TEST_F(External, IsFreeAgainWhenItIsGone) {
    sample({
        {.pid = 4711, .memory_mib = 3000}
    });
    const JobId job = world.submit({.gpus = {.count = 2}});
    EXPECT_EQ(world.state(job), "queued");
    sample({});
    EXPECT_FALSE(held());
    EXPECT_EQ(world.state(job), "scheduled");
    EXPECT_TRUE(node().liveness.outsiders.empty());
}

TEST_F(External, IsNeitherATaskNorADesktopNorMps) {
    const model::TaskKey task = {.element = {.job = JobId(1)}};
    sample({
        {.pid = 1, .memory_mib = 3000, .task = task}
    });
    EXPECT_FALSE(held());
    sample({
        {.pid = 2, .memory_mib = 500, .is_graphics = true, .command = "Xorg"}
    });
    EXPECT_FALSE(held());
    sample({
        {.pid = 3, .memory_mib = 30, .command = "nvidia-cuda-mps"}
    });
    EXPECT_FALSE(held());
    sample({
        {.pid = 1, .memory_mib = 3000, .task = task},
        {.pid = 4, .memory_mib = 100}
    });
    EXPECT_EQ(amount().memory_mib, 625) << "of the one process that is none of those";
}

TEST_F(External, ThatDoesNotSayHowMuchTakesTheLeast) {
    sample({{.pid = 4}});
    EXPECT_EQ(amount(), (model::GpuAmount{.milli = 63, .memory_mib = 625}));
}

TEST_F(External, ThatSaysMoreThanThereIsTakesAll) {
    sample({
        {.pid = 4, .memory_mib = 9000},
        {.pid = 5, .memory_mib = 9000, .command = "a"}
    });
    EXPECT_EQ(amount(), (model::GpuAmount{.milli = 1000, .memory_mib = 10000}));
    EXPECT_EQ(node().liveness.outsiders.begin()->second.process, "a process (pid 4) and 1 more");
}

TEST_F(External, IsNoChangeAsLongAsItIsAboutTheSame) {
    sample({
        {.pid = 4, .memory_mib = 3000}
    });
    const Revision before = rev();
    sample({
        {.pid = 4, .memory_mib = 3100}
    });
    EXPECT_EQ(rev(), before);
    sample({
        {.pid = 4, .memory_mib = 3200}
    });
    EXPECT_NE(rev(), before);
    EXPECT_EQ(amount().memory_mib, 3750);
    EXPECT_EQ(node().free.gpus.front().free.memory_mib, 6250);
}

TEST_F(External, IsKeptWhileTheDriverDoesNotSay) {
    sample({
        {.pid = 4, .memory_mib = 3000}
    });
    sample({}, "fallen off the bus");
    EXPECT_TRUE(held());
    sample({});
    EXPECT_FALSE(held());
}

TEST_F(External, EndsWithItsMachine) {
    sample({
        {.pid = 4, .memory_mib = 3000}
    });
    model::NodeHello again = world.hello;
    world.say(again);
    EXPECT_TRUE(held());
    again.boot_id = "b2";
    world.say(again);
    EXPECT_FALSE(held());
}

TEST_F(External, DisturbsNothingThatRunsAndIsNeverGrantedAgain) {
    const JobId job = world.submit({.gpus = {.count = 2}});
    world.start(job);
    sample({
        {.pid = 4, .memory_mib = 10000}
    });
    EXPECT_EQ(world.state(job), "running");
    EXPECT_LT(node().free.gpus.front().free.milli, 0) << "granted, and used by somebody else";
    const JobId next = world.submit({.gpus = {.count = 2}});
    const JobId small = world.submit({.gpus = {.memory_mib = 100}, .time_limit_s = 60});
    EXPECT_EQ(world.state(small), "queued");
    world.end(job, {});
    EXPECT_EQ(world.state(next), "queued");
    EXPECT_EQ(world.state(small), "scheduled") << "on the other";
    sample({});
    world.end(small, {});
    EXPECT_EQ(world.state(next), "scheduled");
}

TEST_F(External, IsAConflictWhereMoreIsGrantedThanItLeaves) {
    const auto conflicts = [&](std::int64_t used_mib) {
        EXPECT_TRUE(world.apply(Report{
            model::NodeSample{
                              .node = "n1",
                              .gpus = {
                    {.uuid = "GPU-0", .processes = {{.pid = 4, .memory_mib = used_mib}}},
                    {.uuid = "GPU-1"}}}
        }));
        std::vector<model::TaskKey> tasks;
        for (const Change& change : world.ledger.changes()) {
            const auto* put = std::get_if<NodePut>(&change.body);
            if (put != nullptr && put->incident) {
                EXPECT_EQ(put->incident->kind, GpuIncidentKind::kContested);
                EXPECT_EQ(put->incident->uuid, "GPU-0");
                tasks.push_back(put->incident->task.value());
            }
        }
        world.step();
        return tasks;
    };
    using Tasks = std::vector<model::TaskKey>;
    EXPECT_EQ(conflicts(3000), Tasks{}) << "nothing is granted";
    const JobId first = world.submit({.gpus = {.memory_mib = 5000}, .time_limit_s = 60});
    EXPECT_EQ(conflicts(3000), Tasks{}) << "there is room for both";
    EXPECT_EQ(conflicts(6000), Tasks{world.key(first)});
    EXPECT_EQ(conflicts(9000), Tasks{}) << "it goes on, and is told of once";
    EXPECT_EQ(conflicts(3000), Tasks{});
    EXPECT_EQ(conflicts(6000), Tasks{world.key(first)}) << "again";
}

TEST_F(External, CountsForNoProject) {
    sample({
        {.pid = 4, .memory_mib = 3000}
    });
    const ProjectId project = world.ledger.state().project_named("default")->id;
    EXPECT_EQ(world.ledger.state().usage(project), model::Usage{});
}

}  // namespace
}  // namespace reeve::ledger
