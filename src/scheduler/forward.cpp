#include "scheduler/forward.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <queue>
#include <set>
#include <tuple>

#include "base/assert.hpp"

namespace reeve::scheduler {
namespace {

class Forward {
  public:
    explicit Forward(const Situation& from)
        : options_(from.options),
          takes_(from.takes),
          core_(from.options),
          projects_(from.projects),
          now_(from.now) {
        core_.learn(from.mix);
        std::int64_t gpus = 0;
        for (const NodeView& node : from.nodes) {
            nodes_.emplace(node.id, node);
            core_.put_node(node);
            gpus += std::ssize(node.free.gpus);
        }
        projects_.set_capacity(gpus * model::kWholeGpuMilli);
        for (const ProjectId id : projects_.all()) {
            core_.put_due(id, projects_.due(id));
        }
        for (const auto& [id, request] : from.requests) {
            core_.put_request(id, request);
        }
        for (const RunningTask& task : from.running) {
            core_.put_hold(task.id, task.hold);
            last_hold_ = std::max(last_hold_, task.id.value());
            running_.emplace(task.id, task);
            ends_.emplace(end_of(task, from), task.id);
        }
        for (const WaitingJob& job : from.waiting) {
            waiting_.emplace(job.job, job);
            for (const model::Dependency& before : job.after) {
                dependents_[before.job].push_back({.kind = before.kind, .job = job.job});
            }
            if (job.not_before > now_) {
                wakes_.emplace(job.not_before, job.job);
            }
            refresh(job.job);
        }
        for (const RunningTask& task : from.running) {
            if (!waiting_.contains(task.job) && dependents_.contains(task.job)) {
                ++running_of_[task.job];
            }
        }
        for (const JobId job : from.failed) {
            settle(job, End::kFailure);
        }
        put_bookings(from.bookings);
    }

    bool run(
        std::size_t steps_max,
        const std::function<bool(const Ahead&)>& goes_on,
        const std::function<bool()>& is_over) {
        const Core::QuotaCheck quota_check =
            [this](const GroupKey& group, const std::vector<Placed>& parts) {
                return projects_.without_quota_for(
                    group.project, group.user, usage_of(parts.front().grant), group.is_preemptible);
            };
        for (std::size_t step = 0; step <= steps_max; ++step) {
            do {
                if (const auto answer = start_all(quota_check, goes_on, is_over)) {
                    return *answer;
                }
            } while (preempt());
            if (waiting_.empty() || !advance()) {
                return true;
            }
        }
        return false;
    }

  private:
    /// What starts at this moment. Gives what run() gives, if it is over by that.
    std::optional<bool> start_all(
        const Core::QuotaCheck& quota_check,
        const std::function<bool(const Ahead&)>& goes_on,
        const std::function<bool()>& is_over) {
        std::size_t looks = SIZE_MAX;
        while (const std::optional<Start> start = core_.next(now_, looks, quota_check)) {
            if (!goes_on(begin(*start))) {
                return true;
            }
            if (is_over && is_over()) {
                return false;
            }
        }
        return is_over && is_over() ? std::optional(false) : std::nullopt;
    }

    /// Tells the core whether the job has an element to place now.
    void refresh(JobId id) {
        const WaitingJob& job = waiting_.at(id);
        const bool is_ready = job.after.empty() && job.not_before <= now_;
        const bool may_start = job.running_max == 0 || job.live < job.running_max;
        if (job.elements > 0 && is_ready && may_start) {
            core_.put_waiting(place_of(job), job.group);
        } else {
            core_.drop_waiting(place_of(job), job.group);
        }
    }

    [[nodiscard]] Place place_of(const WaitingJob& job) const {
        const Standing standing{
            .priority = job.group.priority,
            .submitted_at = job.submitted_at,
            .load = job.fair_load};
        return {.rank = rank_of(options_.order, standing), .job = job.job};
    }

    [[nodiscard]] std::chrono::seconds run_of(const WaitingJob& job) const {
        if (takes_) {
            return takes_(job);
        }
        return job.run > std::chrono::seconds(0) ? job.run : options_.assumed_run;
    }

    Ahead begin(const Start& start) {
        Ahead ahead{.job = start.place.job, .at = now_};
        WaitingJob& job = waiting_.at(ahead.job);
        ahead.until = now_ + run_of(job);
        for (const Placed& part : start.parts) {
            ahead.nodes.push_back(part.node);
            RunningTask task{
                .id = AllocationId(++last_hold_),
                .job = ahead.job,
                .project = start.group.project,
                .user = start.group.user,
                .hold = {.node = part.node, .grant = part.grant, .since = now_, .limit = job.run}
            };
            if (job.group.is_preemptible) {
                task.hold.preemptible = {
                    .priority = start.group.priority,
                    .project = start.group.project,
                    .protected_until = job.was_preempted ? now_ + options_.min_run : now_};
            }
            NodeView& node = nodes_.at(part.node);
            auto left = model::take(node.free, part.grant);
            REEVE_ASSERT(left.has_value(), "the core grants only what is free");
            node.free = *std::move(left);
            core_.put_hold(task.id, task.hold);
            core_.put_node(node);
            const model::Usage used = usage_of(part.grant);
            ahead.gpu_milli += used.gpu_milli;
            count(task, used, 1);
            running_.emplace(task.id, task);
            ends_.emplace(ahead.until, task.id);
            use_bookings(task);
        }
        if (job.fair_step > 0) {
            core_.drop_waiting(start.place, job.group);
            job.fair_load = next_load(job.fair_load, job.fair_step);
        }
        --job.elements;
        ++job.live;
        refresh(ahead.job);
        return ahead;
    }

    /// Goes on to when something ends, a job may start, or the core asks to be asked. False if
    /// nothing will.
    bool advance() {
        if (ends_.empty() && wakes_.empty() && turns_.empty()) {
            return false;
        }
        Instant next = Instant(std::chrono::microseconds::max());
        next = ends_.empty() ? next : std::min(next, ends_.top().first);
        next = wakes_.empty() ? next : std::min(next, wakes_.top().first);
        next = turns_.empty() ? next : std::min(next, turns_.begin()->first);
        if (const auto wakeup = core_.next_wakeup(); wakeup && *wakeup > now_) {
            next = std::min(next, *wakeup);
        }
        now_ = std::max(now_, next);
        for (; !wakes_.empty() && wakes_.top().first <= now_; wakes_.pop()) {
            if (waiting_.contains(wakes_.top().second)) {
                refresh(wakes_.top().second);
            }
        }
        while (!ends_.empty() && ends_.top().first <= now_) {
            end(ends_.top().second);
            ends_.pop();
        }
        turn_bookings();
        return true;
    }

    void put_bookings(const std::vector<BookingTerm>& bookings) {
        for (const BookingTerm& term : bookings) {
            const Booking& booking = term.booking;
            core_.put_booking(booking);
            bookings_.emplace(booking.id, term);
            for (const Instant at : {booking.from, booking.until, term.release_at.value_or(now_)}) {
                turns_.emplace(std::max(at, now_), booking.id);
            }
        }
        turn_bookings();
    }

    /// What is booked begins, ends, or is released as nobody came.
    void turn_bookings() {
        for (; !turns_.empty() && turns_.begin()->first <= now_; turns_.erase(turns_.begin())) {
            const auto found = bookings_.find(turns_.begin()->second);
            if (found == bookings_.end()) {
                continue;
            }
            if (found->second.is_over(now_)) {
                core_.drop_booking(found->first);
                unused_.erase(found->first);
                bookings_.erase(found);
            } else if (found->second.release_at && found->second.booking.is_open(now_)) {
                unused_.insert(found->first);
                for (const auto& [id, task] : running_) {
                    use_bookings(task);
                }
            }
        }
    }

    void use_bookings(const RunningTask& task) {
        std::erase_if(unused_, [&](BookingId id) {
            BookingTerm& term = bookings_.at(id);
            const bool is_used =
                is_use(term.booking, task.project, task.hold.node, task.hold.grant);
            if (is_used) {
                term.release_at.reset();
            }
            return is_used;
        });
    }

    /// Tells what has to make room to stop. False if nothing has.
    bool preempt() {
        const std::optional<Preemption> preemption = core_.preempt(now_, projects_);
        if (!preemption) {
            return false;
        }
        for (const AllocationId id : preemption->victims) {
            RunningTask& task = running_.at(id);
            task.hold.is_ending = true;
            task.comes_back = true;
            core_.put_hold(id, task.hold);
            ends_.emplace(now_ + kStopTakes, id);
        }
        return true;
    }

    /// Counts what a task holds: `sign` is 1 if it has it from now on, -1 if no longer.
    void count(const RunningTask& task, const model::Usage& amount, std::int64_t sign) {
        projects_.add(task.project, task.user, amount, sign);
        if (!task.hold.preemptible) {
            projects_.add_firm(task.project, sign * amount.gpu_milli);
        }
        tell_dues(core_, projects_, task.project);
    }

    void end(AllocationId id) {
        const auto found = running_.find(id);
        if (found == running_.end()) {
            return;  // It was stopped before its time was over.
        }
        const RunningTask task = found->second;
        running_.erase(found);
        core_.drop_hold(id);
        if (const auto node = nodes_.find(task.hold.node); node != nodes_.end()) {
            node->second.free = model::give_back(node->second.free, task.hold.grant);
            core_.put_node(node->second);
        }
        model::Usage less = usage_of(task.hold.grant);
        less.running_elements = task.job == JobId(0) ? 0 : less.running_elements;
        count(task, less, -1);
        for (const QuotaHolder& holder : projects_.holders_above(task.project, task.user)) {
            core_.free_quota(holder);
        }
        const auto job = waiting_.find(task.job);
        if (job == waiting_.end()) {
            const auto running = running_of_.find(task.job);
            const bool is_over = running != running_of_.end() && !task.comes_back;
            if (is_over && --running->second == 0) {
                settle(task.job, End::kSuccess);
            }
            return;
        }
        job->second.live -= std::min<std::uint32_t>(job->second.live, 1);
        if (task.comes_back) {
            ++job->second.elements;
            job->second.was_preempted = true;
        }
        const WaitingJob& left = job->second;
        if (left.elements == 0 && left.live == 0 && !left.is_partly_held) {
            waiting_.erase(job);
            settle(task.job, End::kSuccess);
        } else {
            refresh(task.job);
        }
    }

    enum class End : std::uint8_t { kSuccess, kFailure };

    /// All of a job has ended: what waits for it goes on, or ends with it and is waited for in
    /// turn. A list and no recursion, since a chain of jobs may be as long as the queue.
    void settle(JobId job, End how) {
        std::vector<std::pair<JobId, End>> ended = {
            {job, how}
        };
        while (!ended.empty()) {
            const auto [before, end] = ended.back();
            ended.pop_back();
            const auto found = dependents_.find(before);
            const auto dependents = found == dependents_.end() ? std::vector<model::Dependency>()
                                                               : std::move(found->second);
            dependents_.erase(before);
            for (const model::Dependency& dependent : dependents) {
                const auto waiting = waiting_.find(dependent.job);
                if (waiting == waiting_.end()) {  // It has ended by another one.
                    continue;
                }
                const bool has_happened =
                    dependent.kind == model::DependencyKind::kAny ||
                    (dependent.kind == model::DependencyKind::kOk) == (end == End::kSuccess);
                if (has_happened) {
                    std::erase_if(waiting->second.after, [before](const auto& each) {
                        return each.job == before;
                    });
                    refresh(dependent.job);
                } else {
                    waiting_.erase(waiting);
                    ended.emplace_back(dependent.job, End::kFailure);
                }
            }
        }
    }

    using Turn = std::pair<Instant, BookingId>;
    using Wake = std::pair<Instant, JobId>;
    using Ending = std::pair<Instant, AllocationId>;

    CoreOptions options_;
    std::function<std::chrono::seconds(const WaitingJob&)> takes_;
    Core core_;
    ProjectTree projects_;
    Instant now_;
    std::map<NodeId, NodeView> nodes_;
    std::map<JobId, WaitingJob> waiting_;
    std::map<AllocationId, RunningTask> running_;
    std::map<JobId, std::vector<model::Dependency>> dependents_;  // Of jobs that others wait for.
    std::map<JobId, std::uint32_t> running_of_;  // Tasks, of those that have none to place.
    std::priority_queue<Ending, std::vector<Ending>, std::greater<>> ends_;
    std::priority_queue<Wake, std::vector<Wake>, std::greater<>> wakes_;
    std::map<BookingId, BookingTerm> bookings_;
    std::set<BookingId> unused_;  // Those that are open, and are released unless they are used.
    std::set<Turn> turns_;        // When to look at a booking.
    std::uint64_t last_hold_ = 0;
};

}  // namespace

Instant end_of(const RunningTask& task, const Situation& situation) {
    if (task.ends_at) {
        return *task.ends_at;
    }
    // What is over its time is taken to go on as the core takes it to.
    return Timeline(NodeView{}, situation.options.assumed_run).end_of(task.hold, situation.now);
}

bool run_forward(
    const Situation& situation,
    std::size_t steps_max,
    const std::function<bool(const Ahead&)>& goes_on,
    const std::function<bool()>& is_over) {
    return Forward(situation).run(steps_max, goes_on, is_over);
}

}  // namespace reeve::scheduler
