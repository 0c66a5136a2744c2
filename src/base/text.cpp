#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <numeric>

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
    std::from_chars(text.data(), text.data() + length, value);
    text.remove_prefix(length);
    return value;
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

/// "1-02:30:00", "02:30:00", "30:00".
Result<std::chrono::seconds> parse_clock(std::string_view text) {
    std::string_view rest = text;
    std::int64_t days = 0;
    if (rest.find('-') != std::string_view::npos) {
        days = take_digits(rest);
        if (days < 0 || days > kDurationMaxS / 86400 || !rest.starts_with('-')) {
            return bad_duration(text);
        }
        rest.remove_prefix(1);
    }
    std::int64_t seconds = 0;
    std::size_t parts = 0;
    while (true) {
        const std::int64_t part = take_digits(rest);
        if (part < 0 || part > kDurationMaxS) {
            return bad_duration(text);
        }
        seconds = seconds * 60 + part;
        ++parts;
        if (rest.empty()) {
            break;
        }
        if (rest.front() != ':' || parts == 3) {
            return bad_duration(text);
        }
        rest.remove_prefix(1);
    }
    if (days > 0) {  // Slurm: D-HH, D-HH:MM, D-HH:MM:SS.
        for (; parts < 3; ++parts) {
            seconds *= 60;
        }
    }
    return duration_of(days * 86400 + seconds, text);
}

}  // namespace

Result<std::int64_t> parse_integer(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return fail(ErrorCode::kInvalid, quoted(text) + " is not a whole number");
    }
    return value;
}

Result<std::int64_t> parse_milli(std::string_view text) {
    std::string_view rest = text;
    const std::int64_t whole = take_digits(rest);
    std::int64_t milli = 0;
    bool is_good = whole >= 0 && whole <= kMilliMax / 1000;
    if (is_good && rest.starts_with('.')) {
        rest.remove_prefix(1);
        const std::size_t digits = rest.size();
        milli = take_digits(rest);
        is_good = milli >= 0 && digits <= 3;
        for (std::size_t i = digits; is_good && i < 3; ++i) {
            milli *= 10;
        }
    }
    if (!is_good || !rest.empty()) {
        return fail(
            ErrorCode::kInvalid,
            quoted(text) +
                " is not an amount; write a number such as 2 or 0.25, with three digits "
                "after the point at most");
    }
    return whole * 1000 + milli;
}

Result<std::int64_t> parse_size_mib(std::string_view text) {
    std::string_view rest = text;
    const std::int64_t whole = take_digits(rest);
    std::int64_t thousandths = 0;
    bool is_good = whole >= 0;
    if (is_good && rest.starts_with('.')) {
        rest.remove_prefix(1);
        const std::size_t before = rest.size();
        thousandths = take_digits(rest);
        const std::size_t digits = before - rest.size();
        is_good = thousandths >= 0 && digits <= 3;
        for (std::size_t i = digits; is_good && i < 3; ++i) {
            thousandths *= 10;
        }
    }
    constexpr std::string_view kUnits = "KMGT";
    std::size_t unit = 1;  // MiB.
    if (is_good && !rest.empty()) {
        const char letter = static_cast<char>(rest.front() & ~0x20);
        unit = kUnits.find(letter);
        is_good = unit != std::string_view::npos;
        rest.remove_prefix(1);
        if (rest.starts_with('i')) {
            rest.remove_prefix(1);
        }
        if (rest.starts_with('B') || rest.starts_with('b')) {
            rest.remove_prefix(1);
        }
    }
    if (!is_good || !rest.empty()) {
        return fail(
            ErrorCode::kInvalid,
            quoted(text) + " is not a size; write 10G, 512M or 1.5T (powers of 1024)");
    }
    // In thousandths of a KiB; 15 digits times 1000 times 2^30 would overflow, so check first.
    constexpr std::array<std::int64_t, 4> kKibOf = {
        1, 1024, std::int64_t{1} << 20, std::int64_t{1} << 30};
    const std::int64_t kib_of = kKibOf.at(unit);
    if (whole > kSizeMibMax * 1024 / kib_of) {
        return fail(ErrorCode::kInvalid, quoted(text) + " is over the largest size, 1048576T");
    }
    const std::int64_t kib = whole * kib_of + (thousandths * kib_of + 999) / 1000;
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
    std::string_view rest = text;
    std::int64_t seconds = 0;
    std::int64_t unit_before = kDurationMaxS;
    while (!rest.empty() || text.empty()) {
        const std::int64_t value = take_digits(rest);
        if (value < 0 || value > kDurationMaxS) {
            return bad_duration(text);
        }
        std::int64_t unit = 1;
        if (!rest.empty()) {
            switch (rest.front()) {
                case 'w': unit = 7 * 86400; break;
                case 'd': unit = 86400; break;
                case 'h': unit = 3600; break;
                case 'm': unit = 60; break;
                case 's': unit = 1; break;
                default:  return bad_duration(text);
            }
            rest.remove_prefix(1);
        } else if (seconds != 0) {
            return bad_duration(text);  // "2h30": thirty what?
        }
        if (unit >= unit_before) {
            return bad_duration(text);  // "30m2h", "5m5m".
        }
        unit_before = unit;
        if (value > kDurationMaxS / unit) {
            return duration_of(-1, text);
        }
        seconds += value * unit;
    }
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
    std::size_t i = 0;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    while (i < text.size()) {
        const unsigned lead = byte(i);
        const std::size_t more = lead < 0x80   ? 0
                                 : lead < 0xC2 ? 9
                                 : lead < 0xE0 ? 1
                                 : lead < 0xF0 ? 2
                                 : lead < 0xF5 ? 3
                                               : 9;
        if (more == 9 || i + more >= text.size() + (more == 0 ? 1 : 0)) {
            return false;
        }
        for (std::size_t k = 1; k <= more; ++k) {
            if ((byte(i + k) & 0xC0U) != 0x80) {
                return false;
            }
        }
        if (more >= 2) {  // Overlong forms, surrogates, and what is past U+10FFFF.
            const unsigned second = byte(i + 1);
            if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second >= 0xA0) ||
                (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second >= 0x90)) {
                return false;
            }
        }
        i += more + 1;
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

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
    std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
    std::string found;
    for (const std::string& candidate : candidates) {
        std::vector<std::size_t> row(candidate.size() + 1);  // Levenshtein, one row at a time.
        std::iota(row.begin(), row.end(), std::size_t{0});
        for (std::size_t i = 0; i < word.size(); ++i) {
            std::size_t diagonal = row[0]++;
            for (std::size_t j = 0; j < candidate.size(); ++j) {
                const std::size_t cost = diagonal + (word[i] == candidate[j] ? 0 : 1);
                diagonal = row[j + 1];
                row[j + 1] = std::min({cost, row[j] + 1, diagonal + 1});
            }
        }
        if (row.back() < best) {
            best = row.back();
            found = candidate;
        }
    }
    return found;
}

}  // namespace reeve
