#include "platform/files.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "platform/system_error.hpp"

namespace reeve::platform {
namespace {

constexpr std::size_t kReadStepMin = 4096;
constexpr std::size_t kReadStepMax = 1 << 20;

std::string parent_of(const std::string& path) {
    const std::string parent = std::filesystem::path(path).parent_path().string();
    return parent.empty() ? "." : parent;
}

Result<UniqueFd> open_for_writing(const std::string& path, mode_t mode) {
    UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (!fd.is_open()) {
        return fail_errno("cannot write " + path);
    }
    return fd;
}

}  // namespace

Result<std::string> read_all(int fd, std::size_t bytes_max) {
    std::string bytes;
    std::size_t step = kReadStepMin;  // Most files are small, and most readers are shims.
    while (true) {
        const std::size_t have = bytes.size();
        bytes.resize(have + std::min(step, bytes_max - have + 1));
        step = std::min(step * 2, kReadStepMax);
        const ssize_t got = read(fd, bytes.data() + have, bytes.size() - have);
        if (got < 0 && errno != EINTR) {
            return fail_errno("cannot read");
        }
        bytes.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got == 0) {
            return bytes;
        }
        if (bytes.size() > bytes_max) {
            return fail(
                ErrorCode::kTooLarge, "larger than " + std::to_string(bytes_max) + " bytes");
        }
    }
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.is_open()) {
        return fail_errno("cannot read " + path);
    }
    Result<std::string> bytes = read_all(fd.get(), bytes_max);
    if (!bytes) {
        bytes.error().message = path + ": " + bytes.error().message;
    }
    return bytes;
}

Result<void> write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t put = write(fd, bytes.data(), bytes.size());
        if (put < 0 && errno != EINTR) {
            return fail_errno("cannot write");
        }
        bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(put, 0)));
    }
    return {};
}

Result<void> write_file(const std::string& path, std::string_view bytes, mode_t mode) {
    const Result<UniqueFd> fd = open_for_writing(path, mode);
    if (!fd) {
        return tl::unexpected(fd.error());
    }
    Result<void> written = write_all(fd->get(), bytes);
    if (!written) {
        written.error().message = path + ": " + written.error().message;
    }
    return written;
}

Result<void> write_file_atomic(const std::string& path, std::string_view bytes, mode_t mode) {
    const std::string fresh = path + ".new";
    const Result<UniqueFd> fd = open_for_writing(fresh, mode);
    if (!fd) {
        return tl::unexpected(fd.error());
    }
    if (Result<void> written = write_all(fd->get(), bytes); !written) {
        written.error().message = path + ": " + written.error().message;
        unlink(fresh.c_str());
        return written;
    }
    if (fsync(fd->get()) != 0 || rename(fresh.c_str(), path.c_str()) != 0) {
        const int error = errno;
        unlink(fresh.c_str());
        return fail_errno("cannot write " + path, error);
    }
    return sync_directory(parent_of(path));
}

Result<bool> make_directory_exclusive(const std::string& path, mode_t mode) {
    if (mkdir(path.c_str(), mode) == 0) {
        return true;
    }
    if (errno == EEXIST) {
        return false;
    }
    return fail_errno("cannot make the directory " + path);
}

Result<void> make_directories(const std::string& path, mode_t mode) {
    struct stat found = {};
    if (stat(path.c_str(), &found) == 0) {
        return S_ISDIR(found.st_mode)
                   ? Result<void>()
                   : Result<void>(fail_errno("cannot make the directory " + path, ENOTDIR));
    }
    const std::string parent = parent_of(path);
    if (parent != path) {
        if (Result<void> made = make_directories(parent, mode); !made) {
            return made;
        }
    }
    if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
        return fail_errno("cannot make the directory " + path);
    }
    return {};
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
    DIR* directory = opendir(path.c_str());
    if (directory == nullptr) {
        return fail_errno("cannot list " + path);
    }
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(directory)) {
        const std::string name = static_cast<const char*>(entry->d_name);
        if (name != "." && name != "..") {
            names.push_back(name);
        }
    }
    const int error = errno;
    closedir(directory);
    if (error != 0) {
        return fail_errno("cannot list " + path, error);
    }
    std::ranges::sort(names);
    return names;
}

Result<void> remove_tree(const std::string& path) {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error && error.value() != ENOENT) {
        return fail_errno("cannot remove " + path, error.value());
    }
    return {};
}

Result<void> sync_directory(const std::string& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.is_open() || fsync(fd.get()) != 0) {
        return fail_errno("cannot sync " + path);
    }
    return {};
}

bool path_exists(const std::string& path) {
    return access(path.c_str(), F_OK) == 0;
}

bool is_directory(const std::string& path) {
    struct stat found = {};
    return stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

bool is_executable(const std::string& path) {
    return access(path.c_str(), X_OK) == 0;
}

Result<FileLock> FileLock::acquire(const std::string& path) {
    UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd.is_open()) {
        return fail_errno("cannot lock " + path);
    }
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return fail_errno("cannot lock " + path);
        }
        const std::string pid = read_all(fd.get(), 64).value_or("");
        const std::string holder = pid.empty() ? "another process" : "process " + pid;
        return fail(ErrorCode::kConflict, path + " is held by " + holder);
    }
    // The pid is only for people: the lock itself is the kernel's.
    if (ftruncate(fd.get(), 0) != 0) {
        return fail_errno("cannot write " + path);
    }
    if (Result<void> written = write_all(fd.get(), std::to_string(getpid())); !written) {
        return tl::unexpected(written.error());
    }
    return FileLock(std::move(fd));
}

}  // namespace reeve::platform
