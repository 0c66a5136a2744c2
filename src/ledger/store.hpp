#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "ledger/change.hpp"
#include "model/records.hpp"

namespace reeve::ledger {

/// What a store knows of the cluster as a whole.
struct StoreHeader {
    std::string cluster_id = {};      // Made at first start, 32 hex digits.
    std::uint64_t incarnation = 1;    // One more after each restore of a backup.
    std::uint64_t epoch = 0;          // One more at each start; the newest may commit.
    Revision last_rev = Revision(0);  // Of the newest change.
    Instant last_at = model::kNever;  // When it was made.
    JobId last_job = JobId(0);        // The highest id ever given.
    AllocationId last_allocation = AllocationId(0);
    model::RequestId last_request = model::RequestId(0);  // The highest id of those that are kept.
};

/// A record that the ledger needs in memory after a restart.
using Recovered = std::variant<
    model::UserRecord,
    model::RequestRecord,  // Of jobs that have not ended.
    model::GpuModelRecord,
    model::ProjectRecord,
    model::AccountRecord,
    model::NodeRecord,
    model::JobRecord,         // Not ended.
    model::ElementRecord,     // Not ended, the latest attempt of each.
    model::AllocationRecord,  // Not released.
    model::BookingRecord,
    RunStatsRecord,
    ForecastRecord,
    OutcomeRecord>;  // By number.

/// Makes changes durable. One thread uses it. An implementation is durable when commit() returns:
/// what it acknowledged is there after a power loss, what it refused is not there at all.
class Store {
  public:
    virtual ~Store() = default;

    /// Begins an epoch: counts it up durably, and returns the header.
    /// Errors: kUnavailable, kStorageFull, kInternal (corrupt: never repaired by deletion).
    [[nodiscard]] virtual Result<StoreHeader> open_epoch() = 0;

    /// Gives every record that lives, kind by kind in the order of Recovered, each kind by id.
    [[nodiscard]] virtual Result<void> recover(const std::function<void(Recovered&&)>& each) = 0;

    /// How many elements of the jobs that are kept, ended or not, asked for each request, for
    /// policies that learn what comes. In any order.
    struct Arrivals {
        model::RequestRecord request = {};
        std::uint64_t elements = 0;
    };

    [[nodiscard]] virtual Result<std::vector<Arrivals>> arrivals() = 0;

    /// All of `changes`, contiguous revisions, or none of them.
    /// Errors: kStorageFull (no room, or a read-only disk), kConflict (a newer epoch exists:
    /// fenced), kInternal. After an error the store is as before the call.
    [[nodiscard]] virtual Result<void> commit(
        std::uint64_t epoch, std::span<const Change> changes) = 0;

    /// True if a commit would work again; tried by a write of its own.
    [[nodiscard]] virtual Result<void> probe() = 0;

    // What the writer has to look up before it applies a command.

    /// How a job ended, if it did: its counts. Nothing if there is no such job.
    [[nodiscard]] virtual Result<std::optional<model::StateCounts>> counts_of(JobId job) = 0;

    /// Whose a job is. Nothing if there is no such job.
    [[nodiscard]] virtual Result<std::optional<UserId>> owner_of(JobId job) = 0;

    /// The text of a job's spec. Errors: kNotFound.
    [[nodiscard]] virtual Result<std::string> spec_of(JobId job) = 0;

    /// The record of an earlier request under this key, if it is still kept (24 h at least, or the
    /// newest 1,000,000).
    [[nodiscard]] virtual Result<std::optional<model::IdempotencyRecord>> request_of(
        UserId user, const std::string& key) = 0;

    /// Whether this attempt ended, by what the store knows: for reports about tasks that have left
    /// the ledger's memory. Nothing if it never was.
    [[nodiscard]] virtual Result<std::optional<model::ElementRecord>> attempt_of(
        const model::ElementKey& key, std::uint32_t attempt) = 0;

    /// Deletes jobs that ended before `before`, `jobs_max` at most, and the changes log up to that
    /// time; returns the tasks whose directories can go now (node, key).
    struct PrunedTask {
        NodeId node;
        model::TaskKey key;
    };

    [[nodiscard]] virtual Result<std::vector<PrunedTask>> prune(
        Instant before, std::size_t jobs_max) = 0;
};

}  // namespace reeve::ledger
