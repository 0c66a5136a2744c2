#include "scheduler/policy.hpp"

#include <algorithm>
#include <string>

namespace reeve::scheduler {

std::string_view name_of(Policy policy) noexcept {
    const auto* const row = std::ranges::find(kPolicies, policy, &PolicyRow::policy);
    return row == kPolicies.end() ? std::string_view() : row->name;
}

Result<Policy> parse_policy(std::string_view name) {
    const auto* const row = std::ranges::find(kPolicies, name, &PolicyRow::name);
    if (row != kPolicies.end()) {
        return row->policy;
    }
    std::string names;
    for (const PolicyRow& each : kPolicies) {
        names += (names.empty() ? "" : ", ") + std::string(each.name);
    }
    return fail(
        ErrorCode::kInvalid,
        "there is no placement policy '" + std::string(name) + "'; there are " + names);
}

}  // namespace reeve::scheduler
