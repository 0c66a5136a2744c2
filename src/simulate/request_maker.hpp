#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "simulate/openb_trace.hpp"

namespace reeve::simulate {

/// What one task asks of its node, in the words of traces.
struct Ask {
    std::int64_t cpu_millicores = 0;
    std::int64_t memory_mib = 0;
    std::int64_t gpus = 0;
    std::optional<std::int64_t> gpu_milli = {};    // Of each GPU. Absent: all of it.
    std::optional<std::int64_t> gpu_mem_mib = {};  // Of each.
    std::string_view gpu_models = {};              // "A30|H100"; empty: any.
    bool is_share = false;  // A part of one GPU: of gpu_milli, gpu_mem_mib, or both.

    friend bool operator==(const Ask&, const Ask&) = default;
};

/// Turns what traces ask for into requests to the nodes of one cluster, which outlives it.
class RequestMaker {
  public:
    explicit RequestMaker(const Cluster& cluster);

    /// Errors: kInvalid, without a place: no node has such a GPU, or so many of them; a part of
    /// several GPUs; nothing of one.
    [[nodiscard]] Result<model::Request> make(const Ask& ask) const;

    /// How many nodes could hold `request` if they were empty.
    [[nodiscard]] std::int64_t holders_of(const model::Request& request) const;

    // Of the node that has most of it.
    [[nodiscard]] std::int64_t gpus_max() const noexcept { return gpus_max_; }

    [[nodiscard]] std::int64_t cpu_millicores_max() const noexcept { return cpu_millicores_max_; }

  private:
    /// Nodes that are alike, empty.
    struct Kind {
        const scheduler::NodeView* node = nullptr;
        std::int64_t count = 0;
    };

    const Cluster& cluster_;
    std::vector<Kind> kinds_;
    std::int64_t gpus_max_ = 0;
    std::int64_t cpu_millicores_max_ = 0;
};

}  // namespace reeve::simulate
