#include "agent/process/log_reader.hpp"

#include <algorithm>

#include <fcntl.h>
#include <sys/stat.h>

#include "platform/system_error.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::agent::process {
namespace {

constexpr std::size_t kPieceBytesMax = 16 << 20;

const OutputStatus& output_of(const TaskStatus& status, LogStream stream) {
    return stream == LogStream::kErrors ? status.errors : status.output;
}

Result<void> read_at(int fd, LogPiece& piece, std::int64_t offset, std::size_t bytes_max) {
    piece.bytes.resize(bytes_max);
    const ssize_t got = pread(fd, piece.bytes.data(), bytes_max, offset);
    if (got < 0) {
        return platform::fail_errno("cannot read a task's log");
    }
    piece.bytes.resize(static_cast<std::size_t>(got));
    piece.next_offset = offset + got;
    return {};
}

/// Bytes from `offset` on that can be read in one piece; 0 if it is inside what was dropped, and
/// -1 at the end.
std::int64_t readable_at(const LogPiece& piece, std::int64_t offset) {
    if (offset >= piece.size) {
        return -1;
    }
    if (piece.dropped.is_empty() || offset >= piece.dropped.end) {
        return piece.size - offset;
    }
    return std::max<std::int64_t>(piece.dropped.begin - offset, 0);
}

/// 0 if there is none yet.
std::int64_t size_of(int fd) {
    struct stat found = {};
    return fd >= 0 && fstat(fd, &found) == 0 ? found.st_size : 0;
}

bool overlaps(const DroppedRange& dropped, std::int64_t begin, std::int64_t end) {
    return dropped.begin < end && dropped.end > begin;
}

}  // namespace

Result<LogPiece> read_log(
    const std::string& task_directory,
    LogStream stream,
    std::int64_t offset,
    std::size_t bytes_max) {
    if (offset < 0) {
        return fail(ErrorCode::kInvalid, "the offset of a log is 0 or more");
    }
    const std::string path = task_directory + (stream == LogStream::kErrors ? "/log.err" : "/log");
    const std::string status_path = task_directory + "/status";
    // The status first: if it says that the task has ended, all of the log is there.
    const Result<TaskStatus> status = read_status(status_path);
    if (!status) {
        return tl::unexpected(status.error());
    }
    const platform::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    LogPiece piece = {.next_offset = offset};
    piece.dropped = output_of(*status, stream).dropped;
    piece.size = std::max(size_of(fd.get()), piece.dropped.end);
    const std::int64_t readable = readable_at(piece, offset);
    if (readable == 0) {
        piece.next_offset = piece.dropped.end;
    }
    if (readable > 0 && fd.is_open()) {
        const std::size_t bytes =
            std::min({static_cast<std::size_t>(readable), bytes_max, kPieceBytesMax});
        if (const Result<void> got = read_at(fd.get(), piece, offset, bytes); !got) {
            return tl::unexpected(got.error());
        }
        // It may have been dropped while it was read: then these are zeros, not its bytes.
        const Result<TaskStatus> after = read_status(status_path);
        const DroppedRange now = after ? output_of(*after, stream).dropped : piece.dropped;
        if (now != piece.dropped && overlaps(now, offset, piece.next_offset)) {
            return read_log(task_directory, stream, offset, bytes_max);
        }
    }
    piece.is_finished = status->phase == TaskPhase::kEnded && piece.next_offset >= piece.size;
    return piece;
}

}  // namespace reeve::agent::process
