#pragma once

#include <cstdint>
#include <memory>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "model/records.hpp"
#include "scheduler/calibration.hpp"
#include "scheduler/run_stats.hpp"

namespace reeve::ledger {

/// What is remembered of the runs of one key: RunLeaves has them all.
struct RunStatsRecord {
    scheduler::RunKey key = {};
    std::shared_ptr<const scheduler::RunStats> stats = {};  // Never null; not changed once shared.
    std::uint64_t told = 0;                                 // See RunLeaves::Leaf.

    friend bool operator==(const RunStatsRecord& a, const RunStatsRecord& b) {
        return a.key == b.key && a.told == b.told && *a.stats == *b.stats;
    }
};

/// What was said of a job that waits: kept until it starts, or no longer waits.
struct ForecastRecord {
    JobId job = JobId(0);
    Instant at = model::kNever;  // The waits are counted from here.
    scheduler::Said said = {};

    friend bool operator==(const ForecastRecord&, const ForecastRecord&) = default;
};

/// What became of forecast number `number`, from 0 on: of the last Calibration::kKept.
struct OutcomeRecord {
    std::uint64_t number = 0;
    scheduler::Outcome outcome = {};

    friend bool operator==(const OutcomeRecord&, const OutcomeRecord&) = default;
};

}  // namespace reeve::ledger
