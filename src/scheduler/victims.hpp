#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "scheduler/loans.hpp"
#include "scheduler/timeline.hpp"

namespace reeve::scheduler {

/// What it costs to stop something. Less is better: how many are stopped, how many GPU-seconds of
/// work they may lose, and then the longer they run.
struct StopCost {
    std::int64_t count = 0;
    std::int64_t gpu_milli_seconds = 0;
    std::int64_t seconds_run = 0;

    friend auto operator<=>(const StopCost&, const StopCost&) = default;
    StopCost& operator+=(const StopCost& other);
};

[[nodiscard]] StopCost cost_of(const Hold& hold, Instant now);

[[nodiscard]] std::int64_t gpu_milli_of(const Hold& hold);

/// What may be stopped on a node. It is preemptible.
struct Stoppable {
    AllocationId id = AllocationId(0);
    const Hold* hold = nullptr;

    /// False if too much would be taken of whose it is.
    [[nodiscard]] bool is_in(const Loans& loans) const;
    void take(Loans& loans) const;
    void leave(Loans& loans) const;
};

struct Victims {
    std::vector<AllocationId> ids = {};  // Sorted.
    StopCost cost = {};
};

/// So many sets of victims are tried on a node; where there are more, see cheapest_victims().
inline constexpr std::size_t kVictimSetsMax = 20'000;

/// Which of `stoppable` to stop so that `node` has room for `request`: the set of the least cost.
/// Nothing if all of them that `loans` lets be taken would not do; none if there is room. Among
/// more than kVictimSetsMax sets, one of which nothing can be left out.
[[nodiscard]] std::optional<Victims> cheapest_victims(
    const NodeView& node,
    const model::Request& request,
    std::vector<Stoppable> stoppable,
    Instant now,
    const Loans& loans = Loans());

}  // namespace reeve::scheduler
