#include "controller/controller.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "base/assert.hpp"
#include "model/job_spec.hpp"

namespace reeve::controller {
namespace {

using model::ElementState;

constexpr std::size_t kPlacementsMax = 1000;   // Of one scheduling step.
constexpr std::size_t kRankedAtOnce = 50'000;  // Jobs in one commit, at a start with other rules.
constexpr std::size_t kGroupsMax = 800;        // About 2 ms where each is looked at first.
constexpr std::chrono::seconds kProbeInterval(1);
constexpr std::chrono::seconds kPruneInterval(10);
constexpr std::size_t kPrunedMax = 500;              // Jobs at a time: the writer waits for it.
constexpr std::size_t kKeptDeletionsMax = 100'000;   // For nodes that are silent, all together.
constexpr std::chrono::seconds kUnheardInterval(1);  // Then a hello is tried again.
constexpr std::chrono::seconds kRepeatInterval(30);  // Of orders that nothing came of yet.

/// Looks at every job that is kept, so for a policy that learns alone.
Result<void> remember_arrivals(ledger::Store& store, ledger::Ledger& ledger) {
    if (!scheduler::learns(ledger.options().scheduling.policy)) {
        return {};
    }
    const auto arrivals = store.arrivals();
    if (!arrivals) {
        return tl::unexpected<Error>(arrivals.error());
    }
    for (const ledger::Store::Arrivals& each : *arrivals) {
        ledger.remember(each.request, each.elements);
    }
    return {};
}

}  // namespace

Controller::Controller(
    ledger::Store& store, const ledger::LedgerOptions& options, const ledger::StoreHeader& header)
    : store_(store), header_(header), ledger_(options, header) {}

Result<std::unique_ptr<Controller>> Controller::open(
    ledger::Store& store, const ledger::LedgerOptions& options, Instant now) {
    const Result<ledger::StoreHeader> header = store.open_epoch();
    if (!header) {
        return tl::unexpected<Error>(header.error());
    }
    std::unique_ptr<Controller> made(new Controller(store, options, *header));
    const Result<void> recovered = store.recover(
        [&](ledger::Recovered&& record) { made->ledger_.restore(std::move(record)); });
    if (!recovered) {
        return tl::unexpected<Error>(recovered.error());
    }
    if (Result<void> learnt = remember_arrivals(store, made->ledger_); !learnt) {
        return tl::unexpected<Error>(learnt.error());
    }
    made->ledger_.begin(now);
    bool has_more = true;
    while (has_more) {
        has_more = made->ledger_.rank_anew(kRankedAtOnce);
        if (Result<void> done = made->commit(); !done) {
            return tl::unexpected<Error>(done.error());
        }
        made->ledger_.committed();
    }
    made->publish();
    return made;
}

/// Never back, and never still for long: a back-off must end though a clock was once far ahead.
Instant Controller::ledger_time(Instant wall) {
    time_ = std::max(time_, ledger_.state().now());
    const auto elapsed =
        last_wall_ == model::kNever ? std::chrono::microseconds(0) : wall - last_wall_;
    last_wall_ = wall;
    time_ = wall >= time_ ? wall : time_ + std::max(std::chrono::microseconds(0), elapsed) / 2;
    return time_;
}

TurnResult Controller::turn(std::vector<Request> requests, Instant wall) {
    const Instant now = ledger_time(wall);
    TurnResult result;
    if (!is_writable(now)) {
        keep_hellos(requests);
        for (const Request& request : requests) {
            if (request.ticket != 0) {
                result.answers.push_back(
                    {.ticket = request.ticket, .reply = tl::unexpected<Error>(*storage_error_)});
            }
        }
        return result;
    }
    add_missed_hellos(requests);
    keep_hellos(requests);
    std::set<std::string> unheard;
    for (Request& request : requests) {
        const std::string greets = greeting_node(request.command);
        Result<ledger::Reply> reply = apply(std::move(request.command), now);
        if (!reply && !greets.empty()) {
            unheard.insert(greets);
            note_trouble(result, reply.error());
        }
        if (request.ticket != 0) {
            result.answers.push_back({.ticket = request.ticket, .reply = std::move(reply)});
        }
    }
    if (requests.empty()) {
        // Nothing but time has passed.
        [[maybe_unused]] const Result<ledger::Reply> ticked = apply(ledger::Tick{}, now);
    }
    result.has_more = ledger_.schedule(kPlacementsMax, kGroupsMax);
    result.change_count = ledger_.changes().size();
    if (const Result<void> done = commit(); !done) {
        take_back(result, done.error(), now);
    } else {
        std::erase_if(hellos_, [&](const auto& entry) { return !unheard.contains(entry.first); });
        add_orders(result.orders);
        ledger_.committed();
        add_greetings(result.orders, now);
        add_deletions(result, now);
    }
    publish();
    result.view = view_;
    return result;
}

/// The node that says hello by `command`; "" if none does.
std::string Controller::greeting_node(const ledger::Command& command) {
    const auto* report = std::get_if<ledger::Report>(&command);
    const auto* hello =
        report == nullptr ? nullptr : std::get_if<model::NodeHello>(&report->report);
    return hello == nullptr ? std::string() : hello->node;
}

void Controller::note_trouble(TurnResult& result, const Error& error) {
    result.troubles.push_back(error);
}

/// A node that the ledger has never heard of cannot be asked to say hello again, so a hello that
/// could not be made durable, or looked up, is kept until it can.
void Controller::keep_hellos(const std::vector<Request>& requests) {
    for (const Request& request : requests) {
        const auto* report = std::get_if<ledger::Report>(&request.command);
        if (report == nullptr) {
            continue;
        }
        if (const auto* hello = std::get_if<model::NodeHello>(&report->report)) {
            hellos_.insert_or_assign(hello->node, *hello);
        }
    }
}

void Controller::add_missed_hellos(std::vector<Request>& requests) {
    std::vector<Request> missed;
    missed.reserve(hellos_.size());
    for (auto& [node, hello] : hellos_) {
        missed.push_back({.ticket = 0, .command = ledger::Report{std::move(hello)}});
    }
    hellos_.clear();
    requests.insert(
        requests.begin(), std::make_move_iterator(missed.begin()),
        std::make_move_iterator(missed.end()));
}

/// The commit failed: nothing of this turn has happened.
void Controller::take_back(TurnResult& result, const Error& error, Instant now) {
    ledger_.undo();
    storage_error_ = error;
    probed_at_ = now;
    asks_all_ = true;
    result.has_more = false;
    result.change_count = 0;
    for (Answer& answer : result.answers) {
        if (answer.reply) {  // What was refused stays refused.
            answer.reply = tl::unexpected<Error>(error);
        }
    }
}

Result<ledger::Reply> Controller::apply(ledger::Command command, Instant now) {
    Result<ledger::Lookups> lookups = look_up(command);
    if (!lookups) {
        return tl::unexpected<Error>(std::move(lookups.error()));
    }
    return ledger_.apply(std::move(command), *lookups, now);
}

/// What the ledger has to know of things that have left its memory.
Result<ledger::Lookups> Controller::look_up(const ledger::Command& command) {
    ledger::Lookups lookups;
    for (const JobId id : ledger_.unknown_jobs(command)) {
        Result<std::optional<model::StateCounts>> counts = store_.counts_of(id);
        if (!counts) {
            return tl::unexpected<Error>(std::move(counts.error()));
        }
        Result<std::optional<UserId>> owner = store_.owner_of(id);
        if (!owner) {
            return tl::unexpected<Error>(std::move(owner.error()));
        }
        if (*counts && *owner) {
            lookups.ended_jobs.emplace(id, ledger::EndedJob{.user = **owner, .counts = **counts});
        }
    }
    for (const model::TaskKey& key : ledger_.unknown_tasks(command)) {
        Result<std::optional<model::ElementRecord>> attempt =
            store_.attempt_of(key.element, key.attempt);
        if (!attempt) {
            return tl::unexpected<Error>(std::move(attempt.error()));
        }
        if (*attempt && (*attempt)->ended_at != model::kNever) {
            lookups.ended_attempts.insert(key);
        }
    }
    auto earlier = look_up_request(command);
    if (!earlier) {
        return tl::unexpected<Error>(std::move(earlier.error()));
    }
    lookups.earlier_request = *std::move(earlier);
    return lookups;
}

Result<std::optional<model::IdempotencyRecord>> Controller::look_up_request(
    const ledger::Command& command) {
    const auto* submission = std::get_if<ledger::SubmitJobs>(&command);
    if (submission == nullptr || submission->idempotency_key.empty()) {
        return std::nullopt;
    }
    const model::UserRecord* user = ledger_.state().user_named(submission->actor.identity.user);
    if (user == nullptr) {
        return std::nullopt;
    }
    return store_.request_of(user->id, submission->idempotency_key);
}

Result<void> Controller::commit() {
    if (ledger_.changes().empty()) {
        return {};
    }
    return store_.commit(header_.epoch, ledger_.changes());
}

bool Controller::is_writable(Instant now) {
    if (!storage_error_) {
        return true;
    }
    if (now - probed_at_ < kProbeInterval) {
        return false;
    }
    probed_at_ = now;
    const Result<void> probed = store_.probe();
    if (probed) {
        storage_error_.reset();
    } else {
        storage_error_ = probed.error();
    }
    publish();
    return probed.has_value();
}

void Controller::add_orders(std::vector<Order>& orders) {
    for (const ledger::Change& change : ledger_.changes()) {
        const auto* put = std::get_if<ledger::ElementPut>(&change.body);
        if (put == nullptr || !put->after) {
            continue;
        }
        // Only what is still so at the end of the turn.
        const model::ElementRecord* now = ledger_.state().element(put->after->key);
        if (now != nullptr && *now == *put->after) {
            add_element_order(orders, *now);
        }
    }
    for (const auto& [node, key] : ledger_.take_acknowledged()) {
        orders.push_back({.node = node_name(node), .order = model::AcknowledgeEnd{.key = key}});
    }
    for (const auto& [node, key] : ledger_.take_unwanted()) {
        orders.push_back({.node = node_name(node), .order = model::StopTask{.key = key}});
    }
}

/// An agent that said hello is told again what is wanted of it, and every agent now and then:
/// orders may have been lost. Costs the live elements, at an interval.
void Controller::add_greetings(std::vector<Order>& orders, Instant now) {
    std::set<NodeId> greeted = ledger_.take_greeted();
    if (now - repeated_at_ >= kRepeatInterval || now < repeated_at_) {
        repeated_at_ = now;
        for (const auto& [id, node] : ledger_.state().nodes()) {
            greeted.insert(id);
        }
    }
    add_kept_deletions(orders, greeted);
    for (const NodeId node : greeted) {
        for (const model::ElementKey& key : ledger_.state().live_on(node)) {
            add_element_order(orders, *ledger_.state().element(key));
        }
    }
    if (std::exchange(asks_all_, false)) {
        for (const auto& [id, node] : ledger_.state().nodes()) {
            orders.push_back({.node = node.record.name, .order = model::ReportAll{}});
        }
    }
}

/// Deletes what ended long enough ago, a little at a time, and the logs with it. A failure is not
/// the turn's: the same jobs are there the next time.
void Controller::add_deletions(TurnResult& result, Instant now) {
    const std::optional<std::chrono::hours>& kept = ledger_.options().ended_jobs_kept;
    if (!kept || now - pruned_at_ < kPruneInterval) {
        return;
    }
    pruned_at_ = now;
    const auto pruned = store_.prune(now + -std::chrono::microseconds(*kept), kPrunedMax);
    if (!pruned) {
        note_trouble(result, Error(pruned.error()).with_context("delete old jobs"));
        return;
    }
    for (const ledger::Store::PrunedTask& task : *pruned) {
        const ledger::NodeState* node = ledger_.state().node(task.node);
        if (node != nullptr && node->liveness.is_reachable) {
            result.orders.push_back(
                {.node = node->record.name, .order = model::DeleteTask{.key = task.key}});
        } else if (node != nullptr && kept_deletion_count_ < kKeptDeletionsMax) {
            kept_deletions_[task.node].push_back(task.key);
            ++kept_deletion_count_;
        } else if (node != nullptr) {
            note_trouble(
                result, {ErrorCode::kLimit,
                         node->record.name + " does not answer, and keeps the logs of task " +
                             to_string(task.key),
                         "too many deletions wait for nodes"});
        }
    }
}

/// What was deleted while a node was silent, now that it answers again.
void Controller::add_kept_deletions(std::vector<Order>& orders, const std::set<NodeId>& greeted) {
    for (const NodeId id : greeted) {
        const auto kept = kept_deletions_.find(id);
        if (kept == kept_deletions_.end() || !ledger_.state().node(id)->liveness.is_reachable) {
            continue;
        }
        for (const model::TaskKey& key : kept->second) {
            orders.push_back({.node = node_name(id), .order = model::DeleteTask{.key = key}});
        }
        kept_deletion_count_ -= kept->second.size();
        kept_deletions_.erase(kept);
    }
}

void Controller::add_element_order(
    std::vector<Order>& orders, const model::ElementRecord& element) {
    if (element.state == ElementState::kScheduled) {
        if (std::optional<model::TaskOrder> order = task_order(element)) {
            const model::NodeRecord& node = ledger_.state().node(element.node)->record;
            orders.push_back({
                .node = node.name,
                .order = model::StartTask{.order = *std::move(order), .boot_id = node.boot_id}
            });
        }
    } else if (element.state == ElementState::kStopping) {
        orders.push_back({
            .node = node_name(element.node),
            .order = model::StopTask{
                                     .key = {.element = element.key, .attempt = element.attempt},
                                     .is_forced = element.is_forced}
        });
    }
}

/// Nothing if the spec cannot be read now: the order is given again when the agent says hello.
std::optional<model::TaskOrder> Controller::task_order(const model::ElementRecord& element) {
    const ledger::State& state = ledger_.state();
    const model::JobRecord& job = *state.job(element.key.job);
    const model::UserRecord& user = *state.user(job.user);
    const model::AllocationRecord& allocation = *state.allocation(element.allocation);
    Result<std::string> spec = store_.spec_of(job.id);
    if (!spec) {
        asks_all_ = true;
        return std::nullopt;
    }
    model::TaskOrder order{
        .key = {.element = element.key, .attempt = element.attempt},
        .cluster_id = header_.cluster_id,
        .identity = {.user = user.name, .uid = user.uid, .gid = user.gid},
        .project = state.project(job.project)->name,
        .array_count = job.is_array ? job.range.count() : 0,
        .cpu_millicores = allocation.grant.host.cpu_millicores,
        .memory_mib = allocation.grant.host.memory_mib,
        .time_limit_s = job.time_limit_s,
        .spec_json = *std::move(spec)
    };
    const ledger::NodeState& node = *state.node(element.node);
    for (const model::GpuGrant& granted : allocation.grant.gpus) {
        for (const model::NodeGpu& gpu : node.record.gpus) {
            if (gpu.id == granted.gpu) {
                order.gpus.push_back(
                    {.uuid = gpu.uuid,
                     .milli = granted.amount.milli,
                     .memory_mib = granted.amount.memory_mib,
                     .is_whole = granted.amount.milli == model::kWholeGpuMilli &&
                                 granted.amount.memory_mib == gpu.total_mib});
            }
        }
    }
    return order;
}

std::string Controller::node_name(NodeId id) const {
    const ledger::NodeState* node = ledger_.state().node(id);
    REEVE_ASSERT(node != nullptr, "orders are for nodes that are known");
    return node->record.name;
}

std::optional<Instant> Controller::next_wakeup() const {
    if (storage_error_) {
        return probed_at_ + kProbeInterval;
    }
    std::optional<Instant> next = ledger_.next_wakeup();
    if (!hellos_.empty()) {
        const Instant again = time_ + kUnheardInterval;
        next = next ? std::min(*next, again) : again;
    }
    return next;
}

}  // namespace reeve::controller
