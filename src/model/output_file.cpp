#include "model/output_file.hpp"

#include <algorithm>
#include <array>

#include "model/spec_rules.hpp"

namespace reeve::model {
namespace {

struct Letter {
    char letter;
    std::string OutputNames::* value;
};

/// Every letter that means something after a %. "%%" is a percent sign.
constexpr auto kLetters = std::to_array<Letter>({
    {'j', &OutputNames::element  },
    {'A', &OutputNames::job      },
    {'a', &OutputNames::index    },
    {'x', &OutputNames::job_name },
    {'u', &OutputNames::user     },
    {'N', &OutputNames::node_name},
});

const Letter* row_of_letter(char letter) {
    const auto* const row = std::ranges::find(kLetters, letter, &Letter::letter);
    return row == kLetters.end() ? nullptr : row;
}

/// The character at `at` as it can be shown: all bytes of it, or nothing of a control character.
std::string_view character_at(std::string_view text, std::size_t at) {
    std::size_t end = at + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) {
        ++end;
    }
    const bool is_control = static_cast<unsigned char>(text[at]) < 0x20;
    return is_control ? std::string_view() : text.substr(at, end - at);
}

}  // namespace

std::string fault_of_output_file(std::string_view pattern) {
    if (pattern.empty()) {
        return "is empty; give the path of a file, or leave it out";
    }
    if (pattern.size() > kPathBytesMax) {
        return "has more than " + std::to_string(kPathBytesMax) + " bytes, which no path has";
    }
    if (pattern.ends_with('/')) {
        return "names a folder; give the path of a file in it, such as %j.out";
    }
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') {
            continue;
        }
        ++i;
        if (i < pattern.size() && (pattern[i] == '%' || row_of_letter(pattern[i]) != nullptr)) {
            continue;
        }
        std::string what = "%";
        what += i < pattern.size() ? character_at(pattern, i) : "";
        return "'" + what +
               "' means nothing here; there are %j (the job, 1842 or 1842_7), %A (the job without "
               "its index), %a (the index), %x (the job's name), %u (the user), %N (the node) and "
               "%% (a percent sign)";
    }
    return "";
}

std::string expand_output_file(std::string_view pattern, const OutputNames& names) {
    std::string path;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const Letter* row =
            pattern[i] == '%' && i + 1 < pattern.size() ? row_of_letter(pattern[i + 1]) : nullptr;
        if (pattern[i] != '%') {
            path += pattern[i];
        } else if (row != nullptr) {
            const std::size_t begin = path.size();
            path += names.*row->value;
            std::replace(path.begin() + static_cast<std::ptrdiff_t>(begin), path.end(), '/', '_');
            ++i;
        } else {
            path += '%';
            ++i;
        }
    }
    return path;
}

}  // namespace reeve::model
