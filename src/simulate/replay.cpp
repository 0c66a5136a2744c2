#include "simulate/replay.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <queue>
#include <utility>

#include "base/assert.hpp"
#include "model/resources.hpp"
#include "scheduler/core.hpp"

namespace reeve::simulate {
namespace {

using scheduler::GroupKey;
using scheduler::NodeView;
using scheduler::Placed;

constexpr std::size_t kSamplesMax = 4000;
constexpr std::uint64_t kDrawnNodes = 16;
constexpr std::size_t kProgressEvery = 1000;

std::int64_t milli_of(const model::Grant& grant) {
    std::int64_t milli = 0;
    for (const model::GpuGrant& gpu : grant.gpus) {
        milli += gpu.amount.milli;
    }
    return milli;
}

/// Free on GPUs that are in use.
std::int64_t stranded_on(const NodeView& node) {
    std::int64_t milli = 0;
    for (const model::Gpu& gpu : node.free.gpus) {
        milli += gpu.free.milli < model::kWholeGpuMilli ? gpu.free.milli : 0;
    }
    return milli;
}

/// Samples, thinned out as they become too many, so that they stay about evenly spread.
class Series {
  public:
    void add(const ReplaySample& sample) {
        if (!samples_.empty() && sample.at < samples_.back().at + step_) {
            if (samples_.back().at == sample.at) {
                samples_.back() = sample;
            }
            last_ = sample;
            return;
        }
        samples_.push_back(sample);
        last_.reset();
        if (samples_.size() > kSamplesMax) {
            for (std::size_t i = 0; 2 * i < samples_.size(); ++i) {
                samples_[i] = samples_[2 * i];
            }
            const auto kept = static_cast<std::ptrdiff_t>((samples_.size() + 1) / 2);
            samples_.erase(samples_.begin() + kept, samples_.end());
            step_ = std::max<std::chrono::microseconds>(
                2 * step_, (sample.at - samples_.front().at) / static_cast<int>(kSamplesMax / 2));
        }
    }

    [[nodiscard]] std::vector<ReplaySample> take() {
        if (last_) {
            samples_.push_back(*last_);
        }
        return std::move(samples_);
    }

  private:
    std::vector<ReplaySample> samples_;
    std::optional<ReplaySample> last_;  // Came too soon after the one before it.
    std::chrono::microseconds step_ = std::chrono::seconds(1);
};

class Replay {
  public:
    Replay(const Cluster& cluster, const Workload& workload, const ReplayOptions& options)
        : workload_(workload),
          options_(options),
          core_(core_options()),
          nodes_(cluster.nodes),
          runs_(workload.jobs.size()) {
        for (const NodeView& node : nodes_) {
            places_.emplace(node.id, places_.size());
            core_.put_node(node);
            outcome_.cpu_milli_total += node.host_total.cpu_millicores;
            outcome_.gpu_milli_total +=
                static_cast<std::int64_t>(node.free.gpus.size()) * model::kWholeGpuMilli;
        }
        for (std::size_t i = 0; i < workload.requests.size(); ++i) {
            core_.put_request(request_id(i), workload.requests[i]);
        }
        outcome_.runs.assign(workload.jobs.size(), {.started_at = kZero, .ended_at = kZero});
    }

    ReplayOutcome run() {
        if (!workload_.jobs.empty()) {
            outcome_.first_at = workload_.jobs.front().submitted_at;
            outcome_.last_submission_at = workload_.jobs.back().submitted_at;
            now_ = outcome_.first_at;
            used_since_ = now_;
        }
        while (!is_stopped_ && (next_job_ < workload_.jobs.size() || !ends_.empty())) {
            step();
        }
        outcome_.samples = series_.take();
        outcome_.last_end_at = now_;
        outcome_.decisions = core_.decisions();
        outcome_.is_complete = !is_stopped_;
        return std::move(outcome_);
    }

  private:
    static constexpr auto kZero = Instant(std::chrono::microseconds(0));

    /// What runs: a job, and what it holds.
    struct Running {
        std::vector<Placed> parts = {};
        AllocationId first_hold = AllocationId(0);
    };

    static model::RequestId request_id(std::size_t place) { return model::RequestId(place + 1); }

    [[nodiscard]] GroupKey group_of(const TraceJob& job) const {
        return {
            .priority = job.priority,
            .project = ProjectId(job.project + 1),
            .request = request_id(job.request),
            .nodes = job.nodes,
            .limit = scheduler::planning_limit(std::chrono::seconds(job.limit_s))};
    }

    /// Goes to the next time at which something happens, and lets all of it happen.
    void step() {
        now_ = next_time();
        while (!ends_.empty() && ends_.top().first <= now_) {
            end(ends_.top().second);
            ends_.pop();
        }
        while (next_job_ < workload_.jobs.size() &&
               workload_.jobs[next_job_].submitted_at <= now_) {
            submit(next_job_++);
        }
        std::size_t looks = SIZE_MAX;
        while (const std::optional<scheduler::Start> start = core_.next(now_, looks, {})) {
            begin(*start);
        }
        outcome_.waiting_max = std::max(outcome_.waiting_max, sample_.waiting);
        sample_.at = now_;
        series_.add(sample_);
        if (options_.observer != nullptr && options_.observer->wants_to_look(now_)) {
            options_.observer->look(situation());
        }
    }

    [[nodiscard]] scheduler::CoreOptions core_options() const {
        return {.policy = options_.policy, .backfill = options_.backfill, .seed = options_.seed};
    }

    [[nodiscard]] scheduler::Situation situation() const {
        scheduler::Situation situation{.now = now_, .options = core_options(), .nodes = nodes_};
        for (std::size_t i = 0; i < workload_.requests.size(); ++i) {
            situation.requests.emplace_back(request_id(i), workload_.requests[i]);
        }
        for (std::size_t place = 0; place < next_job_; ++place) {
            const TraceJob& job = workload_.jobs[place];
            const JobRun& run = outcome_.runs[place];
            if (run.is_refused || run.has_ended) {
                continue;
            }
            if (!run.has_started) {
                situation.waiting.push_back(
                    {.job = JobId(place + 1),
                     .group = group_of(job),
                     .run = std::chrono::seconds(job.limit_s)});
                continue;
            }
            const std::uint64_t first = runs_[place].first_hold.value();
            for (std::size_t part = 0; part < runs_[place].parts.size(); ++part) {
                const AllocationId id(first + part);
                situation.running.push_back(
                    {.id = id,
                     .job = JobId(place + 1),
                     .project = ProjectId(job.project + 1),
                     .hold = core_.hold_with(id)});
            }
        }
        return situation;
    }

    [[nodiscard]] Instant next_time() const {
        std::optional<Instant> time;
        const auto consider = [&](Instant at) { time = time ? std::min(*time, at) : at; };
        if (!ends_.empty()) {
            consider(ends_.top().first);
        }
        if (next_job_ < workload_.jobs.size()) {
            consider(workload_.jobs[next_job_].submitted_at);
        }
        if (const auto wakeup = core_.next_wakeup(); wakeup && *wakeup > now_) {
            consider(*wakeup);
        }
        return std::max(*time, now_);
    }

    void submit(std::size_t place) {
        const TraceJob& job = workload_.jobs[place];
        if (!can_ever_run(job)) {
            outcome_.runs[place].is_refused = true;
            report_done();
            return;
        }
        core_.observe(workload_.requests[job.request]);
        const GroupKey group = group_of(job);
        core_.put_waiting(scheduler::strict_place(group, JobId(place + 1)), group);
        ++sample_.waiting;
    }

    [[nodiscard]] bool can_ever_run(const TraceJob& job) {
        const auto [known, is_new] = holders_.try_emplace(job.request);
        if (is_new) {
            known->second = std::ranges::count_if(nodes_, [&](const NodeView& node) {
                return scheduler::could_hold(node, workload_.requests[job.request]);
            });
        }
        return known->second >= job.nodes;
    }

    void begin(const scheduler::Start& start) {
        const std::size_t place = start.place.job.value() - 1;
        const TraceJob& job = workload_.jobs[place];
        core_.drop_waiting(start.place, start.group);
        Running& running = runs_[place];
        running = {.parts = start.parts, .first_hold = AllocationId(last_hold_ + 1)};
        for (const Placed& part : start.parts) {
            const AllocationId hold = AllocationId(++last_hold_);
            core_.put_hold(
                hold, {.node = part.node,
                       .grant = part.grant,
                       .since = now_,
                       .limit = std::chrono::seconds(job.limit_s)});
            NodeView& node = nodes_[places_.at(part.node)];
            auto left = model::take(node.free, part.grant);
            REEVE_ASSERT(left.has_value(), "the core grants only what is free");
            change(node, *std::move(left), part.grant, 1);
            if (part.node.value() <= kDrawnNodes) {
                outcome_.spans.push_back(
                    {.node = part.node, .job = place, .gpu_milli = milli_of(part.grant)});
            }
        }
        JobRun& run = outcome_.runs[place];
        run.started_at = now_;
        run.node = start.parts.front().node;
        run.has_started = true;
        run.is_backfilled = start.is_backfilled;
        --sample_.waiting;
        ++sample_.running;
        if (options_.observer != nullptr) {
            options_.observer->on_start(place, now_);
        }
        ends_.emplace(now_ + std::chrono::seconds(job.run_s), place);
    }

    void end(std::size_t place) {
        const Running running = std::exchange(runs_[place], {});
        std::uint64_t hold = running.first_hold.value();
        for (const Placed& part : running.parts) {
            core_.drop_hold(AllocationId(hold++));
            NodeView& node = nodes_[places_.at(part.node)];
            change(node, model::give_back(node.free, part.grant), part.grant, -1);
        }
        outcome_.runs[place].ended_at = now_;
        outcome_.runs[place].has_ended = true;
        --sample_.running;
        if (options_.observer != nullptr) {
            options_.observer->on_end(place, now_);
        }
        report_done();
    }

    void change(
        NodeView& node, model::Resources&& free, const model::Grant& grant, std::int64_t sign) {
        constexpr std::int64_t kMicroseconds = 1'000'000;
        outcome_.gpu_milli_seconds +=
            (now_ - used_since_).count() / kMicroseconds * sample_.gpu_milli_used;
        used_since_ = now_;
        sample_.gpu_milli_stranded -= stranded_on(node);
        node.free = std::move(free);
        sample_.gpu_milli_stranded += stranded_on(node);
        sample_.gpu_milli_used += sign * milli_of(grant);
        sample_.cpu_milli_used += sign * grant.host.cpu_millicores;
        core_.put_node(node);
    }

    void report_done() {
        if (++done_ % kProgressEvery == 0 && options_.progress) {
            is_stopped_ = !options_.progress(done_, workload_.jobs.size());
        }
    }

    using End = std::pair<Instant, std::size_t>;  // When, and the place of the job.

    const Workload& workload_;
    const ReplayOptions& options_;
    scheduler::Core core_;
    std::vector<NodeView> nodes_;
    std::map<NodeId, std::size_t> places_;
    std::map<std::size_t, std::int64_t> holders_;  // By request: nodes that could hold it.
    std::vector<Running> runs_;
    std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
    std::size_t next_job_ = 0;
    std::uint64_t last_hold_ = 0;
    std::size_t done_ = 0;
    bool is_stopped_ = false;
    Instant now_ = kZero;
    Instant used_since_ = kZero;
    ReplaySample sample_ = {.at = kZero};
    Series series_;
    ReplayOutcome outcome_ = {.first_at = kZero, .last_submission_at = kZero, .last_end_at = kZero};
};

}  // namespace

ReplayOutcome run_replay(
    const Cluster& cluster, const Workload& workload, const ReplayOptions& options) {
    return Replay(cluster, workload, options).run();
}

}  // namespace reeve::simulate
