#include "platform/os_random.hpp"

#include <vector>

#include <sys/random.h>

#include "base/assert.hpp"

namespace reeve::platform {
namespace {

void fill_random(void* buffer, std::size_t size) {
    auto* at = static_cast<unsigned char*>(buffer);
    while (size > 0) {
        const ssize_t got = getrandom(at, size, 0);
        // Up to 256 bytes it fails only when a signal interrupts it before the pool is ready.
        REEVE_ASSERT(got >= 0 || errno == EINTR, "the kernel has getrandom");
        if (got > 0) {
            at += got;
            size -= static_cast<std::size_t>(got);
        }
    }
}

}  // namespace

std::uint64_t OsRandom::next() {
    std::uint64_t value = 0;
    fill_random(&value, sizeof value);
    return value;
}

std::string random_hex(std::size_t bytes) {
    std::vector<unsigned char> raw(bytes);
    fill_random(raw.data(), raw.size());
    std::string text;
    text.reserve(bytes * 2);
    for (const unsigned char byte : raw) {
        text += "0123456789abcdef"[byte >> 4U];
        text += "0123456789abcdef"[byte & 15U];
    }
    return text;
}

}  // namespace reeve::platform
