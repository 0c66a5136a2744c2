#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "scheduler/run_stats.hpp"

namespace reeve::scheduler {

/// How long something may run, by what is remembered: RunLeaves, and their sums for coarser keys.
class RunHistory {
  public:
    RunHistory() = default;

    /// Takes over what `leaves` remembers, whatever it was told before. Cost: what is different.
    void update(const RunLeaves& leaves);

    struct Query {
        RunKey key = {};
        std::int64_t limit_s = 0;    // 0: none.
        std::int64_t after_s = 0;    // It has run for so long already.
        std::int64_t assumed_s = 0;  // What is taken for granted where nothing is known.
    };

    /// How long it may run in all: above `after_s`, and no longer than its limit (unless it is over
    /// that already). Equal numbers, equal answers; of random ones they are as those were that ran
    /// so long: of this key, or of a coarser one, the more so the fewer there were.
    [[nodiscard]] std::int64_t draw(const Query& query, std::uint64_t random) const;

    /// Of a key with less in it: level 0 is without name, then user, project, size. Null if none.
    [[nodiscard]] const RunStats* sum(const RunKey& key, std::size_t level) const;

  private:
    void add(const RunKey& key, const RunStats& stats, int sign);

    RunLeaves leaves_;
    std::array<std::map<RunKey, RunStats>, kCoarserLevels> sums_;
};

}  // namespace reeve::scheduler
