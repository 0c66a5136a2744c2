#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "scheduler/backfill.hpp"
#include "scheduler/policy.hpp"
#include "simulate/cluster.hpp"
#include "simulate/replay.hpp"

namespace reeve::cli {

inline constexpr int kInterrupted = 130;  // As a shell says of a program ended by SIGINT.

/// What both experiments of `reeve replay` are given.
struct ReplayInput {
    std::string trace_file = {};
    std::string trace_text = {};
    std::string cluster_name = {};  // As the user gave it.
    simulate::Cluster cluster = {};
    std::vector<scheduler::Policy> policies = {};  // At least one.
    std::vector<std::uint64_t> seeds = {};         // Likewise, ascending.
};

/// "42", "42,43", "42-51". Errors: kInvalid.
[[nodiscard]] Result<std::vector<std::uint64_t>> parse_seeds(const std::string& text);

/// "fill-value,fgd", each once. Errors: kInvalid, naming those there are.
[[nodiscard]] Result<std::vector<scheduler::Policy>> parse_policies(const std::string& text);
[[nodiscard]] Result<std::vector<scheduler::Backfill>> parse_backfills(const std::string& text);

/// What the flags say of the order and of who may have what; empty: not said.
struct SharingFlags {
    std::string fair_share = {};  // Durations: "7d".
    std::string ageing = {};
    std::string preemption = {};
    std::string min_run = {};
    std::string grace = {};

    /// Empty if nothing is said.
    [[nodiscard]] std::string all() const {
        return fair_share + ageing + preemption + min_run + grace;
    }
};

/// `options` with what `flags` say. Errors: kInvalid, naming the flag.
[[nodiscard]] Result<simulate::ReplayOptions> with_sharing(
    simulate::ReplayOptions options, const SharingFlags& flags);

/// "1/10" gives 10. Errors: kInvalid.
[[nodiscard]] Result<std::int64_t> parse_node_scale(const std::string& text);

/// A node list, or a cluster in short. Errors: of the file; kInvalid, saying what was expected.
[[nodiscard]] Result<simulate::Cluster> read_cluster(const std::string& name);

/// The text of a trace. Errors: of the file.
[[nodiscard]] Result<std::string> read_trace_text(const std::string& file);

}  // namespace reeve::cli
