#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/instant.hpp"
#include "controller/view.hpp"
#include "controller/when.hpp"
#include "ledger/forecast_records.hpp"
#include "ledger/reader.hpp"
#include "scheduler/run_history.hpp"

namespace reeve::controller {

/// What is said of one job that waits.
struct Outlook {
    When by_limits = {};                       // If all takes its time limit.
    std::optional<scheduler::Said> said = {};  // Nothing if it starts in less than half of them.
};

/// What samples say of the jobs that wait, all at one revision.
struct ForecastSheet {
    Revision rev = Revision(0);
    std::uint64_t incarnation = 1;
    Instant at = model::kNever;  // The waits are counted from here.
    std::size_t samples = 0;
    std::map<JobId, Outlook> jobs = {};  // Of those of the queue that ever start.
};

inline constexpr std::size_t kForecastSamples = 40;
inline constexpr std::size_t kForecastSamplesMin = 10;  // Fewer say nothing of nine in ten.

/// Runs the core forward from `view` at `now`, with `queue` as when_starts() has it, so often as
/// kForecastSamples, over run times from `history`. The seed is the revision: equal arguments,
/// equal sheets. `goes_on` is asked after each sample, and often within one (with false as its
/// argument): false ends it there, with what there is. Nothing if that is fewer than
/// kForecastSamplesMin.
[[nodiscard]] std::optional<ForecastSheet> make_forecast_sheet(
    const View& view,
    Instant now,
    const std::vector<ledger::JobRow>& queue,
    const scheduler::RunHistory& history,
    const std::function<bool(bool is_sample_done)>& goes_on);

/// What of `sheet` is to be compared with what comes.
[[nodiscard]] std::vector<ledger::ForecastRecord> records_of(const ForecastSheet& sheet);

}  // namespace reeve::controller
