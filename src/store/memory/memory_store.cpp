#include "store/memory/memory_store.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "store/memory/memory_reader.hpp"

namespace reeve::store_memory {
namespace {

constexpr std::uint64_t kIncarnationStep = 1'000'000;  // SEMANTICS 3: of job ids.

/// What jobs ask for.
template <class Predicate>
std::set<model::RequestId> requests_of(const MemoryState& state, const Predicate& counts) {
    std::set<model::RequestId> requests;
    for (const auto& [id, job] : state.jobs) {
        if (counts(job.record)) {
            requests.insert(job.record.request);
        }
    }
    return requests;
}

/// The latest attempt of each element that has not ended. Attempts of one element are neighbours.
void recover_elements(
    const MemoryState& state, const std::function<void(ledger::Recovered&&)>& each) {
    for (auto at = state.elements.begin(); at != state.elements.end(); ++at) {
        const auto later = std::next(at);
        const bool is_latest =
            later == state.elements.end() || later->first.first != at->first.first;
        const model::ElementRecord& element = at->second;
        if (is_latest && !is_end(element.state) && element.ended_at == model::kNever) {
            each(element);
        }
    }
}

}  // namespace

MemoryStore::MemoryStore(std::string cluster_id) {
    state_.header.cluster_id = std::move(cluster_id);
}

Fault MemoryStore::take_fault() {
    if (next_fault_ != Fault::kNone) {
        return std::exchange(next_fault_, Fault::kNone);
    }
    return faults_ ? faults_(commits_) : Fault::kNone;
}

void MemoryStore::crash() {
    for (auto lost = unsynced_.rbegin(); lost != unsynced_.rend(); ++lost) {
        state_.undo(lost->change, lost->before);
    }
    unsynced_.clear();
}

void MemoryStore::begin_incarnation() {
    ++state_.header.incarnation;
    state_.header.last_job = JobId(state_.header.last_job.value() + kIncarnationStep);
}

Result<ledger::StoreHeader> MemoryStore::open_epoch() {
    ++state_.header.epoch;
    state_.header.last_request =
        state_.requests.empty() ? model::RequestId(0) : state_.requests.rbegin()->first;
    return state_.header;
}

Result<void> MemoryStore::recover(const std::function<void(ledger::Recovered&&)>& each) {
    const auto give_all = [&](const auto& map) {
        for (const auto& [id, record] : map) {
            each(record);
        }
    };
    give_all(state_.users);
    const std::set<model::RequestId> asked =
        requests_of(state_, [](const auto& job) { return job.ended_at == model::kNever; });
    for (const auto& [id, request] : state_.requests) {
        if (asked.contains(id)) {
            each(request);
        }
    }
    give_all(state_.gpu_models);
    give_all(state_.projects);
    give_all(state_.accounts);
    give_all(state_.nodes);
    for (const auto& [id, job] : state_.jobs) {
        if (job.record.ended_at == model::kNever) {
            each(job.record);
        }
    }
    recover_elements(state_, each);
    for (const auto& [id, allocation] : state_.allocations) {
        if (!is_end(allocation.state)) {
            each(allocation);
        }
    }
    give_all(state_.bookings);
    give_all(state_.run_stats);
    give_all(state_.forecasts);
    give_all(state_.outcomes);
    return {};
}

Result<void> MemoryStore::commit(std::uint64_t epoch, std::span<const ledger::Change> changes) {
    if (epoch != state_.header.epoch) {
        return fail(
            ErrorCode::kConflict, "another server has taken over this data",
            "epoch " + std::to_string(epoch) + " is fenced by " +
                std::to_string(state_.header.epoch));
    }
    std::uint64_t rev = state_.header.last_rev.value();
    for (const ledger::Change& change : changes) {
        if (change.rev.value() != ++rev) {
            return fail(ErrorCode::kInternal, "the changes do not follow each other");
        }
    }
    const Fault fault = take_fault();
    ++commits_;
    if (fault == Fault::kFull) {
        return fail(ErrorCode::kStorageFull, "no room is left for the database; make room");
    }
    if (fault == Fault::kFailed || fault == Fault::kCrashBefore) {
        return fail(ErrorCode::kUnavailable, "the disk under the database failed");
    }
    const bool is_lost = fault == Fault::kUnsynced || !unsynced_.empty();
    for (const ledger::Change& change : changes) {
        if (is_lost) {
            unsynced_.push_back({.change = change, .before = state_.header});
        }
        state_.apply(change);
    }
    if (fault == Fault::kCrashAfter) {
        return fail(ErrorCode::kUnavailable, "the process ends before it can answer");
    }
    return {};
}

Result<void> MemoryStore::probe() {
    const Fault fault = faults_ ? faults_(commits_) : Fault::kNone;
    if (fault == Fault::kFull) {
        return fail(ErrorCode::kStorageFull, "no room is left for the database; make room");
    }
    if (fault == Fault::kFailed) {
        return fail(ErrorCode::kUnavailable, "the disk under the database failed");
    }
    return {};
}

Result<std::vector<ledger::Store::Arrivals>> MemoryStore::arrivals() {
    std::map<model::RequestId, std::uint64_t> elements;
    for (const auto& [id, job] : state_.jobs) {
        elements[job.record.request] += job.record.range.count();
    }
    std::vector<Arrivals> all;
    for (const auto& [id, count] : elements) {
        if (const auto known = state_.requests.find(id); known != state_.requests.end()) {
            all.push_back({.request = known->second, .elements = count});
        }
    }
    return all;
}

Result<std::optional<model::StateCounts>> MemoryStore::counts_of(JobId job) {
    const auto found = state_.jobs.find(job);
    return found == state_.jobs.end() ? std::optional<model::StateCounts>()
                                      : std::optional(found->second.record.counts);
}

Result<std::optional<UserId>> MemoryStore::owner_of(JobId job) {
    const auto found = state_.jobs.find(job);
    return found == state_.jobs.end() ? std::optional<UserId>()
                                      : std::optional(found->second.record.user);
}

Result<std::string> MemoryStore::spec_of(JobId job) {
    const auto found = state_.jobs.find(job);
    if (found == state_.jobs.end()) {
        return fail(ErrorCode::kNotFound, "there is no job " + to_string(job));
    }
    return found->second.texts.spec_json;
}

Result<std::optional<model::IdempotencyRecord>> MemoryStore::request_of(
    UserId user, const std::string& key) {
    const auto found = state_.requests_made.find({user, key});
    return found == state_.requests_made.end() ? std::optional<model::IdempotencyRecord>()
                                               : std::optional(found->second);
}

Result<std::optional<model::ElementRecord>> MemoryStore::attempt_of(
    const model::ElementKey& key, std::uint32_t attempt) {
    const auto found = state_.elements.find({key, attempt});
    return found == state_.elements.end() ? std::optional<model::ElementRecord>()
                                          : std::optional(found->second);
}

void MemoryStore::prune_job(JobId id, std::vector<PrunedTask>& tasks) {
    const auto first = state_.elements.lower_bound({
        {.job = id, .index = 0},
        0
    });
    auto last = first;
    for (; last != state_.elements.end() && last->first.first.job == id; ++last) {
        const model::ElementRecord& element = last->second;
        if (element.node != NodeId(0)) {
            tasks.push_back({
                .node = element.node, .key = {.element = element.key, .attempt = element.attempt}
            });
        }
        const auto allocation = state_.allocations.find(element.allocation);
        if (allocation != state_.allocations.end() && is_end(allocation->second.state)) {
            state_.allocations.erase(allocation);
        }
    }
    state_.elements.erase(first, last);
    std::erase_if(state_.controls, [&](const auto& entry) { return entry.first.first == id; });
    state_.jobs.erase(id);
}

Result<std::vector<ledger::Store::PrunedTask>> MemoryStore::prune(
    Instant before, std::size_t jobs_max) {
    std::vector<std::pair<Instant, JobId>> ended;
    for (const auto& [id, job] : state_.jobs) {
        if (job.record.ended_at != model::kNever && job.record.ended_at < before) {
            ended.emplace_back(job.record.ended_at, id);
        }
    }
    std::ranges::sort(ended);
    ended.erase(
        ended.begin() + static_cast<std::ptrdiff_t>(std::min(ended.size(), jobs_max)), ended.end());
    std::vector<PrunedTask> tasks;
    for (const auto& [at, id] : ended) {
        prune_job(id, tasks);
    }
    const std::set<model::RequestId> asked =
        requests_of(state_, [](const auto& /*job*/) { return true; });
    std::erase_if(state_.requests, [&](const auto& entry) { return !asked.contains(entry.first); });
    while (!state_.events.empty() && state_.events.front().at < before) {
        state_.events.pop_front();
    }
    return tasks;
}

Result<std::unique_ptr<ledger::Reader>> MemoryStore::open_reader() {
    return make_memory_reader(state_);
}

}  // namespace reeve::store_memory
