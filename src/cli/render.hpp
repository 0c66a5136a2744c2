#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "base/result.hpp"
#include "cli/json.hpp"
#include "cli/words.hpp"

namespace reeve::cli {

enum class Format : std::uint8_t { kTable, kWide, kJson, kJsonl, kYaml, kCsv, kName, kColumns };

inline constexpr std::string_view kFormatNames = "table wide json jsonl yaml csv name";

/// "json"; "cols=ID,NAME" is kColumns. Errors: kInvalid, with the names.
[[nodiscard]] Result<Format> parse_format(std::string_view name);

/// The names of "cols=ID,NAME"; none of another format.
[[nodiscard]] std::vector<std::string> columns_in(std::string_view format);

/// True of the formats that are tables for people.
[[nodiscard]] bool is_for_people(Format format);

/// "reeve.job/v1": what a document of that kind says that it is. docs/reference/output.md has all
/// kinds.
[[nodiscard]] std::string schema_of(std::string_view kind);

/// How to show things: whether a person reads it, in colour, and how wide.
struct Look {
    Format format = Format::kTable;
    std::vector<std::string> columns = {};  // Of kColumns, as they were written.
    bool is_terminal = false;
    bool has_colour = false;
    std::size_t width = 80;
    Instant now = Instant(std::chrono::microseconds(0));  // For "2m ago".
};

/// A time of the API. On a terminal as the user's clock shows it; else RFC 3339 in UTC, as it came.
[[nodiscard]] std::string shown_time(std::string_view text, const Look& look);

/// "2m ago"; on a terminal with the time itself: "2026-11-30 15:39:35 CET (2m ago)".
[[nodiscard]] std::string time_in_words(std::string_view text, const Look& look);

/// A text in the colour of its tone, if colours are on. Control characters become '?'.
[[nodiscard]] std::string painted(std::string_view text, Tone tone, const Look& look);

/// Text safe for a terminal: control characters become '?'.
[[nodiscard]] std::string printable(std::string_view text);

/// Columns that a terminal needs for it (one per character).
[[nodiscard]] std::size_t width_of(std::string_view text);

/// What a column gives up on a terminal that is too narrow for the table.
struct Narrow {
    /// Where it is left out: of those that may be, the one with the lowest number goes first. 0: it
    /// stays.
    int leaves = 0;
    /// Before any is left out: in fewer words. Empty: as ever.
    std::function<std::string(const JsonValue& row, const Look& look)> cell = {};
    /// Before any is left out: only a beginning that tells the rows apart.
    bool is_prefix = false;
};

/// The first `width` characters; an ellipsis in place of the last if something is cut.
[[nodiscard]] std::string shortened(const std::string& text, std::size_t width);

struct Column {
    std::string title;
    /// What a person reads.
    std::function<std::string(const JsonValue& row, const Look& look)> cell;
    bool is_wide = false;  // Shown by `-o wide` and csv only.
    std::function<Tone(const JsonValue& row)> tone = {};
    /// Of the exact value, for csv, which it titles; "": as the person reads it.
    std::string path = {};
    Narrow narrow = {};
};

/// A column that shows a member as it is.
[[nodiscard]] Column plain(std::string title, std::string path);
[[nodiscard]] Column wide(Column column);

/// The same column, of which a narrow terminal sees less.
[[nodiscard]] Column narrowed(Column column, Narrow narrow);

/// So many characters of each name that no two different ones become the same; at least 12, which
/// is "GPU-" and the first group of a UUID. `names` in any order.
[[nodiscard]] std::size_t telling_length(std::vector<std::string> names);

/// What a list is shown as.
struct Listing {
    std::string kind = {};  // Of a row: "job"; the list is a "job-list".
    std::vector<Column> columns = {};
    std::function<std::string(const JsonValue& row)> name = {};  // For `-o name`.
    std::string nothing = {};  // Said to a person, on the terminal, where there are no rows.
};

/// Writes a list answer ({items, …}) as `look.format` says. Each format for programs is the same on
/// a terminal or off it. Errors: kInvalid: there is no such column, with those that there are.
[[nodiscard]] Result<void> print_list(
    std::ostream& out, const Json& list, const Listing& listing, const Look& look);

/// Errors: as of print_list(), before there is a list to print.
[[nodiscard]] Result<void> check_columns(const Listing& listing, const Look& look);

/// Writes one object of that kind as JSON or YAML; false if the format is one for people.
[[nodiscard]] bool print_document(
    std::ostream& out, const JsonValue& object, std::string_view kind, Format format);

/// Rows of equal columns, aligned. On a terminal the last column goes on in the next line where it
/// is too wide; where it would get too little room for that, lines are cut.
[[nodiscard]] std::string table_text(
    const std::vector<std::vector<std::string>>& rows, const Look& look);

/// True if table_text() shows all of it without a second line, or it is for no terminal.
[[nodiscard]] bool fits(const std::vector<std::vector<std::string>>& rows, const Look& look);

}  // namespace reeve::cli
