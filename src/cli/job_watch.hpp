#pragma once

#include <functional>
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

/// Text of standard base64 (RFC 4648); "" if it is none.
[[nodiscard]] std::string decode_base64(std::string_view text);

}  // namespace reeve::cli
