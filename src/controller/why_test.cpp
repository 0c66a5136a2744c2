#include "controller/why.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "controller/changes.hpp"
#include "controller/view_world.hpp"

namespace reeve::controller {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

/// Both GPUs of the node are kept for job 5 from when job 4 ends.
View view_with_a_reservation(seconds limit_of_holder) {
    View view = half_used_view(limit_of_holder);
    model::Grant both = whole_gpu(1);
    both.gpus.push_back(whole_gpu(2).gpus.front());
    view.kept.push_back({
        .reservation =
            {.job = JobId(5),
                          .at = kViewNow + (limit_of_holder.count() > 0 ? limit_of_holder : hours(24)),
                          .parts = {{.node = NodeId(1), .grant = both}}},
        .user = "bob",
        .run = hours(2)
    });
    return view;
}

TEST(Why, ANodeThatKeepsItsRoomForAnotherIsInTheWay) {
    const View view = view_with_a_reservation(hours(1));
    const ledger::JobRow job = waiting_job(6, 1, hours(2));
    const Why why = why_pending(job, 2, view, {.user = "ann"});
    ASSERT_EQ(why.binding_count, 1U);
    const Blocker& blocker = why.blockers.front();
    EXPECT_EQ(blocker.kind, BlockerKind::kReserved);
    EXPECT_EQ(blocker.node, "n1");
    EXPECT_EQ(blocker.asked, 7200);
    EXPECT_EQ(blocker.free, 3584) << "what can be planned with that is no longer than an hour";
    EXPECT_EQ(
        blocker.text,
        "n1 has room, but keeps it for another job before it from 2027-01-15T09:00:00Z on; a time "
        "limit of 59m44s or less would let it pass");
    const Why told = why_pending(job, 2, view, {.user = "root", .is_admin = true});
    EXPECT_NE(told.blockers.front().text.find("for job 5 of bob from"), std::string::npos);
}

/// Node n1 is booked for project `project` in an hour, for another; "": for nobody.
View view_with_a_booking(const std::string& project) {
    View view = half_used_view(hours(8));
    view.projects.push_back({
        .record = {.id = ProjectId(2), .name = "vision"}
    });
    BookingStatus status{.project = project};
    scheduler::Booking booking{
        .id = model::BookingId(1),
        .from = kViewNow + hours(1),
        .until = kViewNow + hours(2),
        .parts = {{.node = NodeId(1)}}};
    if (!project.empty()) {
        booking.projects = {project == "vision" ? ProjectId(2) : ProjectId(1)};
        status.record.project = booking.projects.front();
    }
    status.record.from = booking.from;
    status.record.until = booking.until;
    status.record.parts = booking.parts;
    status.booking = std::make_shared<const scheduler::Booking>(booking);
    view.bookings = std::make_shared<const Bookings>(Bookings{status});
    return view;
}

TEST(Why, ANodeThatIsReservedForOthersIsInTheWayOfWhatWouldRunIntoIt) {
    const ledger::JobRow job = waiting_job(6, 1, hours(2));
    const Why why = why_pending(job, 1, view_with_a_booking("vision"), {.user = "ann"});
    ASSERT_EQ(why.binding_count, 1U);
    const Blocker& blocker = why.blockers.front();
    EXPECT_EQ(blocker.kind, BlockerKind::kBooked);
    EXPECT_EQ(blocker.asked, 7200);
    EXPECT_EQ(blocker.free, 3584);
    EXPECT_EQ(
        blocker.text,
        "n1 is reserved for project vision from 2027-01-15T09:00:00Z until 2027-01-15T10:00:00Z; a "
        "time limit of 59m44s or less would fit before it");
    const ledger::JobRow endless = waiting_job(6, 1, seconds(0));
    const Why other = why_pending(endless, 1, view_with_a_booking(""), {.user = "ann"});
    EXPECT_EQ(
        other.blockers.front().text,
        "n1 is reserved for maintenance from 2027-01-15T09:00:00Z until 2027-01-15T10:00:00Z; this "
        "has no time limit, and one of 59m44s or less would fit before it");

    const ledger::JobRow brief = waiting_job(6, 1, seconds(3000));
    EXPECT_EQ(why_pending(brief, 1, view_with_a_booking("vision"), {}).binding_count, 0U);
    EXPECT_EQ(why_pending(job, 1, view_with_a_booking("default"), {}).binding_count, 0U);
}

TEST(Why, ATimeLimitThatFitsBeforeAReservationIsAChange) {
    const View view = view_with_a_booking("vision");
    const ledger::JobRow job = waiting_job(6, 1, hours(2));
    Why why = why_pending(job, 1, view, {.user = "ann"});
    add_changes(why, {.job = job}, view, kViewNow);
    ASSERT_FALSE(why.changes.empty());
    EXPECT_EQ(why.changes.front().kind, ChangeKind::kTimeLimit);
    EXPECT_EQ(why.changes.front().flags, "--time 59m");
}

TEST(Why, ANodeThatItMayNotRunOnSaysWhichClauseIsFalse) {
    View view = view_with_a_reservation(hours(1));
    auto node = std::make_shared<NodeStatus>(*view.nodes.front());
    node->record.labels = {
        {"zone", "b"}
    };
    view.nodes.front() = node;
    ledger::JobRow job = waiting_job(6, 1, seconds(3000));
    job.on = "gpu.count==0 && zone!=b";
    const Why why = why_pending(job, 1, view, {});
    ASSERT_EQ(why.binding_count, 1U);
    EXPECT_EQ(why.blockers.front().what, "labels");
    EXPECT_EQ(
        why.blockers.front().text, "n1 is not one it may run on: zone is b, it asks for zone!=b");
    job.on = "zone==b";
    EXPECT_EQ(why_pending(job, 1, view, {}).binding_count, 0U);
}

TEST(Why, AShortJobIsNotHeldBackAndOneWithoutALimitIsToldOfOne) {
    const View view = view_with_a_reservation(hours(1));
    EXPECT_EQ(why_pending(waiting_job(6, 1, seconds(3000)), 1, view, {}).binding_count, 0U);
    const Why why = why_pending(waiting_job(6, 1, seconds(0)), 1, view, {});
    ASSERT_EQ(why.binding_count, 1U);
    EXPECT_NE(
        why.blockers.front().text.find("this has no time limit, and one of 59m44s or less"),
        std::string::npos);
}

TEST(Why, AGpuThatIsGrantedAndUsedOutsideTheQueueIsAConflict) {
    View view = half_used_view(hours(1));
    auto node = std::make_shared<NodeStatus>(*view.nodes.front());
    node->record.gpus = {
        {.id = GpuId(1), .uuid = "GPU-1", .total_mib = 24576},
        {.id = GpuId(2), .uuid = "GPU-2", .total_mib = 24576}
    };
    Holding outside;
    outside.allocation = {
        .id = AllocationId(2),
        .owner = model::AllocationOwner::kExternal,
        .node = NodeId(1),
        .grant = {.gpus = {{.gpu = GpuId(2), .amount = {.milli = 63, .memory_mib = 1536}}}}};
    node->holdings.push_back(outside);
    view.nodes.front() = node;
    const auto conflicts = [&] {
        std::vector<std::string> texts;
        for (const Blocker& blocker :
             why_pending(waiting_job(5, 2, hours(2)), 1, view, {}).blockers) {
            if (blocker.what == "conflict") {
                texts.push_back(blocker.text);
            }
        }
        return texts;
    };
    EXPECT_TRUE(conflicts().empty()) << "the other GPU is nobody's";
    auto contested = std::make_shared<NodeStatus>(*node);
    contested->holdings.back().allocation.grant.gpus.front().gpu = GpuId(1);
    view.nodes.front() = contested;
    EXPECT_EQ(
        conflicts(), std::vector<std::string>{
                         "a conflict on n1: GPU-1 is granted, and used outside the queue, too; it "
                         "is free once both have ended"});
}

TEST(Why, WhoHasRoomKeptIsToldWhenAndWhere) {
    const Why why = why_pending(
        waiting_job(5, 2, hours(2)), 1, view_with_a_reservation(hours(1)), {.user = "ann"});
    ASSERT_TRUE(why.kept);
    EXPECT_EQ(why.kept->at, kViewNow + hours(1));
    EXPECT_EQ(why.kept->nodes, std::vector<std::string>{"n1"});
    EXPECT_FALSE(why.kept->is_assumed);
    ASSERT_EQ(why.binding_count, 1U);
    EXPECT_EQ(why.blockers.front().what, "gpu");
    EXPECT_TRUE(why_pending(waiting_job(5, 2, hours(2)), 1, view_with_a_reservation(seconds(0)), {})
                    .kept->is_assumed);
    EXPECT_FALSE(
        why_pending(waiting_job(6, 2, hours(2)), 1, view_with_a_reservation(hours(1)), {}).kept);
}

TEST(Why, WhoHoldsAllThatAUserMayIsToldSoAndWhatWouldDo) {
    View view = half_used_view(hours(8));
    view.projects.front().record.user_quota.gpu_milli = 1000;
    view.usage_of_users = std::make_shared<const UsageOfUsers>(UsageOfUsers{
        {{ProjectId(1), UserId(3)}, {.gpu_milli = 1000, .running_elements = 1}}
    });
    ledger::JobRow job = waiting_job(6, 1, hours(1));
    job.record.user = UserId(3);
    const Why why = why_pending(job, 1, view, {.user = "ann"});
    ASSERT_EQ(why.binding_count, 1U);
    EXPECT_EQ(why.blockers.front().kind, BlockerKind::kQuota);
    EXPECT_EQ(
        why.blockers.front().text,
        "ann in project default may hold 1 GPU, holds 1 GPU, and this needs 1 GPU");
    EXPECT_TRUE(why.blockers.front().holders.empty()) << "what job 4 holds is of another project";
    auto node = std::make_shared<NodeStatus>(*view.nodes.front());
    node->holdings.front().project = "default";
    view.nodes.front() = node;
    const Why held = why_pending(job, 1, view, {.user = "ann"});
    ASSERT_EQ(held.blockers.front().holders.size(), 1U);
    EXPECT_EQ(held.blockers.front().holders.front().element, "4");
    const std::vector<Change> changes = changes_for({.job = job}, why.blockers, view, kViewNow);
    EXPECT_TRUE(std::ranges::any_of(changes, [](const Change& change) {
        return change.text == "each user of project default may hold 2 GPUs" &&
               change.command == "reeve project set default --user-gpus 2";
    }));
    job.record.user = UserId(4);
    EXPECT_EQ(why_pending(job, 1, view, {.user = "ann"}).binding_count, 0U);
}

TEST(Why, TheQuotaOfAProjectIsHeldByWhatRunsBelowIt) {
    View view = half_used_view(hours(8));
    view.projects.front().record.quota.gpu_milli = 1000;
    view.projects.front().usage = {.gpu_milli = 1000, .running_elements = 1};
    view.projects.push_back({
        .record = {.id = ProjectId(2), .name = "vision"},
          .parent = "default"
    });
    auto node = std::make_shared<NodeStatus>(*view.nodes.front());
    node->holdings.front().project = "vision";
    node->holdings.front().until = kViewNow + hours(8);
    view.nodes.front() = node;
    const Why why = why_pending(waiting_job(6, 1, hours(1)), 1, view, {.user = "ann"});
    ASSERT_EQ(why.binding_count, 1U);
    ASSERT_EQ(why.blockers.front().holders.size(), 1U);
    EXPECT_EQ(why.blockers.front().holders.front().element, "4");
    EXPECT_EQ(why.blockers.front().holders.front().until, kViewNow + hours(8));
}

TEST(Why, SaysWhichGpusOfANodeAreLost) {
    View view = half_used_view(hours(8));
    auto node = std::make_shared<NodeStatus>(*view.nodes.front());
    node->record.gpus = {
        {.id = GpuId(1), .uuid = "GPU-a"},
        {.id = GpuId(2), .uuid = "GPU-b"},
        {.id = GpuId(3), .uuid = "GPU-c", .is_present = false}
    };
    view.nodes.front() = node;
    const Why why = why_pending(waiting_job(6, 3, hours(1)), 1, view, {.user = "ann"});
    ASSERT_EQ(why.binding_count, 1U);
    EXPECT_EQ(
        why.blockers.front().text, "n1 is too small for it while 1 of its 3 GPUs is lost (GPU-c)");
}

TEST(Why, SaysADependencyThatWasAskedForTwiceOnce) {
    ledger::JobRow job = waiting_job(6, 1, hours(1));
    job.record.after = {{.job = JobId(5)}, {.job = JobId(5)}};
    EXPECT_EQ(why_pending(job, 1, half_used_view(hours(8)), {.user = "ann"}).binding_count, 1U);
}

TEST(Why, WhatIsLentIsNamedAndThatAPreemptibleJobMayHaveIt) {
    View view = half_used_view(hours(8));
    scheduler::ProjectTree tree;
    tree.set_capacity(2000);
    tree.put(view.projects.front().record);
    tree.add_firm(view.projects.front().record.id, 1000);
    model::ProjectRecord vision;
    vision.id = ProjectId(2);
    vision.name = "vision";
    vision.guaranteed_gpu_milli = 1000;
    tree.put(vision);
    view.guarantees = std::make_shared<const scheduler::ProjectTree>(tree);
    ledger::JobRow job = waiting_job(6, 1, hours(1));
    const Why why = why_pending(job, 1, view, {.user = "ann"});
    ASSERT_EQ(why.binding_count, 1U);
    EXPECT_EQ(why.blockers.front().kind, BlockerKind::kGuarantee);
    EXPECT_EQ(
        why.blockers.front().text,
        "what is left of the GPUs of the cluster is guaranteed to other projects, and lent to "
        "preemptible jobs only; project default is guaranteed 0 GPUs and holds 0");
    const std::vector<Change> changes = changes_for({.job = job}, why.blockers, view, kViewNow);
    ASSERT_EQ(changes.size(), 1U) << "no smaller share is nobody's either";
    EXPECT_EQ(changes.front().kind, ChangeKind::kPreemptible);
    EXPECT_EQ(changes.front().flags, "--preemptible");
    job.record.is_preemptible = true;
    EXPECT_EQ(why_pending(job, 1, view, {.user = "ann"}).binding_count, 0U);
}

}  // namespace
}  // namespace reeve::controller
