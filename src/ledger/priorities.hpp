#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.hpp"
#include "model/job_spec.hpp"
#include "model/spec_rules.hpp"

namespace reeve::ledger {

/// Which priorities jobs may have.
struct Priorities {
    std::map<std::string, std::int32_t> names = {};
    std::int32_t users_most = model::kPriorityMax;  // Administrators may go above it.

    friend bool operator==(const Priorities&, const Priorities&) = default;
};

/// The priority that a job asks for, as a number or by its name. Errors, saying what would do:
/// kInvalid, there is none of that name; kPolicy, it is higher than who asks may have.
[[nodiscard]] Result<std::int32_t> priority_of(
    const Priorities& known, const model::JobTerms& terms, bool is_admin);

}  // namespace reeve::ledger
