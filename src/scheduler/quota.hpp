#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/records.hpp"

namespace reeve::scheduler {

/// One limit that would be passed: `used` and `asked` together are more than `limit`.
struct Excess {
    std::string_view what = {};  // The field of Quota: "gpu_milli", "running_elements", …
    std::int64_t limit = 0;
    std::int64_t used = 0;
    std::int64_t asked = 0;

    friend bool operator==(const Excess&, const Excess&) = default;
};

/// What `more` on top of `used` would pass of `quota`. Only what is asked for can pass a limit:
/// asking for no GPU is fine where the GPUs are used up. Pending elements are not looked at: they
/// are checked at submission.
[[nodiscard]] std::vector<Excess> excess(
    const model::Quota& quota, const model::Usage& used, const model::Usage& more);

[[nodiscard]] bool is_within(
    const model::Quota& quota, const model::Usage& used, const model::Usage& more);

}  // namespace reeve::scheduler
