#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "gpu/simulated/topology.hpp"

namespace reeve::gpu::simulated {

/// As the state file has it: JSON (so YAML too), indented for people.
[[nodiscard]] std::string format_topology(const Topology& topology);

/// The inverse of format_topology. Strict: an unknown field, a wrong type, an amount out of range
/// or a broken invariant of Topology is refused. Errors: kInvalid, naming the field.
[[nodiscard]] Result<Topology> parse_topology(std::string_view text);

}  // namespace reeve::gpu::simulated
