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
    std::function<std::string(JobId)> owner = {};  // The user's name, for what names a job alone.
};

/// `change` as watchers see it. Its JSON is one line, a `Change` of api/openapi.yaml less the
/// cursor, which only the API knows:
/// {"revision":12,"time":"2026-11-24T15:00:00.000000Z","kind":"element.running",
///  "object":"element/1842_7","actor":"alice","source":"unix","request_id":"…","payload":{"state":"running",…}}
/// Kinds: job.submitted, job.changed, job.ended; element.<state>; allocation.<state>; node.added,
/// node.changed, and of its GPUs gpu.xid, gpu.lost, gpu.restored and gpu.conflict (one for each
/// task that has some of it, for its owner); project.changed; and each of these but those of GPUs
/// with
/// ".removed"; reservation.added,
/// reservation.used, reservation.removed, and by themselves reservation.ended and
/// reservation.released (nobody came). Interning, idempotency and
/// the record of a control (what it did has events of its own) are "internal": numbered, but shown
/// to nobody, and without JSON.
[[nodiscard]] Event event_of(const Change& change, const Names& names);

/// "2026-11-24T15:00:00.000000Z".
[[nodiscard]] std::string format_utc(Instant at);

/// `text` with what JSON wants escaped, in quotes.
[[nodiscard]] std::string json_quoted(std::string_view text);

}  // namespace reeve::ledger
