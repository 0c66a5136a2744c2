#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace reeve::scheduler {

/// For whom a preemptible job of a lower priority may be stopped.
enum class PreemptionMode : std::uint8_t {
    kNone,
    kProject,  // Jobs of its own project.
    kAny,      // Jobs of any project.
};

struct PreemptionModeRow {
    PreemptionMode mode;
    std::string_view name;
    std::string_view summary;
};

/// The one table of them and their names.
inline constexpr auto kPreemptionModes = std::to_array<PreemptionModeRow>({
    {PreemptionMode::kNone,    "none",    "for nobody"                                  },
    {PreemptionMode::kProject, "project", "for jobs of a higher priority in its project"},
    {PreemptionMode::kAny,     "any",     "for any job of a higher priority"            },
});

[[nodiscard]] std::string_view name_of(PreemptionMode mode) noexcept;

/// Errors: kInvalid, naming those there are.
[[nodiscard]] Result<PreemptionMode> parse_preemption(std::string_view name);

}  // namespace reeve::scheduler
