#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controller/view.hpp"
#include "controller/why.hpp"
#include "scheduler/placement.hpp"

// Words and order of what stands in a job's way.
namespace reeve::controller {

/// "2 GPUs" of a member of a quota.
[[nodiscard]] std::string amount_text(std::string_view what, std::int64_t amount);

/// ", even when empty", or which of its GPUs are lost, and of how many.
[[nodiscard]] std::string lost_text(const NodeStatus& node);

/// Something of `what`, of which a node has an amount ("gpu") or a quota one ("gpu_milli").
/// Whatever else a quota counts, each task is some of it.
[[nodiscard]] bool holds_some(const model::Grant& grant, std::string_view what);

/// Those that end first at the front, those without an end last.
void sort_by_end(std::vector<Holder>& holders);

/// Which time limit would let it pass; "" if none.
[[nodiscard]] std::string hint(
    std::chrono::seconds limit, std::chrono::seconds longest, const std::string& what);

/// How much of the GPUs that are asked for is free, after the name of the node.
[[nodiscard]] std::string gpu_text(const model::GpuAsk& ask, const scheduler::Refusal& refusal);

}  // namespace reeve::controller
