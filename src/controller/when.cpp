#include "controller/when.hpp"

#include <algorithm>
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
