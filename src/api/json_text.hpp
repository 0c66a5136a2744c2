#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"

namespace reeve::api {

/// Which fields of each item of a list are written: all of them, or only those that are named.
class ItemFields {
  public:
    ItemFields() = default;

    /// `names` are of static storage.
    explicit ItemFields(std::vector<std::string_view> names)
        : names_(std::move(names)), is_choice_(true) {}

    [[nodiscard]] bool is_choice() const noexcept { return is_choice_; }

    [[nodiscard]] bool has(std::string_view name) const noexcept;

  private:
    std::vector<std::string_view> names_ = {};
    bool is_choice_ = false;
};

/// Writes one JSON document, front to back. Text that is not UTF-8 has its bad bytes replaced, so
/// that the document always is. Objects and arrays have to be closed by whoever opened them.
class JsonText {
  public:
    JsonText();
    ~JsonText();
    JsonText(const JsonText&) = delete;
    JsonText& operator=(const JsonText&) = delete;
    JsonText(JsonText&&) = delete;
    JsonText& operator=(JsonText&&) = delete;

    void begin_object();
    void end_object();
    void begin_array();
    void end_array();

    /// An array of objects that keep only these of their own fields; what else is written of them
    /// is dropped. One at a time.
    void begin_items(ItemFields fields);
    void end_items();

    void key(std::string_view name);
    void value(std::string_view text);

    void value(const char* text) { value(std::string_view(text)); }

    void value(const std::string& text) { value(std::string_view(text)); }

    void value(double number);
    void value(bool truth);
    void value(Instant at);  // RFC 3339, UTC, microseconds.

    template <std::integral Number>
    void value(Number number) {
        if constexpr (std::signed_integral<Number>) {
            write_signed(number);
        } else {
            write_unsigned(number);
        }
    }

    /// `json` as it is: a document that somebody else wrote.
    void raw(std::string_view json);

    template <class Value>
    void field(std::string_view name, const Value& it) {
        key(name);
        value(it);
    }

    /// The document. Nothing can be written after it.
    [[nodiscard]] std::string take();

  private:
    struct Writer;

    /// True of the value that comes now if it is not wanted.
    [[nodiscard]] bool drops_value();

    void write_signed(std::int64_t number);
    void write_unsigned(std::uint64_t number);

    std::unique_ptr<Writer> writer_;
};

}  // namespace reeve::api
