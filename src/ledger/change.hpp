#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "ledger/forecast_records.hpp"
#include "model/booking.hpp"
#include "model/records.hpp"

namespace reeve::ledger {

/// A record before and after. No `before`: it is new. No `after`: it left the ledger for good.
template <class Record>
struct Put {
    std::optional<Record> before = {};
    std::optional<Record> after = {};
};

/// What of a job lives in the store only. Given with the change that creates the job.
struct JobTexts {
    std::string name = {};
    std::map<std::string, std::string> labels = {};
    std::string spec_json = {};  // model::to_json(spec), defaults left out.
};

struct JobPut : Put<model::JobRecord> {
    std::optional<JobTexts> texts = {};
};

/// What every change of one job's element also says of the job, so that a watcher needs no second
/// read: whose it is.
struct ElementPut : Put<model::ElementRecord> {
    UserId user = UserId(0);
    ProjectId project = ProjectId(0);
    bool is_array = false;
};

enum class GpuIncidentKind : std::uint8_t {
    kXid,        // Its driver reported an error.
    kLost,       // It cannot be used any more.
    kRestored,   // It can again.
    kContested,  // What is granted of it and what is used outside the queue are more than it has.
};

/// What happened to a GPU.
struct GpuIncident {
    GpuIncidentKind kind = GpuIncidentKind::kXid;
    std::string uuid = {};
    std::int64_t xid = 0;                     // Of an XID.
    std::string text = {};                    // "fallen off the bus"; "" if nothing is known.
    std::optional<model::TaskKey> task = {};  // Contested: what it is granted to.
};

/// A node. With an incident, that is what there is to tell, and the record may be as before.
struct NodePut : Put<model::NodeRecord> {
    std::optional<GpuIncident> incident = {};
};

/// The body of a change. UserPut, RequestPut and GpuModelPut intern; they are never undone by a
/// later change, only by a failed commit. A request leaves memory with the last job that asks for
/// it, as that does: by no change.
using Body = std::variant<
    Put<model::UserRecord>,
    Put<model::RequestRecord>,
    Put<model::GpuModelRecord>,
    Put<model::ProjectRecord>,
    NodePut,
    JobPut,
    ElementPut,
    Put<model::AllocationRecord>,
    Put<model::ControlRecord>,
    Put<model::AccountRecord>,
    Put<model::IdempotencyRecord>,
    Put<model::BookingRecord>,
    Put<RunStatsRecord>,
    Put<ForecastRecord>,
    Put<OutcomeRecord>>;

/// One change of the ledger. Revisions are contiguous from 1, over every restart.
struct Change {
    Revision rev = Revision(0);
    Instant at = model::kNever;
    std::string actor = {};       // Actor::name(), or "reeve" for what follows by itself.
    std::string source = {};      // How the actor is known; "" for what follows by itself.
    std::string request_id = {};  // Of the API request; "" if none.
    Body body = {};
};

}  // namespace reeve::ledger
