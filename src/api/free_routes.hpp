#pragma once

#include <vector>

#include "api/routes.hpp"

namespace reeve::api {

/// GET free: what could start now, and until when.
[[nodiscard]] std::vector<Route> free_routes(const ApiParts& parts);

}  // namespace reeve::api
