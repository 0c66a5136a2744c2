#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "gpu/simulated/topology.hpp"

namespace reeve::gpu::simulated {

/// "4xRTX5090", "A30" (one), "2xA30,1xH100": GPUs with nothing on them. Eight of a model
/// that is made for it are joined by NVSwitch. UUIDs follow from the seed and the index alone.
/// Errors: kInvalid: a model that nobody knows (with a suggestion), no GPU, more than kGpusMax.
[[nodiscard]] Result<Topology> topology_of(std::string_view preset, std::string_view seed);

}  // namespace reeve::gpu::simulated
