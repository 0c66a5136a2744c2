#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace reeve::cli {

/// Bytes that are gone of a log: those from `begin` to before `end`.
struct LogHole {
    std::int64_t begin = 0;
    std::int64_t end = 0;

    [[nodiscard]] std::int64_t size() const noexcept { return end - begin; }

    friend bool operator==(const LogHole&, const LogHole&) = default;
};

/// "524288-1048576", as the API writes it; nothing of anything else.
[[nodiscard]] std::optional<LogHole> parse_hole(std::string_view text);

/// Prints the log of a task, piece by piece. Where bytes are missing between two pieces, because
/// the middle of a log that grew too long is dropped, a line of its own says how many.
class LogPrinter {
  public:
    /// What it prints to outlives it.
    explicit LogPrinter(std::ostream& out) : out_(out) {}

    /// Begins at `offset`: what is before that is not missing.
    void begin_at(std::int64_t offset) { next_ = offset; }

    /// Prints what begins at `offset` of the log.
    void print(std::int64_t offset, std::string_view bytes);

    /// The offset behind what was printed.
    [[nodiscard]] std::int64_t next() const noexcept { return next_; }

  private:
    std::ostream& out_;
    std::int64_t next_ = 0;
    bool is_in_line_ = false;
};

}  // namespace reeve::cli
