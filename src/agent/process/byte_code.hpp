#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

// How a launch plan and a status are written: 8-byte integers of this machine, and strings with
// their length before them. Only programs of one machine read it, checked by a magic number.
namespace reeve::agent::process {

class ByteWriter {
  public:
    void put(std::int64_t value) {
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }

    void put(std::string_view text) {
        put(static_cast<std::int64_t>(text.size()));
        bytes_.append(text);
    }

    void put(const std::vector<std::string>& texts) {
        put(static_cast<std::int64_t>(texts.size()));
        for (const std::string& text : texts) {
            put(std::string_view(text));
        }
    }

    [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }

  private:
    std::string bytes_;
};

/// Reads what a ByteWriter wrote. Past the end or with nonsense it gives zeros and is_good() is
/// false from then on.
class ByteReader {
  public:
    explicit ByteReader(std::string_view bytes) noexcept : left_(bytes) {}

    [[nodiscard]] std::int64_t number() {
        std::int64_t value = 0;
        if (left_.size() < sizeof value) {
            is_good_ = false;
            left_ = {};
            return 0;
        }
        std::memcpy(&value, left_.data(), sizeof value);
        left_.remove_prefix(sizeof value);
        return value;
    }

    [[nodiscard]] std::string text() {
        const std::int64_t size = number();
        if (size < 0 || static_cast<std::size_t>(size) > left_.size()) {
            is_good_ = false;
            left_ = {};
            return {};
        }
        std::string found(left_.substr(0, static_cast<std::size_t>(size)));
        left_.remove_prefix(found.size());
        return found;
    }

    [[nodiscard]] std::vector<std::string> texts() {
        std::vector<std::string> found;
        for (std::int64_t left = number(); left > 0 && is_good_; --left) {
            found.push_back(text());
        }
        return found;
    }

    [[nodiscard]] bool is_good() const noexcept { return is_good_; }

    [[nodiscard]] bool has_more() const noexcept { return !left_.empty(); }

  private:
    std::string_view left_;
    bool is_good_ = true;
};

}  // namespace reeve::agent::process
