#include "ledger/state.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "ledger/fit.hpp"

namespace reeve::ledger {
namespace {

using model::ElementKey;
using model::ElementRecord;
using model::ElementState;

template <class Map, class Key>
auto* find_in(const Map& map, const Key& key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : &found->second;
}

/// Puts, replaces or removes one record.
template <class Map, class Key, class Record>
void put_in(Map& map, const Key& key, const std::optional<Record>& after) {
    if (after) {
        map.insert_or_assign(key, *after);
    } else {
        map.erase(key);
    }
}

template <class Record>
const Record& either(const Put<Record>& put) {
    return put.after ? *put.after : *put.before;
}

/// What giving back takes. Less than nothing may be left, where a machine shrank: nothing fits
/// then.
model::Grant negated(model::Grant grant) {
    grant.host.cpu_millicores *= -1;
    grant.host.memory_mib *= -1;
    for (model::GpuGrant& granted : grant.gpus) {
        granted.amount.milli *= -1;
        granted.amount.memory_mib *= -1;
    }
    return grant;
}

}  // namespace

State::State(const scheduler::CoreOptions& scheduling)
    : core_(scheduling),
      policy_(scheduling.policy),
      min_run_(scheduling.min_run),
      assumed_run_(scheduling.assumed_run),
      fair_share_(scheduling.order) {}

// ---- Records.

const model::JobRecord* State::job(JobId id) const {
    return find_in(jobs_, id);
}

const ElementRecord* State::element(const ElementKey& key) const {
    return find_in(elements_, key);
}

const model::AllocationRecord* State::allocation(AllocationId id) const {
    return find_in(allocations_, id);
}

const model::UserRecord* State::user(UserId id) const {
    return find_in(users_, id);
}

const model::UserRecord* State::user_named(const std::string& name) const {
    const UserId* id = find_in(user_ids_, name);
    return id == nullptr ? nullptr : user(*id);
}

const model::ProjectRecord* State::project(ProjectId id) const {
    return find_in(projects_, id);
}

const model::ProjectRecord* State::project_named(const std::string& name) const {
    const ProjectId* id = find_in(project_ids_, name);
    return id == nullptr ? nullptr : project(*id);
}

const NodeState* State::node(NodeId id) const {
    return find_in(nodes_, id);
}

const NodeState* State::node_named(const std::string& name) const {
    const NodeId* id = find_in(node_ids_, name);
    return id == nullptr ? nullptr : node(*id);
}

std::optional<GpuId> State::gpu_of(const std::string& uuid) const {
    const GpuId* id = find_in(gpu_ids_, uuid);
    return id == nullptr ? std::nullopt : std::optional(*id);
}

const std::string& State::gpu_model_name(GpuModelId id) const {
    const auto found = gpu_models_.find(id);
    REEVE_ASSERT(found != gpu_models_.end(), "a GPU's model is interned before the GPU");
    return found->second.name;
}

const model::RequestRecord* State::request(model::RequestId id) const {
    const RequestState* known = find_in(requests_, id);
    return known == nullptr ? nullptr : &known->record;
}

// ---- Indexes.

const model::Request& State::resolved(model::RequestId id) const {
    const RequestState* known = find_in(requests_, id);
    REEVE_ASSERT(known != nullptr, "a request is interned before it is used");
    return known->resolved;
}

std::optional<ElementKey> State::next_of(JobId id) const {
    const model::JobRecord* record = job(id);
    if (record == nullptr || !record->after.empty() ||
        (record->range.running_max > 0 && record->counts.live() >= record->range.running_max)) {
        return std::nullopt;
    }
    if (const auto waiting = waiting_.find(id); waiting != waiting_.end()) {
        return ElementKey{.job = id, .index = *waiting->second.ready.begin()};
    }
    const std::optional<std::uint32_t> position = record->next_waiting();
    if (record->waiting_state != ElementState::kQueued || !position) {
        return std::nullopt;
    }
    return ElementKey{.job = id, .index = record->index_at(*position)};
}

std::vector<ElementKey> State::live_on(NodeId id) const {
    const auto found = live_.find(id);
    return found == live_.end()
               ? std::vector<ElementKey>{}
               : std::vector<ElementKey>(found->second.begin(), found->second.end());
}

std::vector<JobId> State::dependents_of(JobId id) const {
    const auto found = dependents_.find(id);
    return found == dependents_.end()
               ? std::vector<JobId>{}
               : std::vector<JobId>(found->second.begin(), found->second.end());
}

scheduler::NodeView State::view_of(const NodeState& node) const {
    using scheduler::Availability;
    const Availability availability = node.record.is_drained        ? Availability::kDrained
                                      : !node.liveness.is_reachable ? Availability::kUnreachable
                                      : node.liveness.is_gated      ? Availability::kGated
                                                                    : Availability::kReady;
    return {
        .id = node.record.id,
        .availability = availability,
        .free = node.free,
        .host_total = node.record.host,
        .node_class = node_classes_.class_of(node.record.id)};
}

// ---- Changes.

void State::replace(const Body& body) {
    std::visit([this](const auto& put) { apply(put); }, body);
}

Body State::reversed(const Body& body) {
    return std::visit(
        [](const auto& put) {
            auto back = put;
            std::swap(back.before, back.after);
            return Body(std::move(back));
        },
        body);
}

void State::set_liveness(NodeId id, NodeLiveness liveness) {
    const auto found = nodes_.find(id);
    REEVE_ASSERT(found != nodes_.end(), "liveness is of a node that is known");
    NodeLiveness& old = found->second.liveness;
    const bool places_same =
        liveness.is_reachable == old.is_reachable && liveness.is_gated == old.is_gated;
    const bool reads_same =
        places_same && liveness.gate_text == old.gate_text && liveness.outsiders == old.outsiders;
    old = std::move(liveness);
    if (!reads_same) {
        dirty_nodes_.insert(id);
    }
    if (!places_same) {
        show(id);
    }
}

void State::advance(Instant now) {
    now_ = std::max(now_, now);
    while (!timers_.empty() && timers_.begin()->first <= now_) {
        const ElementKey key = timers_.begin()->second;
        timers_.erase(timers_.begin());
        waiting_[key.job].ready.insert(key.index);
        refresh_queue(key.job);
    }
}

std::optional<Instant> State::next_timer() const {
    return timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first);
}

std::vector<model::RequestId> State::forget_ended() {
    for (const JobId id : ended_jobs_) {
        const model::JobRecord* record = job(id);
        if (record != nullptr && record->counts.ended() == record->range.count()) {
            JobPut put;
            put.before = *record;
            apply(put);
        }
    }
    for (const ElementKey& key : ended_elements_) {
        const ElementRecord* record = element(key);
        if (record != nullptr && is_end(record->state)) {
            elements_.erase(key);
        }
    }
    for (const AllocationId id : released_) {
        const model::AllocationRecord* record = allocation(id);
        if (record != nullptr && is_end(record->state)) {
            allocations_.erase(id);
        }
    }
    ended_jobs_.clear();
    ended_elements_.clear();
    released_.clear();
    return forget_unused_requests();
}

void State::apply(const Put<model::UserRecord>& put) {
    if (put.before) {
        user_ids_.erase(put.before->name);
    }
    if (put.after) {
        user_ids_.insert_or_assign(put.after->name, put.after->id);
    }
    put_in(users_, either(put).id, put.after);
}

void State::apply(const Put<model::ProjectRecord>& put) {
    if (put.before) {
        project_ids_.erase(put.before->name);
    }
    if (put.after) {
        project_ids_.insert_or_assign(put.after->name, put.after->id);
    }
    put_in(projects_, either(put).id, put.after);
    std::vector<ProjectId> above = tree_.above(either(put).id);
    if (put.after) {
        tree_.put(*put.after);
        fair_share_.put_project(*put.after);
    } else {
        tree_.drop(put.before->id);
        fair_share_.drop_project(put.before->id);
    }
    is_fair_share_dirty_ = true;
    core_.free_quota({.project = either(put).id});  // A larger one may let something start.
    retell_dues(put);
    std::ranges::copy(tree_.above(either(put).id), std::back_inserter(above));
    free_guarantees(above);
    if (put.before && put.after && put.before->user_quota != put.after->user_quota) {
        for (const auto& [id, user] : users_) {
            core_.free_quota({.project = either(put).id, .user = id});
        }
    }
    if (!put.before || !put.after) {
        resolve_bookings();
    }
}

namespace {

std::int64_t gpu_milli_of(const std::optional<model::NodeRecord>& node) {
    return node ? std::ranges::count_if(node->gpus, &model::NodeGpu::is_present) *
                      model::kWholeGpuMilli
                : 0;
}

}  // namespace

void State::apply(const Put<model::NodeRecord>& put) {
    const NodeId id = either(put).id;
    tree_.set_capacity(tree_.capacity() + gpu_milli_of(put.after) - gpu_milli_of(put.before));
    free_guarantees({ProjectId(0)});
    if (put.before) {
        for (const model::NodeGpu& gpu : put.before->gpus) {
            gpu_ids_.erase(gpu.uuid);
        }
        node_ids_.erase(put.before->name);
    }
    if (put.after) {
        for (const model::NodeGpu& gpu : put.after->gpus) {
            gpu_ids_.insert_or_assign(gpu.uuid, gpu.id);
        }
        node_ids_.insert_or_assign(put.after->name, id);
        NodeState& node = nodes_[id];
        node.record = *put.after;
        rebuild_free(node);
        node_classes_.put_node(
            id, facts_of(node.record, model::WhichGpus::kPresent, [this](GpuModelId model) {
                return gpu_model_name(model);
            }));
    } else {
        nodes_.erase(id);
        node_classes_.drop_node(id);
        core_.drop_node(id);
    }
    show(id);
    dirty_nodes_.insert(id);
    reclassify();
}

/// Tells the scheduler what became of a node.
void State::show(NodeId id) {
    if (const NodeState* known = node(id)) {
        core_.put_node(view_of(*known));
    }
}

/// Tells the scheduler what holds a part of a node, and until when.
void State::refresh_hold(AllocationId id) {
    const model::AllocationRecord* held = allocation(id);
    if (held == nullptr || is_end(held->state)) {
        core_.drop_hold(id);
        return;
    }
    const model::JobRecord* owner = job(held->task.element.job);
    const ElementRecord* attempt = element(held->task.element);
    const bool is_its = attempt != nullptr && attempt->allocation == id;
    const bool has_started = is_its && attempt->started_at != model::kNever;
    scheduler::Hold hold{
        .node = held->node,
        .grant = held->grant,
        .since = has_started ? attempt->started_at : held->reserved_at,
        .limit = std::chrono::seconds(owner == nullptr ? 0 : owner->time_limit_s),
        .is_ending = is_its && attempt->state == ElementState::kStopping};
    if (is_preemptible(*held)) {
        hold.preemptible = {
            .priority = owner->priority,
            .project = held->project,
            .protected_until = held->task.attempt > 1 ? hold.since + min_run_ : hold.since};
    }
    core_.put_hold(id, hold);
}

bool State::is_preemptible(const model::AllocationRecord& allocation) const {
    const model::JobRecord* owner = job(allocation.task.element.job);
    return owner != nullptr && owner->is_preemptible &&
           allocation.owner == model::AllocationOwner::kTask;
}

void State::rebuild_free(NodeState& node) {
    node.free = {.host = node.record.host};
    for (const model::NodeGpu& gpu : node.record.gpus) {
        if (gpu.is_present) {
            node.free.gpus.push_back({
                .id = gpu.id,
                .model = gpu.model,
                .total_mib = gpu.total_mib,
                .free = {.milli = model::kWholeGpuMilli, .memory_mib = gpu.total_mib}
            });
        }
    }
    for (const AllocationId id : node.allocations) {
        node.free = give_back(std::move(node.free), negated(allocations_.at(id).grant));
    }
}

scheduler::Place State::place_of(const model::JobRecord& job) {
    return {.rank = job.rank, .job = job.id};
}

std::int64_t State::rank_of(const model::JobRecord& job) const {
    return scheduler::rank_of(
        fair_share_.rules(),
        {.priority = job.priority, .submitted_at = job.submitted_at, .load = job.fair_load});
}

std::int64_t State::milli_seconds_of(const model::JobRecord& job) const {
    const std::chrono::seconds limit(job.time_limit_s);
    return scheduler::cost_of(
        fair_share_.rules(), usage_of_one(requests_.at(job.request).record),
        limit.count() > 0 ? limit : assumed_run_);
}

std::shared_ptr<const scheduler::FairShare> State::take_fair_share(
    const std::shared_ptr<const scheduler::FairShare>& last) {
    if (!has_fair_share()) {
        return nullptr;
    }
    return last && !std::exchange(is_fair_share_dirty_, false)
               ? last
               : std::make_shared<const scheduler::FairShare>(fair_share_);
}

scheduler::GroupKey State::group_of(const model::JobRecord& job) {
    return {
        .priority = job.priority,
        .project = job.project,
        .user = job.user,
        .request = job.request,
        .limit = scheduler::planning_limit(std::chrono::seconds(job.time_limit_s)),
        .is_preemptible = job.is_preemptible};
}

void State::apply(const JobPut& put) {
    const JobId id = either(put).id;
    count_requests(put);
    if (put.before) {
        count_job(*put.before, -1);
        for (const model::Dependency& dependency : put.before->after) {
            auto& waiting = dependents_[dependency.job];
            waiting.erase(id);
            if (waiting.empty()) {
                dependents_.erase(dependency.job);
            }
        }
        if (!put.after || place_of(*put.before) != place_of(*put.after) ||
            group_of(*put.before) != group_of(*put.after)) {
            core_.drop_waiting(place_of(*put.before), group_of(*put.before));
        }
    }
    put_in(jobs_, id, put.after);
    free_quota(put);
    if (put.after) {
        count_job(*put.after, 1);
        for (const model::Dependency& dependency : put.after->after) {
            dependents_[dependency.job].insert(id);
        }
        refresh_queue(id);
        if (put.after->counts.ended() == put.after->range.count()) {
            ended_jobs_.push_back(id);
        }
    }
}

void State::refresh_queue(JobId id) {
    const model::JobRecord* record = job(id);
    if (record == nullptr) {
        return;
    }
    const scheduler::GroupKey group = group_of(*record);
    if (next_of(id)) {
        core_.put_waiting(place_of(*record), group);
    } else {
        core_.drop_waiting(place_of(*record), group);
    }
}

void State::apply(const ElementPut& put) {
    if (put.before) {
        unindex_element(*put.before);
    }
    const ElementKey key = either(put).key;
    put_in(elements_, key, put.after);
    if (either(put).node != NodeId(0)) {
        dirty_nodes_.insert(either(put).node);
    }
    if (put.after) {
        index_element(*put.after);
    }
    const auto has_changed = [&put] {
        return put.before->started_at != put.after->started_at ||
               (put.before->state == ElementState::kStopping) !=
                   (put.after->state == ElementState::kStopping);
    };
    if (put.before && put.after && has_changed()) {
        refresh_hold(put.before->allocation);
        refresh_hold(put.after->allocation);
    }
    refresh_queue(key.job);
}

void State::index_element(const ElementRecord& element) {
    if (element.state == ElementState::kQueued) {
        if (element.not_before > now_) {
            timers_.emplace(element.not_before, element.key);
        } else {
            waiting_[element.key.job].ready.insert(element.key.index);
        }
    } else if (is_live(element.state)) {
        live_[element.node].insert(element.key);
    } else if (is_end(element.state)) {
        ended_elements_.push_back(element.key);
    }
}

void State::unindex_element(const ElementRecord& element) {
    timers_.erase({element.not_before, element.key});
    if (const auto found = waiting_.find(element.key.job); found != waiting_.end()) {
        found->second.ready.erase(element.key.index);
        if (found->second.ready.empty()) {
            waiting_.erase(found);
        }
    }
    if (const auto found = live_.find(element.node); found != live_.end()) {
        found->second.erase(element.key);
        if (found->second.empty()) {
            live_.erase(found);
        }
    }
}

void State::count_job(const model::JobRecord& job, std::int64_t sign) {
    for (std::size_t i = 0; i < model::kElementStates; ++i) {
        element_counts_.at(i) += static_cast<std::uint64_t>(sign * job.counts.of.at(i));
    }
    tree_.add(
        job.project, job.user,
        {.running_elements = job.counts.live(), .pending_elements = job.counts.pending()}, sign);
    if (has_fair_share()) {
        const std::int64_t open = job.counts.live() + job.counts.pending();
        fair_share_.plan(job.project, job.user, sign * open * milli_seconds_of(job));
        is_fair_share_dirty_ = true;
    }
}

void State::apply(const Put<model::AllocationRecord>& put) {
    if (put.before && !is_end(put.before->state)) {
        count_allocation(*put.before, -1);
    }
    const AllocationId id = either(put).id;
    put_in(allocations_, id, put.after);
    if (put.after && !is_end(put.after->state)) {
        count_allocation(*put.after, 1);
    }
    if (put.after && is_end(put.after->state)) {
        released_.push_back(id);
    }
    if (put.before && (!put.after || is_end(put.after->state))) {
        free_quota(put.before->project, user_of(*put.before));
    }
    refresh_hold(id);
    show(either(put).node);
    dirty_nodes_.insert(either(put).node);
}

void State::count_allocation(const model::AllocationRecord& allocation, std::int64_t sign) {
    model::Usage amount = scheduler::usage_of(allocation.grant);
    amount.running_elements = 0;  // Its job counts them.
    tree_.add(allocation.project, user_of(allocation), amount, sign);
    if (!is_preemptible(allocation)) {
        tree_.add_firm(allocation.project, sign * amount.gpu_milli);
    }
    scheduler::tell_dues(core_, tree_, allocation.project);

    const auto found = nodes_.find(allocation.node);
    REEVE_ASSERT(found != nodes_.end(), "an allocation is on a node that is known");
    NodeState& node = found->second;
    if (sign > 0) {
        node.allocations.insert(allocation.id);
        node.free = give_back(std::move(node.free), negated(allocation.grant));
    } else {
        node.allocations.erase(allocation.id);
        node.free = give_back(std::move(node.free), allocation.grant);
    }
}

void State::apply(const Put<model::AccountRecord>& put) {
    fair_share_.put_account(either(put).project, either(put).user, put.after);
    is_fair_share_dirty_ = true;
}

void State::apply(const Put<model::ControlRecord>& /*put*/) {
    // For readers: in the store only.
}

void State::apply(const Put<model::IdempotencyRecord>& /*put*/) {
    // The store alone keeps these.
}

}  // namespace reeve::ledger
