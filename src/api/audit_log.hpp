#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/audit.hpp"
#include "base/instant.hpp"
#include "base/result.hpp"
#include "model/records.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::api {

struct AuditLogOptions {
    std::string path = {};
    std::int64_t file_bytes_max = std::int64_t{16} << 20;
    int files_max = 8;  // The one that is written to, and those before: PATH.1 is the newest.
    std::function<Instant()> now = {};
    std::function<void(const Error&)> report = {};  // The first failure of several in a row.
};

/// Counts since the start. Each is read on its own, without a lock.
struct AuditCounters {
    std::atomic<std::uint64_t> written = 0;
    std::atomic<std::uint64_t> lost = 0;  // Too many waited, or the file could not be written.
};

inline constexpr std::size_t kAuditWaitingMax = 10'000;  // Entries, about 5 MiB.

/// The audit log: a file of JSON lines, only appended to, and only its owner may read it. When it
/// is full it becomes PATH.1, what was PATH.1 becomes PATH.2, …, and the oldest goes. A thread of
/// its own writes it. What is lost is counted, and the log says how much as soon as it can be
/// written again. Safe from a kill of the process once written, not from a loss of power.
class AuditLog final : public Audit {
  public:
    /// Nothing is written before start().
    explicit AuditLog(AuditLogOptions options);

    /// Writes what waits, then ends.
    ~AuditLog() override;
    AuditLog(const AuditLog&) = delete;
    AuditLog& operator=(const AuditLog&) = delete;
    AuditLog(AuditLog&&) = delete;
    AuditLog& operator=(AuditLog&&) = delete;

    void start();

    void record(AuditEntry entry) override;

    [[nodiscard]] const AuditCounters& counters() const { return counters_; }

  private:
    struct Waiting {
        Instant at = model::kNever;
        AuditEntry entry = {};
    };

    void run();
    void write(const std::vector<Waiting>& entries);
    [[nodiscard]] Result<void> append(const std::string& line);
    [[nodiscard]] Result<void> open();
    [[nodiscard]] Result<void> rotate();
    void close_if_removed();
    void tell_of_losses();

    AuditLogOptions options_;
    AuditCounters counters_;

    // Of the thread alone.
    platform::UniqueFd file_;
    std::int64_t size_ = 0;
    bool is_line_broken_ = false;  // A write failed in the middle of a line.
    bool is_failing_ = false;
    std::uint64_t losses_told_ = 0;

    std::mutex mutex_;
    std::condition_variable wakes_;
    std::vector<Waiting> waiting_;  // Guarded by mutex_, and so is the next one.
    bool is_stopping_ = false;
    std::thread thread_;
};

/// The line of an entry, without its end.
[[nodiscard]] std::string audit_line(const AuditEntry& entry, Instant at);

}  // namespace reeve::api
