#include "simulate/replay.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <queue>
#include <utility>

#include "base/assert.hpp"
#include "model/resources.hpp"
#include "scheduler/core.hpp"
#include "simulate/entitlements.hpp"

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
          runs_(workload.jobs.size()),
          loads_(workload.jobs.size(), 0),
          entitlements_(cluster, workload, options.order, core_options().assumed_run, core_) {
        if (entitlements_.has_quotas()) {
            quota_check_ = [this](const GroupKey& group, const std::vector<Placed>& parts) {
                return entitlements_.without_quota_for(group, parts);
            };
        }
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
        std::size_t first_span = 0;  // A place in the outcome's, of so many
        std::size_t spans = 0;       // that it has there.
        bool is_ending = false;      // It was told to stop,
        std::size_t for_job = 0;     // for this one.
    };

    static model::RequestId request_id(std::size_t place) { return model::RequestId(place + 1); }

    [[nodiscard]] GroupKey group_of(const TraceJob& job) const {
        return {
            .priority = job.priority,
            .project = project_of(job),
            .request = request_id(job.request),
            .nodes = job.nodes,
            .limit = scheduler::planning_limit(std::chrono::seconds(job.limit_s)),
            .is_preemptible = job.is_preemptible};
    }

    [[nodiscard]] scheduler::Standing standing_of(std::size_t place) const {
        const TraceJob& job = workload_.jobs[place];
        return {.priority = job.priority, .submitted_at = job.submitted_at, .load = loads_[place]};
    }

    [[nodiscard]] scheduler::Place place_of(std::size_t place) const {
        return {
            .rank = scheduler::rank_of(options_.order, standing_of(place)),
            .job = JobId(place + 1)};
    }

    /// Goes to the next time at which something happens, and lets all of it happen.
    void step() {
        now_ = next_time();
        while (!ends_.empty() && ends_.top().at <= now_) {
            const End due = ends_.top();
            ends_.pop();
            if (runs_[due.place].first_hold == due.first_hold) {
                end(due.place);
            }  // Else it was stopped before, and may run again.
        }
        while (next_job_ < workload_.jobs.size() &&
               workload_.jobs[next_job_].submitted_at <= now_) {
            submit(next_job_++);
        }
        do {
            std::size_t looks = SIZE_MAX;
            while (const auto start = core_.next(now_, looks, quota_check_)) {
                begin(*start);
            }
        } while (!stoppable_.empty() && preempt());
        outcome_.waiting_max = std::max(outcome_.waiting_max, sample_.waiting);
        sample_.at = now_;
        series_.add(sample_);
        if (options_.observer != nullptr && options_.observer->wants_to_look(now_)) {
            options_.observer->look(situation());
        }
    }

    [[nodiscard]] scheduler::CoreOptions core_options() const {
        return {
            .policy = options_.policy,
            .backfill = options_.backfill,
            .order = options_.order,
            .preemption = options_.preemption,
            .min_run = options_.min_run,
            .seed = options_.seed};
    }

    [[nodiscard]] scheduler::Situation situation() const {
        scheduler::Situation situation{
            .now = now_,
            .options = core_options(),
            .nodes = nodes_,
            .projects = entitlements_.projects()};
        for (std::size_t i = 0; i < workload_.requests.size(); ++i) {
            situation.requests.emplace_back(request_id(i), workload_.requests[i]);
        }
        for (std::size_t place = 0; place < next_job_; ++place) {
            const TraceJob& job = workload_.jobs[place];
            const JobRun& run = outcome_.runs[place];
            if (run.is_refused || run.has_ended) {
                continue;
            }
            if (!run.has_started || run.is_stopped) {
                situation.waiting.push_back(
                    {.job = JobId(place + 1),
                     .group = group_of(job),
                     .submitted_at = job.submitted_at,
                     .fair_load = loads_[place],
                     .run = std::chrono::seconds(job.limit_s),
                     .was_preempted = run.is_stopped});
                continue;
            }
            const std::uint64_t first = runs_[place].first_hold.value();
            for (std::size_t part = 0; part < runs_[place].parts.size(); ++part) {
                const AllocationId id(first + part);
                situation.running.push_back(
                    {.id = id,
                     .job = JobId(place + 1),
                     .project = project_of(job),
                     .hold = core_.hold_with(id),
                     .comes_back = runs_[place].is_ending});
            }
        }
        return situation;
    }

    [[nodiscard]] Instant next_time() const {
        std::optional<Instant> time;
        const auto consider = [&](Instant at) { time = time ? std::min(*time, at) : at; };
        if (!ends_.empty()) {
            consider(ends_.top().at);
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
        if (!can_ever_run(job) || !entitlements_.may_ever_have(job)) {
            outcome_.runs[place].is_refused = true;
            report_done();
            return;
        }
        core_.observe(workload_.requests[job.request]);
        loads_[place] = entitlements_.submit(job, now_);
        core_.put_waiting(place_of(place), group_of(job));
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
        running = {
            .parts = start.parts,
            .first_hold = AllocationId(last_hold_ + 1),
            .first_span = outcome_.spans.size()};
        JobRun& run = outcome_.runs[place];
        std::optional<scheduler::Preemptible> preemptible;
        if (job.is_preemptible) {
            preemptible = {
                .priority = job.priority,
                .project = project_of(job),
                .protected_until = run.stops > 0 ? now_ + options_.min_run : now_,
                .gang = JobId(job.nodes > 1 ? place + 1 : 0)};
        }
        for (const Placed& part : start.parts) {
            const AllocationId hold = AllocationId(++last_hold_);
            core_.put_hold(
                hold, {.node = part.node,
                       .grant = part.grant,
                       .since = now_,
                       .limit = std::chrono::seconds(job.limit_s),
                       .preemptible = preemptible});
            if (job.is_preemptible) {
                stoppable_.emplace(hold, place);
            }
            NodeView& node = nodes_[places_.at(part.node)];
            auto left = model::take(node.free, part.grant);
            REEVE_ASSERT(left.has_value(), "the core grants only what is free");
            change(node, *std::move(left), part.grant, 1);
            entitlements_.start(job, part);
            if (part.node.value() <= kDrawnNodes) {
                outcome_.spans.push_back(
                    {.node = part.node, .job = place, .gpu_milli = milli_of(part.grant)});
                ++running.spans;
            }
        }
        run.is_stopped = false;
        run.started_at = now_;
        run.node = start.parts.front().node;
        run.has_started = true;
        run.is_backfilled = start.is_backfilled;
        --sample_.waiting;
        ++sample_.running;
        if (options_.observer != nullptr) {
            options_.observer->on_start(place, now_);
        }
        ends_.push(
            {.at = now_ + std::chrono::seconds(job.run_s),
             .place = place,
             .first_hold = running.first_hold});
    }

    /// Tells what has to make room to stop. False if nothing has.
    bool preempt() {
        const auto preemption = core_.preempt(now_, entitlements_.projects());
        if (!preemption) {
            return false;
        }
        for (const AllocationId id : preemption->victims) {
            const std::size_t place = stoppable_.at(id);
            scheduler::Hold hold = core_.hold_with(id);
            hold.is_ending = true;
            core_.put_hold(id, hold);
            Running& running = runs_[place];
            if (std::exchange(running.is_ending, true)) {
                continue;  // Another part of the same gang.
            }
            running.for_job = preemption->job.value() - 1;
            // Whichever comes first: what ends by itself before is over, and not stopped.
            ends_.push(
                {.at = std::min(now_ + options_.grace, natural_end(place)),
                 .place = place,
                 .first_hold = running.first_hold});
        }
        return true;
    }

    [[nodiscard]] Instant natural_end(std::size_t place) const {
        return outcome_.runs[place].started_at + std::chrono::seconds(workload_.jobs[place].run_s);
    }

    void end(std::size_t place) {
        const TraceJob& job = workload_.jobs[place];
        const Running running = std::exchange(runs_[place], {});
        JobRun& run = outcome_.runs[place];
        const auto held = std::chrono::floor<std::chrono::seconds>(now_ - run.started_at);
        std::uint64_t hold = running.first_hold.value();
        for (const Placed& part : running.parts) {
            stoppable_.erase(AllocationId(hold));
            core_.drop_hold(AllocationId(hold++));
            NodeView& node = nodes_[places_.at(part.node)];
            change(node, model::give_back(node.free, part.grant), part.grant, -1);
            entitlements_.stop(job, part, held, now_);
        }
        --sample_.running;
        if (running.is_ending && now_ < natural_end(place)) {
            come_back(place, running);
            return;
        }
        entitlements_.end(job);
        run.ended_at = now_;
        run.has_ended = true;
        if (options_.observer != nullptr) {
            options_.observer->on_end(place, now_);
        }
        report_done();
    }

    /// It was stopped, and waits again at its old place, to begin anew.
    void come_back(std::size_t place, const Running& running) {
        JobRun& run = outcome_.runs[place];
        for (std::size_t i = 0; i < running.spans; ++i) {
            outcome_.spans[running.first_span + i].stop = outcome_.stopped.size();
        }
        outcome_.stopped.push_back(
            {.job = place,
             .node = run.node,
             .from = run.started_at,
             .until = now_,
             .for_job = running.for_job});
        run.is_stopped = true;
        ++run.stops;
        ++sample_.waiting;
        core_.put_waiting(place_of(place), group_of(workload_.jobs[place]));
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

    /// A job ends, or is gone after it was told to, unless it has done so before.
    struct End {
        Instant at = kZero;
        std::size_t place = 0;                      // Of the job.
        AllocationId first_hold = AllocationId(0);  // Of that start of it.

        friend auto operator<=>(const End&, const End&) = default;
    };

    const Workload& workload_;
    const ReplayOptions& options_;
    scheduler::Core core_;
    std::vector<NodeView> nodes_;
    std::map<NodeId, std::size_t> places_;
    std::map<std::size_t, std::int64_t> holders_;  // By request: nodes that could hold it.
    std::vector<Running> runs_;
    std::vector<std::int64_t> loads_;  // See scheduler::Standing.
    Entitlements entitlements_;
    scheduler::Core::QuotaCheck quota_check_;
    std::map<AllocationId, std::size_t> stoppable_;  // Whose: the place of the job.
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
