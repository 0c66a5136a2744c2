#include "controller/situation.hpp"

#include <algorithm>
#include <utility>

#include "controller/why.hpp"
#include "scheduler/victims.hpp"

namespace reeve::controller {

using model::ElementState;

SituationBuilder::SituationBuilder(const View& view, std::optional<Instant> now) : view_(view) {
    situation_.now = now.value_or(view.at);
    situation_.options = view.scheduling;
    situation_.mix = view.mix;
    situation_.projects = scheduler::ProjectTree(view.limits, view.usage);
    for (const ProjectStatus& project : view.projects) {
        situation_.projects.put(project.record, project.usage);
        projects_.emplace(project.record.name, project.record.id);
    }
    if (view.usage_of_users) {
        for (const auto& [holder, usage] : *view.usage_of_users) {
            situation_.projects.put(holder.first, holder.second, usage);
        }
    }
    for (const BookingStatus& booking : *view.bookings) {
        situation_.bookings.push_back(
            {.booking = *booking.booking, .release_at = booking.release_at});
    }
    for (const auto& node : view.nodes) {
        situation_.nodes.push_back(node->view);
        for (const Holding& holding : node->holdings) {
            const model::AllocationRecord& held = holding.allocation;
            situation_.running.push_back(
                {.id = held.id,
                 .job = held.task.element.job,
                 .project = held.project,
                 .user = holding.user_id,
                 .hold = hold_of(holding),
                 .element = held.task.element.index});
            const scheduler::Hold& hold = situation_.running.back().hold;
            if (!hold.preemptible) {
                situation_.projects.add_firm(held.project, scheduler::gpu_milli_of(hold));
            }
            if (held.owner == model::AllocationOwner::kTask) {
                ++held_by_[held.task.element.job];
                run_keys_.try_emplace(held.task.element.job, holding.run_key);
            }
        }
    }
}

void SituationBuilder::add(const ledger::JobRow& job) {
    const model::JobRecord& record = job.record;
    const auto project = projects_.find(job.project);
    const auto held = held_by_.find(record.id);
    const std::uint32_t live_seen = held == held_by_.end() ? 0 : held->second;
    const std::uint32_t live = record.counts.live();
    const std::uint32_t started_since = live_seen > live ? live_seen - live : 0;
    const std::uint32_t queued = record.counts[ElementState::kQueued];
    const bool is_held = record.counts[ElementState::kHeld] > 0;
    // What is held may still end, by what it waits for.
    const bool may_be_over = queued + live_seen > 0 || !record.after.empty();
    if (project == projects_.end() || !may_be_over || (queued <= started_since && !is_held)) {
        return;
    }
    const std::chrono::seconds limit(record.time_limit_s);
    scheduler::WaitingJob waiting{
        .job = record.id,
        .group =
            {.priority = record.priority,
                    .project = project->second,
                    .user = record.user,
                    .request = id_of(job),
                    .limit = scheduler::planning_limit(limit),
                    .is_preemptible = record.is_preemptible},
        .submitted_at = record.submitted_at,
        .fair_load = record.fair_load,
        .fair_step = record.fair_step,
        .run = limit,
        .elements = queued > started_since ? queued - started_since : 0,
        .running_max = record.range.running_max,
        .live = std::max(live, live_seen),
        .is_partly_held = is_held,
        .after = record.after
    };
    if (job.element && job.element->state == ElementState::kQueued) {
        waiting.not_before = job.element->not_before;
    }
    const model::Request& request = situation_.requests[waiting.group.request.value() - 1].second;
    run_keys_.try_emplace(
        record.id, scheduler::RunKey{
                       .project = project->second,
                       .user = record.user,
                       .name = record.run_name,
                       .size = scheduler::run_size(request, waiting.group.nodes)});
    situation_.waiting.push_back(std::move(waiting));
}

model::RequestId SituationBuilder::id_of(const ledger::JobRow& job) {
    if (job.record.request != model::RequestId(0)) {
        const auto [known, is_new] = ids_.try_emplace(job.record.request, model::RequestId(0));
        if (is_new) {
            known->second = add_request(resolved_request(job, view_));
        }
        return known->second;
    }
    const model::Request request = resolved_request(job, view_);
    const auto same = std::ranges::find_if(not_submitted_, [&](model::RequestId id) {
        return situation_.requests[id.value() - 1].second == request;
    });
    return same != not_submitted_.end() ? *same : not_submitted_.emplace_back(add_request(request));
}

model::RequestId SituationBuilder::add_request(model::Request request) {
    const model::RequestId id(situation_.requests.size() + 1);
    situation_.requests.emplace_back(id, std::move(request));
    return id;
}

}  // namespace reeve::controller
