#pragma once

// The public traces are not part of the source. REEVE_TRACES names their folder; without it, it is
// looked for beside the source. Tests of a trace that is not there are skipped and say so.
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "platform/files.hpp"

namespace reeve::simulate {

inline std::string public_traces_folder() {
    const char* named = std::getenv("REEVE_TRACES");
    return named != nullptr ? named : std::string(REEVE_SOURCE_DIR) + "/../shared/traces";
}

/// The text of `name`, a path in that folder; nothing if it is not there.
inline std::optional<std::string> read_public_trace(const std::string& name) {
    constexpr std::size_t kBytesMax = std::size_t{1} << 28U;
    auto text = platform::read_file(public_traces_folder() + "/" + name, kBytesMax);
    return text ? std::optional(std::move(*text)) : std::nullopt;
}

inline std::string why_skipped(const std::string& name) {
    return name + " is not there; REEVE_TRACES names the folder of the public traces";
}

}  // namespace reeve::simulate
