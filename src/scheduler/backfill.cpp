#include "scheduler/backfill.hpp"

#include <algorithm>
#include <string>

namespace reeve::scheduler {

std::string_view name_of(Backfill backfill) noexcept {
    const auto* const row = std::ranges::find(kBackfills, backfill, &BackfillRow::backfill);
    return row == kBackfills.end() ? std::string_view() : row->name;
}

Result<Backfill> parse_backfill(std::string_view name) {
    const auto* const row = std::ranges::find(kBackfills, name, &BackfillRow::name);
    if (row != kBackfills.end()) {
        return row->backfill;
    }
    std::string names;
    for (const BackfillRow& each : kBackfills) {
        names += (names.empty() ? "" : ", ") + std::string(each.name);
    }
    return fail(
        ErrorCode::kInvalid,
        "there is no backfill '" + std::string(name) + "'; there are " + names);
}

}  // namespace reeve::scheduler
