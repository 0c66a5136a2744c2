#include "scheduler/forward.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <queue>
#include <tuple>

#include "base/assert.hpp"

namespace reeve::scheduler {
namespace {

class Forward {
  public:
    explicit Forward(const Situation& from)
        : options_(from.options), core_(from.options), projects_(from.projects), now_(from.now) {
        for (const NodeView& node : from.nodes) {
            nodes_.emplace(node.id, node);
            core_.put_node(node);
        }
        for (const auto& [id, request] : from.requests) {
            core_.put_request(id, request);
        }
        for (const RunningTask& task : from.running) {
            core_.put_hold(task.id, task.hold);
            last_hold_ = std::max(last_hold_, task.id.value());
            running_.emplace(task.id, task);
            // What is over its time is taken to go on as the core takes it to.
            const Timeline timeline(NodeView{}, options_.assumed_run);
            ends_.emplace(timeline.end_of(task.hold, now_), task.id);
        }
        for (const WaitingJob& job : from.waiting) {
            waiting_.emplace(job.job, job);
            refresh(job.job);
        }
    }

    bool run(std::size_t steps_max, const std::function<bool(const Ahead&)>& goes_on) {
        const Core::QuotaCheck quota_check =
            [this](ProjectId project, const std::vector<Placed>& parts) {
                return projects_.without_quota_for(project, usage_of(parts.front().grant));
            };
        for (std::size_t step = 0; step <= steps_max; ++step) {
            std::size_t looks = SIZE_MAX;
            while (const std::optional<Start> start = core_.next(now_, looks, quota_check)) {
                if (!goes_on(begin(*start))) {
                    return true;
                }
            }
            if (waiting_.empty() || !advance()) {
                return true;
            }
        }
        return false;
    }

  private:
    /// Tells the core whether the job has an element to place now.
    void refresh(JobId id) {
        const WaitingJob& job = waiting_.at(id);
        const bool may_start = job.running_max == 0 || job.live < job.running_max;
        if (job.elements > 0 && may_start) {
            core_.put_waiting(id, job.group);
        } else {
            core_.drop_waiting(id, job.group);
        }
    }

    Ahead begin(const Start& start) {
        Ahead ahead{.job = start.place.job, .at = now_};
        WaitingJob& job = waiting_.at(ahead.job);
        for (const Placed& part : start.parts) {
            ahead.nodes.push_back(part.node);
            const RunningTask task{
                .id = AllocationId(++last_hold_),
                .job = ahead.job,
                .project = start.group.project,
                .hold = {.node = part.node, .grant = part.grant, .since = now_, .limit = job.run}
            };
            NodeView& node = nodes_.at(part.node);
            auto left = model::take(node.free, part.grant);
            REEVE_ASSERT(left.has_value(), "the core grants only what is free");
            node.free = *std::move(left);
            core_.put_hold(task.id, task.hold);
            core_.put_node(node);
            projects_.add(task.project, usage_of(part.grant), 1);
            running_.emplace(task.id, task);
            const auto run = job.run > std::chrono::seconds(0) ? job.run : options_.assumed_run;
            ends_.emplace(now_ + run, task.id);
        }
        --job.elements;
        ++job.live;
        refresh(ahead.job);
        return ahead;
    }

    /// Goes on to when something ends, or a reservation falls due. False if nothing will.
    bool advance() {
        if (ends_.empty()) {
            return false;
        }
        now_ = std::max(now_, ends_.top().first);
        while (!ends_.empty() && ends_.top().first <= now_) {
            end(ends_.top().second);
            ends_.pop();
        }
        return true;
    }

    void end(AllocationId id) {
        const RunningTask task = running_.at(id);
        running_.erase(id);
        core_.drop_hold(id);
        if (const auto node = nodes_.find(task.hold.node); node != nodes_.end()) {
            node->second.free = model::give_back(node->second.free, task.hold.grant);
            core_.put_node(node->second);
        }
        projects_.add(task.project, usage_of(task.hold.grant), -1);
        for (const ProjectId project : projects_.above(task.project)) {
            core_.free_quota(project);
        }
        const auto job = waiting_.find(task.job);
        if (job == waiting_.end()) {
            return;
        }
        job->second.live -= std::min<std::uint32_t>(job->second.live, 1);
        if (job->second.elements == 0 && job->second.live == 0) {
            waiting_.erase(job);
        } else {
            refresh(task.job);
        }
    }

    using End = std::pair<Instant, AllocationId>;

    CoreOptions options_;
    Core core_;
    ProjectTree projects_;
    Instant now_;
    std::map<NodeId, NodeView> nodes_;
    std::map<JobId, WaitingJob> waiting_;
    std::map<AllocationId, RunningTask> running_;
    std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
    std::uint64_t last_hold_ = 0;
};

}  // namespace

bool run_forward(
    const Situation& situation,
    std::size_t steps_max,
    const std::function<bool(const Ahead&)>& goes_on) {
    return Forward(situation).run(steps_max, goes_on);
}

}  // namespace reeve::scheduler
