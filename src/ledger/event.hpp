#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "ledger/change.hpp"
#include "ledger/reader.hpp"

namespace reeve::ledger {

/// The names that events show in place of ids. Each gives "" for an id it does not know.
struct Names {
    std::function<std::string(UserId)> user = {};
    std::function<std::string(ProjectId)> project = {};
    std::function<std::string(NodeId)> node = {};
};

/// `change` as watchers see it. Its JSON is one line:
/// {"rev":12,"at":"2026-11-24T15:00:00.000000Z","kind":"element.running","object":"1842_7",
///  "actor":"alice","request_id":"…", …what the kind has: state, user, project, node, …}
/// Interning and idempotency are "internal": numbered, but shown to nobody.
[[nodiscard]] Event event_of(const Change& change, const Names& names);

/// "2026-11-24T15:00:00.000000Z".
[[nodiscard]] std::string format_utc(Instant at);

/// `text` with what JSON wants escaped, in quotes.
[[nodiscard]] std::string json_quoted(std::string_view text);

}  // namespace reeve::ledger
