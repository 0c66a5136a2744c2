#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/state.hpp"
#include "model/node_expression.hpp"
#include "model/records.hpp"
#include "scheduler/quota.hpp"

// Whether a request can ever be met, and in words why not.
namespace reeve::ledger {

/// The nodes that a request is held against, and what their GPUs' models are called.
struct Hardware {
    std::vector<const model::NodeRecord*> nodes = {};
    std::function<std::string(GpuModelId)> name_of_model = {};
};

/// Of all nodes. `state` outlives it, and does not change.
[[nodiscard]] Hardware hardware_of(const State& state);

/// `node` as it is when empty and with those of its GPUs, too, that are lost for the moment.
[[nodiscard]] scheduler::NodeView at_best(const model::NodeRecord& node);

/// A request that is held against one node after the other.
class Candidate {
  public:
    /// `resolved` is `request`; its node classes do not count: what is lost may come back.
    Candidate(
        const model::RequestRecord& request,
        model::Request resolved,
        std::function<std::string(GpuModelId)> name_of_model);

    /// True if it may run on `node`, as that is or with those of its GPUs that are lost.
    [[nodiscard]] bool may_run_on(const model::NodeRecord& node) const;

    /// True if it may, and the node could hold it at its best.
    [[nodiscard]] bool could_run_on(const model::NodeRecord& node) const;

  private:
    model::Request resolved_;
    std::function<std::string(GpuModelId)> name_of_model_;
    bool runs_anywhere_;
    std::optional<model::NodeExpression> on_ = {};  // Absent: what cannot be read describes none.
};

/// True if one of the nodes that `request` may run on could hold it at its best; see Candidate.
[[nodiscard]] bool could_ever_run(
    const Hardware& hardware, const model::RequestRecord& request, model::Request resolved);

/// What of `request` is more than any node has, at its best, and which node is the largest: "no
/// node has 8 GPUs; the largest has 4; the largest node is n1 (4 x NVIDIA A30, 32 CPUs, 128 GiB)".
/// If it says on which nodes it may run, of those alone; if there are none, why so. There is a
/// node, and none could hold it.
[[nodiscard]] std::string why_never(const Hardware& hardware, const model::RequestRecord& request);

/// What one element of `request` holds while it runs. Of a share by memory alone the compute is not
/// known before it is placed, and counts as nothing.
[[nodiscard]] model::Usage usage_of_one(const model::RequestRecord& request);

/// "2 GPUs", "1.5 CPUs", "64 GiB": an amount of the field `what` of Quota.
[[nodiscard]] std::string amount_text(std::string_view what, std::int64_t amount);

}  // namespace reeve::ledger
