#include "gpu/simulated/state_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/text.hpp"
#include "gpu/simulated/state_text.hpp"
#include "platform/files.hpp"
#include "platform/system_error.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::gpu::simulated {

namespace {

using platform::UniqueFd;

constexpr std::size_t kFileBytesMax = 16U << 20U;
constexpr mode_t kFileMode = 0644;  // Jobs of other users read it, and change nothing.

tl::unexpected<Error> unreadable(const std::string& path, const Error& why) {
    return fail(
        ErrorCode::kUnavailable, "no state of simulated GPUs in " + path + ": " + why.message,
        why.context);
}

/// Waits until nobody else writes. Held until the descriptor closes.
Result<UniqueFd> lock_beside(const std::string& path) {
    const std::string lock = path + ".lock";
    UniqueFd fd(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode));
    if (!fd.is_open()) {
        return platform::fail_errno("cannot lock " + lock);
    }
    while (::flock(fd.get(), LOCK_EX) != 0) {
        if (errno != EINTR) {
            return platform::fail_errno("cannot lock " + lock);
        }
    }
    return fd;
}

/// The rename makes it whole or not at all for every reader. Nothing is synced: what is simulated
/// need not outlive the machine.
Result<void> replace_file(const std::string& path, const Topology& topology) {
    const std::string fresh = path + ".new";
    if (Result<void> written = platform::write_file(fresh, format_topology(topology), kFileMode);
        !written) {
        return written;
    }
    if (::rename(fresh.c_str(), path.c_str()) != 0) {
        return platform::fail_errno("cannot replace " + path);
    }
    return {};
}

}  // namespace

std::optional<std::uint64_t> start_ticks_of(std::uint32_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/stat";
    const Result<std::string> text = platform::read_file(path, kFileBytesMax);
    // "pid (name) state …": the name may hold anything, so count from the last ')'.
    const std::size_t name_end = text ? text->rfind(')') : std::string::npos;
    if (name_end == std::string::npos || name_end + 2 >= text->size()) {
        return std::nullopt;
    }
    const std::vector<std::string> fields = split(text->substr(name_end + 2), ' ');
    constexpr std::size_t kStartField = 19;  // Field 22 of proc(5); the state is the third.
    if (fields.size() <= kStartField || fields[0] == "Z" || fields[0] == "X") {
        return std::nullopt;
    }
    const Result<std::int64_t> ticks = parse_integer(fields[kStartField]);
    if (!ticks) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(*ticks);
}

std::vector<ProcessUse> alive(const std::vector<ProcessUse>& processes) {
    std::vector<ProcessUse> out;
    std::ranges::copy_if(processes, std::back_inserter(out), [](const ProcessUse& process) {
        return start_ticks_of(process.pid) == process.start_ticks;
    });
    return out;
}

/// Which file it is, and when it was written last.
struct StateFile::Version {
    UniqueFd fd;
    struct stat status = {};

    [[nodiscard]] bool is(const struct stat& other) const {
        return status.st_dev == other.st_dev && status.st_ino == other.st_ino &&
               status.st_size == other.st_size && status.st_mtim.tv_sec == other.st_mtim.tv_sec &&
               status.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
    }
};

StateFile::StateFile(std::string path, std::optional<std::set<std::string>> shown)
    : path_(std::move(path)), shown_(std::move(shown)) {}

StateFile::~StateFile() = default;
StateFile::StateFile(StateFile&&) noexcept = default;
StateFile& StateFile::operator=(StateFile&&) noexcept = default;

Result<const Topology*> StateFile::current() {
    struct stat now = {};
    const bool is_there = ::stat(path_.c_str(), &now) == 0;
    if (is_there && version_ != nullptr && version_->is(now)) {
        return &topology_;
    }
    Version fresh{.fd = UniqueFd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC))};
    if (!fresh.fd.is_open() || ::fstat(fresh.fd.get(), &fresh.status) != 0) {
        return unreadable(path_, platform::fail_errno("cannot open it").value());
    }
    const Result<std::string> text = platform::read_all(fresh.fd.get(), kFileBytesMax);
    if (!text) {
        return unreadable(path_, text.error());
    }
    Result<Topology> topology = parse_topology(*text);
    if (!topology) {
        return fail(
            ErrorCode::kInvalid,
            path_ + " is no state of simulated GPUs: " + topology.error().message);
    }
    topology_ = std::move(*topology);
    if (shown_) {
        std::erase_if(
            topology_.gpus, [this](const Gpu& gpu) { return !shown_->contains(gpu.uuid); });
    }
    version_ = std::make_unique<Version>(std::move(fresh));
    return &topology_;
}

Result<void> update_state(
    const std::string& path, const std::function<Result<void>(Topology&)>& change) {
    const Result<UniqueFd> lock = lock_beside(path);
    if (!lock) {
        return tl::unexpected(lock.error());
    }
    StateFile file(path);
    const Result<const Topology*> before = file.current();
    if (!before) {
        return tl::unexpected(before.error());
    }
    Topology topology = **before;
    for (Gpu& gpu : topology.gpus) {
        gpu.processes = alive(gpu.processes);
    }
    Result<void> changed = change(topology);
    if (!changed) {
        return changed;
    }
    return replace_file(path, topology);
}

Result<void> ensure_state(const std::string& path, const Topology& wanted) {
    const Result<UniqueFd> lock = lock_beside(path);
    if (!lock) {
        return tl::unexpected(lock.error());
    }
    StateFile file(path);
    const Result<const Topology*> before = file.current();
    if (before && (*before)->preset == wanted.preset && (*before)->seed == wanted.seed) {
        return {};
    }
    return replace_file(path, wanted);
}

}  // namespace reeve::gpu::simulated
