#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "api/http_message.hpp"
#include "api/json_text.hpp"
#include "base/result.hpp"

// The parameter `fields` of lists: which fields of each item are wanted.
namespace reeve::api {

/// What the items of a list may have: the properties of their schema in api/openapi.yaml.
[[nodiscard]] const std::vector<std::string_view>& fields_of_jobs();
[[nodiscard]] const std::vector<std::string_view>& fields_of_nodes();
[[nodiscard]] const std::vector<std::string_view>& fields_of_gpus();
[[nodiscard]] const std::vector<std::string_view>& fields_of_projects();

/// Those of the request's route that it asks for; nothing if it wants all of them.
/// Errors: kInvalid for a field that the items do not have, with those that they have.
[[nodiscard]] Result<ItemFields> item_fields_of(const HttpRequest& request);

}  // namespace reeve::api
