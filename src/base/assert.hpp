#pragma once

#include <cstdio>
#include <cstdlib>

namespace reeve {

[[noreturn]] inline void assert_failed(
    const char* condition, const char* why, const char* file, int line) noexcept {
    std::fprintf(stderr, "reeve: bug: %s (%s) at %s:%d\n", why, condition, file, line);
    std::abort();
}

}  // namespace reeve

/// On in every build: a bug stops the process, the store is crash-safe. Never on outside input.
#define REEVE_ASSERT(condition, why)    \
    ((condition) ? static_cast<void>(0) \
                 : ::reeve::assert_failed(#condition, why, __FILE__, __LINE__))
