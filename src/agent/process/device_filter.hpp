#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace reeve::agent::process {

inline constexpr std::int32_t kNvidiaMajor = 195;  // Linux, admin-guide/devices.txt.

/// Minors from here on are the driver's control devices (254 modeset, 255 nvidiactl).
inline constexpr std::int32_t kNvidiaControlMinor = 254;

/// For a v2 group: attaches an eBPF program that refuses to open or make /dev/nvidia<minor> unless
/// it is among `allowed_minors`. Every other device stays as it was. Needs root.
/// Errors: as fail_errno().
[[nodiscard]] Result<void> deny_gpus(
    const std::string& group_directory, const std::vector<std::int32_t>& allowed_minors);

}  // namespace reeve::agent::process
