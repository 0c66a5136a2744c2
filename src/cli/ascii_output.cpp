#include "cli/ascii_output.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace reeve::cli {
namespace {

struct Words {
    std::string_view character;
    std::string_view words;
};

constexpr auto kWords = std::to_array<Words>({
    {"…",      "..."},
    {"“",      "\"" },
    {"”",      "\"" },
    {"„",      "\"" },
    {"‘",      "'"  },
    {"’",      "'"  },
    {"–",      "-"  },
    {"—",      "-"  },
    {"−",      "-"  },
    {"×",      "x"  },
    {"·",      "*"  },
    {"•",      "*"  },
    {"→",      "->" },
    {"←",      "<-" },
    {"≥",      ">=" },
    {"≤",      "<=" },
    {"≠",      "!=" },
    {"±",      "+-" },
    {"°",      ""   },
    {"µ",      "u"  },
    {"✓",      "+"  },
    {"✗",      "x"  },
    {"\u00a0", " "  },
});

/// How many bytes a character has that begins so; 0: none does.
std::size_t length_of(unsigned char first) {
    if (first >= 0xF0 && first <= 0xF4) {
        return 4;
    }
    if (first >= 0xE0) {
        return first < 0xF0 ? 3 : 0;
    }
    return first >= 0xC2 ? 2 : 0;
}

/// Of whole UTF-8.
std::uint32_t code_of(std::string_view character) {
    constexpr std::array<std::uint32_t, 5> kMasks = {0, 0x7F, 0x1F, 0x0F, 0x07};
    std::uint32_t code =
        static_cast<unsigned char>(character.front()) & kMasks.at(character.size());
    for (const char c : character.substr(1)) {
        code = (code << 6U) | (static_cast<unsigned char>(c) & 0x3FU);
    }
    return code;
}

std::string hexadecimal(std::uint32_t code, int digits) {
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string text;
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
        text += kHex[(code >> static_cast<unsigned>(shift)) & 15U];
    }
    return text;
}

std::string escaped_code(std::uint32_t code, AsciiBuffer::Style style) {
    constexpr std::uint32_t kPlane = 0x10000;
    if (code < kPlane) {
        return "\\u" + hexadecimal(code, 4);
    }
    if (style == AsciiBuffer::Style::kYaml) {
        return "\\U" + hexadecimal(code, 8);
    }
    const std::uint32_t rest = code - kPlane;
    return "\\u" + hexadecimal(0xD800 + (rest >> 10U), 4) + "\\u" +
           hexadecimal(0xDC00 + (rest & 0x3FFU), 4);
}

std::string in_ascii(const std::string& character, AsciiBuffer::Style style) {
    if (style != AsciiBuffer::Style::kWords) {
        return escaped_code(code_of(character), style);
    }
    const auto* const row = std::ranges::find(kWords, character, &Words::character);
    return row == kWords.end() ? "?" : std::string(row->words);
}

}  // namespace

AsciiBuffer::int_type AsciiBuffer::overflow(int_type c) {
    if (traits_type::eq_int_type(c, traits_type::eof())) {
        return traits_type::not_eof(c);
    }
    const char next = traits_type::to_char_type(c);
    const auto byte = static_cast<unsigned char>(next);
    const bool goes_on = byte >= 0x80 && byte < 0xC0;
    if (!goes_on) {
        finish();
    }
    bool is_written = true;
    if (byte < 0x80) {
        is_written = !traits_type::eq_int_type(inner_->sputc(next), traits_type::eof());
    } else {
        rest_ += next;
        is_written = put_character();
    }
    return is_written ? c : traits_type::eof();
}

bool AsciiBuffer::put_character() {
    const std::size_t length = length_of(static_cast<unsigned char>(rest_.front()));
    if (rest_.size() < length) {
        return true;
    }
    const std::string text = length == 0 ? "?" : in_ascii(rest_, style_);
    rest_.clear();
    return inner_->sputn(text.data(), static_cast<std::streamsize>(text.size())) ==
           static_cast<std::streamsize>(text.size());
}

void AsciiBuffer::finish() {
    if (!rest_.empty()) {
        inner_->sputc('?');
        rest_.clear();
    }
}

int AsciiBuffer::sync() {
    return inner_->pubsync();
}

AsciiOutput::~AsciiOutput() {
    if (is_on_) {
        out_buffer_.finish();
        err_buffer_.finish();
        out_.rdbuf(out_buffer_.inner());
        err_.rdbuf(err_buffer_.inner());
    }
}

void AsciiOutput::turn_on() {
    if (!is_on_) {
        is_on_ = true;
        out_.rdbuf(&out_buffer_);
        err_.rdbuf(&err_buffer_);
    }
}

}  // namespace reeve::cli
