#pragma once

#include <cstdint>
#include <optional>

#include "base/result.hpp"
#include "ledger/reader.hpp"
#include "model/records.hpp"

namespace reeve::api {

/// An attempt of an element: the newest, or the given one. Nothing if it has no record (yet).
[[nodiscard]] Result<std::optional<model::ElementRecord>> find_attempt(
    ledger::Reader& reader,
    const model::ElementKey& key,
    const std::optional<std::uint32_t>& attempt);

/// The state of an element whose newest attempt is `attempt`: without one, that of what never left
/// the queue. `job` must have the element.
[[nodiscard]] model::ElementState state_of_element(
    const model::JobRecord& job,
    std::uint32_t index,
    const std::optional<model::ElementRecord>& attempt);

[[nodiscard]] tl::unexpected<Error> no_element(JobId job, std::uint32_t index);

}  // namespace reeve::api
