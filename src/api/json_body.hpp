#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace reeve::api {

/// A small JSON object that a client sent, read strictly: what is not known is refused, and so is
/// what has the wrong type. Every error is kInvalid and names the field.
class JsonBody {
  public:
    /// `known` are the fields that may come. No body at all is an object without fields.
    [[nodiscard]] static Result<JsonBody> parse(
        std::string_view text, std::initializer_list<std::string_view> known);

    struct Range {
        std::int64_t least = 0;
        std::int64_t most = 0;
    };

    // Of one field; nothing if it is absent.
    [[nodiscard]] Result<std::optional<std::int64_t>> integer(
        std::string_view name, Range range) const;
    [[nodiscard]] Result<std::optional<bool>> truth(std::string_view name) const;

    /// Without NUL, `characters_max` of UTF-8 at most.
    [[nodiscard]] Result<std::optional<std::string>> text(
        std::string_view name, std::size_t characters_max) const;
    [[nodiscard]] Result<std::optional<JsonBody>> object(
        std::string_view name, std::initializer_list<std::string_view> known) const;

    /// 1 to `count_max` of them.
    [[nodiscard]] Result<std::vector<std::int64_t>> integers(
        std::string_view name, Range range, std::size_t count_max) const;

    /// None if it is absent, `count_max` at most.
    [[nodiscard]] Result<std::vector<std::string>> texts(
        std::string_view name, std::size_t characters_max, std::size_t count_max) const;
    [[nodiscard]] Result<std::vector<JsonBody>> objects(
        std::string_view name,
        std::initializer_list<std::string_view> known,
        std::size_t count_max) const;

    /// The JSON of a field, for a reader of its own; nothing if it is absent.
    [[nodiscard]] std::optional<std::string> json(std::string_view name) const;

  private:
    struct State;

    explicit JsonBody(std::shared_ptr<const State> state) : state_(std::move(state)) {}

    std::shared_ptr<const State> state_;
};

}  // namespace reeve::api
