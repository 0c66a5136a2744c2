#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace reeve::scheduler {

/// Who may pass a job that waits for room.
enum class Backfill : std::uint8_t {
    kNone,          // Whoever fits: nothing is kept for a job that waits.
    kEasy,          // Who does not delay the first that waits (Lifka 1995).
    kConservative,  // Who delays none of the first ones that wait (Mu'alem and Feitelson 2001).
};

struct BackfillRow {
    Backfill backfill;
    std::string_view name;
    std::string_view summary;
};

/// The one table of them and their names.
inline constexpr auto kBackfills = std::to_array<BackfillRow>({
    {Backfill::kNone,         "none",         "whoever fits starts"                  },
    {Backfill::kEasy,         "easy",         "nobody delays the first that waits"   },
    {Backfill::kConservative, "conservative", "nobody delays the first 100 that wait"},
});

[[nodiscard]] std::string_view name_of(Backfill backfill) noexcept;

/// Errors: kInvalid, naming those there are.
[[nodiscard]] Result<Backfill> parse_backfill(std::string_view name);

}  // namespace reeve::scheduler
