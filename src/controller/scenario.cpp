#include "controller/scenario.hpp"

#include <algorithm>
#include <map>

#include "controller/scenario_nodes.hpp"
#include "controller/why.hpp"
#include "ledger/fit.hpp"
#include "ledger/node_classes.hpp"
#include "ledger/refusals.hpp"
#include "scheduler/quota.hpp"

namespace reeve::controller {
namespace {

using ledger::Control;
using ledger::JobRow;
using model::ElementState;

std::string name_of(const JobRow& job) {
    return "job " + to_string(job.record.id);
}

class Maker {
  public:
    Maker(const Scenario& from, const WhatIf& what_if, const JobLookup& job_of)
        : what_if_(what_if), job_of_(job_of), made_(from) {
        for (std::size_t i = 0; i < made_.queue.size(); ++i) {
            rows_.emplace(made_.queue[i].record.id, i);
        }
    }

    Result<Scenario> make() && {
        Result<void> done = change_nodes(made_.view, what_if_, lost_);
        done = done ? set_quotas() : done;
        made_.view.scheduling.backfill = what_if_.backfill.value_or(made_.view.scheduling.backfill);
        made_.view.scheduling.policy = what_if_.policy.value_or(made_.view.scheduling.policy);
        if (made_.view.fair_share) {
            fair_share_ = *made_.view.fair_share;
        }
        for (const JobChange& change : what_if_.changes) {
            done = done ? change_job(change) : done;
        }
        done = done ? add_jobs() : done;
        if (!done) {
            return tl::unexpected<Error>(std::move(done.error()));
        }
        note_lost_jobs();
        std::erase_if(made_.queue, [this](const JobRow& job) {
            return made_.cancelled.contains(job.record.id);
        });
        classify_nodes();
        return std::move(made_);
    }

  private:
    using NodePointer = std::shared_ptr<const NodeStatus>;

    /// Tells the nodes apart by what the jobs say about them, as the ledger does. Only where there
    /// is a node or an expression that the ledger does not know.
    void classify_nodes() {
        const bool has_expression = std::ranges::any_of(
            what_if_.jobs, [](const auto& each) { return !each.terms.on.empty(); });
        if (what_if_.added.empty() && !has_expression) {
            return;
        }
        ledger::NodeClasses classes;
        std::set<std::string> expressions;
        for (const JobRow& job : made_.queue) {
            if (!job.on.empty() && expressions.insert(job.on).second) {
                classes.add(job.on);
            }
        }
        for (const NodePointer& node : made_.view.nodes) {
            classes.put_node(node->record.id, facts_in(made_.view, *node));
        }
        for (NodePointer& node : made_.view.nodes) {
            auto classified = std::make_shared<NodeStatus>(*node);
            classified->view.node_class = classes.class_of(node->record.id);
            node = std::move(classified);
        }
    }

    // ---- Projects.

    [[nodiscard]] std::vector<std::string> project_names() const {
        std::vector<std::string> names;
        names.reserve(made_.view.projects.size());
        for (const ProjectStatus& project : made_.view.projects) {
            names.push_back(project.record.name);
        }
        return names;
    }

    [[nodiscard]] ProjectStatus* project_named(const std::string& name) {
        const auto found = std::ranges::find(
            made_.view.projects, name, [](const auto& each) { return each.record.name; });
        return found == made_.view.projects.end() ? nullptr : &*found;
    }

    Result<void> set_quotas() {
        for (const auto& [name, quota, guaranteed] : what_if_.quotas) {
            ProjectStatus* project = project_named(name);
            if (project == nullptr) {
                return fail(
                    ErrorCode::kNotFound,
                    "there is no project '" + name + "'" + those_there_are(name, project_names()));
            }
            project->record.quota = quota;
            project->record.guaranteed_gpu_milli =
                guaranteed.value_or(project->record.guaranteed_gpu_milli);
            std::vector<const model::ProjectRecord*> others;
            others.reserve(made_.view.projects.size());
            for (const ProjectStatus& each : made_.view.projects) {
                others.push_back(&each.record);
            }
            if (auto checked = ledger::check_guarantee(project->record, others); !checked) {
                return checked;
            }
        }
        return {};
    }

    // ---- Jobs that there are.

    Result<void> change_job(const JobChange& change) {
        const auto job = job_of_(change.job);
        if (!job) {
            return tl::unexpected<Error>(job.error());
        }
        if (!changed_.insert(change.job).second) {
            return fail(
                ErrorCode::kInvalid,
                name_of(*job) + " comes twice; put all that changes of it in one place");
        }
        // As it was read with the queue, where it was: that is what the others are seen as.
        const auto place = rows_.find(change.job);
        JobRow row = place == rows_.end() ? *job : made_.queue[place->second];
        if (Result<void> checked = check_change(row, change); !checked) {
            return checked;
        }
        if (change.wish == JobWish::kCancel) {
            forget_plan(row);
            cancel(change.job);
            return {};
        }
        if (change.wish) {
            hold_or_release(row, *change.wish == JobWish::kHold);
        }
        if (change.priority || !change.priority_name.empty()) {
            const auto priority = priority_of(
                {.priority = change.priority.value_or(0), .priority_name = change.priority_name});
            if (!priority) {
                return tl::unexpected<Error>(priority.error());
            }
            row.record.priority = *priority;
        }
        row.record.time_limit_s = change.time_limit_s.value_or(row.record.time_limit_s);
        rank(row.record);
        put_row(std::move(row));
        return {};
    }

    static void hold_or_release(JobRow& row, bool is_hold) {
        const ElementState from = is_hold ? ElementState::kQueued : ElementState::kHeld;
        const ElementState to = is_hold ? ElementState::kHeld : ElementState::kQueued;
        row.record.counts[to] += std::exchange(row.record.counts[from], 0U);
        if (row.element && row.element->state == from) {
            row.element->state = to;
        }
    }

    void put_row(JobRow row) {
        const auto [place, is_new] = rows_.emplace(row.record.id, made_.queue.size());
        if (is_new) {
            made_.queue.push_back(std::move(row));
        } else {
            made_.queue[place->second] = std::move(row);
        }
    }

    [[nodiscard]] static Result<void> check_change(const JobRow& job, const JobChange& change) {
        const model::StateCounts& counts = job.record.counts;
        const bool has_ended = counts.pending() + counts.live() == 0;
        const auto refuse = [&](const std::string& why) {
            return fail(ErrorCode::kConflict, name_of(job) + " " + why);
        };
        if (change.wish == JobWish::kCancel && has_ended) {
            return refuse(ledger::why_ended(Control::kStop));
        }
        if (change.wish == JobWish::kHold && counts[ElementState::kQueued] == 0) {
            return refuse(
                has_ended ? ledger::why_ended(Control::kHold)
                          : ledger::why_nothing(Control::kHold));
        }
        if (change.wish == JobWish::kRelease && counts[ElementState::kHeld] == 0) {
            return refuse(
                has_ended ? ledger::why_ended(Control::kRelease)
                          : ledger::why_nothing(Control::kRelease));
        }
        const bool is_for_waiting =
            change.priority || !change.priority_name.empty() || change.time_limit_s;
        if (is_for_waiting && counts.pending() == 0) {
            return refuse(
                "is " + std::string(model::word_of(state_of(counts))) +
                "; another priority or time limit is for jobs that wait");
        }
        return {};
    }

    void cancel(JobId job) {
        made_.cancelled.insert(job);
        for (NodePointer& node : made_.view.nodes) {
            const auto is_of_it = [job](const Holding& holding) {
                return holding.allocation.task.element.job == job &&
                       holding.allocation.owner == model::AllocationOwner::kTask;
            };
            if (std::ranges::none_of(node->holdings, is_of_it)) {
                continue;
            }
            auto freed = std::make_shared<NodeStatus>(*node);
            for (const Holding& holding : node->holdings) {
                if (is_of_it(holding)) {
                    freed->view.free = model::give_back(freed->view.free, holding.allocation.grant);
                    forget_usage(made_.view, holding);
                }
            }
            std::erase_if(freed->holdings, is_of_it);
            node = std::move(freed);
        }
    }

    /// Jobs of which nothing runs or waits any more.
    void note_lost_jobs() {
        for (const JobId job : lost_) {
            const bool runs_on = std::ranges::any_of(made_.view.nodes, [&](const auto& node) {
                return std::ranges::any_of(node->holdings, [&](const Holding& holding) {
                    return holding.allocation.task.element.job == job;
                });
            });
            if (!runs_on && !rows_.contains(job)) {
                made_.lost.insert(job);
            }
        }
    }

    // ---- Jobs that there are not.

    Result<void> add_jobs() {
        std::uint64_t count = 0;
        for (std::size_t i = 0; i < what_if_.jobs.size(); ++i) {
            const HypotheticalJobs& jobs = what_if_.jobs[i];
            count += jobs.count;
            if (count > kHypotheticalJobsMax) {
                return fail(
                    ErrorCode::kInvalid, "jobs: " + std::to_string(count) +
                                             " are too many; a simulation takes " +
                                             std::to_string(kHypotheticalJobsMax) + " at most");
            }
            if (Result<void> added = add_job(jobs); !added) {
                Error error = std::move(added.error());
                if (what_if_.jobs.size() > 1) {
                    error.message = "jobs[" + std::to_string(i) + "]: " + error.message;
                }
                return tl::unexpected<Error>(std::move(error));
            }
        }
        return {};
    }

    Result<void> add_job(const HypotheticalJobs& jobs) {
        const model::JobTerms& terms = jobs.terms;
        ProjectStatus* project = project_named(terms.project);
        if (project == nullptr) {
            return tl::unexpected<Error>(ledger::no_project(terms.project, project_names()));
        }
        auto row = row_of(terms);
        if (!row) {
            return tl::unexpected<Error>(std::move(row.error()));
        }
        row->record.project = project->record.id;
        row->record.user = submitter();
        Result<void> done = check_pending(
            *project, static_cast<std::int64_t>(row->record.range.count()) * jobs.count);
        done = done ? check_size(*row, *project) : done;
        auto after = done ? unsettled(terms.after) : tl::unexpected<Error>(done.error());
        if (!after) {
            return tl::unexpected<Error>(std::move(after.error()));
        }
        row->record.after = *std::move(after);
        for (std::uint32_t i = 0; i < jobs.count; ++i) {
            row->record.id = JobId(kFirstHypothetical.value() + hypothetical_++);
            submit(row->record, ledger::usage_of_one(asked_by(*row)));
            put_row(*row);
        }
        return {};
    }

    /// Whose the jobs are that are added; somebody new if that is not known, or does not matter.
    [[nodiscard]] UserId submitter() const {
        constexpr auto kNewUser = UserId(UINT64_MAX);
        if (!made_.view.user_ids) {
            return kNewUser;
        }
        const auto known = made_.view.user_ids->find(what_if_.user);
        return known == made_.view.user_ids->end() ? kNewUser : known->second;
    }

    /// What an element of the job counts for, as long as it is not known how long it takes.
    [[nodiscard]] std::int64_t cost_of(const model::JobRecord& job, const model::Usage& one) const {
        const std::chrono::seconds limit(job.time_limit_s);
        return scheduler::cost_of(
            fair_share_->rules(), one,
            limit.count() > 0 ? limit : made_.view.scheduling.assumed_run);
    }

    /// What is cancelled no longer counts for what its user submits later.
    void forget_plan(const JobRow& row) {
        const ProjectStatus* project = project_named(row.project);
        if (fair_share_ && project != nullptr) {
            const model::JobRecord& job = row.record;
            const std::int64_t open = job.counts.live() + job.counts.pending();
            const std::int64_t each = cost_of(job, ledger::usage_of_one(asked_by(row)));
            fair_share_->plan(project->record.id, job.user, -each * open);
        }
    }

    /// Where the job is in the queue, if it is submitted now.
    void submit(model::JobRecord& job, const model::Usage& one) {
        if (fair_share_) {
            const std::int64_t each = cost_of(job, one);
            const scheduler::Load load =
                fair_share_->load_of(job.project, job.user, each, made_.view.at);
            job.fair_load = load.before;
            job.fair_step = job.is_array ? load.each : 0;
            fair_share_->plan(job.project, job.user, each * job.range.count());
        }
        rank(job);
    }

    void rank(model::JobRecord& job) const {
        job.rank = scheduler::rank_of(
            made_.view.scheduling.order,
            {.priority = job.priority, .submitted_at = job.submitted_at, .load = job.fair_load});
    }

    /// As a submission would get it.
    [[nodiscard]] Result<std::int32_t> priority_of(const model::JobTerms& terms) const {
        return ledger::priority_of(
            made_.view.priorities ? *made_.view.priorities : ledger::Priorities(), terms,
            what_if_.is_admin);
    }

    [[nodiscard]] Result<JobRow> row_of(const model::JobTerms& terms) const {
        JobRow row;
        row.name = terms.name;
        row.user = what_if_.user;
        row.project = terms.project;
        row.gpus = terms.gpus;
        row.host = {.cpu_millicores = terms.cpu_millicores, .memory_mib = terms.memory_mib};
        row.labels = terms.labels;
        if (!terms.on.empty()) {
            const auto on = model::parse_node_expression(terms.on);
            if (!on) {
                return fail(on.error().code, "on: " + on.error().message);
            }
            row.on = to_string(*on);
        }
        const auto priority = priority_of(terms);
        if (!priority) {
            return tl::unexpected<Error>(priority.error());
        }
        row.record.priority = *priority;
        row.record.time_limit_s = terms.time_limit_s;
        row.record.submitted_at = made_.view.at;
        row.record.range = terms.array.value_or(model::ArrayRange{});
        row.record.is_array = terms.array.has_value();
        row.record.is_preemptible = terms.is_preemptible;
        row.record.waiting_state = terms.is_held ? ElementState::kHeld : ElementState::kQueued;
        row.record.counts[row.record.waiting_state] = row.record.range.count();
        return row;
    }

    /// What of `after` has not happened yet. Errors: one of it is not there, or never will happen.
    [[nodiscard]] Result<std::vector<model::Dependency>> unsettled(
        const std::vector<model::Dependency>& after) const {
        std::vector<model::Dependency> open;
        for (const model::Dependency& dependency : after) {
            const auto job = job_of_(dependency.job);
            if (!job) {
                return tl::unexpected<Error>(
                    job.error().code == ErrorCode::kNotFound
                        ? ledger::no_job_to_wait_for(dependency.job)
                        : job.error());
            }
            model::StateCounts counts = job->record.counts;
            if (made_.cancelled.contains(dependency.job)) {
                const std::uint32_t left = counts.pending() + counts.live();
                counts[ElementState::kCancelled] += left;
                for (const ElementState state :
                     {ElementState::kQueued, ElementState::kHeld, ElementState::kScheduled,
                      ElementState::kRunning, ElementState::kStopping}) {
                    counts[state] = 0;
                }
            }
            if (counts.pending() + counts.live() > 0) {
                open.push_back(dependency);
            } else if (!ledger::has_happened(dependency.kind, counts)) {
                return tl::unexpected<Error>(ledger::never_starts_after(dependency.job, counts));
            }
        }
        return open;
    }

    /// Counts `more` elements to the project and all above it, if they may have as many.
    Result<void> check_pending(ProjectStatus& project, std::int64_t more) {
        const auto& most = made_.view.limits.pending_elements;
        if (most && made_.view.usage.pending_elements + more > *most) {
            return tl::unexpected<Error>(ledger::queue_is_full(static_cast<std::uint64_t>(*most)));
        }
        const auto& of_each = project.record.user_quota.pending_elements;
        const std::int64_t own =
            usage_of_user(made_.view, project.record.id, submitter()).pending_elements;
        if (of_each && own + more > *of_each) {
            return tl::unexpected<Error>(
                ledger::too_many_pending_of_user(project.record, own, more));
        }
        for (ProjectStatus* at = &project; at != nullptr; at = parent_of(*at)) {
            const auto& quota = at->record.quota.pending_elements;
            const std::int64_t pending = at->usage.pending_elements;
            if (quota && pending + more > *quota) {
                return tl::unexpected<Error>(ledger::too_many_pending(at->record, pending, more));
            }
        }
        made_.view.usage.pending_elements += more;
        for (ProjectStatus* at = &project; at != nullptr; at = parent_of(*at)) {
            at->usage.pending_elements += more;
        }
        return {};
    }

    [[nodiscard]] ProjectStatus* parent_of(const ProjectStatus& project) {
        return project.record.parent ? project_named(project.parent) : nullptr;
    }

    [[nodiscard]] static model::RequestRecord asked_by(const JobRow& job) {
        return {.gpus = job.gpus, .host = job.host, .on = job.on};
    }

    /// Some node could hold one of it, and so could its project and those above.
    [[nodiscard]] Result<void> check_size(const JobRow& job, ProjectStatus& project) {
        const model::RequestRecord request = asked_by(job);
        ledger::Hardware hardware{.name_of_model = [this](GpuModelId model) {
            const auto name = made_.view.gpu_models.find(model);
            return name == made_.view.gpu_models.end() ? std::string() : name->second;
        }};
        for (const NodePointer& node : made_.view.nodes) {
            hardware.nodes.push_back(&node->record);
        }
        if (!hardware.nodes.empty() &&
            !ledger::could_ever_run(hardware, request, resolved_request(job, made_.view))) {
            return tl::unexpected<Error>(ledger::never_runs(hardware, request));
        }
        const model::Usage one = ledger::usage_of_one(request);
        for (const scheduler::Excess& excess :
             scheduler::excess(project.record.user_quota, {}, one)) {
            return tl::unexpected<Error>(ledger::more_than_user_quota(project.record.name, excess));
        }
        for (ProjectStatus* at = &project; at != nullptr; at = parent_of(*at)) {
            for (const scheduler::Excess& excess : scheduler::excess(at->record.quota, {}, one)) {
                return tl::unexpected<Error>(ledger::more_than_quota(at->record.name, excess));
            }
        }
        return {};
    }

    const WhatIf& what_if_;
    const JobLookup& job_of_;
    Scenario made_;
    std::map<JobId, std::size_t> rows_;  // Of the queue.
    std::set<JobId> changed_;
    std::set<JobId> lost_;  // With something on a removed node.
    std::uint64_t hypothetical_ = 0;
    std::optional<scheduler::FairShare> fair_share_ = {};  // With the jobs that are added.
};

}  // namespace

Result<Scenario> scenario_of(const Scenario& from, const WhatIf& what_if, const JobLookup& job_of) {
    return Maker(from, what_if, job_of).make();
}

}  // namespace reeve::controller
