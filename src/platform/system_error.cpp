#include "platform/system_error.hpp"

#include <system_error>

namespace reeve::platform {
namespace {

ErrorCode code_of(int error) {
    switch (error) {
        case ENOENT:
        case ENOTDIR: return ErrorCode::kNotFound;
        case EACCES:
        case EPERM:
        case EROFS:   return ErrorCode::kForbidden;
        case ENOSPC:
        case EDQUOT:  return ErrorCode::kStorageFull;
        case EEXIST:  return ErrorCode::kConflict;
        case EMFILE:
        case ENFILE:  return ErrorCode::kLimit;
        default:      return ErrorCode::kUnavailable;
    }
}

}  // namespace

std::string error_text(int error) {
    return std::generic_category().message(error);
}

tl::unexpected<Error> fail_errno(const std::string& what, int error) {
    return fail(code_of(error), what + ": " + error_text(error));
}

}  // namespace reeve::platform
