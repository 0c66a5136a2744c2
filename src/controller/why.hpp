#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "controller/changes.hpp"
#include "controller/view.hpp"
#include "ledger/reader.hpp"
#include "model/node_expression.hpp"
#include "model/records.hpp"

namespace reeve::controller {

/// What keeps a pending job from starting, the ones it can do nothing about while they last first.
enum class BlockerKind : std::uint8_t {
    kHeld,          // Until somebody releases it.
    kDependency,    // Another job has to end first.
    kBackoff,       // A retry waits.
    kArrayLimit,    // Enough of its elements run.
    kClusterLimit,  // The cluster's own limits.
    kQuota,         // Of its project or one above.
    kGuarantee,     // What is left is lent to preemptible jobs only.
    kNoNode,        // No node is known yet.
    kNode,          // One node, and what is short there.
    kReserved,      // One node that has room, but keeps it for a job before this one.
    kBooked,        // One node that has room, but for others before this one would end.
    kOrder,         // Others come first: not a blocker by itself.
};

/// Who has what is missing.
struct Holder {
    std::string element = {};  // "1830_2"; "" if the viewer may not know.
    bool is_external = false;  // Not of Reeve: a process beside the queue.
    std::string process = {};  // Of what is external: "python3 (pid 4711)"; "" likewise.
    std::string user = {};
    std::string project = {};
    std::optional<Instant> until = {};
};

struct Blocker {
    BlockerKind kind = BlockerKind::kNode;
    std::string text = {};  // The whole of it in words.
    std::string node = {};
    std::string what = {};  // "gpu", "cpu", "memory", "drained", …; a Quota field; a job id.
    std::int64_t asked = 0;
    std::int64_t free = 0;
    std::vector<Holder> holders = {};
};

/// Room that is kept for the job.
struct Kept {
    Instant at = model::kNever;  // It starts by then, or sooner.
    std::vector<std::string> nodes = {};
    bool is_assumed = false;  // Something there has no time limit: its end is a guess.
};

struct Why {
    std::vector<Blocker> blockers = {};  // Binding first.
    std::size_t binding_count = 0;       // So many of them stand in the way.
    std::optional<std::uint64_t> position = {};
    std::optional<Kept> kept = {};
    std::vector<Change> changes = {};  // Each alone would let it start now; see add_changes().
};

/// Who reads: others' work is shown without names.
struct Viewer {
    std::string user = {};
    bool is_admin = false;
};

/// What waits: a job as a whole, or one element of it.
struct Waiter {
    const ledger::JobRow& job;
    std::optional<model::ElementState> state = {};     // Of the element; absent: the whole job.
    std::uint32_t index = 0;                           // Its index.
    std::optional<model::ElementRecord> attempt = {};  // Its newest, if it has one.
    bool is_submitted = true;  // False: a dry run, which is not in the view.
};

/// What an expression may say of a node.
[[nodiscard]] model::NodeFacts facts_in(const View& view, const NodeStatus& node);

/// What a job that was submitted asks of a node, as the scheduler sees it.
[[nodiscard]] model::Request resolved_request(const ledger::JobRow& job, const View& view);

/// Why one element waits, likewise.
[[nodiscard]] Why why_pending(
    const Waiter& waiter,
    std::optional<std::uint64_t> position,
    const View& view,
    const Viewer& viewer);

/// Why `job` waits, by `view`. A job that does not wait has no blockers. Costs one pass over the
/// nodes.
[[nodiscard]] Why why_pending(
    const ledger::JobRow& job,
    std::optional<std::uint64_t> position,
    const View& view,
    const Viewer& viewer);

/// Adds what would let it start now. Costs some dozens of passes over the nodes, so it is not for
/// lists.
void add_changes(Why& why, const Waiter& waiter, const View& view, Instant now);

/// The words on the wire: "held", "dependency", ….
[[nodiscard]] std::string_view word_of(BlockerKind kind);

}  // namespace reeve::controller
