#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "ledger/change.hpp"
#include "ledger/reader.hpp"
#include "ledger/store.hpp"
#include "model/records.hpp"

namespace reeve::store_memory {

struct StoredJob {
    model::JobRecord record = {};
    ledger::JobTexts texts = {};
};

/// All that a store holds, as plain values: copy it to have a snapshot.
struct MemoryState {
    ledger::StoreHeader header = {};
    std::map<UserId, model::UserRecord> users = {};
    std::map<model::RequestId, model::RequestRecord> requests = {};
    std::map<GpuModelId, model::GpuModelRecord> gpu_models = {};
    std::map<ProjectId, model::ProjectRecord> projects = {};
    std::map<NodeId, model::NodeRecord> nodes = {};
    std::map<JobId, StoredJob> jobs = {};
    std::map<std::pair<model::ElementKey, std::uint32_t>, model::ElementRecord> elements = {};
    std::map<AllocationId, model::AllocationRecord> allocations = {};
    std::map<model::BookingId, model::BookingRecord> bookings = {};
    std::map<std::pair<JobId, Revision>, model::ControlRecord> controls = {};
    std::map<std::pair<ProjectId, UserId>, model::AccountRecord> accounts = {};
    std::map<std::pair<UserId, std::string>, model::IdempotencyRecord> requests_made = {};

    std::map<scheduler::RunKey, ledger::RunStatsRecord> run_stats = {};
    std::map<JobId, ledger::ForecastRecord> forecasts = {};
    std::map<std::uint64_t, ledger::OutcomeRecord> outcomes = {};  // By number.

    struct LoggedEvent {
        Instant at = model::kNever;
        ledger::Event event = {};
    };

    std::deque<LoggedEvent> events = {};  // Contiguous, up to header.last_rev.

    /// Puts one change in place, and logs it.
    void apply(const ledger::Change& change);

    /// Takes the newest change back. Of a job that was removed, its record alone comes back: the
    /// ledger never removes one.
    void undo(const ledger::Change& change, const ledger::StoreHeader& before);
};

}  // namespace reeve::store_memory
