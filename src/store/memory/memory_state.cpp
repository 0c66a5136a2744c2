#include "store/memory/memory_state.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "ledger/event.hpp"

namespace reeve::store_memory {
namespace {

template <class Map, class Key, class Record>
void replace(Map& map, const Key& key_of, const ledger::Put<Record>& put) {
    if (put.after) {
        map[key_of(*put.after)] = *put.after;
    } else if (put.before) {
        map.erase(key_of(*put.before));
    }
}

constexpr auto kId = [](const auto& record) { return record.id; };

/// Puts a body in place.
class Replace {
  public:
    explicit Replace(MemoryState& state) : state_(state) {}

    void operator()(const ledger::Put<model::UserRecord>& put) { replace(state_.users, kId, put); }

    void operator()(const ledger::Put<model::RequestRecord>& put) {
        replace(state_.requests, kId, put);
    }

    void operator()(const ledger::Put<model::GpuModelRecord>& put) {
        replace(state_.gpu_models, kId, put);
    }

    void operator()(const ledger::Put<model::ProjectRecord>& put) {
        replace(state_.projects, kId, put);
    }

    void operator()(const ledger::Put<model::AccountRecord>& put) {
        replace(
            state_.accounts,
            [](const model::AccountRecord& account) {
                return std::pair(account.project, account.user);
            },
            put);
    }

    void operator()(const ledger::Put<model::NodeRecord>& put) { replace(state_.nodes, kId, put); }

    void operator()(const ledger::JobPut& put) {
        if (put.after) {
            StoredJob& job = state_.jobs[put.after->id];
            job.record = *put.after;
            if (put.texts) {
                job.texts = *put.texts;
            }
            state_.header.last_job = std::max(state_.header.last_job, put.after->id);
        } else if (put.before) {
            const JobId id = put.before->id;
            state_.jobs.erase(id);
            std::erase_if(
                state_.elements, [&](const auto& entry) { return entry.first.first.job == id; });
            std::erase_if(
                state_.controls, [&](const auto& entry) { return entry.first.first == id; });
        }
    }

    void operator()(const ledger::ElementPut& put) {
        replace(
            state_.elements,
            [](const model::ElementRecord& element) {
                return std::pair(element.key, element.attempt);
            },
            put);
    }

    void operator()(const ledger::Put<model::AllocationRecord>& put) {
        replace(state_.allocations, kId, put);
        if (put.after) {
            state_.header.last_allocation = std::max(state_.header.last_allocation, put.after->id);
        }
    }

    void operator()(const ledger::Put<model::ControlRecord>& put) {
        replace(
            state_.controls,
            [](const model::ControlRecord& control) { return std::pair(control.job, control.rev); },
            put);
    }

    void operator()(const ledger::Put<model::BookingRecord>& put) {
        replace(state_.bookings, kId, put);
    }

    void operator()(const ledger::Put<model::IdempotencyRecord>& put) {
        replace(
            state_.requests_made,
            [](const model::IdempotencyRecord& request) {
                return std::pair(request.user, request.key);
            },
            put);
    }

    void operator()(const ledger::Put<ledger::RunStatsRecord>& put) {
        replace(state_.run_stats, [](const auto& record) { return record.key; }, put);
    }

    void operator()(const ledger::Put<ledger::ForecastRecord>& put) {
        replace(state_.forecasts, [](const auto& record) { return record.job; }, put);
    }

    /// Each has a number of its own; the one whose place it takes goes.
    void operator()(const ledger::Put<ledger::OutcomeRecord>& put) {
        if (put.before) {
            state_.outcomes.erase(put.before->number);
        }
        if (put.after) {
            state_.outcomes.insert_or_assign(put.after->number, *put.after);
        }
    }

  private:
    MemoryState& state_;
};

template <class Map, class Id>
std::string name_in(const Map& map, Id id) {
    const auto found = map.find(id);
    return found == map.end() ? std::string() : found->second.name;
}

ledger::Names names_of(const MemoryState& state) {
    return {
        .user = [&](UserId id) { return name_in(state.users, id); },
        .project = [&](ProjectId id) { return name_in(state.projects, id); },
        .node = [&](NodeId id) { return name_in(state.nodes, id); },
        .owner =
            [&](JobId id) {
                const auto job = state.jobs.find(id);
                return job == state.jobs.end() ? std::string()
                                               : name_in(state.users, job->second.record.user);
            }};
}

/// Takes a body back. A new attempt has a key of its own: taking it back removes it alone.
struct Undo {
    MemoryState& state;

    template <class Record>
    void operator()(const ledger::Put<Record>& put) const {
        Replace{state}(ledger::Put<Record>{.before = put.after, .after = put.before});
    }

    void operator()(const ledger::JobPut& put) const {
        ledger::JobPut back;
        back.before = put.after;
        back.after = put.before;
        Replace{state}(back);
    }

    void operator()(const ledger::ElementPut& put) const {
        ledger::ElementPut gone;
        gone.before = put.after;
        Replace{state}(gone);
        ledger::ElementPut back;
        back.after = put.before;
        Replace{state}(back);
    }
};

}  // namespace

void MemoryState::apply(const ledger::Change& change) {
    std::visit(Replace(*this), change.body);
    events.push_back({.at = change.at, .event = ledger::event_of(change, names_of(*this))});
    header.last_rev = change.rev;
    header.last_at = change.at;
}

void MemoryState::undo(const ledger::Change& change, const ledger::StoreHeader& before) {
    std::visit(Undo{*this}, change.body);
    events.pop_back();
    header.last_rev = Revision(change.rev.value() - 1);
    header.last_at = before.last_at;
    header.last_job = before.last_job;
    header.last_allocation = before.last_allocation;
}

}  // namespace reeve::store_memory
