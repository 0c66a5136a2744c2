// The view that readers see: made after each turn, of what changed.
#include <algorithm>
#include <chrono>
#include <utility>

#include "controller/controller.hpp"
#include "model/job_spec.hpp"

namespace reeve::controller {

/// As they were published last, if there are no more.
std::shared_ptr<const std::map<std::string, UserId>> Controller::user_ids() const {
    const auto& users = ledger_.state().users();
    if (view_ && view_->user_ids && view_->user_ids->size() == users.size()) {
        return view_->user_ids;
    }
    auto ids = std::make_shared<std::map<std::string, UserId>>();
    for (const auto& [id, user] : users) {
        ids->emplace(user.name, id);
    }
    return ids;
}

void Controller::publish() {
    const ledger::State& state = ledger_.state();
    auto next = std::make_shared<View>();
    next->cluster_id = header_.cluster_id;
    next->incarnation = header_.incarnation;
    next->rev = ledger_.last_rev();
    next->at = state.now();
    next->element_counts = state.element_counts();
    next->limits = ledger_.options().limits;
    next->priorities = ledger_.options().priorities;
    next->usage = state.usage_of_all();
    next->runs = state.foresight().runs();
    next->calibration = state.foresight().calibration();
    next->storage_trouble = storage_error_ ? storage_error_->message : "";
    for (const auto& [id, model] : state.gpu_models()) {
        next->gpu_models.emplace(id, model.name);
    }
    for (const auto& [id, project] : state.projects()) {
        next->projects.push_back(
            {.record = project,
             .parent = project.parent ? state.project(*project.parent)->name : "",
             .usage = state.usage(id)});
    }
    next->scheduling = ledger_.options().scheduling;
    next->mix = state.core().learnt();
    next->fair_share = ledger_.take_fair_share(view_ ? view_->fair_share : nullptr);
    next->usage_of_users = usage_of_users();
    next->guarantees = guarantees();
    next->user_ids = next->fair_share || next->usage_of_users ? user_ids() : nullptr;
    next->kept = kept_room();
    next->bookings = bookings();
    const std::set<NodeId> dirty = ledger_.take_dirty_nodes();
    std::map<NodeId, std::shared_ptr<const NodeStatus>> before;
    if (view_) {
        for (const auto& status : view_->nodes) {
            before.emplace(status->record.id, status);
        }
    }
    for (const auto& [id, node] : state.nodes()) {
        const auto old = before.find(id);
        next->nodes.push_back(
            old == before.end() || dirty.contains(id) ? status_of(node) : old->second);
    }
    view_ = std::move(next);
}

/// Those of the view before, unless something of them changed.
std::shared_ptr<const Bookings> Controller::bookings() {
    const ledger::State& state = ledger_.state();
    if (view_ && bookings_version_ == state.bookings_version()) {
        return view_->bookings;
    }
    bookings_version_ = state.bookings_version();
    auto bookings = std::make_shared<Bookings>();
    for (const auto& [id, record] : state.bookings()) {
        bookings->push_back(
            {.record = record,
             .project = record.project ? state.project(*record.project)->name : "",
             .booking = state.core().bookings().at(id),
             .release_at = ledger_.release_at(record)});
    }
    return bookings;
}

std::shared_ptr<const scheduler::ProjectTree> Controller::guarantees() const {
    const scheduler::ProjectTree& tree = ledger_.state().project_tree();
    return tree.has_guarantees()
               ? std::make_shared<const scheduler::ProjectTree>(tree.without_users())
               : nullptr;
}

/// Null where no project has quotas of users.
std::shared_ptr<const UsageOfUsers> Controller::usage_of_users() const {
    const ledger::State& state = ledger_.state();
    const bool has_quotas = std::ranges::any_of(state.projects(), [](const auto& project) {
        return project.second.user_quota != model::Quota();
    });
    return has_quotas ? std::make_shared<const UsageOfUsers>(state.usage_of_users()) : nullptr;
}

std::vector<KeptRoom> Controller::kept_room() const {
    const ledger::State& state = ledger_.state();
    std::vector<KeptRoom> kept;
    for (const scheduler::Reservation& reservation : state.core().reservations()) {
        const model::JobRecord* job = state.job(reservation.job);
        if (job != nullptr) {
            const std::chrono::seconds limit = reservation.group.limit;
            const std::chrono::seconds assumed = ledger_.options().scheduling.assumed_run;
            kept.push_back(
                {.reservation = reservation,
                 .user = state.user(job->user)->name,
                 .run = limit.count() > 0 ? limit : assumed});
        }
    }
    return kept;
}

std::shared_ptr<const NodeStatus> Controller::status_of(const ledger::NodeState& node) const {
    const ledger::State& state = ledger_.state();
    auto status = std::make_shared<NodeStatus>();
    status->record = node.record;
    status->view = state.view_of(node);
    status->heard_at = node.liveness.heard_at;
    status->gate_text = node.liveness.gate_text;
    for (const AllocationId id : node.allocations) {
        Holding holding{.allocation = *state.allocation(id)};
        if (const model::ProjectRecord* project = state.project(holding.allocation.project)) {
            holding.project = project->name;
        }
        switch (holding.allocation.owner) {
            case model::AllocationOwner::kTask:     describe_task(holding); break;
            case model::AllocationOwner::kUnknown:  describe_stray(holding); break;
            case model::AllocationOwner::kExternal: describe_outsiders(node, holding); break;
        }
        status->holdings.push_back(std::move(holding));
    }
    return status;
}

void Controller::describe_task(Holding& holding) const {
    const ledger::State& state = ledger_.state();
    const model::ElementRecord* element = state.element(holding.allocation.task.element);
    const model::JobRecord* job = state.job(holding.allocation.task.element.job);
    if (element == nullptr || job == nullptr) {
        return;
    }
    holding.user_id = job->user;
    holding.user = state.user(job->user)->name;
    holding.state = element->state;
    holding.is_array = job->is_array;
    holding.started_at = element->started_at;
    holding.limit = std::chrono::seconds(job->time_limit_s);
    holding.preemptible = state.core().hold_with(holding.allocation.id).preemptible;
    holding.run_key = state.run_key(*job);
    if (job->time_limit_s > 0 && element->started_at != model::kNever) {
        holding.until = element->started_at + std::chrono::seconds(job->time_limit_s);
    }
}

void Controller::describe_stray(Holding& holding) const {
    const model::KnownTask* stray = ledger_.quarantined_task(holding.allocation.task);
    if (stray == nullptr) {
        return;
    }
    const auto spec =
        model::parse_task_order(stray->order_json).and_then([](const model::TaskOrder& order) {
            return model::parse_job_spec(order.spec_json);
        });
    holding.user = stray->identity.user;
    holding.name = spec ? spec->terms.name : "";
    holding.started_at = stray->started_at.value_or(model::kNever);
}

void Controller::describe_outsiders(const ledger::NodeState& node, Holding& holding) {
    const auto& outsiders = node.liveness.outsiders;
    const auto found = outsiders.find(holding.allocation.grant.gpus.front().gpu);
    if (found != outsiders.end()) {
        holding.user = found->second.user;
        holding.name = found->second.process;
    }
}

}  // namespace reeve::controller
