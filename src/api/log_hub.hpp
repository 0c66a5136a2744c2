#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/commands.hpp"
#include "api/responder.hpp"
#include "api/task_logs.hpp"
#include "ledger/reader.hpp"

namespace reeve::api {

/// Which task's log is meant, in the terms of a request.
struct LogWish {
    JobId job = JobId(0);
    std::optional<std::uint32_t> index = {};    // Needed of an array.
    std::optional<std::uint32_t> attempt = {};  // The newest if absent.
    std::uint32_t rank = 0;
    LogStream stream = LogStream::kOutput;
};

/// Where a wished-for log is, as far as that is known by now.
struct LogFound {
    std::optional<LogPlace> place = {};  // Absent: it has not started.
    bool is_over = false;                // And never will write more than it has.
};

/// Errors: kNotFound (no such job, element or attempt), kInvalid (an array, and no index).
[[nodiscard]] Result<LogFound> find_log(
    ledger::Reader& reader, const controller::View& view, const LogWish& wish);

/// {"offset":…,"next":…,"text":…} of `bytes` that begin at `offset`; "base64" if they are no UTF-8.
/// Takes a character that is cut off at the end from `bytes`, so that it comes whole the next time.
[[nodiscard]] std::string log_event(std::int64_t offset, std::string& bytes);

[[nodiscard]] std::string base64(std::string_view bytes);

inline constexpr std::size_t kFollowersMax = 10'000;

/// Follows logs that grow, for streams: one thread, which looks often while something comes, less
/// often when nothing does, and sleeps while nobody follows. Outlives the server whose requests it
/// answers.
class LogHub {
  public:
    /// All of them outlive the hub. Its thread starts at once.
    LogHub(ledger::ReaderSource& source, const Commands& commands, const TaskLogs& logs);
    ~LogHub();
    LogHub(const LogHub&) = delete;
    LogHub& operator=(const LogHub&) = delete;
    LogHub(LogHub&&) = delete;
    LogHub& operator=(LogHub&&) = delete;

    /// Answers with a stream from `offset` on (negative: from the end).
    void follow(const Responder& responder, const LogWish& wish, std::int64_t offset);

  private:
    struct Follower {
        LogWish wish = {};
        std::int64_t offset = 0;
        std::optional<LogPlace> place = {};
        std::shared_ptr<EventStream> stream = {};
        bool is_ready = true;  // Guarded by mutex_.
    };

    void run();
    [[nodiscard]] std::vector<std::shared_ptr<Follower>> take_ready(std::chrono::milliseconds wait);
    [[nodiscard]] bool serve(Follower& follower);
    [[nodiscard]] Result<bool> serve_piece(Follower& follower);
    [[nodiscard]] Result<void> find_place(Follower& follower);
    void count_from_end(Follower& follower);
    void send(Follower& follower, LogPiece piece);
    void end_if_over(Follower& follower);
    [[nodiscard]] Result<LogFound> find(const LogWish& wish);
    void write(Follower& follower, std::string text);
    void end(Follower& follower);

    ledger::ReaderSource& source_;
    const Commands& commands_;
    const TaskLogs& logs_;
    std::unique_ptr<ledger::Reader> reader_;  // Of the hub's thread alone.

    std::mutex mutex_;
    std::condition_variable wakes_;
    std::list<std::shared_ptr<Follower>>
        followers_;  // Guarded by mutex_, and so are the next ones.
    bool has_work_ = false;
    bool is_stopping_ = false;
    std::thread thread_;
};

}  // namespace reeve::api
