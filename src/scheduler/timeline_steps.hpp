#pragma once

// Within the timeline: how what is free changes.
#include <algorithm>
#include <cstdint>

#include "scheduler/timeline.hpp"

namespace reeve::scheduler {

/// Adds `grant` times `sign`, device by device. What is gone is left out.
inline void add(model::Resources& to, const model::Grant& grant, std::int64_t sign) {
    to.host.cpu_millicores += sign * grant.host.cpu_millicores;
    to.host.memory_mib += sign * grant.host.memory_mib;
    for (const model::GpuGrant& granted : grant.gpus) {
        const auto gpu = std::ranges::find(to.gpus, granted.gpu, &model::Gpu::id);
        if (gpu != to.gpus.end()) {
            gpu->free.milli += sign * granted.amount.milli;
            gpu->free.memory_mib += sign * granted.amount.memory_mib;
        }
    }
}

/// As for those who may not use it at all: not even what asks for nothing fits.
inline NodeView with_nothing_free(NodeView view) {
    view.free.host = {.cpu_millicores = -1, .memory_mib = -1};
    for (model::Gpu& gpu : view.free.gpus) {
        gpu.free = {.milli = 0, .memory_mib = 0};
    }
    return view;
}

/// At `at` something is given back (+1) or taken (-1); or, without a grant, what is booked begins
/// or ends.
struct Timeline::Step {
    Instant at;
    std::int64_t sign;
    const model::Grant* grant;
};

}  // namespace reeve::scheduler
