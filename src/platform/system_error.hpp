#pragma once

#include <cerrno>
#include <string>

#include "base/result.hpp"

namespace reeve::platform {

/// "permission denied" for EACCES: what the C library says of `error`.
[[nodiscard]] std::string error_text(int error);

/// An Error that says what failed and why. Codes: kNotFound (ENOENT, ENOTDIR), kForbidden (EACCES,
/// EPERM, EROFS), kStorageFull (ENOSPC, EDQUOT), kConflict (EEXIST), kLimit (EMFILE, ENFILE),
/// else kUnavailable.
[[nodiscard]] tl::unexpected<Error> fail_errno(const std::string& what, int error = errno);

}  // namespace reeve::platform
