#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cli/client.hpp"
#include "cli/log_printer.hpp"
#include "cli/session.hpp"

namespace reeve::cli {

/// `reeve run` on a terminal: says why the job waits, shows its output as it grows, one attempt
/// after the other, and ends as it ends. One Ctrl-C lets go of the job, a second one soon after
/// stops it.
class Attachment {
  public:
    /// Gives the next signal that came, if any.
    using Signals = std::function<std::optional<int>()>;

    Attachment(const Session& session, Client& client, std::uint64_t job, Signals signals)
        : session_(session), client_(client), job_(job), signals_(std::move(signals)) {}

    /// Shows the job's standard error, too, which has a log of its own: on ours.
    void split_output();

    /// The job's own exit status; 130 after a Ctrl-C.
    [[nodiscard]] Result<int> follow();

    /// Waits for the end of an array, and says how each element ended. The exit status of the first
    /// that failed; 130 after a Ctrl-C.
    [[nodiscard]] Result<int> follow_array();

  private:
    /// Of the attempt that is shown. What has ended has started.
    enum class Until : std::uint8_t { kStarted, kEnded };

    // All of these: false if interrupted.
    [[nodiscard]] Result<bool> watch_until(Until until);
    [[nodiscard]] Result<bool> show_log();
    [[nodiscard]] Result<bool> show_attempt();

    /// Shows what is new of standard error, if it has a log of its own.
    [[nodiscard]] Result<void> show_errors();

    /// Likewise, twice a second at most; while the server is away it waits for the next time.
    [[nodiscard]] Go look_for_errors();

    [[nodiscard]] Result<int> tell_elements();
    [[nodiscard]] Result<int> let_go();
    void see(const Json& job);

    /// The attempt that is shown has. Those before the newest one are over.
    [[nodiscard]] bool has_started() const { return newest_ > attempt_ || has_newest_started_; }

    [[nodiscard]] int interrupts();

    const Session& session_;
    Client& client_;
    std::uint64_t job_;
    Signals signals_;
    int interrupts_ = 0;
    int status_ = 1;
    std::int64_t attempt_ = 1;  // Which is shown.
    std::int64_t newest_ = 1;
    bool has_newest_started_ = false;
    bool has_ended_ = false;   // The job, for good.
    std::string reason_ = {};  // Said last.
    std::optional<LogPrinter> errors_ = {};
    Result<void> errors_shown_ = {};
    std::chrono::microseconds errors_looked_at_ = {};
};

}  // namespace reeve::cli
