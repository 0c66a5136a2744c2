#include "agent/process/output_copy.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <limits>
#include <utility>

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/clock.hpp"
#include "platform/system_error.hpp"

namespace reeve::agent::process {
namespace {

using platform::UniqueFd;

constexpr std::size_t kTeeBytes = 1 << 20;
constexpr std::chrono::microseconds kAbandonAfter = std::chrono::milliseconds(100);
constexpr std::size_t kBufferBytes = 16'384;
constexpr std::size_t kStackBytes = 256 << 10;  // Reserved; what is not touched costs nothing.

/// The calling thread alone gives up what root may: it writes to the file as its user would. Its
/// uid stays, so that the user can neither signal nor trace this process. 0, or errno.
int become_owner(const FileOwner& owner) {
    setfsgid(owner.gid);
    setfsuid(owner.uid);
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none = {};
    return syscall(SYS_capset, &header, none.data()) == 0 ? 0 : errno;
}

/// 0, or errno.
int write_all(int fd, const char* bytes, std::size_t size) {
    while (size > 0) {
        const ssize_t put = write(fd, bytes, size);
        if (put < 0 && errno != EINTR) {
            return errno;
        }
        if (put == 0) {
            return EIO;
        }
        bytes += std::max<ssize_t>(put, 0);
        size -= static_cast<std::size_t>(std::max<ssize_t>(put, 0));
    }
    return 0;
}

}  // namespace

struct OutputCopy::Writer {
    UniqueFd pipe = {};
    UniqueFd file = {};
    std::optional<FileOwner> owner = {};
    std::atomic<int> error = 0;
    pthread_t thread = {};

    static void* run(void* writer) {
        static_cast<Writer*>(writer)->write();
        return nullptr;
    }

    void write() {
        int failed = owner ? become_owner(*owner) : 0;
        std::array<char, kBufferBytes> buffer;  // Not zeroed: only written to.
        while (failed == 0) {
            const ssize_t got = read(pipe.get(), buffer.data(), buffer.size());
            if (got == 0) {
                break;
            }
            if (got < 0) {
                failed = errno == EINTR ? 0 : errno;
                continue;
            }
            failed = write_all(file.get(), buffer.data(), static_cast<std::size_t>(got));
        }
        // Some file systems tell only now that there was no room.
        if (close(file.release()) != 0 && failed == 0 && errno != EINTR) {
            failed = errno;
        }
        error = failed;
        pipe.reset();  // Whoever offers more is told.
    }
};

OutputCopy::OutputCopy(std::unique_ptr<Writer> writer, UniqueFd pipe)
    : writer_(std::move(writer)), pipe_(std::move(pipe)) {}

Result<std::unique_ptr<OutputCopy>> OutputCopy::start(
    UniqueFd file, std::optional<FileOwner> owner) {
    std::array<int, 2> ends = {};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        return platform::fail_errno("cannot copy the output to its file");
    }
    auto writer = std::make_unique<Writer>();
    writer->pipe = UniqueFd(ends[0]);
    writer->file = std::move(file);
    writer->owner = owner;
    UniqueFd pipe(ends[1]);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    const int error = pthread_create(&writer->thread, &attributes, Writer::run, writer.get());
    pthread_attr_destroy(&attributes);
    if (error != 0) {
        return platform::fail_errno("cannot copy the output to its file", error);
    }
    return std::unique_ptr<OutputCopy>(new OutputCopy(std::move(writer), std::move(pipe)));
}

OutputCopy::~OutputCopy() {
    [[maybe_unused]] const int error = finish(kAbandonAfter);
}

std::size_t OutputCopy::offer(int pipe_fd) {
    if (ahead_ == 0 && !is_over_) {
        const ssize_t copied = tee(pipe_fd, pipe_.get(), kTeeBytes, SPLICE_F_NONBLOCK);
        ahead_ = std::max<ssize_t>(copied, 0);
        if (copied < 0 && (errno == EAGAIN || errno == EINTR)) {
            return 0;
        }
        is_over_ = copied <= 0;  // Nobody writes any more, or the thread has ended.
    }
    return is_over_ ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(ahead_);
}

void OutputCopy::taken(std::int64_t bytes) {
    ahead_ = std::max<std::int64_t>(0, ahead_ - bytes);
}

int OutputCopy::blocked_fd() const {
    pollfd wanted = {pipe_.get(), POLLOUT, 0};
    return is_over_ || poll(&wanted, 1, 0) != 0 ? -1 : pipe_.get();
}

int OutputCopy::error() const {
    return writer_ ? writer_->error.load() : 0;
}

int OutputCopy::finish(std::chrono::microseconds patience) {
    if (!writer_) {
        return 0;
    }
    is_over_ = true;
    pipe_.reset();
    const std::int64_t until = (platform::monotonic_now() + patience).count();
    const timespec at = {until / 1'000'000, until % 1'000'000 * 1000};
    if (pthread_clockjoin_np(writer_->thread, nullptr, CLOCK_MONOTONIC, &at) != 0) {
        // It hangs in a write. What it uses is left to it until this process ends.
        [[maybe_unused]] const Writer* left = writer_.release();
        return ETIMEDOUT;
    }
    const int error = writer_->error;
    writer_.reset();
    return error;
}

}  // namespace reeve::agent::process
