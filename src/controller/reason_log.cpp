#include "controller/reason_log.hpp"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>

namespace reeve::controller {
namespace {

/// What decides why a job waits, but for its place in the queue.
auto terms_of(const ledger::JobRow& job) {
    const model::JobRecord& record = job.record;
    return std::tuple(
        record.request.value(), record.project.value(), record.user.value(), record.priority,
        record.time_limit_s, record.is_preemptible);
}

/// Nothing of its own stands in its way: it is neither held nor waits for a job, a pause or its
/// other elements.
bool waits_as_others(const ledger::JobRow& job) {
    const model::JobRecord& record = job.record;
    return record.waiting_state == model::ElementState::kQueued && record.after.empty() &&
           record.range.running_max == 0 && !job.element;
}

}  // namespace

void ReasonLog::look(
    const std::vector<ledger::JobRow>& queue,
    Instant at,
    const Reason& reason,
    const std::function<bool()>& goes_on) {
    std::map<decltype(terms_of(queue.front())), std::string> known;
    std::vector<std::pair<JobId, std::string>> found;
    found.reserve(queue.size());
    std::uint64_t position = 0;
    for (const ledger::JobRow& job : queue) {
        ++position;
        const bool is_alike = waits_as_others(job);
        if (const auto same = known.find(terms_of(job)); is_alike && same != known.end()) {
            found.emplace_back(job.record.id, same->second);
            continue;
        }
        if (!goes_on()) {
            continue;  // Others of what is known may follow.
        }
        std::string why = reason(job, position);
        if (is_alike) {
            known.emplace(terms_of(job), why);
        }
        found.emplace_back(job.record.id, std::move(why));
    }
    const std::scoped_lock lock(mutex_);
    for (const auto& [job, why] : found) {
        if (!why.empty()) {
            note(job, at, why);
        }
    }
    if (jobs_.size() > kReasonJobsMax) {
        forget(at);
    }
}

/// Those that were seen waiting the longest ago: more than there are too many, so that this is
/// seldom, but of those that wait at `now` no more.
void ReasonLog::forget(Instant now) {
    std::vector<std::pair<Instant, JobId>> order;
    order.reserve(jobs_.size());
    for (const auto& [job, spans] : jobs_) {
        order.emplace_back(spans.back().seen, job);
    }
    const auto gone = static_cast<std::size_t>(
        std::ranges::count_if(order, [&](const auto& each) { return each.first < now; }));
    const std::size_t count = std::max(
        order.size() - kReasonJobsMax, std::min(order.size() - kReasonJobsMax * 9 / 10, gone));
    std::ranges::nth_element(order, order.begin() + static_cast<std::ptrdiff_t>(count));
    for (std::size_t i = 0; i < count; ++i) {
        jobs_.erase(order[i].second);
    }
}

void ReasonLog::note(JobId job, Instant at, const std::string& reason) {
    std::vector<ReasonSpan>& spans = jobs_[job];
    if (!spans.empty() && spans.back().reason == reason) {
        spans.back().seen = at;
        return;
    }
    if (spans.size() == kReasonSpansMax) {
        spans.erase(spans.begin());
    }
    spans.push_back({.since = at, .seen = at, .reason = reason});
}

std::vector<ReasonSpan> ReasonLog::of(JobId job) const {
    const std::scoped_lock lock(mutex_);
    const auto found = jobs_.find(job);
    return found == jobs_.end() ? std::vector<ReasonSpan>() : found->second;
}

}  // namespace reeve::controller
