#include "api/element_lookup.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace reeve::api {

using model::ElementState;

Result<std::optional<model::ElementRecord>> find_attempt(
    ledger::Reader& reader,
    const model::ElementKey& key,
    const std::optional<std::uint32_t>& attempt) {
    std::optional<model::ElementRecord> found;
    std::optional<std::pair<std::uint32_t, std::uint32_t>> after =
        std::pair(key.index, attempt.value_or(1) - 1);
    while (after) {
        const auto page = reader.elements(key.job, after, ledger::kPageMax);
        if (!page) {
            return tl::unexpected<Error>(page.error());
        }
        for (const model::ElementRecord& row : page->rows) {
            if (row.key.index != key.index || (found && attempt)) {
                return found;
            }
            if (!attempt || row.attempt == *attempt) {
                found = row;
            }
        }
        after = page->next;
    }
    return found;
}

ElementState state_of_element(
    const model::JobRecord& job,
    std::uint32_t index,
    const std::optional<model::ElementRecord>& attempt) {
    if (attempt) {
        return attempt->state;
    }
    const std::uint32_t position = (index - job.range.first) / job.range.step;
    if (position >= job.next && !std::ranges::binary_search(job.taken, position)) {
        return job.waiting_state;
    }
    // It ended without ever leaving the queue: cancelled, or with all others by its dependency.
    return job.counts[ElementState::kCancelled] > 0 ? ElementState::kCancelled
                                                    : ElementState::kFailed;
}

tl::unexpected<Error> no_element(JobId job, std::uint32_t index) {
    return fail(
        ErrorCode::kNotFound, "job " + to_string(job) + " has no element " + std::to_string(index));
}

}  // namespace reeve::api
