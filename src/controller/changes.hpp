#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "controller/view.hpp"
#include "scheduler/changes.hpp"

namespace reeve::controller {

struct Waiter;
struct Blocker;

enum class ChangeKind : std::uint8_t {
    kGpus,
    kTimeLimit,
    kShare,
    kGpuMemory,
    kGpuModel,
    kCpus,
    kMemory,
    kSeveral,      // Two of those above.
    kRelease,      // Somebody lets it go.
    kQuota,        // Somebody raises a limit.
    kPreemptible,  // It lets itself be stopped.
};

/// What would let a job that waits start now: a job that asks for less, submitted in its place, or
/// something that somebody else does.
struct Change {
    ChangeKind kind = ChangeKind::kGpus;
    std::string text = {};     // "2 GPUs instead of 4".
    std::string flags = {};    // Of `reeve run`, instead of those given: "--gpus 2".
    std::string command = {};  // What does it where no new job is needed: "reeve release 7".

    /// What the new job asks for.
    std::optional<scheduler::Alternative> alternative = {};
};

/// The smallest changes of which each would let `waiter` start in the next step, by `view`, if it
/// is made in the next half minute and nothing else happens meanwhile: not while it waits for
/// another job, for its pause or its array, of which `binding` speaks. A new job starts although
/// this one goes on waiting, and what is kept for this one is not counted on, unless nobody else is
/// there to take it. Cost: that of scheduler::alternatives().
[[nodiscard]] std::vector<Change> changes_for(
    const Waiter& waiter, const std::vector<Blocker>& binding, const View& view, Instant now);

/// A node over time, as a job of `project` sees it: with what is kept on it for jobs other than
/// `owner`, and booked for other projects.
[[nodiscard]] scheduler::Timeline timeline_of(
    const NodeStatus& node, const View& view, std::optional<JobId> owner, std::string_view project);

/// The words on the wire: "gpus", "time_limit", ….
[[nodiscard]] std::string_view word_of(ChangeKind kind);

}  // namespace reeve::controller
