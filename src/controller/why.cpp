#include "controller/why.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/text.hpp"
#include "base/utc.hpp"
#include "controller/conflicts.hpp"
#include "controller/why_words.hpp"
#include "ledger/command.hpp"
#include "scheduler/quota.hpp"
#include "scheduler/timeline.hpp"

namespace reeve::controller {
namespace {

using model::ElementState;
using scheduler::Reason;

/// The most that `job` takes: of a share by memory, what it is of the largest GPU is not known
/// before it is placed, and counts as nothing.
model::Usage usage_of(const ledger::JobRow& job) {
    return {
        .gpu_milli = job.gpus.count * model::kWholeGpuMilli + job.gpus.milli,
        .cpu_millicores = job.host.cpu_millicores,
        .memory_mib = job.host.memory_mib,
        .running_elements = 1};
}

/// The classes of the view of which one node, and so all, are as `on` says. Sorted.
std::vector<NodeClassId> node_classes_of(const std::string& on, const View& view) {
    const auto expression = model::parse_node_expression(on);
    std::map<NodeClassId, bool> holds_of;
    for (const auto& node : view.nodes) {
        const auto [known, is_new] = holds_of.try_emplace(node->view.node_class, false);
        known->second =
            is_new ? expression && holds(*expression, facts_in(view, *node)) : known->second;
    }
    std::vector<NodeClassId> classes;
    for (const auto& [id, does_hold] : holds_of) {
        if (does_hold) {
            classes.push_back(id);
        }
    }
    return classes;
}

class Explanation {
  public:
    Explanation(const Waiter& waiter, const View& view, const Viewer& viewer)
        : waiter_(waiter), job_(waiter.job), view_(view), viewer_(viewer) {
        if (!job_.on.empty()) {
            on_ = model::parse_node_expression(job_.on);
        }
    }

    [[nodiscard]] bool is_pending() const {
        return waiter_.state ? *waiter_.state == ElementState::kQueued ||
                                   *waiter_.state == ElementState::kHeld
                             : job_.record.counts.pending() > 0;
    }

    void add_own() {
        const model::JobRecord& record = job_.record;
        const bool is_held = waiter_.state ? *waiter_.state == ElementState::kHeld
                                           : record.counts[ElementState::kQueued] == 0;
        if (is_held) {
            add(
                {.kind = BlockerKind::kHeld,
                 .text = "it is held; `reeve release " + id() + "` lets it go"});
        }
        for (std::size_t i = 0; i < record.after.size(); ++i) {
            const model::Dependency& dependency = record.after[i];
            const auto own = record.after.begin() + static_cast<std::ptrdiff_t>(i);
            if (std::find(record.after.begin(), own, dependency) != own) {
                continue;  // Asked for twice.
            }
            const std::string other = to_string(dependency.job);
            constexpr std::array<const char*, 3> kWords = {"succeed", "end", "end without success"};
            add(
                {.kind = BlockerKind::kDependency,
                 .text = "job " + other + " has to " +
                         kWords.at(static_cast<std::size_t>(dependency.kind)) + " first",
                 .what = other});
        }
        const auto& attempt = waiter_.state ? waiter_.attempt : job_.element;
        if (attempt && attempt->state == ElementState::kQueued && attempt->not_before > view_.at) {
            add(
                {.kind = BlockerKind::kBackoff,
                 .text = "attempt " + std::to_string(attempt->attempt) + " waits until " +
                         format_seconds(attempt->not_before) + " after the failure before"});
        }
        const std::uint32_t running_max = record.range.running_max;
        if (running_max > 0 && record.counts.live() >= running_max) {
            add(
                {.kind = BlockerKind::kArrayLimit,
                 .text = std::to_string(record.counts.live()) +
                         " of its elements run, and it lets " + std::to_string(running_max) +
                         " run at once",
                 .asked = 1});
        }
    }

    void add_quotas() {
        for (const scheduler::Excess& excess :
             scheduler::excess(view_.limits, view_.usage, usage_of(job_))) {
            add_excess(BlockerKind::kClusterLimit, "the cluster", excess, [](const Holding&) {
                return true;
            });
        }
        std::string name = job_.project;
        while (!name.empty()) {
            const auto project = std::ranges::find_if(
                view_.projects, [&](const auto& any) { return any.record.name == name; });
            if (project == view_.projects.end()) {
                break;
            }
            if (name == job_.project) {
                for (const scheduler::Excess& excess : scheduler::excess(
                         project->record.user_quota,
                         usage_of_user(view_, project->record.id, job_.record.user),
                         usage_of(job_))) {
                    add_excess(
                        BlockerKind::kQuota, job_.user + " in project " + name, excess,
                        [&](const Holding& holding) {
                            return holding.user == job_.user && is_within(holding.project, name);
                        });
                }
            }
            for (const scheduler::Excess& excess :
                 scheduler::excess(project->record.quota, project->usage, usage_of(job_))) {
                add_excess(
                    BlockerKind::kQuota, "project " + name, excess,
                    [&](const Holding& holding) { return is_within(holding.project, name); });
            }
            name = project->parent;
        }
        add_guarantees();
    }

    /// What is lent, and may be to those alone who can be stopped.
    void add_guarantees() {
        const auto own = std::ranges::find_if(
            view_.projects, [&](const auto& any) { return any.record.name == job_.project; });
        if (!view_.guarantees || own == view_.projects.end() || job_.record.is_preemptible) {
            return;
        }
        const model::Usage gpus{.gpu_milli = usage_of(job_).gpu_milli};
        const auto lacks = view_.guarantees->without_guarantees_for(own->record.id, gpus.gpu_milli);
        if (!lacks) {
            return;
        }
        const auto whose = std::ranges::find_if(
            view_.projects, [&](const auto& any) { return any.record.id == lacks->project; });
        const std::string of =
            whose == view_.projects.end() ? "the cluster" : "project " + whose->record.name;
        add(
            {.kind = BlockerKind::kGuarantee,
             .text =
                 "what is left of the GPUs of " + of +
                 " is guaranteed to other projects, and lent to preemptible jobs only; project " +
                 job_.project + " is guaranteed " +
                 format_milli(view_.guarantees->guaranteed(own->record.id)) + " GPUs and holds " +
                 format_milli(own->usage.gpu_milli),
             .what = of,
             .asked = gpus.gpu_milli});
    }

    void add_nodes() {
        if (view_.nodes.empty()) {
            add({.kind = BlockerKind::kNoNode, .text = "no node has reported yet"});
            return;
        }
        std::vector<scheduler::NodeView> nodes;
        nodes.reserve(view_.nodes.size());
        for (const auto& node : view_.nodes) {
            nodes.push_back(seen(*node));
        }
        const std::vector<scheduler::Refusal> refusals = scheduler::explain(request(), nodes);
        // A node that would take it leaves nothing for the others to stand in the way of.
        std::set<NodeId> refusing;
        for (const scheduler::Refusal& refusal : refusals) {
            refusing.insert(refusal.node);
        }
        std::vector<Blocker> keeping;
        for (const auto& node : view_.nodes) {
            const bool has_room = !refusing.contains(node->record.id);
            auto blocker = has_room ? booked_on(*node) : std::nullopt;
            blocker = has_room && !blocker ? reserved_on(*node) : blocker;
            if (blocker) {
                refusing.insert(node->record.id);
                keeping.push_back(*std::move(blocker));
            }
        }
        const bool is_binding = refusing.size() == nodes.size();
        std::ranges::move(keeping, std::back_inserter(is_binding ? binding_ : rest_));
        for (const scheduler::Refusal& refusal : refusals) {
            const auto node = std::ranges::find_if(
                view_.nodes, [&](const auto& any) { return any->record.id == refusal.node; });
            add_refusal(**node, refusal, is_binding);
        }
    }

    /// What is kept for it.
    [[nodiscard]] std::optional<Kept> kept() const {
        for (const KeptRoom& room : view_.kept) {
            if (room.reservation.job != job_.record.id) {
                continue;
            }
            Kept kept{.at = room.reservation.at};
            for (const scheduler::Placed& part : room.reservation.parts) {
                for (const auto& node : view_.nodes) {
                    if (node->record.id == part.node) {
                        kept.nodes.push_back(node->record.name);
                        kept.is_assumed = kept.is_assumed ||
                                          std::ranges::any_of(node->holdings, [](const auto& each) {
                                              return each.limit.count() == 0;
                                          });
                    }
                }
            }
            return kept;
        }
        return std::nullopt;
    }

    void add_order(std::uint64_t position) {
        if (position <= 1) {
            return;
        }
        const bool is_exact = position <= ledger::kPositionMax;
        const std::string ahead = is_exact ? std::to_string(position - 1)
                                           : "more than " + std::to_string(ledger::kPositionMax);
        rest_.push_back(
            {.kind = BlockerKind::kOrder,
             .text =
                 ahead + " pending " + (position == 2 ? "job is" : "jobs are") + " looked at first",
             .asked = static_cast<std::int64_t>(position - 1)});
    }

    [[nodiscard]] Why finish(std::optional<std::uint64_t> position) && {
        Why why{
            .blockers = std::move(binding_),
            .binding_count = 0,
            .position = position,
            .kept = kept()};
        why.binding_count = why.blockers.size();
        std::ranges::move(rest_, std::back_inserter(why.blockers));
        return why;
    }

  private:
    [[nodiscard]] model::NodeFacts facts_of(const NodeStatus& node) const {
        return facts_in(view_, node);
    }

    /// Of the class 1 if the job may run there, else 0: a job that is only tried has an expression
    /// that the ledger sorts no nodes by.
    [[nodiscard]] scheduler::NodeView seen(const NodeStatus& node) const {
        scheduler::NodeView view = node.view;
        const bool may_run = !on_ || (*on_ && holds(**on_, facts_of(node)));
        view.node_class = NodeClassId(may_run ? 1 : 0);
        return view;
    }

    /// As the classes of seen() have it.
    [[nodiscard]] model::Request request() const {
        model::Request request = resolved_request(job_, view_);
        request.node_classes = std::vector{NodeClassId(1)};
        return request;
    }

    /// As `reeve release` takes it.
    [[nodiscard]] std::string id() const {
        const model::JobRecord& record = job_.record;
        return waiter_.state
                   ? model::to_string({.job = record.id, .index = waiter_.index}, record.is_array)
                   : to_string(record.id);
    }

    void add(Blocker blocker) { binding_.push_back(std::move(blocker)); }

    /// True of `project` itself, and of what is below it.
    [[nodiscard]] bool is_within(std::string project, const std::string& above) const {
        while (!project.empty() && project != above) {
            const auto found = std::ranges::find_if(
                view_.projects, [&](const auto& any) { return any.record.name == project; });
            project = found == view_.projects.end() ? "" : found->parent;
        }
        return !project.empty();
    }

    /// `counts` says which tasks are counted.
    template <class Counts>
    void add_excess(
        BlockerKind kind,
        const std::string& whose,
        const scheduler::Excess& excess,
        const Counts& counts) {
        std::vector<Holder> holders;
        for (const auto& node : view_.nodes) {
            for (const Holding& holding : node->holdings) {
                if (holding.allocation.owner == model::AllocationOwner::kTask && counts(holding) &&
                    holds_some(holding.allocation.grant, excess.what)) {
                    holders.push_back(holder_of(holding));
                }
            }
        }
        sort_by_end(holders);
        add(
            {.kind = kind,
             .text = whose + " may hold " + amount_text(excess.what, excess.limit) + ", holds " +
                     amount_text(excess.what, excess.used) + ", and this needs " +
                     amount_text(excess.what, excess.asked),
             .what = std::string(excess.what),
             .asked = excess.asked,
             .free = excess.limit - excess.used,
             .holders = std::move(holders)});
    }

    void add_refusal(const NodeStatus& node, const scheduler::Refusal& refusal, bool is_binding) {
        Blocker blocker{
            .kind = BlockerKind::kNode,
            .node = node.record.name,
            .asked = refusal.asked,
            .free = refusal.free};
        const std::string& name = node.record.name;
        switch (refusal.reason) {
            case Reason::kLabels:
                blocker.what = "labels";
                blocker.text = name + " is not one it may run on" +
                               (on_ && *on_ ? ": " + model::why_not(**on_, facts_of(node)) : "");
                break;
            case Reason::kDrained:
                blocker.what = "drained";
                blocker.text =
                    name + " is drained" +
                    (node.record.drain_reason.empty() ? "" : " (" + node.record.drain_reason + ")");
                break;
            case Reason::kUnreachable:
                blocker.what = "unreachable";
                blocker.text = name + " does not answer since " + format_seconds(node.heard_at);
                break;
            case Reason::kGated:
                blocker.what = "gate";
                blocker.text = name + " is held back by the availability rule: " + node.gate_text;
                break;
            case Reason::kTooSmall:
                blocker.what = "size";
                blocker.text = name + " is too small for it" + lost_text(node);
                break;
            case Reason::kCpuShort:
                blocker.what = "cpu";
                blocker.text = name + " has " + format_milli(refusal.free) +
                               " CPUs free, this needs " + format_milli(refusal.asked);
                break;
            case Reason::kMemoryShort:
                blocker.what = "memory";
                blocker.text = name + " has " + format_mib(refusal.free) +
                               " of memory free, this needs " + format_mib(refusal.asked);
                break;
            case Reason::kGpuShort:
                blocker.what = "gpu";
                blocker.text = name + " " + gpu_text(job_.gpus, refusal);
                break;
        }
        if (blocker.what == "cpu" || blocker.what == "memory" || blocker.what == "gpu") {
            blocker.holders = holders_of(node, blocker.what);
        }
        std::vector<Blocker>& list = is_binding ? binding_ : rest_;
        list.push_back(std::move(blocker));
        if (list.back().what == "gpu") {
            add_conflicts(node, list);
        }
    }

    [[nodiscard]] std::chrono::seconds run() const {
        const std::chrono::seconds limit(job_.record.time_limit_s);
        return limit.count() > 0 ? scheduler::planning_limit(limit) : view_.scheduling.assumed_run;
    }

    /// How long it may run on a node that has room, less than `run()`; nothing if so long.
    [[nodiscard]] std::optional<std::chrono::seconds> too_short_on(const NodeStatus& node) const {
        model::Request here = request();
        here.node_classes.reset();  // It has room, so it is one that the job may run on.
        const std::chrono::seconds longest = scheduler::longest_limit(
            timeline_of(node, view_, job_.record.id, job_.project).longest_run(here, view_.at));
        return run() <= longest ? std::nullopt : std::optional(longest);
    }

    /// The first booking of the node for others that it would run into.
    [[nodiscard]] const BookingStatus* booking_on(const NodeStatus& node) const {
        const BookingStatus* first = nullptr;
        for (const BookingStatus& each : *view_.bookings) {
            const scheduler::Booking& booking = *each.booking;
            const bool is_in_the_way =
                booking.part_on(node.record.id) != nullptr && booking.until > view_.at &&
                booking.from < view_.at + run() && !lets_in(each, view_, job_.project);
            if (is_in_the_way && (first == nullptr || booking.from < first->booking->from)) {
                first = &each;
            }
        }
        return first;
    }

    /// If what the node has room for now is for others before it would end.
    [[nodiscard]] std::optional<Blocker> booked_on(const NodeStatus& node) const {
        const BookingStatus* booking = booking_on(node);
        const auto longest = booking == nullptr ? std::nullopt : too_short_on(node);
        if (!longest) {
            return std::nullopt;
        }
        const model::BookedPart& part = *booking->booking->part_on(node.record.id);
        const std::string what =
            part.is_whole ? node.record.name + " is"
            : part.gpus.size() == 1
                ? "1 GPU of " + node.record.name + " is"
                : std::to_string(part.gpus.size()) + " GPUs of " + node.record.name + " are";
        const std::chrono::seconds limit(job_.record.time_limit_s);
        return Blocker{
            .kind = BlockerKind::kBooked,
            .text = what + " reserved for " +
                    (booking->project.empty() ? "maintenance" : "project " + booking->project) +
                    " from " + format_seconds(booking->record.from) + " until " +
                    format_seconds(booking->record.until) + hint(limit, *longest, "fit before it"),
            .node = node.record.name,
            .what = "time_limit",
            .asked = limit.count(),
            .free = longest->count()};
    }

    /// The first room that the node keeps for somebody else.
    [[nodiscard]] const KeptRoom* promise_to_others(const NodeStatus& node) const {
        const KeptRoom* first = nullptr;
        for (const KeptRoom& room : view_.kept) {
            const bool is_here = std::ranges::any_of(room.reservation.parts, [&](const auto& part) {
                return part.node == node.record.id;
            });
            if (first == nullptr && is_here && room.reservation.job != job_.record.id) {
                first = &room;
            }
        }
        return first;
    }

    /// If the node keeps its room for somebody whom this job would delay. Its own room is its own.
    [[nodiscard]] std::optional<Blocker> reserved_on(const NodeStatus& node) const {
        const KeptRoom* first = promise_to_others(node);
        if (first == nullptr) {
            return std::nullopt;
        }
        const std::optional<std::chrono::seconds> longest = too_short_on(node);
        if (!longest) {
            return std::nullopt;
        }
        const std::chrono::seconds limit(job_.record.time_limit_s);
        return Blocker{
            .kind = BlockerKind::kReserved,
            .text = node.record.name + " has room, but keeps it for " + owner_of(*first) +
                    " from " + format_seconds(first->reservation.at) + " on" +
                    hint(limit, *longest, "let it pass"),
            .node = node.record.name,
            .what = "time_limit",
            .asked = limit.count(),
            .free = longest->count()};
    }

    [[nodiscard]] std::string owner_of(const KeptRoom& room) const {
        return ledger::Reach{.user = viewer_.user, .is_admin = viewer_.is_admin}.covers(room.user)
                   ? "job " + to_string(room.reservation.job) + " of " + room.user
                   : "another job before it";
    }

    /// Who has what is short.
    [[nodiscard]] std::vector<Holder> holders_of(
        const NodeStatus& node, const std::string& what) const {
        std::vector<Holder> holders;
        for (const Holding& holding : node.holdings) {
            if (holds_some(holding.allocation.grant, what)) {
                holders.push_back(holder_of(holding));
            }
        }
        sort_by_end(holders);
        return holders;
    }

    /// As far as the viewer may know it.
    [[nodiscard]] Holder holder_of(const Holding& holding) const {
        Holder holder{
            .is_external = holding.allocation.owner == model::AllocationOwner::kExternal,
            .until = holding.until};
        const ledger::Reach reach{.user = viewer_.user, .is_admin = viewer_.is_admin};
        if (!reach.covers(holding.user)) {
            return holder;
        }
        if (holder.is_external) {
            holder.process = holding.name;
        } else {
            holder.element = model::to_string(holding.allocation.task.element, holding.is_array);
        }
        holder.user = holding.user;
        holder.project = holding.project;
        return holder;
    }

    const Waiter& waiter_;
    const ledger::JobRow& job_;
    const View& view_;
    const Viewer& viewer_;
    std::optional<Result<model::NodeExpression>> on_ = {};
    std::vector<Blocker> binding_ = {};
    std::vector<Blocker> rest_ = {};
};

}  // namespace

model::NodeFacts facts_in(const View& view, const NodeStatus& node) {
    return model::facts_of(node.record, model::WhichGpus::kPresent, [&](GpuModelId model) {
        const auto name = view.gpu_models.find(model);
        return name == view.gpu_models.end() ? std::string() : name->second;
    });
}

model::Request resolved_request(const ledger::JobRow& job, const View& view) {
    std::optional<std::vector<GpuModelId>> models;
    if (!job.gpus.model.empty()) {
        models.emplace();
        for (const auto& [id, name] : view.gpu_models) {
            if (model::is_model(job.gpus.model, name)) {
                models->push_back(id);
            }
        }
    }
    model::Request request = model::request_of(job.gpus, job.host, std::move(models));
    if (!job.on.empty()) {
        request.node_classes = node_classes_of(job.on, view);
    }
    return request;
}

Why why_pending(
    const ledger::JobRow& job,
    std::optional<std::uint64_t> position,
    const View& view,
    const Viewer& viewer) {
    return why_pending(Waiter{.job = job}, position, view, viewer);
}

Why why_pending(
    const Waiter& waiter,
    std::optional<std::uint64_t> position,
    const View& view,
    const Viewer& viewer) {
    Explanation explanation(waiter, view, viewer);
    if (!explanation.is_pending()) {
        return {};
    }
    explanation.add_own();
    explanation.add_quotas();
    explanation.add_nodes();
    if (position) {
        explanation.add_order(*position);
    }
    return std::move(explanation).finish(position);
}

void add_changes(Why& why, const Waiter& waiter, const View& view, Instant now) {
    const std::vector<Blocker> binding(
        why.blockers.begin(),
        why.blockers.begin() + static_cast<std::ptrdiff_t>(why.binding_count));
    why.changes = changes_for(waiter, binding, view, now);
}

std::string_view word_of(BlockerKind kind) {
    switch (kind) {
        case BlockerKind::kHeld:         return "held";
        case BlockerKind::kDependency:   return "dependency";
        case BlockerKind::kBackoff:      return "backoff";
        case BlockerKind::kArrayLimit:   return "array_limit";
        case BlockerKind::kClusterLimit: return "cluster_limit";
        case BlockerKind::kQuota:        return "quota";
        case BlockerKind::kGuarantee:    return "guarantee";
        case BlockerKind::kNoNode:       return "no_node";
        case BlockerKind::kNode:         return "node";
        case BlockerKind::kReserved:     return "reserved";
        case BlockerKind::kBooked:       return "reservation";
        case BlockerKind::kOrder:        return "order";
    }
    return "node";
}

}  // namespace reeve::controller
