#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "model/job_spec.hpp"
#include "model/records.hpp"
#include "scheduler/timeline.hpp"

namespace reeve::scheduler {

/// What a job asks for, as its submitter writes it, of all that decides whether it starts.
struct Wish {
    model::GpuAsk gpus = {};
    model::HostAmount host = {};
    std::chrono::seconds limit = {};  // 0: none.

    friend bool operator==(const Wish&, const Wish&) = default;
};

/// A part of a wish that may become less, the ones that people give up first at the front.
enum class WishPart : std::uint8_t {
    kGpus,       // Fewer whole GPUs.
    kTime,       // A shorter time limit.
    kShare,      // A share instead of a whole GPU, or a smaller share.
    kGpuMemory,  // Less memory of a GPU, or smaller GPUs.
    kGpuModel,   // Another model, or any if no single other one will do.
    kCpus,
    kMemory,
};

/// A wish that would start now, and in what it differs from the one that waits.
struct Alternative {
    std::vector<WishPart> changed = {};
    Wish wish = {};
};

/// Limits that hold for the job: of its project, of one above it, of the cluster.
struct QuotaLevel {
    model::Quota quota = {};
    model::Usage used = {};
};

/// The cluster, as a job finds it that is submitted now.
struct Surroundings {
    std::vector<Timeline> nodes = {};  // With the promises that it must not break.
    Instant now = Instant(std::chrono::microseconds(0));
    std::chrono::seconds assumed_run = {};  // Of what has no time limit.
    std::chrono::seconds margin = {};       // Starting so much later must be no worse.
    std::map<GpuModelId, std::string> gpu_models = {};
    std::vector<QuotaLevel> levels = {};
};

/// True if a job with this wish starts at the next look: some node has room for it that is not
/// promised to others, and every quota has, whichever device it gets. Its place in the queue does
/// not matter: who has room starts.
[[nodiscard]] bool would_start(const Wish& wish, const Surroundings& around);

/// The single changes of `wish` that would let it start now, one of each part at most, each the
/// smallest that will do: the next step up of the same part would not start. If no single one will
/// do, the pair that gives up least. None if `wish` would start as it is. Steps are those of
/// steps_below(). Cost: at most 2,000 wishes times the nodes, and mostly under 100.
[[nodiscard]] std::vector<Alternative> alternatives(const Wish& wish, const Surroundings& around);

/// What people would write for less of one part of `wish`, the largest first: a wish for each.
/// GPUs by one; shares as 0.75, 0.5, 0.25 and tenths; CPUs and GiB by a sixteenth at most; minutes,
/// from 2 h on tens of them, from 12 h on hours, from 3 days on days. Models in no order.
[[nodiscard]] std::vector<Wish> steps_below(
    WishPart part, const Wish& wish, const Surroundings& around);

/// A short word by which a job can ask for a model, "rtx5090" for "NVIDIA GeForce RTX 5090", that
/// no other of `models` answers to, if there is one.
[[nodiscard]] std::string short_name_of(
    GpuModelId model, const std::map<GpuModelId, std::string>& models);

}  // namespace reeve::scheduler
