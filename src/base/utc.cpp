#include "base/utc.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>

namespace reeve {
namespace {

constexpr std::string_view kShape = "0000-00-00T00:00:00";

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// "Z", or a point and digits before it.
bool is_end(std::string_view text) {
    if (text.empty() || text.back() != 'Z') {
        return false;
    }
    text.remove_suffix(1);
    return text.empty() || (text.size() > 1 && text.front() == '.' &&
                            std::ranges::all_of(text.substr(1), is_digit));
}

}  // namespace

std::optional<Instant> parse_utc(std::string_view text) {
    const bool has_shape =
        text.size() > kShape.size() && is_end(text.substr(kShape.size())) &&
        std::ranges::equal(text.substr(0, kShape.size()), kShape, [](char is, char wanted) {
            return wanted == '0' ? is_digit(is) : is == wanted;
        });
    if (!has_shape) {
        return std::nullopt;
    }
    const auto number = [&](std::size_t from, std::size_t digits) {
        int value = 0;
        std::from_chars(text.data() + from, text.data() + from + digits, value);
        return value;
    };
    const auto day = std::chrono::year{number(0, 4)} / number(5, 2) / number(8, 2);
    const int hour = number(11, 2);
    const int minute = number(14, 2);
    const int second = number(17, 2);
    if (!day.ok() || hour > 23 || minute > 59 || second > 59) {
        return std::nullopt;
    }
    const auto since = std::chrono::sys_days(day).time_since_epoch() + std::chrono::hours(hour) +
                       std::chrono::minutes(minute) + std::chrono::seconds(second);
    return Instant(std::chrono::duration_cast<std::chrono::microseconds>(since));
}

std::string format_seconds(Instant at) {
    const auto since = std::chrono::floor<std::chrono::seconds>(at.since_epoch());
    const auto days = std::chrono::floor<std::chrono::days>(since);
    const std::chrono::year_month_day date{std::chrono::sys_days(days)};
    const std::chrono::hh_mm_ss time(since - days);
    std::string text(kShape);
    const auto write = [&](std::size_t from, std::size_t digits, std::int64_t number) {
        for (std::size_t i = digits; i > 0; --i, number /= 10) {
            text[from + i - 1] = static_cast<char>('0' + number % 10);
        }
    };
    write(0, 4, static_cast<int>(date.year()));
    write(5, 2, static_cast<unsigned>(date.month()));
    write(8, 2, static_cast<unsigned>(date.day()));
    write(11, 2, time.hours().count());
    write(14, 2, time.minutes().count());
    write(17, 2, time.seconds().count());
    return text + "Z";
}

}  // namespace reeve
