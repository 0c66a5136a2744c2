#include "cli/render.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <ostream>

#include "base/text.hpp"
#include "platform/local_time.hpp"

namespace reeve::cli {
namespace {

struct FormatName {
    std::string_view name;
    Format format;
};

constexpr auto kFormats = std::to_array<FormatName>({
    {"table", Format::kTable},
    {"wide",  Format::kWide },
    {"json",  Format::kJson },
    {"jsonl", Format::kJsonl},
    {"yaml",  Format::kYaml },
    {"csv",   Format::kCsv  },
    {"name",  Format::kName },
});

constexpr std::string_view kColumnsPrefix = "cols=";

std::string_view colour_of(Tone tone) {
    switch (tone) {
        case Tone::kPlain:   return "";
        case Tone::kGood:    return "\x1b[34m";  // Blue: apart from red for everybody's eyes.
        case Tone::kBusy:    return "\x1b[36m";
        case Tone::kWaiting: return "\x1b[33m";
        case Tone::kBad:     return "\x1b[31m";
        case Tone::kFaint:   return "\x1b[2m";
    }
    return "";
}

constexpr std::string_view kReset = "\x1b[0m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::size_t kGap = 2;
constexpr std::size_t kLastMin =
    24;  // Less than this for the last column, and others are left out.
constexpr std::size_t kWrapMin = 12;  // Less than this, and a line of it cannot be read.

/// Bytes of an escape sequence at `at`; 0 if there is none.
std::size_t escape_at(std::string_view text, std::size_t at) {
    if (text[at] != '\x1b') {
        return 0;
    }
    const std::size_t end = text.find('m', at);
    return end == std::string_view::npos ? text.size() - at : end - at + 1;
}

std::string csv_cell(std::string text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) {
        return text;
    }
    std::string result = "\"";
    for (const char c : text) {
        result += c;
        result += c == '"' ? "\"" : "";
    }
    return result + "\"";
}

/// The name of the field in JSON ("milli_free" of "milli.free"), else the title in the same manner.
std::string csv_title(const Column& column) {
    std::string name;
    for (const char c : column.path.empty() ? column.title : column.path) {
        const bool is_upper = c >= 'A' && c <= 'Z';
        const bool is_plain = is_upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (is_plain) {
            name += is_upper ? static_cast<char>(c + ('a' - 'A')) : c;
        } else if (!name.empty() && name.back() != '_') {
            name += '_';
        }
    }
    name.erase(name.find_last_not_of('_') + 1);
    return name;
}

void print_csv(
    std::ostream& out, const JsonValue& items, const Listing& listing, const Look& look) {
    std::string line;
    for (const Column& column : listing.columns) {
        line += (line.empty() ? "" : ",") + csv_title(column);
    }
    out << line << "\n";
    for (const JsonValue& row : items.GetArray()) {
        std::string separator;
        for (const Column& column : listing.columns) {
            const bool is_exact = !column.path.empty();
            out << separator
                << csv_cell(is_exact ? text_at(row, column.path) : column.cell(row, look));
            separator = ",";
        }
        out << "\n";
    }
}

std::string table_cell(const Column& column, const JsonValue& row, const Look& look) {
    const std::string text = column.cell(row, look);
    return painted(text.empty() ? "-" : text, column.tone ? column.tone(row) : Tone::kPlain, look);
}

/// The rows, titles first, of those columns.
std::vector<std::vector<std::string>> rows_of(
    const JsonValue& items, const std::vector<Column>& columns, const Look& look) {
    std::vector<std::vector<std::string>> rows(1);
    for (const Column& column : columns) {
        rows[0].push_back(
            look.has_colour ? std::string(kBold) + column.title + std::string(kReset)
                            : column.title);
    }
    for (const JsonValue& row : items.GetArray()) {
        auto& cells = rows.emplace_back();
        for (const Column& column : columns) {
            cells.push_back(table_cell(column, row, look));
        }
    }
    return rows;
}

/// Each column in the fewest words that it has.
void shorten(std::vector<Column>& columns, const JsonValue& items, const Look& look) {
    for (Column& column : columns) {
        if (column.narrow.cell) {
            column.cell = column.narrow.cell;
        }
        if (column.narrow.is_prefix) {
            std::vector<std::string> names;
            for (const JsonValue& row : items.GetArray()) {
                names.push_back(column.cell(row, look));
            }
            column.cell = [whole = column.cell, length = telling_length(std::move(names))](
                              const JsonValue& row, const Look& as) {
                return whole(row, as).substr(0, length);
            };
        }
    }
}

/// Takes out the column that goes first; false if none may go.
bool leave_one_out(std::vector<Column>& columns) {
    const auto first = std::ranges::min_element(columns, {}, [](const Column& column) {
        return column.narrow.leaves > 0 ? column.narrow.leaves : std::numeric_limits<int>::max();
    });
    if (first == columns.end() || first->narrow.leaves == 0) {
        return false;
    }
    columns.erase(first);
    return true;
}

std::vector<std::size_t> widths_of(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], width_of(row[i]));
        }
    }
    return widths;
}

/// Where the last column begins.
std::size_t start_of_last(const std::vector<std::size_t>& widths) {
    std::size_t start = 0;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
        start += widths[i] + kGap;
    }
    return start;
}

/// True if the last column has room for all of it, or for lines that can be read.
bool has_room(const std::vector<std::vector<std::string>>& rows, const Look& look) {
    const std::vector<std::size_t> widths = widths_of(rows);
    const std::size_t last = widths.empty() ? 0 : widths.back();
    return start_of_last(widths) + std::min(last, kLastMin) <= look.width;
}

/// How a title can be written in an argument: "WHERE_OR_WHY_NOT", "CPU_FREE".
std::string name_of(std::string_view title) {
    std::string name;
    for (const char c : title) {
        const bool is_lower = c >= 'a' && c <= 'z';
        if (is_lower || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '%') {
            name += is_lower ? static_cast<char>(c - ('a' - 'A')) : c;
        } else if (!name.empty() && name.back() != '_') {
            name += '_';
        }
    }
    name.erase(name.find_last_not_of('_') + 1);
    return name;
}

Error no_column(const std::string& name, const std::vector<Column>& all) {
    std::string list;
    for (const Column& any : all) {
        list += list.empty() ? "" : ", ";
        list += name_of(any.title);
    }
    return {
        ErrorCode::kInvalid, "-o cols=: there is no column '" + name + "'; there are: " + list, {}};
}

/// The columns of those names, in their order; the titles may be written in small letters, and with
/// '_' for what is neither letter nor digit. Errors: kInvalid, with the names that there are.
Result<std::vector<Column>> columns_named(
    const std::vector<std::string>& names, const std::vector<Column>& all) {
    std::vector<Column> columns;
    for (const std::string& name : names) {
        const auto column = std::ranges::find_if(
            all, [&](const Column& any) { return name_of(any.title) == name_of(name); });
        if (column == all.end()) {
            return tl::unexpected(no_column(name, all));
        }
        columns.push_back(*column);
    }
    return columns;
}

/// What a person sees of the list.
Result<std::vector<Column>> columns_of(const Listing& listing, const Look& look) {
    if (look.format == Format::kColumns) {
        return columns_named(look.columns, listing.columns);
    }
    std::vector<Column> columns;
    std::ranges::copy_if(listing.columns, std::back_inserter(columns), [&](const Column& column) {
        return !column.is_wide || look.format == Format::kWide;
    });
    return columns;
}

void print_table(
    std::ostream& out, const JsonValue& items, std::vector<Column> columns, const Look& look) {
    const bool is_all = look.format == Format::kWide || look.format == Format::kColumns;
    auto rows = rows_of(items, columns, look);
    if (!is_all && !fits(rows, look)) {
        shorten(columns, items, look);
        rows = rows_of(items, columns, look);
        while (!has_room(rows, look) && leave_one_out(columns)) {
            rows = rows_of(items, columns, look);
        }
    }
    Look as = look;
    as.is_terminal = look.is_terminal && !is_all;  // Wide is all of it, whatever has room.
    out << table_text(rows, as);
}

/// Bytes of the first `width` characters; there are at least so many.
std::size_t bytes_of_first(std::string_view text, std::size_t width) {
    std::size_t bytes = 0;
    for (std::size_t shown = 0; shown < width; ++shown) {
        do {
            ++bytes;
        } while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xC0U) == 0x80);
    }
    return bytes;
}

/// The text in lines of `width` characters at most, broken between words where there are some. Its
/// colour, if it has one, is that of each line.
std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
    const std::size_t colour = text.empty() ? 0 : escape_at(text, 0);
    const std::string start = text.substr(0, colour);
    const std::string end = colour == 0 ? "" : std::string(kReset);
    std::string_view rest = std::string_view(text).substr(colour);
    if (colour > 0 && rest.ends_with(kReset)) {
        rest.remove_suffix(kReset.size());
    }
    std::vector<std::string> lines;
    const auto add_line = [&](std::string_view part) {
        lines.emplace_back(start).append(part).append(end);
    };
    while (width_of(rest) > width) {
        const std::size_t bytes = bytes_of_first(rest, width);
        const std::size_t space = rest.rfind(' ', bytes);
        const bool has_word = space != std::string_view::npos && space > 0;
        add_line(rest.substr(0, has_word ? space : bytes));
        rest.remove_prefix(has_word ? space + 1 : bytes);
    }
    add_line(rest);
    return lines;
}

}  // namespace

Result<Format> parse_format(std::string_view name) {
    const auto row = std::ranges::find(kFormats, name, &FormatName::name);
    if (row != kFormats.end()) {
        return row->format;
    }
    if (name.starts_with(kColumnsPrefix)) {
        const auto columns = columns_in(name);
        return std::ranges::find(columns, "") == columns.end()
                   ? Result<Format>(Format::kColumns)
                   : fail(
                         ErrorCode::kInvalid,
                         "'" + std::string(name) + "' needs the names of columns: cols=ID,NAME");
    }
    return fail(
        ErrorCode::kInvalid,
        "'" + std::string(name) +
            "' is not a format; -o takes table, wide, json, jsonl, yaml, csv, "
            "name or cols=A,B" +
            (name.find_first_of("./%") == std::string_view::npos
                 ? ""
                 : "; a file for the output of a job is --output " + std::string(name)));
}

std::vector<std::string> columns_in(std::string_view format) {
    return format.starts_with(kColumnsPrefix) ? split(format.substr(kColumnsPrefix.size()), ',')
                                              : std::vector<std::string>();
}

std::string shown_time(std::string_view text, const Look& look) {
    const auto at = look.is_terminal ? parse_time(text) : std::nullopt;
    return at ? platform::local_time(*at) : printable(text);
}

std::string time_in_words(std::string_view text, const Look& look) {
    const std::string relative = relative_time(text, look.now);
    return look.is_terminal && parse_time(text) ? shown_time(text, look) + " (" + relative + ")"
                                                : relative;
}

bool is_for_people(Format format) {
    return format == Format::kTable || format == Format::kWide || format == Format::kColumns;
}

std::string schema_of(std::string_view kind) {
    return "reeve." + std::string(kind) + "/v1";
}

std::string printable(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        const auto byte = static_cast<unsigned char>(c);
        c = byte < 0x20 || byte == 0x7F ? '?' : c;
    }
    for (std::size_t at = 0; (at = result.find('\xC2', at)) != std::string::npos; ++at) {
        if (at + 1 < result.size() && static_cast<unsigned char>(result[at + 1]) < 0xA0) {
            result.replace(at, 2, "?");  // C1: some terminals obey these, too.
        }
    }
    return result;
}

std::string painted(std::string_view text, Tone tone, const Look& look) {
    std::string safe = printable(text);
    const std::string_view colour = colour_of(tone);
    if (!look.has_colour || colour.empty()) {
        return safe;
    }
    return std::string(colour) + safe + std::string(kReset);
}

std::size_t width_of(std::string_view text) {
    std::size_t width = 0;
    for (std::size_t i = 0; i < text.size();) {
        if (const std::size_t escape = escape_at(text, i); escape > 0) {
            i += escape;
            continue;
        }
        width += (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80 ? 0U : 1U;
        ++i;
    }
    return width;
}

std::string shortened(const std::string& text, std::size_t width) {
    if (width_of(text) <= width || width == 0) {
        return text;
    }
    std::string result;
    std::size_t shown = 0;
    bool has_colour = false;
    for (std::size_t i = 0; i < text.size() && shown + 1 < width;) {
        if (const std::size_t escape = escape_at(text, i); escape > 0) {
            has_colour = true;
            result += text.substr(i, escape);
            i += escape;
            continue;
        }
        do {
            result += text[i++];
        } while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80);
        ++shown;
    }
    return result + "…" + (has_colour ? std::string(kReset) : "");
}

Column plain(std::string title, std::string path) {
    const auto cell = [path](const JsonValue& row, const Look& /*look*/) {
        return text_at(row, path);
    };
    return Column{.title = std::move(title), .cell = cell, .path = std::move(path)};
}

Column wide(Column column) {
    column.is_wide = true;
    return column;
}

Column narrowed(Column column, Narrow narrow) {
    column.narrow = std::move(narrow);
    return column;
}

std::size_t telling_length(std::vector<std::string> names) {
    constexpr std::size_t kLeast = 12;
    std::ranges::sort(names);
    std::size_t length = kLeast;
    for (std::size_t i = 1; i < names.size(); ++i) {
        const auto differ = std::ranges::mismatch(names[i - 1], names[i]);
        if (differ.in1 != names[i - 1].end() || differ.in2 != names[i].end()) {
            const auto same = static_cast<std::size_t>(differ.in1 - names[i - 1].begin());
            length = std::max(length, same + 1);
        }
    }
    return length;
}

Result<void> print_list(
    std::ostream& out, const Json& list, const Listing& listing, const Look& look) {
    const JsonValue* items = find(list, "items");
    const JsonValue nothing(rapidjson::kArrayType);
    const JsonValue& rows = items != nullptr && items->IsArray() ? *items : nothing;
    const std::string kind = listing.kind + "-list";
    switch (look.format) {
        case Format::kJson: out << to_pretty(list, schema_of(kind)) << "\n"; return {};
        case Format::kYaml: out << to_yaml(list, schema_of(kind)) << "\n"; return {};
        case Format::kCsv:  print_csv(out, rows, listing, look); return {};
        case Format::kJsonl:
            for (const JsonValue& row : rows.GetArray()) {
                out << to_compact(row, schema_of(listing.kind)) << "\n";
            }
            return {};
        case Format::kName:
            for (const JsonValue& row : rows.GetArray()) {
                out << printable(listing.name(row)) << "\n";
            }
            return {};
        case Format::kTable:
        case Format::kWide:
        case Format::kColumns: break;
    }
    auto columns = columns_of(listing, look);
    if (!columns) {
        return tl::unexpected(std::move(columns.error()));
    }
    if (rows.Empty() && look.is_terminal && !listing.nothing.empty()) {
        out << listing.nothing << "\n";
        return {};
    }
    print_table(out, rows, std::move(*columns), look);
    return {};
}

Result<void> check_columns(const Listing& listing, const Look& look) {
    auto columns = columns_of(listing, look);
    return columns ? Result<void>() : tl::unexpected(std::move(columns.error()));
}

bool print_document(
    std::ostream& out, const JsonValue& object, std::string_view kind, Format format) {
    switch (format) {
        case Format::kJson:    out << to_pretty(object, schema_of(kind)) << "\n"; return true;
        case Format::kJsonl:   out << to_compact(object, schema_of(kind)) << "\n"; return true;
        case Format::kYaml:    out << to_yaml(object, schema_of(kind)) << "\n"; return true;
        case Format::kTable:
        case Format::kWide:
        case Format::kCsv:
        case Format::kName:
        case Format::kColumns: return false;
    }
    return false;
}

bool fits(const std::vector<std::vector<std::string>>& rows, const Look& look) {
    const std::vector<std::size_t> widths = widths_of(rows);
    return !look.is_terminal || widths.empty() ||
           start_of_last(widths) + widths.back() <= look.width;
}

std::string table_text(const std::vector<std::vector<std::string>>& rows, const Look& look) {
    const std::vector<std::size_t> widths = widths_of(rows);
    const std::size_t start = start_of_last(widths);
    const bool is_wrapped = look.is_terminal && start + kWrapMin <= look.width;
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i + 1 < row.size(); ++i) {
            line += row[i];
            line.append(widths[i] - width_of(row[i]) + kGap, ' ');
        }
        std::vector<std::string> last = {row.empty() ? "" : row.back()};
        if (is_wrapped && row.size() == widths.size()) {
            last = wrapped(last.front(), look.width - start);
        }
        for (const std::string& part : last) {
            line += part;
            line.erase(line.find_last_not_of(' ') + 1);
            text += (look.is_terminal ? shortened(line, look.width) : line) + "\n";
            line.assign(start, ' ');
        }
    }
    return text;
}

}  // namespace reeve::cli
