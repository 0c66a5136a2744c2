#pragma once

#include <string>
#include <string_view>

#include "ledger/state.hpp"
#include "model/records.hpp"
#include "scheduler/quota.hpp"

// Whether a request can ever be met, and in words why not.
namespace reeve::ledger {

/// `node` as it is when empty and with those of its GPUs, too, that are lost for the moment.
[[nodiscard]] scheduler::NodeView at_best(const State& state, const NodeState& node);

/// What of request `id` is more than any node has, at its best: "no node has 8 GPUs; the largest
/// has 4". There is a node, and none could hold it.
[[nodiscard]] std::string why_never(const State& state, model::RequestId id);

/// "n1 (4 x NVIDIA A30, 32 CPUs, 128 GiB)": the node with the most GPUs. There is one.
[[nodiscard]] std::string largest_node_text(const State& state);

/// What one element of `request` holds while it runs. Of a share by memory alone the compute is not
/// known before it is placed, and counts as nothing.
[[nodiscard]] model::Usage usage_of_one(const model::RequestRecord& request);

/// "2 GPUs", "1.5 CPUs", "64 GiB": an amount of the field `what` of Quota.
[[nodiscard]] std::string amount_text(std::string_view what, std::int64_t amount);

}  // namespace reeve::ledger
