#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <rapidjson/document.h>

#include "base/result.hpp"

namespace reeve::cli {

/// What the server answered, and what is printed.
using Json = rapidjson::Document;
using JsonValue = rapidjson::Value;

/// Errors: kUnavailable: the server said something that is not JSON.
[[nodiscard]] Result<Json> parse_json(std::string_view text);

/// The same with the memory of another document, into which it may then be moved.
[[nodiscard]] Result<Json> parse_json(std::string_view text, Json::AllocatorType& memory);

/// A member by its path ("elements.total"); null if it is not there.
[[nodiscard]] const JsonValue* find(const JsonValue& object, std::string_view path);

/// The text of a member; "" if it is absent. Numbers and booleans as JSON writes them.
[[nodiscard]] std::string text_at(const JsonValue& object, std::string_view path);
[[nodiscard]] std::optional<std::int64_t> integer_at(
    const JsonValue& object, std::string_view path);
[[nodiscard]] bool flag_at(const JsonValue& object, std::string_view path);

/// As JSON. An object begins with a member "schema", if one is given.
[[nodiscard]] std::string to_compact(const JsonValue& value, std::string_view schema = {});
[[nodiscard]] std::string to_pretty(const JsonValue& value, std::string_view schema = {});

/// The same as YAML 1.2; texts are quoted where they could be read as something else.
[[nodiscard]] std::string to_yaml(const JsonValue& value, std::string_view schema = {});

/// `text` as a JSON string, quotes included.
[[nodiscard]] std::string quoted_json(std::string_view text);

}  // namespace reeve::cli
