#include "simulate/csv_table.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace reeve::simulate {
namespace {

/// Into `fields`, whose memory is used again for the next line.
void split_fields(std::string_view line, std::vector<std::string_view>& fields) {
    fields.clear();
    std::size_t begin = 0;
    while (true) {
        const std::size_t comma = line.find(',', begin);
        fields.push_back(line.substr(begin, comma - begin));
        if (comma == std::string_view::npos) {
            return;
        }
        begin = comma + 1;
    }
}

}  // namespace

Result<CsvTable> CsvTable::open(std::string file, std::string_view text) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text.starts_with(kByteOrderMark)) {
        text.remove_prefix(kByteOrderMark.size());
    }
    CsvTable table(std::move(file), text);
    split_fields(table.take_line(), table.header_);
    if (table.header_ == std::vector<std::string_view>{""}) {
        return table.wrong("a line with the names of the columns was expected");
    }
    for (auto at = table.header_.begin(); at != table.header_.end(); ++at) {
        if (std::find(table.header_.begin(), at, *at) != at) {
            return table.wrong("column '" + std::string(*at) + "' is there twice");
        }
    }
    return table;
}

std::optional<std::size_t> CsvTable::find_column(std::string_view name) const {
    const auto at = std::ranges::find(header_, name);
    return at == header_.end() ? std::nullopt
                               : std::optional(static_cast<std::size_t>(at - header_.begin()));
}

Result<std::size_t> CsvTable::column(std::string_view name) const {
    if (const std::optional<std::size_t> at = find_column(name)) {
        return *at;
    }
    return fail(ErrorCode::kInvalid, file_ + ":1: column '" + std::string(name) + "' is missing");
}

Result<bool> CsvTable::next() {
    while (!rest_.empty()) {
        const std::string_view line = take_line();
        if (line.empty()) {
            continue;
        }
        if (line.find('"') != std::string_view::npos) {
            return wrong("fields in quotation marks are not read");
        }
        split_fields(line, fields_);
        if (fields_.size() != header_.size()) {
            return wrong(
                std::to_string(header_.size()) + " fields were expected, there are " +
                std::to_string(fields_.size()));
        }
        return true;
    }
    return false;
}

Result<std::int64_t> CsvTable::amount(std::size_t column, std::int64_t max) const {
    const Result<std::int64_t> number = parse_integer(fields_[column]);
    if (!number || *number < 0 || *number > max) {
        return wrong(
            std::string(header_[column]) + ": a whole number from 0 to " + std::to_string(max) +
            " was expected, not '" + std::string(fields_[column]) + "'");
    }
    return *number;
}

tl::unexpected<Error> CsvTable::wrong(const std::string& what) const {
    return fail(ErrorCode::kInvalid, file_ + ":" + std::to_string(line_) + ": " + what);
}

std::string_view CsvTable::take_line() {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++line_;
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

}  // namespace reeve::simulate
