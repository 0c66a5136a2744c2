#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/client.hpp"
#include "cli/log_printer.hpp"

namespace reeve::cli {

/// A part of a log as it is now.
struct LogPage {
    std::string bytes = {};
    std::int64_t next = 0;  // The offset behind it.
    std::optional<LogHole> hole = {};
};

inline constexpr std::int64_t kLogPageBytes = 4 << 20;

/// The page at `offset`; from the end if that is negative. `path` has a query.
[[nodiscard]] Result<LogPage> log_page_at(
    Client& client, const std::string& path, std::int64_t offset);

/// Prints what is there of a log, from where `printer` is on, as long as `goes_on` says so.
[[nodiscard]] Result<void> print_log(
    Client& client,
    const std::string& path,
    LogPrinter& printer,
    const std::function<bool()>& goes_on);

}  // namespace reeve::cli
