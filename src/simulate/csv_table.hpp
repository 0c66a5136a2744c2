#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace reeve::simulate {

/// A text of comma-separated values whose first line names the columns, read row by row. It looks
/// into the text, which has to outlive it. All errors are kInvalid and begin with "FILE:LINE: ".
class CsvTable {
  public:
    /// `file` is for messages. Errors: no header, a column twice.
    [[nodiscard]] static Result<CsvTable> open(std::string file, std::string_view text);

    /// The place of a column. Errors: there is none.
    [[nodiscard]] Result<std::size_t> column(std::string_view name) const;
    [[nodiscard]] std::optional<std::size_t> find_column(std::string_view name) const;

    [[nodiscard]] const std::vector<std::string_view>& columns() const { return header_; }

    /// Goes on to the next row that is not blank; false at the end. Errors: too few or too many
    /// fields, a quoted field.
    [[nodiscard]] Result<bool> next();

    // Of the row at hand.
    [[nodiscard]] std::string_view text(std::size_t column) const { return fields_[column]; }

    /// Errors: not a whole number, or outside of 0..`max`.
    [[nodiscard]] Result<std::int64_t> amount(std::size_t column, std::int64_t max) const;

    /// An error about the row at hand.
    [[nodiscard]] tl::unexpected<Error> wrong(const std::string& what) const;

    [[nodiscard]] std::size_t line() const noexcept { return line_; }

  private:
    CsvTable(std::string file, std::string_view text) : file_(std::move(file)), rest_(text) {}

    [[nodiscard]] std::string_view take_line();

    std::string file_;
    std::string_view rest_;
    std::size_t line_ = 0;
    std::vector<std::string_view> header_;
    std::vector<std::string_view> fields_;
};

}  // namespace reeve::simulate
