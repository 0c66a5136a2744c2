#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/instant.hpp"

namespace reeve {

/// "2026-11-24T15:00:00Z": the fraction of a second is dropped.
[[nodiscard]] std::string format_seconds(Instant at);

/// "2026-11-24T15:00:00Z", with any fraction of a second, which is dropped: RFC 3339 in UTC.
[[nodiscard]] std::optional<Instant> parse_utc(std::string_view text);

}  // namespace reeve
