#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace reeve::api {

/// api/openapi.yaml, as it was when this was built.
[[nodiscard]] std::string_view openapi_yaml();

/// The same as JSON. Made at the first call. Errors: kInternal.
[[nodiscard]] Result<std::string> openapi_json();

/// Errors: kInternal if it is no YAML.
[[nodiscard]] Result<std::string> yaml_to_json(const std::string& yaml);

}  // namespace reeve::api
