#pragma once

#include <cstdint>

namespace reeve {

/// Where random numbers come from. Pure modules take a reference; platform/ has a real one, tests
/// and simulations a seeded one.
class Random {
  public:
    virtual ~Random() = default;
    [[nodiscard]] virtual std::uint64_t next() = 0;

    /// Uniform enough over 0..bound-1 (bias under bound / 2^64). `bound` is above 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return next() % bound; }
};

/// splitmix64 (Steele, Lea, Flood, OOPSLA 2014): the same numbers on every platform.
class SeededRandom final : public Random {
  public:
    explicit SeededRandom(std::uint64_t seed) noexcept : state_(seed) {}

    [[nodiscard]] std::uint64_t next() override {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31U);
    }

  private:
    std::uint64_t state_;
};

}  // namespace reeve
