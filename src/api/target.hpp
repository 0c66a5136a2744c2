#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.hpp"
#include "base/result.hpp"

namespace reeve::api {

inline constexpr std::size_t kSegmentsMax = 8;
inline constexpr std::size_t kParametersMax = 32;

/// A request target, taken apart but not decoded. The views are into what was parsed.
struct Target {
    std::vector<std::string_view> segments = {};  // "/api/v1/jobs" is three.
    std::string_view query = {};                  // Without the "?".
};

/// Errors: kInvalid (not an absolute path, a character that no path has), kNotFound (more segments
/// than any route).
[[nodiscard]] Result<Target> parse_target(std::string_view target);

/// "a%20b" -> "a b"; with `plus_is_space` "a+b" likewise, as in a query.
/// Errors: kInvalid for a broken escape, a NUL, or what is not UTF-8 afterwards.
enum class PlusIs : std::uint8_t { kPlus, kSpace };
[[nodiscard]] Result<std::string> percent_decoded(std::string_view text, PlusIs plus);

/// "a=1&b=x+y" -> {{"a", "1"}, {"b", "x y"}}. Errors: kInvalid, also over kParametersMax.
[[nodiscard]] Result<std::vector<Parameter>> parse_query(std::string_view query);

}  // namespace reeve::api
