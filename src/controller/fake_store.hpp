#pragma once

// For tests of a controller: a store that keeps nothing.
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ledger/store.hpp"

namespace reeve::controller {

/// Takes every commit, and fails where a test wants it.
class FakeStore final : public ledger::Store {
  public:
    [[nodiscard]] Result<ledger::StoreHeader> open_epoch() override {
        return ledger::StoreHeader{.cluster_id = "c", .epoch = 1};
    }

    [[nodiscard]] Result<std::vector<Arrivals>> arrivals() override {
        return std::vector<Arrivals>();
    }

    [[nodiscard]] Result<void> recover(
        const std::function<void(ledger::Recovered&&)>& /*each*/) override {
        return {};
    }

    [[nodiscard]] Result<void> commit(
        std::uint64_t /*epoch*/, std::span<const ledger::Change> /*changes*/) override {
        return {};
    }

    [[nodiscard]] Result<void> probe() override { return {}; }

    [[nodiscard]] Result<std::optional<model::StateCounts>> counts_of(JobId /*job*/) override {
        return std::nullopt;
    }

    [[nodiscard]] Result<std::optional<UserId>> owner_of(JobId /*job*/) override {
        return std::nullopt;
    }

    [[nodiscard]] Result<std::string> spec_of(JobId /*job*/) override { return "{}"; }

    [[nodiscard]] Result<std::optional<model::IdempotencyRecord>> request_of(
        UserId /*user*/, const std::string& /*key*/) override {
        return std::nullopt;
    }

    [[nodiscard]] Result<std::optional<model::ElementRecord>> attempt_of(
        const model::ElementKey& /*key*/, std::uint32_t /*attempt*/) override {
        if (has_bad_reads) {
            return fail(ErrorCode::kInternal, "the disk cannot be read");
        }
        return std::nullopt;
    }

    [[nodiscard]] Result<std::vector<PrunedTask>> prune(
        Instant /*before*/, std::size_t /*jobs_max*/) override {
        ++prunes;
        if (has_bad_prunes) {
            return fail(ErrorCode::kInternal, "the disk cannot be written");
        }
        return std::exchange(to_prune, {});
    }

    bool has_bad_reads = false;
    bool has_bad_prunes = false;
    int prunes = 0;
    std::vector<PrunedTask> to_prune = {};
};

}  // namespace reeve::controller
