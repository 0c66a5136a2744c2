#include "ledger/priorities.hpp"

namespace reeve::ledger {
namespace {

/// "low (-100), urgent (100) or a number from -1000 to 1000".
std::string up_to(const Priorities& known, std::int64_t most) {
    std::string all;
    for (const auto& [name, priority] : known.names) {
        if (priority <= most) {
            all += (all.empty() ? "" : ", ") + name + " (" + std::to_string(priority) + ")";
        }
    }
    return all + (all.empty() ? "" : " or ") + "a number from " +
           std::to_string(-model::kPriorityMax) + " to " + std::to_string(most);
}

}  // namespace

Result<std::int32_t> priority_of(
    const Priorities& known, const model::JobTerms& terms, bool is_admin) {
    const std::int64_t most = is_admin ? model::kPriorityMax : known.users_most;
    const std::string& name = terms.priority_name;
    std::int32_t priority = terms.priority;
    if (!name.empty()) {
        const auto found = known.names.find(name);
        if (found == known.names.end()) {
            return fail(
                ErrorCode::kInvalid,
                "priority: none is named '" + name + "'; expects " + up_to(known, most));
        }
        priority = found->second;
    }
    if (priority > most) {
        const std::string number = std::to_string(priority);
        return fail(
            ErrorCode::kPolicy,
            "priority: " + (name.empty() ? number : name + " (" + number + ")") +
                " is for administrators; others may have " + up_to(known, most));
    }
    return priority;
}

}  // namespace reeve::ledger
