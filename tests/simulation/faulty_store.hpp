#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ledger/store.hpp"

namespace reeve::simulation {

/// A store that fails on demand, over one that does not. `on_durable` hears of every change that is
/// durable, as a checker's only source of what the ledger promised.
class FaultyStore final : public ledger::Store {
  public:
    enum class Fault : std::uint8_t {
        kNone,
        kFull,         // Commits are refused, and so are probes.
        kCrashBefore,  // The process dies before the commit is durable: it is lost.
        kCrashAfter,   // It dies right after: durable, and nobody was told.
    };

    explicit FaultyStore(ledger::Store& inner) : inner_(inner) {}

    std::function<void(const ledger::Change&)> on_durable = {};
    Fault fault = Fault::kNone;
    bool has_crashed = false;

    [[nodiscard]] Result<ledger::StoreHeader> open_epoch() override { return inner_.open_epoch(); }

    [[nodiscard]] Result<std::vector<Arrivals>> arrivals() override { return inner_.arrivals(); }

    [[nodiscard]] Result<void> recover(
        const std::function<void(ledger::Recovered&&)>& each) override {
        return inner_.recover(each);
    }

    [[nodiscard]] Result<void> commit(
        std::uint64_t epoch, std::span<const ledger::Change> changes) override {
        if (fault == Fault::kFull) {
            return fail(ErrorCode::kStorageFull, "the disk is full");
        }
        if (fault == Fault::kCrashBefore) {
            has_crashed = true;
            return fail(ErrorCode::kInternal, "crashed");
        }
        Result<void> done = inner_.commit(epoch, changes);
        if (done) {
            for (const ledger::Change& change : changes) {
                on_durable(change);
            }
        }
        if (fault == Fault::kCrashAfter) {
            has_crashed = true;
        }
        return done;
    }

    [[nodiscard]] Result<void> probe() override {
        if (fault == Fault::kFull) {
            return fail(ErrorCode::kStorageFull, "the disk is full");
        }
        return inner_.probe();
    }

    [[nodiscard]] Result<std::optional<model::StateCounts>> counts_of(JobId job) override {
        return inner_.counts_of(job);
    }

    [[nodiscard]] Result<std::optional<UserId>> owner_of(JobId job) override {
        return inner_.owner_of(job);
    }

    [[nodiscard]] Result<std::string> spec_of(JobId job) override { return inner_.spec_of(job); }

    [[nodiscard]] Result<std::optional<model::IdempotencyRecord>> request_of(
        UserId user, const std::string& key) override {
        return inner_.request_of(user, key);
    }

    [[nodiscard]] Result<std::optional<model::ElementRecord>> attempt_of(
        const model::ElementKey& key, std::uint32_t attempt) override {
        return inner_.attempt_of(key, attempt);
    }

    [[nodiscard]] Result<std::vector<PrunedTask>> prune(
        Instant before, std::size_t jobs_max) override {
        return inner_.prune(before, jobs_max);
    }

  private:
    ledger::Store& inner_;
};

}  // namespace reeve::simulation
