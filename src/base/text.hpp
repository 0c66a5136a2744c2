#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace reeve {

/// A whole decimal integer, nothing before or after it.
/// Errors: kInvalid, saying what was expected and what came.
[[nodiscard]] Result<std::int64_t> parse_integer(std::string_view text);

/// "0.25" -> 250, "2" -> 2000: a decimal number with up to three digits after the point, in
/// thousandths. Errors: kInvalid, also for a negative number or more than 10^12.
[[nodiscard]] Result<std::int64_t> parse_milli(std::string_view text);

/// "10G" -> 10240: a size in MiB. Units K M G T with an optional "i" and "B", all powers of 1024;
/// no unit means MiB. Rounds up to a whole MiB. Errors: kInvalid, also for 0 or less, or over 2^40.
[[nodiscard]] Result<std::int64_t> parse_size_mib(std::string_view text);

/// "90", "90s", "5m", "2h30m", "1d", "02:30:00", "1-00:00:00". A bare number is seconds, "MM:SS"
/// and "HH:MM:SS" as in Slurm. Errors: kInvalid, also for 0 or less, or over ten years.
[[nodiscard]] Result<std::chrono::seconds> parse_duration(std::string_view text);

/// 9000 s -> "2h30m". Two units at most, rounded down; "0s" for nothing.
[[nodiscard]] std::string format_duration(std::chrono::seconds duration);

/// 10240 -> "10 GiB", 1536 -> "1.5 GiB", 512 -> "512 MiB".
[[nodiscard]] std::string format_mib(std::int64_t mib);

/// 250 -> "0.25", 2000 -> "2".
[[nodiscard]] std::string format_milli(std::int64_t milli);

/// True if `text` is UTF-8 as RFC 3629 defines it (no overlong forms, no surrogates).
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);

/// The candidate nearest to `word`, or "" if none is near enough to suggest: two edits at most, and
/// fewer than half of the word's length. A swap of neighbours is one edit. Ties go to the first.
[[nodiscard]] std::string nearest(
    std::string_view word, const std::vector<std::string>& candidates);

}  // namespace reeve
