#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"
#include "platform/unique_fd.hpp"

// Errors of all of these: as fail_errno() says, naming the path.
namespace reeve::platform {

/// The whole file. Errors: also kTooLarge over `bytes_max`.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t bytes_max);

/// What is left to read from `fd`, likewise.
[[nodiscard]] Result<std::string> read_all(int fd, std::size_t bytes_max);

/// Writes all of `bytes` to `fd`.
[[nodiscard]] Result<void> write_all(int fd, std::string_view bytes);

/// Replaces the file whole: a reader, or a crash, sees the old or the new one. On return it is on
/// the disk, name included (fsync of file and directory).
[[nodiscard]] Result<void> write_file_atomic(
    const std::string& path, std::string_view bytes, mode_t mode = 0600);

/// Creates or truncates the file and writes it, without waiting for the disk.
[[nodiscard]] Result<void> write_file(
    const std::string& path, std::string_view bytes, mode_t mode = 0600);

/// True if it made the directory, false if something was there already.
[[nodiscard]] Result<bool> make_directory_exclusive(const std::string& path, mode_t mode = 0700);

/// Makes the directory and its missing parents.
[[nodiscard]] Result<void> make_directories(const std::string& path, mode_t mode = 0700);

/// Names in the directory, without "." and "..", sorted.
[[nodiscard]] Result<std::vector<std::string>> list_directory(const std::string& path);

/// Removes the file or directory with all that is in it; follows no link. Missing is success.
[[nodiscard]] Result<void> remove_tree(const std::string& path);

/// Makes the names in a directory durable.
[[nodiscard]] Result<void> sync_directory(const std::string& path);

[[nodiscard]] bool path_exists(const std::string& path);
[[nodiscard]] bool is_directory(const std::string& path);

/// This process may execute it, as far as its permissions say.
[[nodiscard]] bool is_executable(const std::string& path);

/// Held while this object lives; the kernel frees it when the process dies.
class FileLock {
  public:
    /// Locks `path` (made if missing) and writes this process's pid into it.
    /// Errors: kConflict, naming the pid of the holder.
    [[nodiscard]] static Result<FileLock> acquire(const std::string& path);

  private:
    explicit FileLock(UniqueFd fd) noexcept : fd_(std::move(fd)) {}

    UniqueFd fd_;
};

}  // namespace reeve::platform
