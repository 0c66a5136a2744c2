#include "controller/when.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "controller/why.hpp"
#include "scheduler/forward.hpp"

namespace reeve::controller {
namespace {

constexpr std::size_t kMomentsMax = 50'000;  // At which something ends.
constexpr std::uint64_t kStartsMax = 50'000;

using model::ElementState;

/// True if it is only room that the job waits for.
bool is_waiting_for_room(const ledger::JobRow& job, Instant now) {
    const bool is_in_backoff =
        job.element && job.element->state == ElementState::kQueued && job.element->not_before > now;
    return job.record.counts[ElementState::kQueued] > 0 && job.record.after.empty() &&
           !is_in_backoff;
}

/// Collects what the scheduler would be told. Equal requests get one id.
class SituationBuilder {
  public:
    explicit SituationBuilder(const View& view) : view_(view) {
        situation_.now = view.at;
        situation_.options = view.scheduling;
        situation_.projects = scheduler::ProjectTree(view.limits, view.usage);
        for (const ProjectStatus& project : view.projects) {
            situation_.projects.put(project.record, project.usage);
            projects_.emplace(project.record.name, project.record.id);
        }
        for (const auto& node : view.nodes) {
            situation_.nodes.push_back(node->view);
            for (const Holding& holding : node->holdings) {
                const model::AllocationRecord& held = holding.allocation;
                situation_.running.push_back(
                    {.id = held.id,
                     .job = held.task.element.job,
                     .project = held.project,
                     .hold = hold_of(holding)});
            }
        }
    }

    void add(const ledger::JobRow& job) {
        const auto project = projects_.find(job.project);
        if (project == projects_.end() || !is_waiting_for_room(job, view_.at)) {
            return;
        }
        const std::chrono::seconds limit(job.record.time_limit_s);
        situation_.waiting.push_back({
            .job = job.record.id,
            .group =
                {.priority = job.record.priority,
                        .project = project->second,
                        .request = id_of(job),
                        .limit = scheduler::planning_limit(limit)},
            .run = limit,
            .elements = job.record.counts[ElementState::kQueued],
            .running_max = job.record.range.running_max,
            .live = job.record.counts.live(),
            .is_preemptible = job.record.is_preemptible
        });
    }

    [[nodiscard]] const scheduler::Situation& situation() const { return situation_; }

  private:
    model::RequestId id_of(const ledger::JobRow& job) {
        const bool is_interned = job.record.request != model::RequestId(0);
        if (const auto known = ids_.find(job.record.request); is_interned && known != ids_.end()) {
            return known->second;
        }
        const model::RequestId id = id_of(resolved_request(job, view_));
        ids_.emplace(job.record.request, id);
        return id;
    }

    model::RequestId id_of(const model::Request& request) {
        const auto known = std::ranges::find(
            situation_.requests, request, [](const auto& each) { return each.second; });
        if (known != situation_.requests.end()) {
            return known->first;
        }
        const model::RequestId id(situation_.requests.size() + 1);
        situation_.requests.emplace_back(id, request);
        return id;
    }

    const View& view_;
    scheduler::Situation situation_;
    std::map<std::string, ProjectId> projects_;
    std::map<model::RequestId, model::RequestId> ids_;  // Of the ledger's.
};

std::string name_of(const View& view, NodeId id) {
    for (const auto& node : view.nodes) {
        if (node->record.id == id) {
            return node->record.name;
        }
    }
    return "";
}

When first_start(JobId job, const scheduler::Situation& situation, const View& view) {
    When when{.kind = WhenKind::kNever};
    std::map<JobId, bool> has_limit;
    for (const scheduler::WaitingJob& each : situation.waiting) {
        has_limit.emplace(each.job, each.run.count() > 0);
    }
    const auto endless = std::ranges::count_if(
        situation.running, [](const auto& task) { return task.hold.limit.count() == 0; });
    when.without_limit = static_cast<std::uint64_t>(endless);
    const bool is_whole =
        scheduler::run_forward(situation, kMomentsMax, [&](const scheduler::Ahead& ahead) {
            if (ahead.job != job) {
                when.without_limit += static_cast<std::uint64_t>(!has_limit.at(ahead.job));
                return ++when.starts_before < kStartsMax;
            }
            when.kind = WhenKind::kExpected;
            when.at = ahead.at;
            for (const NodeId node : ahead.nodes) {
                when.nodes.push_back(name_of(view, node));
            }
            return false;
        });
    const bool is_cut_short = !is_whole || when.starts_before >= kStartsMax;
    if (when.kind == WhenKind::kNever && is_cut_short) {
        when.kind = WhenKind::kTooFar;
    }
    return when;
}

}  // namespace

When when_starts(
    const ledger::JobRow& job, const std::vector<ledger::JobRow>& queue, const View& view) {
    const model::StateCounts& counts = job.record.counts;
    if (counts.pending() == 0 || counts.live() > 0) {
        return {.kind = WhenKind::kNotPending};
    }
    if (counts[ElementState::kQueued] == 0) {
        return {.kind = WhenKind::kHeld};
    }
    if (!job.record.after.empty()) {
        return {.kind = WhenKind::kDependency, .after = job.record.after.front().job};
    }
    SituationBuilder builder(view);
    bool is_in_queue = false;
    for (const ledger::JobRow& each : queue) {
        builder.add(each);
        is_in_queue = is_in_queue || each.record.id == job.record.id;
    }
    return is_in_queue ? first_start(job.record.id, builder.situation(), view)
                       : When{.kind = WhenKind::kTooFar};
}

std::string_view word_of(WhenKind kind) {
    switch (kind) {
        case WhenKind::kNotPending: return "not_pending";
        case WhenKind::kExpected:   return "expected";
        case WhenKind::kHeld:       return "held";
        case WhenKind::kDependency: return "dependency";
        case WhenKind::kNever:      return "never";
        case WhenKind::kTooFar:     return "too_far";
    }
    return "never";
}

}  // namespace reeve::controller
