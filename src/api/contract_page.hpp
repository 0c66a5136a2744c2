#pragma once

#include <string>

#include "base/result.hpp"

namespace reeve::api {

/// api/openapi.yaml as a page to read: operations by tag, then schemas. HTML without scripts, and
/// without anything from elsewhere. Made at the first call. Errors: kInternal.
[[nodiscard]] Result<std::string> contract_page();

}  // namespace reeve::api
