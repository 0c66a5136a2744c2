#include "ledger/booking_rules.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/utc.hpp"
#include "ledger/refusals.hpp"
#include "model/node_expression.hpp"
#include "model/spec_rules.hpp"
#include "scheduler/timeline.hpp"

namespace reeve::ledger {
namespace {

using model::BookedPart;
using model::BookingRecord;

/// Something that still runs there when the booking begins.
struct Obstacle {
    const model::AllocationRecord* allocation = nullptr;
    Instant until = model::kNever;
    bool has_limit = false;
};

/// A node with what would be booked of it.
struct Candidate {
    BookedPart part = {};
    std::vector<Obstacle> obstacles = {};
    bool is_ready = false;

    [[nodiscard]] auto rank() const {
        return std::tuple(!obstacles.empty(), !is_ready, obstacles.size(), part.node);
    }
};

class Rules {
  public:
    Rules(const PutBooking& command, const State& state, std::chrono::seconds assumed_run)
        : command_(command), state_(state), clock_(scheduler::NodeView{}, assumed_run) {}

    Result<BookingRecord> make() {
        record_.name = command_.name;
        record_.from = command_.from.value_or(state_.now());
        record_.until = command_.until;
        record_.release_after_s = command_.release_after_s;
        record_.made_by = command_.actor.identity.user;
        return check_name()
            .and_then([&] { return check_times(); })
            .and_then([&] { return check_project(); })
            .and_then([&] { return check_amount(); })
            .and_then([&] { return command_.nodes.empty() ? choose() : take_named(); })
            .map([&] {
                std::ranges::sort(record_.parts, {}, &BookedPart::node);
                return std::move(record_);
            });
    }

  private:
    [[nodiscard]] Result<void> check_name() const {
        if (const std::string fault = model::fault_of_project(record_.name); !fault.empty()) {
            const std::string rule = fault.substr(std::string_view("a project's").size());
            return fail(ErrorCode::kInvalid, "name: a reservation's" + rule);
        }
        if (state_.booking_named(record_.name) != nullptr) {
            return fail(
                ErrorCode::kConflict, "there is a reservation '" + record_.name +
                                          "' already; remove it, or take another name");
        }
        if (state_.bookings().size() >= kBookingsMax) {
            return fail(
                ErrorCode::kLimit, "there are " + std::to_string(kBookingsMax) +
                                       " reservations already, the most that there may be");
        }
        return {};
    }

    [[nodiscard]] Result<void> check_times() const {
        const Instant now = state_.now();
        if (record_.from < now) {
            return fail(
                ErrorCode::kInvalid, "start: " + format_seconds(record_.from) + " is over, it is " +
                                         format_seconds(now) + "; leave it out to begin now");
        }
        if (record_.until <= record_.from) {
            return fail(
                ErrorCode::kInvalid, "end: " + format_seconds(record_.until) +
                                         " is not after the start, " +
                                         format_seconds(record_.from));
        }
        if (record_.until > now + kBookingAheadMax) {
            return fail(
                ErrorCode::kInvalid, "end: is at most a year (366 days) ahead, so by " +
                                         format_seconds(now + kBookingAheadMax));
        }
        return {};
    }

    [[nodiscard]] Result<void> check_project() {
        if (command_.project.empty()) {
            return {};
        }
        const model::ProjectRecord* project = state_.project_named(command_.project);
        if (project == nullptr) {
            std::vector<std::string> names;
            for (const auto& [id, each] : state_.projects()) {
                names.push_back(each.name);
            }
            return tl::unexpected<Error>(no_project(command_.project, names));
        }
        record_.project = project->id;
        lets_in_ = state_.booking_of(record_).projects;
        return {};
    }

    [[nodiscard]] Result<void> check_amount() const {
        const bool is_maintenance = command_.project.empty();
        if (command_.nodes.empty() == (command_.node_count == 0)) {
            return fail(
                ErrorCode::kInvalid, "nodes: name the nodes, or give how many; one of the two");
        }
        if (!command_.on.empty() && command_.node_count == 0) {
            return fail(ErrorCode::kInvalid, "on: is for a count of nodes, not for named ones");
        }
        if (is_maintenance && (command_.gpus > 0 || command_.release_after_s > 0)) {
            return fail(
                ErrorCode::kInvalid,
                "maintenance is of whole nodes and is never released: without gpus and "
                "release_after_s");
        }
        return {};
    }

    [[nodiscard]] Result<void> take_named() {
        std::set<std::string> names;
        for (const std::string& name : command_.nodes) {
            const NodeState* node = state_.node_named(name);
            if (node == nullptr) {
                return fail(ErrorCode::kNotFound, "there is no node '" + name + "'");
            }
            if (!names.insert(name).second) {
                return fail(ErrorCode::kInvalid, "nodes: '" + name + "' is named twice");
            }
            auto candidate = candidate_of(*node);
            if (!candidate) {
                return tl::unexpected<Error>(std::move(candidate.error()));
            }
            if (auto taken = take(*std::move(candidate)); !taken) {
                return taken;
            }
        }
        return {};
    }

    [[nodiscard]] Result<void> choose() {
        std::optional<model::NodeExpression> on;
        if (!command_.on.empty()) {
            auto parsed = model::parse_node_expression(command_.on);
            if (!parsed) {
                parsed.error().message = "on: " + parsed.error().message;
                return tl::unexpected<Error>(std::move(parsed.error()));
            }
            on = *std::move(parsed);
        }
        std::vector<Candidate> candidates;
        for (const auto& [id, node] : state_.nodes()) {
            if (on && !holds(*on, facts(node))) {
                continue;
            }
            if (auto candidate = candidate_of(node)) {
                candidates.push_back(*std::move(candidate));
            }
        }
        const auto count = static_cast<std::size_t>(command_.node_count);
        if (candidates.size() < count) {
            return fail(
                ErrorCode::kUnsatisfiable,
                "only " + std::to_string(candidates.size()) + " of " + std::to_string(count) +
                    " nodes" + (on ? " that are '" + command_.on + "'" : "") +
                    " have that room unreserved from " + format_seconds(record_.from) + " until " +
                    format_seconds(record_.until));
        }
        std::ranges::sort(candidates, {}, &Candidate::rank);
        for (std::size_t i = 0; i < count; ++i) {
            if (auto taken = take(std::move(candidates[i])); !taken) {
                return taken;
            }
        }
        return {};
    }

    [[nodiscard]] model::NodeFacts facts(const NodeState& node) const {
        return model::facts_of(node.record, model::WhichGpus::kAll, [this](GpuModelId model) {
            return state_.gpu_model_name(model);
        });
    }

    /// What would be booked of the node. Errors: kConflict with another booking, or too few GPUs.
    [[nodiscard]] Result<Candidate> candidate_of(const NodeState& node) const {
        Candidate candidate{.is_ready = !node.record.is_drained && node.liveness.is_reachable};
        candidate.part.node = node.record.id;
        const BookingRecord* other = nullptr;
        std::set<GpuId> taken;
        for (const auto& [id, booking] : state_.bookings()) {
            const auto part =
                std::ranges::lower_bound(booking.parts, node.record.id, {}, &BookedPart::node);
            const bool is_there = part != booking.parts.end() && part->node == node.record.id &&
                                  booking.from < record_.until && record_.from < booking.until;
            if (is_there) {
                other = &booking;
                if (part->is_whole || command_.gpus == 0) {
                    return reserved_already(node, booking);
                }
                taken.insert(part->gpus.begin(), part->gpus.end());
            }
        }
        if (command_.gpus > 0) {
            if (Result<void> chosen = choose_gpus(node, taken, candidate.part); !chosen) {
                return other == nullptr ? tl::unexpected<Error>(std::move(chosen.error()))
                                        : reserved_already(node, *other);
            }
        }
        candidate.obstacles = obstacles_on(node, candidate.part);
        return candidate;
    }

    [[nodiscard]] static tl::unexpected<Error> reserved_already(
        const NodeState& node, const BookingRecord& other) {
        return fail(
            ErrorCode::kConflict, "node '" + node.record.name + "' is reserved by '" + other.name +
                                      "' from " + format_seconds(other.from) + " until " +
                                      format_seconds(other.until));
    }

    /// GPUs that nothing runs on then come first. Its part of the host is that of its GPUs.
    [[nodiscard]] Result<void> choose_gpus(
        const NodeState& node, const std::set<GpuId>& taken, BookedPart& part) const {
        std::vector<std::pair<bool, GpuId>> free;
        for (const model::NodeGpu& gpu : node.record.gpus) {
            if (!taken.contains(gpu.id)) {
                const BookedPart alone{.node = node.record.id, .is_whole = false, .gpus = {gpu.id}};
                free.emplace_back(!obstacles_on(node, alone).empty(), gpu.id);
            }
        }
        if (std::cmp_less(free.size(), command_.gpus)) {
            return fail(
                ErrorCode::kUnsatisfiable, "node '" + node.record.name + "' has " +
                                               std::to_string(node.record.gpus.size()) +
                                               " GPUs, not " + std::to_string(command_.gpus));
        }
        std::ranges::sort(free);
        part.is_whole = false;
        for (std::int64_t i = 0; i < command_.gpus; ++i) {
            part.gpus.push_back(free[static_cast<std::size_t>(i)].second);
        }
        std::ranges::sort(part.gpus);
        const auto all = static_cast<std::int64_t>(node.record.gpus.size());
        part.host = {
            .cpu_millicores = node.record.host.cpu_millicores * command_.gpus / all,
            .memory_mib = node.record.host.memory_mib * command_.gpus / all};
        return {};
    }

    /// What runs there into the booking, by its limit, and is not of those who may.
    [[nodiscard]] std::vector<Obstacle> obstacles_on(
        const NodeState& node, const BookedPart& part) const {
        std::vector<Obstacle> obstacles;
        for (const AllocationId id : node.allocations) {
            const model::AllocationRecord& allocation = *state_.allocation(id);
            const bool is_its_own = std::ranges::binary_search(lets_in_, allocation.project) &&
                                    allocation.owner == model::AllocationOwner::kTask;
            const scheduler::Hold& hold = state_.core().hold_with(id);
            const Instant until = clock_.end_of(hold, state_.now());
            if (!is_its_own && scheduler::touches(allocation.grant, part) && until > record_.from) {
                obstacles.push_back(
                    {.allocation = &allocation,
                     .until = until,
                     .has_limit = hold.limit.count() > 0});
            }
        }
        std::ranges::sort(obstacles, [](const Obstacle& left, const Obstacle& right) {
            return std::tuple(right.until, left.allocation->id) <
                   std::tuple(left.until, right.allocation->id);
        });
        return obstacles;
    }

    [[nodiscard]] Result<void> take(Candidate&& candidate) {
        if (!candidate.obstacles.empty() && !command_.is_ignoring_running) {
            return in_the_way(candidate.obstacles.front());
        }
        record_.parts.push_back(std::move(candidate.part));
        return {};
    }

    [[nodiscard]] tl::unexpected<Error> in_the_way(const Obstacle& obstacle) const {
        const model::AllocationRecord& allocation = *obstacle.allocation;
        const model::JobRecord* job = state_.job(allocation.task.element.job);
        const std::string& node = state_.node(allocation.node)->record.name;
        if (allocation.owner == model::AllocationOwner::kExternal) {
            return fail(
                ErrorCode::kConflict,
                "a process beside the queue uses a GPU of node '" + node +
                    "', and nobody knows until when; end it, take other nodes, or ignore what "
                    "runs (ignore_running)");
        }
        if (allocation.owner == model::AllocationOwner::kUnknown || job == nullptr) {
            return fail(
                ErrorCode::kConflict, "task " + to_string(allocation.task) +
                                          " in quarantine holds a part of node '" + node +
                                          "', and nobody knows until when; release it, take "
                                          "other nodes, or ignore what runs (ignore_running)");
        }
        return fail(
            ErrorCode::kConflict,
            "job " + model::to_string(allocation.task.element, job->is_array) + " of " +
                state_.user(job->user)->name + " (project " +
                state_.project(allocation.project)->name + ") runs on node '" + node + "' " +
                (obstacle.has_limit ? "until " : "without a time limit, so perhaps until ") +
                format_seconds(obstacle.until) +
                ", into the reservation; let it begin later, take other nodes, or ignore what "
                "runs (ignore_running)");
    }

    const PutBooking& command_;
    const State& state_;
    scheduler::Timeline clock_;  // Of no node: when what runs ends.
    BookingRecord record_ = {};
    std::vector<ProjectId> lets_in_ = {};
};

}  // namespace

Result<BookingRecord> booking_for(
    const PutBooking& command, const State& state, std::chrono::seconds assumed_run) {
    return Rules(command, state, assumed_run).make();
}

}  // namespace reeve::ledger
