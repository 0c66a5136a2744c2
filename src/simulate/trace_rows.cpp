#include "simulate/trace_rows.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/text.hpp"

namespace reeve::simulate {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// `text` is all digits, at most 9.
std::optional<int> number_of(std::string_view text) {
    if (text.empty() || text.size() > 9 || !std::ranges::all_of(text, is_digit)) {
        return std::nullopt;
    }
    constexpr int kTen = 10;
    int number = 0;
    for (const char digit : text) {
        number = number * kTen + (digit - '0');
    }
    return number;
}

/// "+08:00" -> 28,800; "" and "Z" -> 0.
std::optional<std::int64_t> parse_offset(std::string_view text) {
    if (text.empty() || text == "Z") {
        return 0;
    }
    constexpr std::size_t kSize = 6;
    constexpr int kSixty = 60;
    if (text.size() != kSize || (text[0] != '+' && text[0] != '-') || text[3] != ':') {
        return std::nullopt;
    }
    const auto hours = number_of(text.substr(1, 2));
    const auto minutes = number_of(text.substr(4, 2));
    if (!hours || !minutes || *hours > 23 || *minutes >= kSixty) {
        return std::nullopt;
    }
    const std::int64_t seconds = (std::int64_t{*hours} * kSixty + *minutes) * kSixty;
    return text[0] == '+' ? seconds : -seconds;
}

}  // namespace

std::optional<std::int64_t> parse_decimal_seconds(std::string_view text) {
    const std::size_t point = text.find('.');
    const Result<std::int64_t> whole = parse_integer(text.substr(0, point));
    if (!whole || *whole < 0 || text.starts_with('-') || *whole > INT64_MAX / 2) {
        return std::nullopt;
    }
    if (point == std::string_view::npos) {
        return *whole;
    }
    const std::string_view fraction = text.substr(point + 1);
    if (fraction.empty() || !std::ranges::all_of(fraction, is_digit)) {
        return std::nullopt;
    }
    return *whole + (fraction.front() >= '5' ? 1 : 0);
}

std::optional<std::int64_t> parse_date_time(std::string_view text) {
    constexpr std::string_view kForm = "0000-00-00 00:00:00";
    if (text.size() < kForm.size()) {
        return std::nullopt;
    }
    constexpr std::size_t kBetween = 10;  // A space, or the T of ISO 8601.
    for (std::size_t i = 0; i < kForm.size(); ++i) {
        const bool is_right = kForm[i] == '0' ? is_digit(text[i])
                              : i == kBetween ? text[i] == ' ' || text[i] == 'T'
                                              : text[i] == kForm[i];
        if (!is_right) {
            return std::nullopt;
        }
    }
    const auto part = [&](std::size_t at, std::size_t size) {
        return number_of(text.substr(at, size)).value_or(0);
    };
    const std::chrono::year_month_day day{
        std::chrono::year(part(0, 4)), std::chrono::month(static_cast<unsigned>(part(5, 2))),
        std::chrono::day(static_cast<unsigned>(part(8, 2)))};
    const int hour = part(11, 2);
    const int minute = part(14, 2);
    const int second = part(17, 2);
    const auto offset = parse_offset(text.substr(kForm.size()));
    if (!day.ok() || hour > 23 || minute > 59 || second > 60 || !offset) {
        return std::nullopt;
    }
    const std::chrono::seconds since_epoch =
        std::chrono::sys_days(day).time_since_epoch() + std::chrono::hours(hour) +
        std::chrono::minutes(minute) + std::chrono::seconds(second - *offset);
    return since_epoch.count();
}

Result<TraceRows> TraceRows::open(
    const std::string& file, std::string_view text, const Columns& columns) {
    auto table = CsvTable::open(file, text);
    if (!table) {
        return tl::unexpected(std::move(table.error()));
    }
    TraceRows rows(std::move(*table));
    for (const std::string_view name : columns.needed) {
        const Result<std::size_t> place = rows.table_.column(name);
        if (!place) {
            return tl::unexpected(place.error());
        }
        rows.names_.push_back(name);
        rows.places_.emplace_back(*place);
    }
    for (const std::string_view name : columns.optional) {
        rows.names_.push_back(name);
        rows.places_.push_back(rows.table_.find_column(name));
    }
    return rows;
}

Result<void> TraceRows::check_no_others() const {
    for (const std::string_view column : table_.columns()) {
        if (std::ranges::find(names_, column) != names_.end()) {
            continue;
        }
        std::string known;
        for (const std::string_view name : names_) {
            known += (known.empty() ? "" : ", ") + std::string(name);
        }
        return wrong("there is no column '" + std::string(column) + "'; there are " + known);
    }
    return {};
}

void TraceRows::keep(const Error& error) {
    if (!error_) {
        error_ = error;
    }
}

void TraceRows::keep_wrong(std::size_t column, const std::string& wanted) {
    keep(wrong(
             std::string(names_[column]) + ": " + wanted + " was expected, not '" +
             std::string(text(column)) + "'")
             .value());
}

std::int64_t TraceRows::amount(std::size_t column, std::int64_t max) {
    const Result<std::int64_t> amount = table_.amount(*places_[column], max);
    if (!amount) {
        keep(amount.error());
    }
    return amount.value_or(0);
}

std::int64_t TraceRows::amount_or_zero(std::size_t column, std::int64_t max) {
    return text(column).empty() ? 0 : amount(column, max);
}

std::int64_t TraceRows::signed_amount_or_zero(std::size_t column, std::int64_t limit) {
    if (text(column).empty()) {
        return 0;
    }
    const Result<std::int64_t> number = parse_integer(text(column));
    if (!number || *number < -limit || *number > limit) {
        keep_wrong(
            column,
            "a whole number from -" + std::to_string(limit) + " to " + std::to_string(limit));
        return 0;
    }
    return *number;
}

std::int64_t TraceRows::seconds(std::size_t column, std::int64_t max) {
    const auto seconds = parse_decimal_seconds(text(column));
    if (!seconds || *seconds > max) {
        keep_wrong(column, "a number of seconds from 0 to " + std::to_string(max));
        return 0;
    }
    return *seconds;
}

std::int64_t TraceRows::time(std::size_t column) {
    const auto seconds = parse_date_time(text(column));
    if (!seconds) {
        keep_wrong(column, "a time like 2017-10-09 07:01:55");
    }
    return seconds.value_or(0);
}

Result<void> TraceRows::check_name(std::string_view name) {
    if (name.empty()) {
        return wrong("it has no name");
    }
    if (!seen_.insert(name).second) {
        return wrong("'" + std::string(name) + "' is there twice");
    }
    return {};
}

}  // namespace reeve::simulate
