#pragma once

#include <vector>

#include "controller/why.hpp"

namespace reeve::controller {

/// Adds a blocker for each GPU of the node that is granted, and used from outside the queue so much
/// that both together are more than it has.
void add_conflicts(const NodeStatus& node, std::vector<Blocker>& blockers);

}  // namespace reeve::controller
