#include "store/sqlite/change_log.hpp"

#include <charconv>
#include <optional>

namespace reeve::store_sqlite {
namespace {

struct Line {
    std::string_view kind = {};
    std::string_view user = {};
    std::string_view json = {};
};

/// The next line of `rest`, which moves on; nothing if it is malformed.
std::optional<Line> take_line(std::string_view& rest) {
    Line line;
    const std::size_t tab = rest.find('\t');
    if (tab == std::string_view::npos) {
        return std::nullopt;
    }
    line.kind = rest.substr(0, tab);
    rest.remove_prefix(tab + 1);
    std::size_t user_size = 0;
    const char* const begin = std::to_address(rest.begin());
    const char* const end = std::to_address(rest.end());
    const auto parsed = std::from_chars(begin, end, user_size);
    if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '\t') {
        return std::nullopt;
    }
    rest.remove_prefix(static_cast<std::size_t>(parsed.ptr - begin) + 1);
    if (user_size > rest.size()) {
        return std::nullopt;
    }
    line.user = rest.substr(0, user_size);
    rest.remove_prefix(user_size);
    const std::size_t line_end = rest.find('\n');
    if (line_end == std::string_view::npos) {
        return std::nullopt;
    }
    line.json = rest.substr(0, line_end);
    rest.remove_prefix(line_end + 1);
    return line;
}

tl::unexpected<Error> malformed() {
    return fail(ErrorCode::kInternal, "the changes log is corrupt", "a packed event is malformed");
}

}  // namespace

void pack_event(const ledger::Event& event, std::string& out) {
    out += event.kind;
    out += '\t';
    out += std::to_string(event.user.size());
    out += '\t';
    out += event.user;
    out += event.json;
    out += '\n';
}

Result<void> unpack_events(
    std::string_view packed,
    Revision first_rev,
    const EventRange& range,
    std::vector<ledger::Event>& out) {
    for (std::uint64_t rev = first_rev.value(); !packed.empty() && out.size() < range.limit;
         ++rev) {
        const std::optional<Line> line = take_line(packed);
        if (!line) {
            return malformed();
        }
        if (Revision(rev) > range.since) {
            out.push_back(
                {.rev = Revision(rev),
                 .kind = std::string(line->kind),
                 .user = std::string(line->user),
                 .json = std::string(line->json)});
        }
    }
    return {};
}

Result<std::uint64_t> count_events(std::string_view packed) {
    std::uint64_t count = 0;
    for (; !packed.empty(); ++count) {
        if (!take_line(packed)) {
            return malformed();
        }
    }
    return count;
}

}  // namespace reeve::store_sqlite
