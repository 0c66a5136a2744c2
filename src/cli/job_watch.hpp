#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cli/client.hpp"
#include "cli/log_printer.hpp"
#include "cli/targets.hpp"

namespace reeve::cli {

/// The job, or the newest attempt of the element with the job's name, as the API shows it.
/// Errors: kNotFound.
[[nodiscard]] Result<Json> get_target(Client& client, const Target& target);

/// How the job ended, in words. Of an array with elements that failed, how the first of them did,
/// too: "1 of 5 failed: 10_3 exited with 1".
[[nodiscard]] Result<std::string> end_of(Client& client, const Target& target, const Json& job);

/// Looks at the target at once and after each of its events, until `look` says stop. `interrupted`
/// is asked a few times a second; if it says stop, so does this, and gives false.
[[nodiscard]] Result<bool> watch(
    Client& client,
    const Target& target,
    const std::function<Go(const Json&)>& look,
    const std::function<Go()>& interrupted);

/// A log that is followed. `query` is "element=…&attempt=…" and such, or "".
struct LogFollow {
    std::uint64_t job = 0;
    std::string query = {};
    std::function<Go()> interrupted = {};
};

/// Prints the log of a task as it grows, from where `printer` is on, until its end was seen or
/// `interrupted` says stop (then false).
[[nodiscard]] Result<bool> follow_log(Client& client, const LogFollow& follow, LogPrinter& printer);

/// Waits until the job, or the element, has ended for good or goes on with an attempt after
/// `attempt`: the number of the newest one; nothing in the first case, or if `interrupted` says
/// stop.
[[nodiscard]] Result<std::optional<std::int64_t>> wait_for_attempt_after(
    Client& client,
    const Target& target,
    std::int64_t attempt,
    const std::function<Go()>& interrupted);

/// Text of standard base64 (RFC 4648); "" if it is none.
[[nodiscard]] std::string decode_base64(std::string_view text);

}  // namespace reeve::cli
