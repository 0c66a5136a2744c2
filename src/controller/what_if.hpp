#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "controller/scenario.hpp"

namespace reeve::controller {

/// What becomes of a job that waits.
enum class Fate : std::uint8_t {
    kExpected,    // It starts.
    kHeld,        // Not before somebody releases it.
    kNever,       // Not as nodes, quotas and the jobs that it waits for are.
    kCancelled,   // That is what was asked.
    kNotReached,  // The simulation was cut short before.
};

/// "expected", "held", ….
[[nodiscard]] std::string_view word_of(Fate fate);

struct Foreseen {
    Fate fate = Fate::kNever;
    Instant at = model::kNever;           // Of kExpected: its next element.
    std::vector<std::string> nodes = {};  // Likewise.
};

/// Of the jobs that wait; hypothetical ones are not counted, but for the last two.
struct Totals {
    std::uint64_t jobs = 0;
    std::uint64_t started = 0;
    std::uint64_t started_in_horizon = 0;
    std::uint64_t never = 0;
    std::uint64_t held = 0;
    std::uint64_t not_reached = 0;
    std::chrono::seconds wait_mean = {};         // Since submission, of those in the horizon.
    std::chrono::seconds wait_max = {};          // Likewise.
    std::optional<Instant> queue_empty_at = {};  // The last start; nothing if none, or cut short.
    std::optional<std::int64_t> gpu_permille = {};  // In use until then.
};

struct Forecast {
    Totals totals = {};
    std::map<JobId, Foreseen> jobs = {};
    std::uint64_t starts = 0;   // Of elements.
    bool is_cut_short = false;  // More would have started.
};

struct ForecastLimits {
    std::chrono::seconds horizon = std::chrono::days(7);
    std::uint64_t starts_max = 1'000'000;
    std::function<bool()> is_over = {};  // Asked often. Empty: never.
};

/// What follows from `scenario` if nothing else happens, all that runs takes its time limit and
/// succeeds. Costs a pass of the scheduler over all that starts.
[[nodiscard]] Forecast forecast(const Scenario& scenario, const ForecastLimits& limits);

struct Compared {
    const ledger::JobRow* job = nullptr;  // Of the scenario before.
    Foreseen before = {};
    Foreseen after = {};
    std::optional<std::chrono::seconds> later_by = {};  // Below 0: sooner. Of two starts.
};

struct Comparison {
    std::vector<Compared> jobs = {};  // What changes most first; then as in the queue.
    std::uint64_t sooner = 0;         // By a second or more, or at all.
    std::uint64_t later = 0;          // Or never.
    std::uint64_t unchanged = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t unknown = 0;  // Not reached in one of the two.
};

/// The jobs that wait in `scenario`, of which `before` was foreseen, and how it is otherwise.
[[nodiscard]] Comparison compare(
    const Scenario& scenario,
    const Forecast& before,
    const Forecast& after,
    const std::set<JobId>& cancelled);

}  // namespace reeve::controller
