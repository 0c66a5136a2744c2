#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace reeve::scheduler {

/// How a node is picked among those that can serve a request.
enum class Policy : std::uint8_t {
    kFillValue,  // What keeps most room for what is likely to come.
    kFgd,        // What makes the least fragments (FGD, ATC'23), then best fit.
    kBestFit,    // What leaves the least CPU and GPU on its node.
    kTightest,   // What leaves the least on the device, then on the node: place()'s rule.
    kSpread,     // What leaves the most.
    kRandom,     // Any: to calibrate others against.
};

struct PolicyRow {
    Policy policy;
    std::string_view name;
    std::string_view summary;
};

/// The one table of policies and their names.
inline constexpr auto kPolicies = std::to_array<PolicyRow>({
    {Policy::kFillValue, "fill-value", "keeps most room for what is likely to come"},
    {Policy::kFgd,       "fgd",        "makes the least fragments (FGD, ATC'23)"   },
    {Policy::kBestFit,   "best-fit",   "leaves the least CPU and GPU on its node"  },
    {Policy::kTightest,  "tightest",   "leaves the least on the device"            },
    {Policy::kSpread,    "spread",     "leaves the most"                           },
    {Policy::kRandom,    "random",     "any node, to calibrate others against"     },
});

/// True if it goes by what came before.
[[nodiscard]] constexpr bool learns(Policy policy) noexcept {
    return policy == Policy::kFillValue || policy == Policy::kFgd;
}

[[nodiscard]] std::string_view name_of(Policy policy) noexcept;

/// Errors: kInvalid, naming those there are.
[[nodiscard]] Result<Policy> parse_policy(std::string_view name);

}  // namespace reeve::scheduler
