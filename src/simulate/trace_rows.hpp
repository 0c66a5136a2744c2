#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.hpp"
#include "simulate/csv_table.hpp"

namespace reeve::simulate {

/// A CsvTable of which an adapter reads some columns, named by their place in its own list.
class TraceRows {
  public:
    struct Columns {
        std::vector<std::string_view> needed = {};
        std::vector<std::string_view> optional = {};  // Their places come after the needed ones.
    };

    /// Errors: as CsvTable::open(); a needed column is missing.
    [[nodiscard]] static Result<TraceRows> open(
        const std::string& file, std::string_view text, const Columns& columns);

    /// Errors: the file has a column that is not one of ours.
    [[nodiscard]] Result<void> check_no_others() const;

    /// Goes on to the next row that is not blank; false at the end. Errors: as CsvTable::next().
    [[nodiscard]] Result<bool> next() { return table_.next(); }

    /// Calls `take` for each row, until it fails.
    template <class Take>
    [[nodiscard]] Result<void> each(const Take& take) {
        Result<bool> more = next();
        for (; more && *more; more = next()) {
            if (auto taken = take(); !taken) {
                return taken;
            }
        }
        if (!more) {
            return tl::unexpected(std::move(more.error()));
        }
        return {};
    }

    [[nodiscard]] bool has(std::size_t column) const { return places_[column].has_value(); }

    /// "" for a column that is not there.
    [[nodiscard]] std::string_view text(std::size_t column) const {
        return places_[column] ? table_.text(*places_[column]) : std::string_view();
    }

    // Numbers of the row at hand. A wrong one is 0, and error() tells of the first.
    [[nodiscard]] std::int64_t amount(std::size_t column, std::int64_t max);
    /// 0 if the column is not there or the field is empty.
    [[nodiscard]] std::int64_t amount_or_zero(std::size_t column, std::int64_t max);
    /// Seconds with a fraction ("66.0"), to the nearest whole one.
    [[nodiscard]] std::int64_t seconds(std::size_t column, std::int64_t max);
    /// Seconds since 1970 of "2017-10-09 07:01:55", in UTC, or of "2023-03-01 00:18:22+08:00".
    [[nodiscard]] std::int64_t time(std::size_t column);
    /// From -`limit` to `limit`; 0 as amount_or_zero().
    [[nodiscard]] std::int64_t signed_amount_or_zero(std::size_t column, std::int64_t limit);

    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

    /// Errors: it is empty, or a row before had it.
    [[nodiscard]] Result<void> check_name(std::string_view name);

    /// An error about the row at hand.
    [[nodiscard]] tl::unexpected<Error> wrong(const std::string& what) const {
        return table_.wrong(what);
    }

    /// Of rows so far, from 1 on.
    [[nodiscard]] std::size_t line() const noexcept { return table_.line(); }

  private:
    explicit TraceRows(CsvTable table) : table_(std::move(table)) {}

    /// Keeps the first.
    void keep(const Error& error);
    void keep_wrong(std::size_t column, const std::string& wanted);

    CsvTable table_;
    std::vector<std::string_view> names_;
    std::vector<std::optional<std::size_t>> places_;
    std::unordered_set<std::string_view> seen_;
    std::optional<Error> error_;
};

/// As TraceRows::seconds() and TraceRows::time(). Nothing: it is no such text.
[[nodiscard]] std::optional<std::int64_t> parse_decimal_seconds(std::string_view text);
[[nodiscard]] std::optional<std::int64_t> parse_date_time(std::string_view text);

}  // namespace reeve::simulate
