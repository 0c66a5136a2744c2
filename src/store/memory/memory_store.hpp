#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "ledger/reader.hpp"
#include "ledger/store.hpp"
#include "store/memory/memory_state.hpp"

namespace reeve::store_memory {

/// What goes wrong with one commit.
enum class Fault : std::uint8_t {
    kNone,
    kFull,         // kStorageFull; nothing is there.
    kFailed,       // kUnavailable; nothing is there.
    kCrashBefore,  // The process dies before anything is durable: kUnavailable, and nothing is
                   // there. Whoever called must not go on.
    kCrashAfter,   // The process dies when all is durable, before it can answer: kUnavailable, but
                   // everything is there. Likewise.
    kUnsynced,     // A disk that lies: it answers, but crash() loses it, and all that came later.
};

/// The ledger's store in memory, for tests and simulations. A crash and a restart are: crash(),
/// then open_epoch() of a new controller on the same store. Deterministic; one thread uses it and
/// its readers.
class MemoryStore final : public ledger::Store, public ledger::ReaderSource {
  public:
    /// Empty. `cluster_id` stands in for the random one of a real store.
    explicit MemoryStore(std::string cluster_id = "00000000000000000000000000000001");

    /// As it was when the snapshot was taken.
    explicit MemoryStore(MemoryState state) : state_(std::move(state)) {}

    // ---- Faults.

    /// Asked at each commit, with how many came before it; none: no faults. A probe asks, too, with
    /// the number of the next commit, and fails on kFull and kFailed.
    using Faults = std::function<Fault(std::uint64_t commit)>;

    void set_faults(Faults faults) { faults_ = std::move(faults); }

    /// The next commit alone.
    void set_next_fault(Fault fault) { next_fault_ = fault; }

    /// Loses what is not durable. Readers stay usable.
    void crash();

    /// Everything, durable or not. Copy it for a snapshot.
    [[nodiscard]] const MemoryState& state() const noexcept { return state_; }

    [[nodiscard]] std::uint64_t commits() const noexcept { return commits_; }

    /// Makes it a restored copy: a new incarnation, job ids go on at the highest + 1,000,000.
    void begin_incarnation();

    // ---- Store.
    [[nodiscard]] Result<ledger::StoreHeader> open_epoch() override;
    [[nodiscard]] Result<std::vector<Arrivals>> arrivals() override;
    [[nodiscard]] Result<void> recover(
        const std::function<void(ledger::Recovered&&)>& each) override;
    [[nodiscard]] Result<void> commit(
        std::uint64_t epoch, std::span<const ledger::Change> changes) override;
    [[nodiscard]] Result<void> probe() override;
    [[nodiscard]] Result<std::optional<model::StateCounts>> counts_of(JobId job) override;
    [[nodiscard]] Result<std::optional<UserId>> owner_of(JobId job) override;
    [[nodiscard]] Result<std::string> spec_of(JobId job) override;
    [[nodiscard]] Result<std::optional<model::IdempotencyRecord>> request_of(
        UserId user, const std::string& key) override;
    [[nodiscard]] Result<std::optional<model::ElementRecord>> attempt_of(
        const model::ElementKey& key, std::uint32_t attempt) override;
    [[nodiscard]] Result<std::vector<PrunedTask>> prune(
        Instant before, std::size_t jobs_max) override;

    // ---- ReaderSource. The store must outlive the reader.
    [[nodiscard]] Result<std::unique_ptr<ledger::Reader>> open_reader() override;

  private:
    /// Forgets an ended job; adds what its node keeps of it to `tasks`.
    void prune_job(JobId id, std::vector<PrunedTask>& tasks);

    /// A change that a crash would lose, with the header before it.
    struct Unsynced {
        ledger::Change change = {};
        ledger::StoreHeader before = {};
    };

    [[nodiscard]] Fault take_fault();

    MemoryState state_;
    Faults faults_ = {};
    Fault next_fault_ = Fault::kNone;
    std::uint64_t commits_ = 0;
    std::vector<Unsynced> unsynced_ = {};
};

}  // namespace reeve::store_memory
