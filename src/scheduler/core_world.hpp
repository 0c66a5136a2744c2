#pragma once

// For tests of the core: a small cluster that does what the core decides, and checks it.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "model/resources.hpp"
#include "scheduler/core.hpp"
#include "scheduler/forward.hpp"
#include "scheduler/placement.hpp"
#include "scheduler/project_tree.hpp"

namespace reeve::scheduler {

class CoreWorld {
  public:
    struct Job {
        GroupKey group = {};
        std::int64_t rank = 0;
        std::chrono::seconds run = {};
        std::vector<Placed> parts = {};  // Once it runs.
        Instant since = Instant(std::chrono::microseconds(0));
        Instant ends_at = Instant(std::chrono::microseconds(0));
        bool is_preemptible = false;
        bool is_stopping = false;
        int attempts = 0;
    };

    /// What was told to stop has ended so much later.
    static constexpr auto kStopTime = std::chrono::seconds(5);

    /// What was started again may not be stopped for so long.
    static constexpr auto kProtected = std::chrono::seconds(100);

    explicit CoreWorld(const CoreOptions& options) : options_(options), core_(options) {}

    Core& core() { return core_; }

    [[nodiscard]] const Core& core() const { return core_; }

    void set_quota_check(Core::QuotaCheck check) { quota_check_ = std::move(check); }

    /// A project with its limits and what is guaranteed to it; heeded from now on.
    void put_project(const model::ProjectRecord& project) {
        projects_.put(project);
        std::int64_t gpus = 0;
        for (const auto& [id, node] : nodes_) {
            gpus += std::ssize(node.free.gpus);
        }
        projects_.set_capacity(gpus * model::kWholeGpuMilli);
        for (const ProjectId id : projects_.all()) {
            core_.put_due(id, projects_.due(id));
        }
    }

    [[nodiscard]] const ProjectTree& projects() const { return projects_; }

    [[nodiscard]] Instant now() const { return now_; }

    /// Nothing happens for so long.
    void wait(std::chrono::seconds duration) { now_ = now_ + duration; }

    void put_node(const NodeView& node) {
        nodes_.insert_or_assign(node.id, node);
        core_.put_node(node);
    }

    void set_availability(NodeId id, Availability availability) {
        nodes_.at(id).availability = availability;
        core_.put_node(nodes_.at(id));
    }

    void set_node_class(NodeId id, NodeClassId node_class) {
        nodes_.at(id).node_class = node_class;
        core_.put_node(nodes_.at(id));
    }

    /// A request means other nodes than before.
    void set_node_classes(
        model::RequestId id, const std::optional<std::vector<NodeClassId>>& classes) {
        requests_.at(id).node_classes = classes;
        core_.put_request(id, requests_.at(id));
    }

    /// What may run where is as it was, once all were told.
    void reclassify(NodeId id, NodeClassId node_class) {
        nodes_.at(id).node_class = node_class;
        core_.reclassify(id, node_class);
    }

    void reclassify(model::RequestId id, const std::vector<NodeClassId>& node_classes) {
        requests_.at(id).node_classes = node_classes;
        core_.reclassify(id, node_classes);
    }

    [[nodiscard]] const std::map<model::RequestId, model::Request>& requests() const {
        return requests_;
    }

    void put_booking(const Booking& booking) {
        bookings_.insert_or_assign(booking.id, booking);
        core_.put_booking(booking);
    }

    void drop_booking(BookingId id) {
        bookings_.erase(id);
        core_.drop_booking(id);
    }

    [[nodiscard]] const std::map<BookingId, Booking>& bookings() const { return bookings_; }

    model::RequestId put_request(const model::Request& request) {
        const auto known =
            std::ranges::find(requests_, request, [](const auto& each) { return each.second; });
        if (known != requests_.end()) {
            return known->first;
        }
        model::RequestId id(1);
        for (const auto& [taken, other] : requests_) {
            id = taken == id ? model::RequestId(id.value() + 1) : id;
        }
        requests_.emplace(id, request);
        core_.put_request(id, request);
        return id;
    }

    /// Their numbers are free for others.
    void drop_unused_requests() {
        std::set<model::RequestId> used;
        for (const auto* jobs : {&waiting_, &running_}) {
            for (const auto& [id, job] : *jobs) {
                used.insert(job.group.request);
            }
        }
        std::erase_if(requests_, [&](const auto& each) {
            const bool is_unused = !used.contains(each.first);
            if (is_unused) {
                core_.drop_request(each.first);
            }
            return is_unused;
        });
    }

    JobId submit(const GroupKey& group, std::chrono::seconds run, bool is_preemptible = false) {
        return submit_at(strict_place(group, JobId(0)).rank, group, run, is_preemptible);
    }

    /// Likewise, wherever its rank puts it.
    JobId submit_at(
        std::int64_t rank,
        const GroupKey& group,
        std::chrono::seconds run,
        bool is_preemptible = false) {
        const JobId id(++last_job_);
        waiting_.emplace(
            id, Job{.group = group, .rank = rank, .run = run, .is_preemptible = is_preemptible});
        core_.put_waiting({.rank = rank, .job = id}, group);
        return id;
    }

    void cancel(JobId id) {
        core_.drop_waiting(place_of(id, waiting_.at(id)), waiting_.at(id).group);
        waiting_.erase(id);
    }

    /// Starts and stops all that the core says; gives the ids of what starts in that order.
    std::vector<JobId> schedule() {
        std::vector<JobId> started = start_all();
        while (const std::optional<Preemption> preemption = core_.preempt(now_, projects_)) {
            preemptions_.push_back(*preemption);
            stop(*preemption);
            std::ranges::copy(start_all(), std::back_inserter(started));
        }
        return started;
    }

    /// Likewise, but nothing is stopped.
    std::vector<JobId> start_all() {
        std::vector<JobId> started;
        std::size_t looks = SIZE_MAX;
        const Core::QuotaCheck of_projects =
            [this](const GroupKey& group, const std::vector<Placed>& parts) {
                return projects_.without_quota_for(
                    group.project, group.user, usage_of(parts.front().grant), group.is_preemptible);
            };
        const Core::QuotaCheck& check = quota_check_ ? quota_check_ : of_projects;
        while (const std::optional<Start> start = core_.next(now_, looks, check)) {
            begin(*start);
            started.push_back(start->place.job);
        }
        return started;
    }

    [[nodiscard]] const std::vector<Preemption>& preemptions() const { return preemptions_; }

    void stop(const Preemption& preemption) {
        std::set<JobId> jobs;
        for (const AllocationId id : preemption.victims) {
            jobs.insert(job_of(id));
        }
        for (const JobId id : jobs) {
            Job& job = running_.at(id);
            ASSERT_TRUE(job.is_preemptible && !job.is_stopping);
            ASSERT_TRUE(
                job.group.priority < preemption.group.priority || projects_.has_guarantees());
            ASSERT_TRUE(job.attempts == 1 || now_ >= job.since + kProtected);
            job.is_stopping = true;
            job.ends_at = std::min(job.ends_at, now_ + kStopTime);
            tell_holds(id, job);
        }
    }

    void begin(const Start& start) {
        const JobId id = start.place.job;
        ASSERT_TRUE(waiting_.contains(id)) << "job " << id.value() << " starts, and does not wait";
        Job job = waiting_.at(id);
        ASSERT_EQ(job.group, start.group);
        ASSERT_EQ(start.parts.size(), static_cast<std::size_t>(job.group.nodes));
        core_.drop_waiting(place_of(id, job), job.group);
        waiting_.erase(id);
        job.parts = start.parts;
        job.since = now_;
        job.ends_at = now_ + job.run;
        ++job.attempts;
        std::set<NodeId> used;
        for (const Placed& part : start.parts) {
            EXPECT_TRUE(used.insert(part.node).second) << "two tasks of a gang on one node";
            NodeView& node = nodes_.at(part.node);
            EXPECT_EQ(node.availability, Availability::kReady);
            expect_is_let_in(job.group, part);
            auto left = model::take(node.free, part.grant);
            ASSERT_TRUE(left.has_value()) << left.error().message;
            node.free = *left;
            core_.put_node(node);
        }
        running_.emplace(id, job);
        tell_holds(id, job);
        count(job, 1);
    }

    void count(const Job& job, std::int64_t sign) {
        for (const Placed& part : job.parts) {
            const model::Usage amount = usage_of(part.grant);
            projects_.add(job.group.project, job.group.user, amount, sign);
            if (!job.is_preemptible) {
                projects_.add_firm(job.group.project, sign * amount.gpu_milli);
            }
        }
        tell_dues(core_, projects_, job.group.project);
        if (sign < 0) {
            for (const QuotaHolder& holder :
                 projects_.holders_above(job.group.project, job.group.user)) {
                core_.free_quota(holder);
            }
        }
    }

    void end(JobId id) {
        const Job job = running_.at(id);
        running_.erase(id);
        count(job, -1);
        std::uint64_t rank = 0;
        for (const Placed& part : job.parts) {
            core_.drop_hold(hold_id(id, ++rank));
            NodeView& node = nodes_.at(part.node);
            node.free = model::give_back(node.free, part.grant);
            core_.put_node(node);
        }
        if (job.is_stopping) {
            waiting_.emplace(
                id, Job{.group = job.group,
                        .rank = job.rank,
                        .run = job.run,
                        .is_preemptible = job.is_preemptible,
                        .attempts = job.attempts});
            core_.put_waiting(place_of(id, job), job.group);
        }
    }

    /// Goes to the next end or reservation, and lets end what then ends. False if nothing comes.
    bool advance() {
        std::optional<Instant> next;
        for (const auto& [id, job] : running_) {
            next = next ? std::min(*next, job.ends_at) : job.ends_at;
        }
        for (const auto& [id, booking] : bookings_) {
            next = next ? std::min(*next, booking.until) : booking.until;
        }
        if (const auto wakeup = core_.next_wakeup(); wakeup && *wakeup > now_ && next) {
            next = std::min(*next, *wakeup);
        }
        if (!next) {
            return false;
        }
        now_ = std::max(*next, now_);
        end_due();
        return true;
    }

    /// Lets end what has run its time, and drops what is no longer booked.
    void end_due() {
        std::vector<JobId> ended;
        for (const auto& [id, job] : running_) {
            if (job.ends_at <= now_) {
                ended.push_back(id);
            }
        }
        for (const JobId id : ended) {
            end(id);
        }
        const std::map<BookingId, Booking> bookings = bookings_;
        for (const auto& [id, booking] : bookings) {
            if (booking.until <= now_) {
                drop_booking(id);
            }
        }
    }

    [[nodiscard]] const std::map<JobId, Job>& waiting() const { return waiting_; }

    [[nodiscard]] const std::map<JobId, Job>& running() const { return running_; }

    [[nodiscard]] const model::Request& request_of(const GroupKey& group) const {
        return requests_.at(group.request);
    }

    [[nodiscard]] std::vector<NodeView> views() const {
        std::vector<NodeView> views;
        views.reserve(nodes_.size());
        for (const auto& [id, node] : nodes_) {
            views.push_back(node);
        }
        return views;
    }

    /// The waiting jobs in the order of the queue.
    [[nodiscard]] std::vector<std::pair<JobId, Job>> in_order() const {
        std::vector<std::pair<JobId, Job>> jobs(waiting_.begin(), waiting_.end());
        std::ranges::sort(
            jobs, {}, [](const auto& job) { return place_of(job.first, job.second); });
        return jobs;
    }

    /// What is free on a node over time, from what the world knows.
    [[nodiscard]] Timeline timeline_of(NodeId node, bool has_promises) const {
        Timeline timeline(nodes_.at(node), options_.assumed_run);
        for (const auto& [id, booking] : bookings_) {
            timeline.put_booking(std::make_shared<const Booking>(booking));
        }
        for (const auto& [id, job] : running_) {
            std::uint64_t rank = 0;
            for (const Placed& part : job.parts) {
                ++rank;
                if (part.node == node) {
                    timeline.put_hold(hold_id(id, rank), hold_of(id, job, part));
                }
            }
        }
        for (const Reservation& reservation : core_.reservations()) {
            for (const Placed& part : reservation.parts) {
                if (has_promises && part.node == node) {
                    timeline.put_promise(
                        {.job = reservation.job,
                         .grant = part.grant,
                         .at = reservation.at,
                         .run = run_of(reservation.group)});
                }
            }
        }
        return timeline;
    }

    /// Whether a job of one node would find room now without delaying what is reserved.
    [[nodiscard]] bool could_start(JobId id) const {
        const GroupKey& group = waiting_.at(id).group;
        return std::ranges::any_of(nodes_, [&](const auto& node) {
            const Timeline timeline = timeline_of(node.first, true);
            return can_take(
                timeline.view_during(now_, now_, run_of(group), id, group.project),
                request_of(group));
        });
    }

    /// The earliest time at which a job of one node finds room if nobody else starts; nothing if
    /// never.
    [[nodiscard]] std::optional<Instant> earliest(const GroupKey& group) const {
        std::optional<Instant> first;
        for (const auto& [id, node] : nodes_) {
            const auto slot = timeline_of(id, false).earliest(
                request_of(group), run_of(group), now_, group.project);
            if (slot && (!first || slot->at < *first)) {
                first = slot->at;
            }
        }
        return first;
    }

    [[nodiscard]] std::chrono::seconds run_of(const GroupKey& group) const {
        return group.limit.count() > 0 ? group.limit : options_.assumed_run;
    }

    /// All of it, to go on from.
    [[nodiscard]] Situation situation() const {
        Situation situation{.now = now_, .options = options_, .nodes = views()};
        for (const auto& [id, request] : requests_) {
            situation.requests.emplace_back(id, request);
        }
        for (const auto& [id, job] : running_) {
            std::uint64_t rank = 0;
            for (const Placed& part : job.parts) {
                situation.running.push_back(
                    {.id = hold_id(id, ++rank),
                     .job = id,
                     .project = job.group.project,
                     .hold = hold_of(id, job, part)});
            }
        }
        for (const auto& [id, job] : waiting_) {
            situation.waiting.push_back({.job = id, .group = job.group, .run = job.run});
        }
        for (const auto& [id, booking] : bookings_) {
            situation.bookings.push_back({.booking = booking});
        }
        return situation;
    }

  private:
    static constexpr std::uint64_t kRanks = 1000;

    static AllocationId hold_id(JobId job, std::uint64_t rank) {
        return AllocationId(job.value() * kRanks + rank);
    }

    static JobId job_of(AllocationId hold) { return JobId(hold.value() / kRanks); }

    static Place place_of(JobId id, const Job& job) { return {.rank = job.rank, .job = id}; }

    /// What the scheduler is told of a part of a job that runs.
    static Hold hold_of(JobId id, const Job& job, const Placed& part) {
        Hold hold{
            .node = part.node,
            .grant = part.grant,
            .since = job.since,
            .limit = job.group.limit,
            .is_ending = job.is_stopping};
        if (job.is_preemptible) {
            hold.preemptible = {
                .priority = job.group.priority,
                .project = job.group.project,
                .protected_until = job.attempts > 1 ? job.since + kProtected : job.since,
                .gang = job.group.nodes > 1 ? id : JobId(0)};
        }
        return hold;
    }

    /// Nothing that is booked for others may be used by what starts now, if it keeps its limit.
    void expect_is_let_in(const GroupKey& group, const Placed& part) const {
        for (const auto& [id, booking] : bookings_) {
            const BookedPart* booked = booking.part_on(part.node);
            const bool overlaps = booking.from < now_ + run_of(group) && now_ < booking.until;
            const bool uses = booked != nullptr && touches(part.grant, *booked);
            EXPECT_FALSE(uses && overlaps && !booking.lets_in(group.project))
                << "booking " << id.value();
        }
    }

    void tell_holds(JobId id, const Job& job) {
        std::uint64_t rank = 0;
        for (const Placed& part : job.parts) {
            core_.put_hold(hold_id(id, ++rank), hold_of(id, job, part));
        }
    }

    CoreOptions options_;
    Core core_;
    Core::QuotaCheck quota_check_;
    std::map<NodeId, NodeView> nodes_;
    std::map<BookingId, Booking> bookings_;
    std::map<model::RequestId, model::Request> requests_;
    std::map<JobId, Job> waiting_;
    std::map<JobId, Job> running_;
    ProjectTree projects_;
    std::vector<Preemption> preemptions_;
    std::uint64_t last_job_ = 0;
    Instant now_ = Instant(std::chrono::seconds(1'000'000));
};

}  // namespace reeve::scheduler
