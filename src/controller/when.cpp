#include "controller/when.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "controller/situation.hpp"
#include "scheduler/forward.hpp"

namespace reeve::controller {
namespace {

constexpr std::size_t kMomentsMax = 50'000;  // At which something ends.
constexpr std::uint64_t kStartsMax = 50'000;

using model::ElementState;

std::map<NodeId, std::string> names_of(const View& view) {
    std::map<NodeId, std::string> names;
    for (const auto& node : view.nodes) {
        names.emplace(node->record.id, node->record.name);
    }
    return names;
}

/// The first start of each job that starts, until `is_enough` says so of one. Gives whether all
/// were seen that there are.
bool first_starts(
    const scheduler::Situation& situation,
    const View& view,
    std::map<JobId, When>& starts,
    const std::function<bool(JobId)>& is_enough,
    const std::function<bool()>& is_over = {}) {
    const std::map<NodeId, std::string> names = names_of(view);
    std::map<JobId, bool> has_limit;
    for (const scheduler::WaitingJob& each : situation.waiting) {
        has_limit.emplace(each.job, each.run.count() > 0);
    }
    const auto endless = std::ranges::count_if(
        situation.running, [](const auto& task) { return task.hold.limit.count() == 0; });
    When so_far{.kind = WhenKind::kExpected};
    so_far.without_limit = static_cast<std::uint64_t>(endless);
    const bool is_whole = scheduler::run_forward(
        situation, kMomentsMax,
        [&](const scheduler::Ahead& ahead) {
            const auto [first, is_new] = starts.try_emplace(ahead.job, so_far);
            if (is_new) {
                first->second.at = ahead.at;
                for (const NodeId node : ahead.nodes) {
                    first->second.nodes.push_back(names.at(node));
                }
            }
            so_far.without_limit += static_cast<std::uint64_t>(!has_limit.at(ahead.job));
            return !is_enough(ahead.job) && ++so_far.starts_before < kStartsMax;
        },
        is_over);
    return is_whole && so_far.starts_before < kStartsMax;
}

}  // namespace

Result<std::vector<ledger::JobRow>> read_queue(ledger::Reader& reader) {
    std::vector<ledger::JobRow> queue;
    std::optional<ledger::JobCursor> after;
    do {
        const std::size_t missing = kWhenJobsMax - queue.size();
        auto page =
            reader.jobs({}, ledger::JobOrder::kQueue, after, std::min(missing, ledger::kPageMax));
        if (!page) {
            return tl::unexpected<Error>(std::move(page.error()));
        }
        std::ranges::move(page->rows, std::back_inserter(queue));
        after = page->next;
    } while (after && queue.size() < kWhenJobsMax);
    return queue;
}

std::optional<When> when_alone(const ledger::JobRow& job) {
    const model::StateCounts& counts = job.record.counts;
    if (counts.pending() == 0 || counts.live() > 0) {
        return When{.kind = WhenKind::kNotPending};
    }
    if (counts[ElementState::kQueued] == 0) {
        return When{.kind = WhenKind::kHeld};
    }
    if (!job.record.after.empty()) {
        return When{.kind = WhenKind::kDependency, .after = job.record.after.front().job};
    }
    return std::nullopt;
}

std::map<JobId, When> when_each_starts(
    const scheduler::Situation& situation, const View& view, const std::function<bool()>& is_over) {
    std::map<JobId, When> starts;
    const std::size_t all = situation.waiting.size();
    first_starts(situation, view, starts, [&](JobId) { return starts.size() >= all; }, is_over);
    return starts;
}

When when_starts(
    const ledger::JobRow& job, const std::vector<ledger::JobRow>& queue, const View& view) {
    if (auto alone = when_alone(job)) {
        return *std::move(alone);
    }
    SituationBuilder builder(view);
    bool is_in_queue = false;
    for (const ledger::JobRow& each : queue) {
        builder.add(each);
        is_in_queue = is_in_queue || each.record.id == job.record.id;
    }
    if (!is_in_queue) {
        return {.kind = WhenKind::kTooFar};
    }
    std::map<JobId, When> starts;
    const JobId id = job.record.id;
    const bool is_whole =
        first_starts(builder.situation(), view, starts, [id](JobId each) { return each == id; });
    if (const auto start = starts.find(id); start != starts.end()) {
        return std::move(start->second);
    }
    return {.kind = is_whole ? WhenKind::kNever : WhenKind::kTooFar};
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
