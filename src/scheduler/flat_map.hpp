#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.hpp"

namespace reeve::scheduler {

/// Open addressing for 64-bit keys, for memos that are asked a hundred times a decision. Grows by
/// doubling, forgets all at once. It cannot be iterated, so no decision can follow its order.
template <class Value>
class FlatMap {
  public:
    /// Any value but this one may be a key.
    static constexpr std::uint64_t kNoKey = UINT64_MAX;

    /// Null if absent. Valid until the next insert() or clear().
    [[nodiscard]] Value* find(std::uint64_t key) noexcept {
        if (slots_.empty()) {
            return nullptr;
        }
        Slot* const slots = slots_.data();
        for (std::size_t at = home_of(key);; at = (at + 1) & mask_) {
            if (slots[at].key == key) {
                return &slots[at].value;
            }
            if (slots[at].key == kNoKey) {
                return nullptr;
            }
        }
    }

    /// `key` is absent.
    void insert(std::uint64_t key, Value value) {
        REEVE_ASSERT(key != kNoKey, "the mark of an empty slot is no key");
        if ((count_ + 1) * 2 > slots_.size()) {
            grow();
        }
        place({.key = key, .value = value});
        ++count_;
    }

    void clear() noexcept {
        slots_.clear();
        mask_ = 0;
        count_ = 0;
    }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }

  private:
    struct Slot {
        std::uint64_t key = kNoKey;
        Value value = {};
    };

    static constexpr std::size_t kSlotsMin = 1024;

    [[nodiscard]] std::size_t home_of(std::uint64_t key) const noexcept {
        constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15ULL;  // 2^64 / the golden ratio.
        const std::uint64_t mixed = key * kGolden;
        return static_cast<std::size_t>(((mixed ^ (mixed >> 32U)) * kGolden) >> shift_);
    }

    void place(const Slot& slot) noexcept {
        Slot* const slots = slots_.data();
        std::size_t at = home_of(slot.key);
        while (slots[at].key != kNoKey) {
            at = (at + 1) & mask_;
        }
        slots[at] = slot;
    }

    void grow() {
        std::vector<Slot> old(slots_.empty() ? kSlotsMin : slots_.size() * 2);
        old.swap(slots_);
        mask_ = slots_.size() - 1;
        shift_ = static_cast<unsigned>(std::countl_zero(mask_));
        for (const Slot& slot : old) {
            if (slot.key != kNoKey) {
                place(slot);
            }
        }
    }

    std::vector<Slot> slots_;
    std::size_t mask_ = 0;
    unsigned shift_ = 0;  // So that the highest bits of a hash are a place.
    std::size_t count_ = 0;
};

/// Two 32-bit numbers as one key. Neither is above 2^32 - 2.
[[nodiscard]] constexpr std::uint64_t key_of(std::uint32_t high, std::uint32_t low) noexcept {
    return (static_cast<std::uint64_t>(high) << 32U) | low;
}

}  // namespace reeve::scheduler
