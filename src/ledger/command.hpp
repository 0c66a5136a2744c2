#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/strong_id.hpp"
#include "ledger/forecast_records.hpp"
#include "model/agent_messages.hpp"
#include "model/job_spec.hpp"
#include "model/records.hpp"

namespace reeve::ledger {

/// Whose jobs somebody may know of, read and change: their own, and an administrator everybody's.
/// The one rule of this; what lies outside is answered as if it were not there.
struct Reach {
    std::string_view user = {};  // "" for somebody unknown.
    bool is_admin = false;

    [[nodiscard]] bool covers(std::string_view owner) const noexcept {
        return is_admin || (!user.empty() && user == owner);
    }
};

inline constexpr std::string_view kHiddenOf =
    "hidden, of ";  // Begins a context; the owner follows.

/// What is said of a job that is not there, and of one that the asker may not know of: its context,
/// which is for the operator, then names the owner.
[[nodiscard]] inline Error no_job(JobId id, std::string_view hidden_owner = {}) {
    return {
        .code = ErrorCode::kNotFound,
        .message = "there is no job " + to_string(id),
        .context = hidden_owner.empty() ? std::string()
                                        : std::string(kHiddenOf) + std::string(hidden_owner)};
}

/// Who asks. Commands are checked against it where they touch what belongs to somebody.
struct Actor {
    model::Identity identity = {};
    bool is_admin = false;
    std::string request_id = {};
    std::string source = {};    // How they are known: "unix", "token" or "anonymous".
    std::string acted_by = {};  // The administrator who acts as them; "": themselves.

    /// Who it was, for the record: "ada", or "ada (by root)".
    [[nodiscard]] std::string name() const {
        return acted_by.empty() ? identity.user : identity.user + " (by " + acted_by + ")";
    }

    [[nodiscard]] Reach reach() const noexcept {
        return {.user = identity.user, .is_admin = is_admin};
    }
};

struct NewJob {
    model::JobTerms terms = {};
    std::string spec_json = {};  // model::to_json of the whole spec.
};

/// All of `jobs`, or none.
struct SubmitJobs {
    Actor actor = {};
    std::vector<NewJob> jobs = {};
    std::string idempotency_key = {};  // "" for none.
    std::uint64_t fingerprint = 0;     // Of the request's body.
    bool is_dry_run = false;           // Say what would come of it, and change nothing.
};

/// A job, or one element of it.
struct Target {
    JobId job = JobId(0);
    std::optional<std::uint32_t> index = {};
};

using Control = model::JobControl;

/// All of `targets`, or none.
struct ControlJobs {
    Actor actor = {};
    Control control = Control::kStop;
    std::vector<Target> targets = {};

    /// The revisions that the job may have; else it changed since it was read. Absent: any.
    std::optional<std::vector<Revision>> if_rev = {};
};

struct PutProject {
    Actor actor = {};
    std::string name = {};
    std::optional<std::string> parent = {};  // At creation only; it does not change later.
    model::Quota quota = {};
    std::optional<std::int32_t> share = {};       // 1..kShareMax; absent: as it is.
    std::optional<model::Quota> user_quota = {};  // Likewise.

    /// Likewise. At most the project's limit, and what the one above is guaranteed, if it is.
    std::optional<std::int64_t> guaranteed_gpu_milli = {};
};

enum class NodeControl : std::uint8_t {
    kDrain,  // Nothing new; what runs goes on.
    kResume,
    kLost,  // An operator's word that it is dead: what ran there is node_lost.
};

struct ControlNode {
    Actor actor = {};
    NodeControl control = NodeControl::kDrain;
    std::string node = {};
    std::string reason = {};
};

enum class QuarantineControl : std::uint8_t { kAdopt, kStop, kRelease };

/// About a task that is ours but unknown: make it a job of the ledger again, stop it, or (once
/// nothing of it runs) let go of its GPUs.
struct ControlQuarantine {
    Actor actor = {};
    QuarantineControl control = QuarantineControl::kStop;
    model::TaskKey task = {};
};

/// What an agent said.
struct Report {
    model::AgentReport report = {};
};

/// What was said of jobs that wait, so that it can be compared with what comes.
struct NoteForecasts {
    std::vector<ForecastRecord> forecasts = {};
};

/// Time went on: silence is noticed, back-offs end.
struct Tick {};

/// Keeps room for a project, or for nobody; see model::BookingRecord.
struct PutBooking {
    Actor actor = {};
    std::string name = {};
    std::optional<Instant> from = {};  // Absent: now.
    Instant until = model::kNever;
    std::string project = {};             // "": nobody, for maintenance.
    std::vector<std::string> nodes = {};  // Or:
    std::int64_t node_count = 0;          // So many, chosen now, of those that
    std::string on = {};                  // this expression names; "": of all.
    std::int64_t gpus = 0;                // Of each node; 0: the whole node.
    std::int64_t release_after_s = 0;     // 0: never.
    bool is_ignoring_running = false;     // What still runs then is no reason to refuse.
};

struct DropBooking {
    Actor actor = {};
    std::string name = {};
};

using Command = std::variant<
    SubmitJobs,
    ControlJobs,
    PutProject,
    ControlNode,
    ControlQuarantine,
    PutBooking,
    DropBooking,
    Report,
    NoteForecasts,
    Tick>;

/// What SubmitJobs is answered with: ids first_job, first_job + 1, … in the order of the request.
struct Submitted {
    JobId first_job = JobId(0);
    std::uint32_t job_count = 0;
    bool is_replay = false;  // The same request was accepted before.
};

/// What ControlJobs is answered with.
struct Controlled {
    std::uint32_t element_count = 0;  // How many elements it changed.
    Revision rev = Revision(0);       // Of the (last) job, now; 0 of one that ended long ago.
};

/// What a dry run of SubmitJobs is answered with: the first job as it would be. Its id is not
/// given.
struct Checked {
    model::JobRecord job = {};
};

using Reply = std::variant<std::monostate, Submitted, Controlled, Checked>;

}  // namespace reeve::ledger
