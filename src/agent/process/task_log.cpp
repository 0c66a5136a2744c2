#include "agent/process/task_log.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include "platform/system_error.hpp"

namespace reeve::agent::process {
namespace {

constexpr std::int64_t kPunchStep = 1 << 20;  // Holes are made in steps, not for each line.
constexpr std::int64_t kBlock = 4096;
constexpr std::size_t kCopyBytes = 16'384;

/// Reads what splice cannot move, on a file system without it.
std::int64_t copy_bytes(int pipe_fd, int file_fd, std::int64_t at, std::size_t most) {
    static std::array<char, kCopyBytes> buffer;  // Not on the heap: a shim's memory is counted.
    const ssize_t got = read(pipe_fd, buffer.data(), std::min(most, buffer.size()));
    if (got <= 0) {
        return got;
    }
    return pwrite(file_fd, buffer.data(), static_cast<std::size_t>(got), at);
}

/// Empties the pipe; tells how much was in it.
std::int64_t read_away(int pipe_fd, std::size_t most = kCopyBytes) {
    static std::array<char, kCopyBytes> buffer;
    const ssize_t got = read(pipe_fd, buffer.data(), std::min(most, buffer.size()));
    return got;
}

}  // namespace

TaskLog::TaskLog(Options options, platform::UniqueFd fd)
    : options_(std::move(options)), fd_(std::move(fd)), dropped_(options_.dropped) {}

Result<TaskLog> TaskLog::open(Options options) {
    platform::UniqueFd fd(::open(options.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    struct stat found = {};
    if (!fd.is_open() || fstat(fd.get(), &found) != 0) {
        return platform::fail_errno("cannot open the log " + options.path);
    }
    TaskLog log(std::move(options), std::move(fd));
    log.size_ = std::max<std::int64_t>(found.st_size, log.dropped_.end);
    log.can_punch_ = log.size_ == found.st_size;
    return log;
}

Pumped TaskLog::pump(int pipe_fd, std::size_t most) {
    const std::int64_t moved = move_bytes(pipe_fd, std::min(most, kMoveBytes));
    if (moved > 0) {
        size_ += moved;
        drop_middle();
        return Pumped::kSome;
    }
    if (moved == 0) {
        return Pumped::kEnd;
    }
    if (errno == EAGAIN || errno == EINTR) {
        return Pumped::kNothing;
    }
    return Pumped::kFull;
}

void TaskLog::note(std::string_view line) {
    char last = '\n';
    const bool is_inside = size_ > 0 && pread(fd_.get(), &last, 1, size_ - 1) == 1 && last != '\n';
    std::string text = is_inside ? "\n" : "";
    text.append(line).append("\n");
    size_ += std::max<std::int64_t>(0, pwrite(fd_.get(), text.data(), text.size(), size_));
}

void TaskLog::discard(int pipe_fd) {
    std::int64_t lost = 0;
    for (std::int64_t got = read_away(pipe_fd); got > 0; got = read_away(pipe_fd)) {
        lost += got;
    }
    if (lost > 0) {
        dropped_ = {dropped_.is_empty() ? size_ : dropped_.begin, size_ + lost};
        size_ += lost;
        if (options_.record) {
            options_.record(dropped_);
        }
    }
}

/// Bytes moved; 0 at the end of the pipe; -1 with errno.
std::int64_t TaskLog::move_bytes(int pipe_fd, std::size_t most) {
    if (!can_punch_ && size_ >= options_.bytes_max) {
        const std::int64_t gone = read_away(pipe_fd, most);
        if (gone > 0) {
            dropped_ = {dropped_.is_empty() ? size_ : dropped_.begin, size_ + gone};
            if (options_.record) {
                options_.record(dropped_);
            }
        }
        return gone;
    }
    loff_t at = size_;
    const ssize_t moved =
        splice(pipe_fd, nullptr, fd_.get(), &at, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (moved < 0 && (errno == EINVAL || errno == ENOSYS)) {
        return copy_bytes(pipe_fd, fd_.get(), size_, most);
    }
    return moved;
}

void TaskLog::drop_middle() {
    if (size_ <= options_.bytes_max || !can_punch_) {
        return;
    }
    const std::int64_t half = options_.bytes_max / 2;
    const std::int64_t step = std::min(kPunchStep, std::max(kBlock, half / 8));
    const std::int64_t begin = dropped_.is_empty() ? half : dropped_.end;
    const std::int64_t end = (size_ - half) / kBlock * kBlock;
    if (end - begin < step) {
        return;
    }
    const DroppedRange wanted = {dropped_.is_empty() ? half : dropped_.begin, end};
    if (options_.record && !options_.record(wanted)) {
        return;
    }
    const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if (fallocate(fd_.get(), mode, begin, end - begin) == 0) {
        dropped_ = wanted;
        return;
    }
    // Holes cannot be made here. Nothing is lost so far: from now on the head is all there is.
    can_punch_ = false;
    if (options_.record) {
        options_.record(dropped_);
    }
}

}  // namespace reeve::agent::process
