// What is guaranteed to projects: who comes first, who may borrow, and who gives back.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "scheduler/core_world.hpp"
#include "scheduler/engine_world.hpp"
#include "scheduler/victims.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::seconds;

constexpr auto kHour = seconds(3600);

model::ProjectRecord project(
    std::uint64_t id, std::int64_t guaranteed_gpus, std::optional<std::uint64_t> parent = {}) {
    model::ProjectRecord record;
    record.id = ProjectId(id);
    record.guaranteed_gpu_milli = guaranteed_gpus * model::kWholeGpuMilli;
    if (parent) {
        record.parent = ProjectId(*parent);
    }
    return record;
}

// ---- The tree.

void hold(ProjectTree& tree, std::uint64_t id, std::int64_t gpus, bool is_firm) {
    const std::int64_t milli = gpus * model::kWholeGpuMilli;
    tree.add(ProjectId(id), UserId(1), {.gpu_milli = milli}, 1);
    if (is_firm) {
        tree.add_firm(ProjectId(id), milli);
    }
}

std::int64_t firm_gpus(const ProjectTree& tree, std::uint64_t id) {
    return tree.firm_room(ProjectId(id), 100'000) / model::kWholeGpuMilli;
}

ProjectTree tree_of(std::int64_t gpus, const std::vector<model::ProjectRecord>& projects) {
    ProjectTree tree;
    tree.set_capacity(gpus * model::kWholeGpuMilli);
    for (const model::ProjectRecord& each : projects) {
        tree.put(each);
    }
    return tree;
}

TEST(Guarantees, WhatNobodyIsGuaranteedIsForAll) {
    ProjectTree tree = tree_of(10, {project(1, 4), project(2, 2), project(3, 0)});
    EXPECT_EQ(firm_gpus(tree, 1), 8) << "its own 4, and the 4 that are nobody's";
    EXPECT_EQ(firm_gpus(tree, 2), 6);
    EXPECT_EQ(firm_gpus(tree, 3), 4);
    hold(tree, 3, 3, true);
    EXPECT_EQ(firm_gpus(tree, 1), 5);
    EXPECT_EQ(firm_gpus(tree, 3), 1);
    hold(tree, 1, 4, true);
    EXPECT_EQ(firm_gpus(tree, 1), 1);
    hold(tree, 2, 8, false);
    EXPECT_EQ(firm_gpus(tree, 3), 1) << "what can be stopped is in nobody's way";
    EXPECT_EQ(
        tree.without_quota_for(ProjectId(3), UserId(1), {.gpu_milli = 2000}, false),
        QuotaHolder{.is_guarantee = true});
    EXPECT_FALSE(tree.without_quota_for(ProjectId(3), UserId(1), {.gpu_milli = 2000}, true));
    EXPECT_FALSE(tree.without_quota_for(ProjectId(3), UserId(1), {.cpu_millicores = 9}, false));
}

TEST(Guarantees, WithoutAnyNobodyIsHeldBack) {
    ProjectTree tree = tree_of(2, {project(1, 0)});
    EXPECT_FALSE(tree.without_quota_for(ProjectId(1), UserId(1), {.gpu_milli = 9000}, false));
    tree.put(project(1, 2));
    tree.put(project(1, 0));
    EXPECT_FALSE(tree.has_guarantees());
    EXPECT_FALSE(tree.without_quota_for(ProjectId(1), UserId(1), {.gpu_milli = 9000}, false));
}

TEST(Guarantees, WhatIsOutsideTheQueueCannotBePromised) {
    ProjectTree tree = tree_of(4, {project(1, 2), project(2, 0)});
    tree.add_firm(ProjectId(0), 1000);
    EXPECT_EQ(firm_gpus(tree, 2), 1);
}

TEST(Guarantees, PartsOfAGuaranteeAreKeptWithinIt) {
    // 1 is guaranteed 6, of which 3 are guaranteed to 2.
    ProjectTree tree =
        tree_of(8, {project(1, 6), project(2, 3, 1), project(3, 0, 1), project(4, 0)});
    EXPECT_EQ(firm_gpus(tree, 4), 2);
    EXPECT_EQ(firm_gpus(tree, 3), 5) << "3 of 1's, and the 2 that are nobody's";
    EXPECT_EQ(firm_gpus(tree, 2), 8);
    hold(tree, 3, 4, true);
    EXPECT_EQ(firm_gpus(tree, 4), 1);
    EXPECT_EQ(tree.due(ProjectId(2)), 3000);
    EXPECT_EQ(tree.due(ProjectId(3)), 2000);
    EXPECT_EQ(tree.due(ProjectId(4)), 0);
    EXPECT_EQ(tree.guarantor(ProjectId(2), 3000), ProjectId(2));
    EXPECT_EQ(tree.guarantor(ProjectId(3), 2000), ProjectId(1));
    EXPECT_EQ(tree.guarantor(ProjectId(3), 3000), std::nullopt);
    EXPECT_EQ(tree.due_with(ProjectId(3)), (std::vector{ProjectId(1), ProjectId(2), ProjectId(3)}));
    EXPECT_TRUE(tree.due_with(ProjectId(4)).empty());
    tree.drop(ProjectId(2));
    EXPECT_EQ(firm_gpus(tree, 3), 4) << "2 more of 1's, and the 2 that are nobody's";
}

TEST(Guarantees, TheLimitOfAProjectIsNotLentAwayFromTheOnesBelowIt) {
    model::ProjectRecord above = project(1, 0);
    above.quota.gpu_milli = 4000;
    ProjectTree tree = tree_of(100, {above, project(2, 3, 1), project(3, 0, 1)});
    EXPECT_EQ(
        tree.without_quota_for(ProjectId(3), UserId(1), {.gpu_milli = 2000}, false),
        (QuotaHolder{.project = ProjectId(1), .is_guarantee = true}));
    EXPECT_FALSE(tree.without_quota_for(ProjectId(3), UserId(1), {.gpu_milli = 1000}, false));
}

// ---- The core.

struct Ask {
    std::uint64_t project = 1;
    std::int64_t gpus = 1;
    std::int32_t priority = 0;
    bool is_preemptible = false;
    seconds run = kHour;
    std::int64_t cpus = 0;
};

CoreWorld world_of(
    int nodes,
    std::int64_t gpus,
    const std::vector<model::ProjectRecord>& projects,
    PreemptionMode mode = PreemptionMode::kProject) {
    CoreWorld world({.preemption = mode});
    for (int id = 1; id <= nodes; ++id) {
        world.put_node(node_of(
            static_cast<std::uint64_t>(id), {.gpus = gpus, .cpu = 64000, .memory_mib = 65536}));
    }
    for (const model::ProjectRecord& each : projects) {
        world.put_project(each);
    }
    return world;
}

JobId submit(CoreWorld& world, const Ask& ask) {
    const model::Request request{
        .host = {.cpu_millicores = ask.cpus * 1000}, .gpus = model::WholeGpus{.count = ask.gpus}};
    return world.submit(
        {.priority = ask.priority,
         .project = ProjectId(ask.project),
         .user = UserId(1),
         .request = world.put_request(request),
         .limit = planning_limit(ask.run),
         .is_preemptible = ask.is_preemptible},
        ask.run, ask.is_preemptible);
}

std::set<JobId> stopping(const CoreWorld& world) {
    std::set<JobId> jobs;
    for (const auto& [id, job] : world.running()) {
        if (job.is_stopping) {
            jobs.insert(id);
        }
    }
    return jobs;
}

TEST(Guarantees, WhatIsDueComesBeforeAHigherPriority) {
    CoreWorld world = world_of(1, 2, {project(1, 1), project(2, 0)});
    const JobId borrower =
        submit(world, {.project = 2, .gpus = 2, .priority = 9, .is_preemptible = true});
    const JobId due = submit(world, {.project = 1});
    const JobId more = submit(world, {.project = 1, .run = 2 * kHour});
    EXPECT_EQ(world.schedule(), std::vector{due});
    EXPECT_TRUE(world.preemptions().empty());
    EXPECT_TRUE(world.waiting().contains(borrower)) << "it needs both";
    EXPECT_TRUE(world.waiting().contains(more)) << "the borrower comes first again";
}

TEST(Guarantees, WhatWasLentIsGivenBackWhateverThePriority) {
    CoreWorld world = world_of(1, 4, {project(1, 2), project(2, 1)});
    std::set<JobId> lent;
    for (int i = 0; i < 4; ++i) {
        lent.insert(submit(world, {.project = 2, .priority = 9, .is_preemptible = true}));
        world.schedule();
        world.wait(seconds(10));
    }
    const JobId first = submit(world, {.project = 1, .gpus = 2, .priority = -5});
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_EQ(stopping(world), (std::set{*std::next(lent.begin(), 2), *lent.rbegin()}))
        << "the newest";
    ASSERT_TRUE(world.advance());
    EXPECT_EQ(world.schedule(), std::vector{first});
    submit(world, {.project = 1, .priority = 20});
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_EQ(world.preemptions().size(), 1U) << "nothing more is due to it";
}

TEST(Guarantees, NobodyComesBelowTheirOwn) {
    CoreWorld world = world_of(1, 4, {project(1, 2), project(2, 2)});
    for (int i = 0; i < 3; ++i) {
        submit(world, {.project = 2, .is_preemptible = true});
    }
    submit(world, {.project = 1});
    EXPECT_EQ(world.schedule().size(), 4U);
    submit(world, {.project = 1});
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_EQ(stopping(world).size(), 1U);
    ASSERT_TRUE(world.advance());
    EXPECT_EQ(world.schedule().size(), 1U);
    submit(world, {.project = 1, .priority = 3});
    world.schedule();
    EXPECT_EQ(world.preemptions().size(), 1U);
}

TEST(Guarantees, NothingIsHadBackFromTheProjectItself) {
    CoreWorld world = world_of(1, 3, {project(1, 2)});
    submit(world, {.project = 1, .is_preemptible = true, .cpus = 60});
    EXPECT_EQ(world.schedule().size(), 1U);
    submit(world, {.project = 1, .cpus = 10});
    EXPECT_TRUE(world.schedule().empty()) << "of 64 CPUs, 4 are left";
    EXPECT_TRUE(world.preemptions().empty());
}

TEST(Guarantees, WhatCannotBeStoppedIsNotLentTo) {
    CoreWorld world = world_of(1, 4, {project(1, 3), project(2, 0)});
    const JobId firm = submit(world, {.project = 2});
    const JobId second = submit(world, {.project = 2});
    const JobId stoppable = submit(world, {.project = 2, .is_preemptible = true});
    EXPECT_EQ(world.schedule(), (std::vector{firm, stoppable}));
    EXPECT_TRUE(world.waiting().contains(second));
    world.put_project(project(1, 2));
    world.core().free_quota({.is_guarantee = true});
    EXPECT_EQ(world.schedule(), std::vector{second});
}

TEST(Guarantees, AHigherPriorityOfAnotherProjectTakesNothingThatIsGuaranteed) {
    CoreWorld world = world_of(1, 2, {project(1, 0), project(2, 1)}, PreemptionMode::kAny);
    submit(world, {.project = 2, .is_preemptible = true});
    submit(world, {.project = 2, .is_preemptible = true});
    EXPECT_EQ(world.schedule().size(), 2U);
    submit(world, {.project = 1, .gpus = 2, .priority = 5, .is_preemptible = true});
    world.schedule();
    EXPECT_TRUE(world.preemptions().empty()) << "one of the two is guaranteed";
    submit(world, {.project = 1, .gpus = 1, .priority = 6, .is_preemptible = true});
    world.schedule();
    EXPECT_EQ(world.preemptions().size(), 1U);
}

TEST(Guarantees, ACopyOfTheCoreKnowsWhatIsDue) {
    CoreWorld world = world_of(1, 2, {project(1, 1), project(2, 0)});
    submit(world, {.project = 2, .priority = 9, .is_preemptible = true});
    submit(world, {.project = 1});
    const Core copy(world.core());
    EXPECT_TRUE(copy.was_told_the_same(world.core()));
    std::size_t looks = SIZE_MAX;
    Core other(copy);
    const auto start = other.next(world.now(), looks, {});
    ASSERT_TRUE(start);
    EXPECT_EQ(start->group.project, ProjectId(1));
    world.core().put_due(ProjectId(1), 0);
    EXPECT_FALSE(copy.was_told_the_same(world.core()));
}

TEST(Guarantees, WhatIsEndingIsGoneAlreadyForWhoseItWas) {
    // More is guaranteed than there is.
    CoreWorld world = world_of(1, 4, {project(1, 2), project(2, 2), project(3, 3)});
    for (int i = 0; i < 4; ++i) {
        submit(world, {.project = 2, .is_preemptible = true});
    }
    EXPECT_EQ(world.schedule().size(), 4U);
    submit(world, {.project = 1, .gpus = 2});
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_EQ(stopping(world).size(), 2U);
    submit(world, {.project = 3, .gpus = 3, .priority = 5});
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_EQ(stopping(world).size(), 2U) << "two are left, and guaranteed";
}

TEST(Guarantees, ManyOfWhichFewMayBeTakenAreSoonGivenUp) {
    CoreWorld world = world_of(1, 8, {project(1, 8), project(2, 7)});
    const auto share = world.put_request({.gpus = model::GpuShare{.milli = 125}});
    for (int i = 0; i < 60; ++i) {
        world.submit(
            {.project = ProjectId(2),
             .request = share,
             .limit = planning_limit(kHour),
             .is_preemptible = true},
            kHour, true);
    }
    EXPECT_EQ(world.schedule().size(), 60U);
    submit(world, {.project = 1, .gpus = 8});
    EXPECT_TRUE(world.schedule().empty());
    EXPECT_TRUE(world.preemptions().empty());
}

TEST(Guarantees, WhatIsJustEnoughIsDue) {
    CoreWorld world = world_of(1, 1, {project(1, 0), project(2, 0)});
    submit(world, {.project = 2, .priority = 9});
    const JobId due = submit(world, {.project = 1});
    world.core().put_due(ProjectId(1), 999);
    world.core().put_due(ProjectId(1), 1000);
    EXPECT_EQ(world.schedule(), std::vector{due});
}

// ---- Against trying all.

struct Verdict {
    std::int32_t priority = 0;
    StopCost cost = {};

    friend auto operator<=>(const Verdict&, const Verdict&) = default;
};

/// What stopping `victims` costs; nothing if it may not be, or is not enough for `gpus`.
std::optional<Verdict> verdict_of(
    const CoreWorld& world, const std::set<JobId>& victims, std::int64_t gpus) {
    Verdict verdict{.priority = INT32_MIN};
    std::map<ProjectId, std::int64_t> taken;
    NodeView node = world.views().front();
    for (const JobId id : victims) {
        const CoreWorld::Job& job = world.running().at(id);
        const Hold hold{.node = node.id, .grant = job.parts.front().grant, .since = job.since};
        if (!job.is_preemptible || job.group.project == ProjectId(1)) {
            return std::nullopt;
        }
        verdict.priority = std::max(verdict.priority, job.group.priority);
        verdict.cost += cost_of(hold, world.now());
        taken[job.group.project] += gpu_milli_of(hold);
        node.free = model::give_back(node.free, hold.grant);
    }
    for (const auto& [id, milli] : taken) {
        if (world.projects().usage(id).gpu_milli - milli < world.projects().guaranteed(id)) {
            return std::nullopt;
        }
    }
    const bool is_enough = can_take(node, {.gpus = model::WholeGpus{.count = gpus}});
    return is_enough ? std::optional(verdict) : std::nullopt;
}

/// The best of all sets of what runs.
std::optional<Verdict> brute_force(const CoreWorld& world, std::int64_t gpus) {
    std::vector<JobId> all;
    all.reserve(world.running().size());
    for (const auto& [id, job] : world.running()) {
        all.push_back(id);
    }
    std::optional<Verdict> best;
    for (unsigned code = 0; code < (1U << all.size()); ++code) {
        std::set<JobId> victims;
        std::ranges::copy_if(all, std::inserter(victims, victims.end()), [&](const JobId& id) {
            return (code >> static_cast<unsigned>(&id - all.data()) & 1U) != 0;
        });
        const auto verdict = verdict_of(world, victims, gpus);
        best = verdict && (!best || *verdict < *best) ? verdict : best;
    }
    return best;
}

/// A node on which two projects hold something.
CoreWorld lent_world(SeededRandom& random) {
    CoreWorld world = world_of(
        1, 6,
        {project(1, pick(random, 1, 2)), project(2, pick(random, 0, 2)),
         project(3, pick(random, 0, 2))});
    for (int i = 0; i < 6; ++i) {
        submit(
            world, {.project = static_cast<std::uint64_t>(pick(random, 2, 3)),
                    .gpus = pick(random, 1, 2),
                    .priority = static_cast<std::int32_t>(pick(random, 0, 1)),
                    .is_preemptible = !one_in(random, 4)});
        world.start_all();
        for (const auto& [id, job] : std::map(world.waiting())) {
            world.cancel(id);
        }
        world.wait(seconds(pick(random, 1, 100)));
    }
    return world;
}

TEST(GuaranteesOracle, VictimsAreThoseOfTryingAll) {
    int stopped = 0;
    for (std::uint64_t seed = 1; seed <= 600; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        CoreWorld world = lent_world(random);
        const std::int64_t gpus = world.projects().guaranteed(ProjectId(1)) / model::kWholeGpuMilli;
        submit(world, {.project = 1, .gpus = gpus, .priority = -3});
        if (!world.schedule().empty()) {
            continue;
        }
        const std::optional<Verdict> best = brute_force(world, gpus);
        ASSERT_EQ(world.preemptions().size(), best ? 1U : 0U);
        if (best) {
            EXPECT_EQ(verdict_of(world, stopping(world), gpus), best);
            ++stopped;
        }
    }
    EXPECT_GT(stopped, 200);
}

// ---- Over time.

/// Firm use and guarantees fit together; so if something due waits, something gives way to it.
void check_promises(const CoreWorld& world, std::int64_t gpus) {
    std::map<ProjectId, std::int64_t> firm;
    bool gives_way = false;
    for (const auto& [id, job] : world.running()) {
        firm[job.group.project] += job.is_preemptible ? 0 : model::kWholeGpuMilli;
        gives_way = gives_way || job.is_stopping || job.ends_at <= world.now() + kStopTakes ||
                    (job.is_preemptible && job.attempts > 1 &&
                     world.now() < job.since + CoreWorld::kProtected);
    }
    std::int64_t need = 0;
    for (const ProjectId id : world.projects().all()) {
        need += std::max(firm[id], world.projects().guaranteed(id));
    }
    EXPECT_LE(need, gpus * model::kWholeGpuMilli);
    for (const auto& [id, job] : world.waiting()) {
        const bool is_due = world.projects().due(job.group.project) >= model::kWholeGpuMilli;
        EXPECT_TRUE(!is_due || gives_way) << "job " << id.value();
    }
}

TEST(GuaranteesProperty, WhatIsDueIsHadAndAllEndSometime) {
    constexpr std::int64_t kGpus = 6;
    std::size_t preemptions = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        CoreWorld world = world_of(1, kGpus, {project(1, 2), project(2, 1), project(3, 0)});
        for (int i = 0; i < 80; ++i) {
            submit(
                world, {.project = static_cast<std::uint64_t>(pick(random, 1, 3)),
                        .priority = static_cast<std::int32_t>(pick(random, 0, 2)),
                        .is_preemptible = one_in(random, 2),
                        .run = seconds(pick(random, 1, 2000))});
            world.wait(seconds(pick(random, 0, 200)));
            world.schedule();
            check_promises(world, kGpus);
            world.end_due();
        }
        do {
            world.schedule();
            check_promises(world, kGpus);
        } while (world.advance());
        EXPECT_TRUE(world.waiting().empty());
        EXPECT_TRUE(world.running().empty());
        preemptions += world.preemptions().size();
    }
    EXPECT_GT(preemptions, 100U);
}

}  // namespace
}  // namespace reeve::scheduler
