#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/random.hpp"

namespace reeve::platform {

/// The kernel's random numbers: good for secrets. Thread-safe.
class OsRandom final : public Random {
  public:
    [[nodiscard]] std::uint64_t next() override;
};

/// `bytes` random bytes as lower-case hexadecimal.
[[nodiscard]] std::string random_hex(std::size_t bytes);

}  // namespace reeve::platform
