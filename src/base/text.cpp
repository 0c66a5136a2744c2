#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace reeve {
namespace {

constexpr std::int64_t kSizeMibMax = std::int64_t{1} << 40;
constexpr std::int64_t kMilliMax = 1'000'000'000'000;
constexpr std::int64_t kDurationMaxS = std::int64_t{10} * 366 * 86400;

std::string quoted(std::string_view text) {
    constexpr std::size_t kShownMax = 40;
    return "'" + std::string(text.substr(0, kShownMax)) + (text.size() > kShownMax ? "…'" : "'");
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// The digits at the front of `text`, which it drops; -1 if there are none or too many.
std::int64_t take_digits(std::string_view& text) {
    const auto end = std::ranges::find_if_not(text, is_digit);
    const auto length = static_cast<std::size_t>(end - text.begin());
    constexpr std::size_t kDigitsMax = 15;
    if (length == 0 || length > kDigitsMax) {
        return -1;
    }
    std::int64_t value = 0;
    for (const char digit : text.substr(0, length)) {
        value = value * 10 + (digit - '0');
    }
    text.remove_prefix(length);
    return value;
}

/// "1.5" at the front of `text`, which it drops, in thousandths; -1 if there is none, or one with
/// more than three digits after the point. The whole part is `whole_max` at most.
std::int64_t take_milli(std::string_view& text, std::int64_t whole_max) {
    const std::int64_t whole = take_digits(text);
    if (whole < 0 || whole > whole_max) {
        return -1;
    }
    if (!text.starts_with('.')) {
        return whole * 1000;
    }
    text.remove_prefix(1);
    const std::size_t before = text.size();
    std::int64_t part = take_digits(text);
    const std::size_t digits = before - text.size();
    if (part < 0 || digits > 3) {
        return -1;
    }
    for (std::size_t i = digits; i < 3; ++i) {
        part *= 10;
    }
    return whole * 1000 + part;
}

/// Seconds of a unit's letter, 0 if it is none.
std::int64_t seconds_of(char unit) {
    constexpr std::int64_t kDay = 86400;
    switch (unit) {
        case 'w': return 7 * kDay;
        case 'd': return kDay;
        case 'h': return 3600;
        case 'm': return 60;
        case 's': return 1;
        default:  return 0;
    }
}

Result<std::chrono::seconds> duration_of(std::int64_t seconds, std::string_view text) {
    if (seconds <= 0 || seconds > kDurationMaxS) {
        return fail(
            ErrorCode::kInvalid,
            "a duration is between 1 second and ten years, not " + quoted(text));
    }
    return std::chrono::seconds(seconds);
}

tl::unexpected<Error> bad_duration(std::string_view text) {
    return fail(
        ErrorCode::kInvalid,
        quoted(text) + " is not a duration; write 90s, 5m, 2h30m, 1d, 02:30:00 or 1-00:00:00");
}

/// "02:30:00", "30:00", "30", whole; `parts` counts its numbers. -1 if it is no such thing.
std::int64_t take_clock(std::string_view& rest, std::size_t& parts) {
    std::int64_t seconds = 0;
    for (parts = 1; parts <= 3; ++parts) {
        const std::int64_t part = take_digits(rest);
        if (part < 0 || part > kDurationMaxS) {
            return -1;
        }
        seconds = seconds * 60 + part;
        if (rest.empty()) {
            return seconds;
        }
        if (rest.front() != ':') {
            return -1;
        }
        rest.remove_prefix(1);
    }
    return -1;
}

/// "1-02:30:00", "1-2", "02:30:00", "30:00".
Result<std::chrono::seconds> parse_clock(std::string_view text) {
    std::string_view rest = text;
    const bool has_days = rest.find('-') != std::string_view::npos;
    std::int64_t days = 0;
    if (has_days) {
        days = take_digits(rest);
        if (days < 0 || days > kDurationMaxS / 86400 || !rest.starts_with('-')) {
            return bad_duration(text);
        }
        rest.remove_prefix(1);
    }
    std::size_t parts = 0;
    std::int64_t seconds = take_clock(rest, parts);
    if (seconds < 0) {
        return bad_duration(text);
    }
    for (; has_days && parts < 3; ++parts) {  // Slurm: D-HH, D-HH:MM, D-HH:MM:SS.
        seconds *= 60;
    }
    return duration_of(days * 86400 + seconds, text);
}

/// The byte length of a character by its first byte, 0 if none begins so.
std::size_t utf8_length(unsigned lead) {
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/// Refuses overlong forms, surrogates, and what is past U+10FFFF.
bool is_utf8_second(unsigned lead, unsigned second) {
    switch (lead) {
        case 0xE0: return second >= 0xA0;
        case 0xED: return second < 0xA0;
        case 0xF0: return second >= 0x90;
        case 0xF4: return second < 0x90;
        default:   return true;
    }
}

}  // namespace

Result<std::int64_t> parse_integer(std::string_view text) {
    std::int64_t value = 0;
    const std::string copy(text);
    const char* const last = copy.data() + copy.size();
    const auto [end, error] = std::from_chars(copy.data(), last, value);
    if (error != std::errc{} || end != last) {
        return fail(ErrorCode::kInvalid, quoted(text) + " is not a whole number");
    }
    return value;
}

Result<std::int64_t> parse_milli(std::string_view text) {
    std::string_view rest = text;
    const std::int64_t milli = take_milli(rest, kMilliMax / 1000);
    if (milli < 0 || !rest.empty()) {
        return fail(
            ErrorCode::kInvalid,
            quoted(text) +
                " is not an amount; write a number such as 2 or 0.25, with three digits "
                "after the point at most");
    }
    return milli;
}

Result<std::int64_t> parse_size_mib(std::string_view text) {
    constexpr std::string_view kUnits = "KMGT";
    constexpr std::array<std::int64_t, 4> kKibOf = {
        1, 1024, std::int64_t{1} << 20, std::int64_t{1} << 30};
    std::string_view rest = text;
    const std::int64_t milli = take_milli(rest, kSizeMibMax * 1024);
    std::size_t unit = 1;  // MiB.
    if (!rest.empty()) {
        unit = kUnits.find(static_cast<char>(rest.front() & ~0x20));
        rest.remove_prefix(1);
        for (const std::string_view suffix : {"i", "B", "b"}) {
            rest.remove_prefix(rest.starts_with(suffix) ? 1 : 0);
        }
    }
    if (milli < 0 || unit == std::string_view::npos || !rest.empty()) {
        return fail(
            ErrorCode::kInvalid,
            quoted(text) + " is not a size; write 10G, 512M or 1.5T (powers of 1024)");
    }
    const std::int64_t kib_of = kKibOf.at(unit);
    if (milli / 1000 > kSizeMibMax * 1024 / kib_of) {  // Else it would overflow.
        return fail(ErrorCode::kInvalid, quoted(text) + " is over the largest size, 1048576T");
    }
    const std::int64_t kib = milli / 1000 * kib_of + (milli % 1000 * kib_of + 999) / 1000;
    const std::int64_t mib = (kib + 1023) / 1024;
    if (mib <= 0) {
        return fail(ErrorCode::kInvalid, "a size is more than 0, not " + quoted(text));
    }
    return mib;
}

Result<std::chrono::seconds> parse_duration(std::string_view text) {
    if (text.find(':') != std::string_view::npos || text.find('-') != std::string_view::npos) {
        return parse_clock(text);
    }
    if (!text.empty() && is_digit(text.back())) {  // A bare number is seconds.
        const Result<std::int64_t> seconds = parse_integer(text);
        return seconds ? duration_of(*seconds, text) : bad_duration(text);
    }
    std::string_view rest = text;
    std::int64_t seconds = 0;
    std::int64_t unit_before = kDurationMaxS;
    do {
        const std::int64_t value = take_digits(rest);
        const std::int64_t unit = rest.empty() ? 0 : seconds_of(rest.front());
        // Units come from large to small, each once: not "30m2h", not "5m5m".
        if (value < 0 || unit == 0 || unit >= unit_before) {
            return bad_duration(text);
        }
        rest.remove_prefix(1);
        unit_before = unit;
        if (value > kDurationMaxS / unit) {
            return duration_of(-1, text);
        }
        seconds += value * unit;
    } while (!rest.empty());
    return duration_of(seconds, text);
}

std::string format_duration(std::chrono::seconds duration) {
    struct Unit {
        std::int64_t seconds;
        char letter;
    };

    constexpr auto kUnits = std::to_array<Unit>({
        {86400, 'd'},
        {3600,  'h'},
        {60,    'm'},
        {1,     's'}
    });
    std::int64_t rest = std::max<std::int64_t>(0, duration.count());
    std::string text;
    int shown = 0;
    for (const Unit& unit : kUnits) {
        const std::int64_t count = rest / unit.seconds;
        rest %= unit.seconds;
        if (shown > 0) {
            ++shown;
        }
        if (count > 0 && shown <= 2) {
            text += std::to_string(count) + unit.letter;
            shown = std::max(shown, 1);
        }
    }
    return text.empty() ? "0s" : text;
}

std::string format_mib(std::int64_t mib) {
    struct Unit {
        std::int64_t mib;
        const char* name;
    };

    constexpr auto kUnits = std::to_array<Unit>({
        {1 << 20, " TiB"},
        {1 << 10, " GiB"},
        {1,       " MiB"}
    });
    for (const Unit& unit : kUnits) {
        if (mib >= unit.mib) {
            const std::int64_t tenths = mib * 10 / unit.mib;
            std::string text = std::to_string(tenths / 10);
            if (tenths % 10 != 0) {
                text += "." + std::to_string(tenths % 10);
            }
            return text + unit.name;
        }
    }
    return "0 MiB";
}

std::string format_milli(std::int64_t milli) {
    std::string text = std::to_string(milli / 1000);
    if (milli % 1000 != 0) {
        std::string digits = std::to_string(1000 + milli % 1000).substr(1);
        digits.erase(digits.find_last_not_of('0') + 1);
        text += "." + digits;
    }
    return text;
}

bool is_utf8(std::string_view text) noexcept {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = utf8_length(byte(i));
        if (length == 0 || length > text.size() - i ||
            (length > 1 && !is_utf8_second(byte(i), byte(i + 1)))) {
            return false;
        }
        for (std::size_t k = 1; k < length; ++k) {
            if ((byte(i + k) & 0xC0U) != 0x80) {
                return false;
            }
        }
        i += length;
    }
    return true;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    std::size_t from = 0;
    while (true) {
        const std::size_t at = text.find(separator, from);
        parts.emplace_back(text.substr(from, at == std::string_view::npos ? at : at - from));
        if (at == std::string_view::npos) {
            return parts;
        }
        from = at + 1;
    }
}

namespace {

/// The optimal string alignment distance: characters that are inserted, dropped or replaced, and
/// neighbours that are swapped, count as one edit each.
std::size_t edits_between(std::string_view from, std::string_view to) {
    std::vector<std::size_t> before;  // The row two above, for swaps.
    std::vector<std::size_t> above;
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= from.size(); ++i) {
        before = std::exchange(above, std::exchange(row, std::vector<std::size_t>(to.size() + 1)));
        row[0] = i;
        for (std::size_t j = 1; j <= to.size(); ++j) {
            const bool is_same = from[i - 1] == to[j - 1];
            row[j] = std::min({above[j - 1] + (is_same ? 0 : 1), above[j] + 1, row[j - 1] + 1});
            if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
    }
    return row.back();
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
    constexpr std::size_t kEditsMax = 2;
    std::size_t best = std::min(kEditsMax + 1, (word.size() + 1) / 2);  // Fewer than these.
    std::string found;
    for (const std::string& candidate : candidates) {
        if (const std::size_t edits = edits_between(word, candidate); edits < best) {
            best = edits;
            found = candidate;
        }
    }
    return found;
}

}  // namespace reeve
