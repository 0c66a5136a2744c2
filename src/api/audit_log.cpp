#include "api/audit_log.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include "api/json_text.hpp"
#include "base/assert.hpp"
#include "platform/files.hpp"

namespace reeve::api {
namespace {

constexpr mode_t kMode = 0600;

std::string_view word_of(AuditKind kind) {
    switch (kind) {
        case AuditKind::kDenied: return "denied";
        case AuditKind::kRead:   return "read";
        case AuditKind::kActed:  return "acted_as";
    }
    return "";  // Only if it was cast from a number.
}

tl::unexpected<Error> failed(const std::string& what) {
    const int error = errno;
    return fail(
        ErrorCode::kInternal, "the audit log cannot be written",
        what + ": " + strerrordesc_np(error));
}

}  // namespace

AuditLog::AuditLog(AuditLogOptions options) : options_(std::move(options)) {
    REEVE_ASSERT(options_.now != nullptr, "entries have a time");
    REEVE_ASSERT(options_.files_max >= 1, "there is a file to write to");
}

AuditLog::~AuditLog() {
    {
        const std::scoped_lock lock(mutex_);
        is_stopping_ = true;
    }
    wakes_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void AuditLog::start() {
    thread_ = std::thread([this] { run(); });
}

void AuditLog::record(AuditEntry entry) {
    const Instant at = options_.now();
    const std::scoped_lock lock(mutex_);
    if (waiting_.size() >= kAuditWaitingMax) {
        counters_.lost.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    waiting_.push_back({.at = at, .entry = std::move(entry)});
    wakes_.notify_one();
}

void AuditLog::run() {
    bool is_stopping = false;
    while (!is_stopping) {
        std::vector<Waiting> taken;
        {
            std::unique_lock lock(mutex_);
            wakes_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
            taken.swap(waiting_);
            is_stopping = is_stopping_;
        }
        write(taken);
    }
}

/// Somebody moved the file away, perhaps: what is written must not vanish with it.
void AuditLog::close_if_removed() {
    struct stat facts = {};
    if (file_.is_open() && (fstat(file_.get(), &facts) != 0 || facts.st_nlink == 0)) {
        file_ = platform::UniqueFd();
    }
}

void AuditLog::write(const std::vector<Waiting>& entries) {
    close_if_removed();
    for (const Waiting& waiting : entries) {
        tell_of_losses();
        const Result<void> done = append(audit_line(waiting.entry, waiting.at));
        if (done) {
            counters_.written.fetch_add(1, std::memory_order_relaxed);
        } else {
            counters_.lost.fetch_add(1, std::memory_order_relaxed);
        }
        if (!done && !std::exchange(is_failing_, true) && options_.report) {
            options_.report(done.error());
        }
        is_failing_ = !done;
    }
    tell_of_losses();
}

/// If it cannot be told now, it is told before the next entry.
void AuditLog::tell_of_losses() {
    const std::uint64_t lost = counters_.lost.load();
    if (lost == losses_told_) {
        return;
    }
    JsonText json;
    json.begin_object();
    json.field("at", options_.now());
    json.field("kind", "lost");
    json.field("count", lost - losses_told_);
    json.end_object();
    if (append(json.take())) {
        losses_told_ = lost;
    }
}

Result<void> AuditLog::append(const std::string& line) {
    if (!file_.is_open()) {
        if (Result<void> opened = open(); !opened) {
            return opened;
        }
    }
    constexpr std::size_t kLineEnds = 2;  // That a broken line needs, and this one.
    const auto bytes_max = static_cast<std::int64_t>(line.size() + kLineEnds);
    if (size_ > 0 && size_ + bytes_max > options_.file_bytes_max) {
        if (Result<void> rotated = rotate(); !rotated) {
            return rotated;
        }
    }
    const std::string text = (is_line_broken_ ? "\n" : "") + line + "\n";
    Result<void> written = platform::write_all(file_.get(), text);
    is_line_broken_ = !written;
    size_ += static_cast<std::int64_t>(text.size());
    return written;
}

Result<void> AuditLog::open() {
    file_ = platform::UniqueFd(::open(
        options_.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode));
    if (!file_.is_open()) {
        return failed("open " + options_.path);
    }
    struct stat facts = {};
    if (fstat(file_.get(), &facts) != 0) {
        return failed("stat " + options_.path);
    }
    size_ = facts.st_size;
    return {};
}

Result<void> AuditLog::rotate() {
    const auto name = [this](int number) {
        return number == 0 ? options_.path : options_.path + "." + std::to_string(number);
    };
    if (options_.files_max == 1) {
        if (std::remove(options_.path.c_str()) != 0 && errno != ENOENT) {
            return failed("remove " + options_.path);
        }
    }
    for (int number = options_.files_max - 1; number > 0; --number) {
        const std::string from = name(number - 1);
        if (std::rename(from.c_str(), name(number).c_str()) != 0 && errno != ENOENT) {
            return failed("rename " + from);
        }
    }
    is_line_broken_ = false;
    return open();
}

std::string audit_line(const AuditEntry& entry, Instant at) {
    JsonText json;
    json.begin_object();
    json.field("at", at);
    json.field("kind", word_of(entry.kind));
    if (!entry.caller.user.empty()) {
        json.field("user", entry.caller.user);
        json.field("uid", entry.caller.uid);
    }
    if (!entry.caller.acted_by.empty()) {
        json.field("acted_by", entry.caller.acted_by);
    }
    json.field("source", word_of(entry.caller.source));
    json.field("by", entry.is_unix ? "unix" : "tcp");
    json.field("method", word_of(entry.method));
    json.field("path", entry.path);
    json.field("status", entry.status);
    if (!entry.whose.empty()) {
        json.field("whose", entry.whose);
    }
    if (!entry.detail.empty()) {
        json.field("detail", entry.detail);
    }
    json.field("request_id", entry.request_id);
    json.end_object();
    return json.take();
}

}  // namespace reeve::api
