#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "ledger/reader.hpp"

// The events of one commit, packed into one blob: for each "kind TAB bytes-of-user TAB user json
// LF", in the order of their revisions.
namespace reeve::store_sqlite {

void pack_event(const ledger::Event& event, std::string& out);

/// What of a row is wanted: revisions after `since`, `limit` events in `out` in all.
struct EventRange {
    Revision since = Revision(0);
    std::size_t limit = 0;
};

/// Adds the wanted events of `packed`, whose first one has `first_rev`, to `out`.
/// Errors: kInternal (not what pack_event() writes).
[[nodiscard]] Result<void> unpack_events(
    std::string_view packed,
    Revision first_rev,
    const EventRange& range,
    std::vector<ledger::Event>& out);

/// How many events are in `packed`. Errors likewise.
[[nodiscard]] Result<std::uint64_t> count_events(std::string_view packed);

}  // namespace reeve::store_sqlite
