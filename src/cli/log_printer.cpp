#include "cli/log_printer.hpp"

#include <ostream>

#include "base/text.hpp"

namespace reeve::cli {

std::optional<LogHole> parse_hole(std::string_view text) {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) {
        return std::nullopt;
    }
    const auto begin = parse_integer(text.substr(0, dash));
    const auto end = parse_integer(text.substr(dash + 1));
    if (!begin || !end || *begin < 0 || *end <= *begin) {
        return std::nullopt;
    }
    return LogHole{.begin = *begin, .end = *end};
}

void LogPrinter::print(std::int64_t offset, std::string_view bytes) {
    if (offset > next_) {
        out_ << (is_in_line_ ? "\n" : "") << "[… " << offset - next_ << " bytes left out …]\n";
        is_in_line_ = false;
        next_ = offset;
    }
    if (!bytes.empty()) {
        out_ << bytes;
        is_in_line_ = bytes.back() != '\n';
        next_ = offset + static_cast<std::int64_t>(bytes.size());
    }
    out_ << std::flush;
}

}  // namespace reeve::cli
