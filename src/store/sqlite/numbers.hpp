#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>

// Lists of numbers in one column: "7 1000 81920 ".
namespace reeve::store_sqlite {

template <class Integer>
inline void append_number(std::string& out, Integer number) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

/// Reads numbers with one character between them; what is not there reads as 0.
class Numbers {
  public:
    explicit Numbers(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool is_done() const { return rest_.empty(); }

    template <class Integer>
    Integer take() {
        Integer number = 0;
        const auto parsed = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
        const auto read = static_cast<std::size_t>(parsed.ptr - rest_.data());
        rest_.remove_prefix(std::min(read + 1, rest_.size()));
        return number;
    }

  private:
    std::string_view rest_;
};

}  // namespace reeve::store_sqlite
