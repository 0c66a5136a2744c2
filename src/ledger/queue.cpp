#include "ledger/queue.hpp"

namespace reeve::ledger {

Queue::Place Queue::place_of(const GroupKey& group, JobId head) {
    return {.priority_negated = -std::int64_t{group.priority}, .head = head};
}

bool Queue::insert(const GroupKey& group, JobId job) {
    std::set<JobId>& jobs = groups_[group];
    const bool had_head = !jobs.empty();
    const JobId old_head = had_head ? *jobs.begin() : job;
    jobs.insert(jobs.end(), job);  // Most come in order.
    if (had_head && old_head <= job) {
        return false;
    }
    if (had_head) {
        heads_.erase(place_of(group, old_head));
    }
    heads_.emplace(place_of(group, job), group);
    return true;
}

void Queue::erase(const GroupKey& group, JobId job) {
    const auto found = groups_.find(group);
    if (found == groups_.end() || found->second.erase(job) == 0) {
        return;
    }
    if (heads_.erase(place_of(group, job)) > 0 && !found->second.empty()) {
        heads_.emplace(place_of(group, *found->second.begin()), group);
    }
    if (found->second.empty()) {
        groups_.erase(found);
    }
}

std::optional<Queue::Head> Queue::head_from(const Place& from) const {
    const auto found = heads_.lower_bound(from);
    if (found == heads_.end()) {
        return std::nullopt;
    }
    return Head{.place = found->first, .group = found->second};
}

std::optional<Queue::Head> Queue::head_of(const GroupKey& group) const {
    const auto found = groups_.find(group);
    if (found == groups_.end()) {
        return std::nullopt;
    }
    return Head{.place = place_of(group, *found->second.begin()), .group = group};
}

}  // namespace reeve::ledger
