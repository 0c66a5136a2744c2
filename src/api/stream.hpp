#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace reeve::api {

/// What became of one call that does not wait.
struct IoResult {
    enum class Kind : std::uint8_t { kSome, kWouldBlock, kClosed };

    Kind kind = Kind::kClosed;
    std::size_t bytes = 0;  // With kSome, above 0.
};

/// Told when a stream may be worth another try. Always on the thread of the stream's loop.
class StreamUser {
  public:
    virtual ~StreamUser() = default;
    virtual void on_readable() = 0;
    virtual void on_writable() = 0;
};

/// A connected byte stream. The one seam between HTTP and TCP, Unix sockets or TLS: all above it is
/// compiled once. Belongs to one thread.
class Stream {
  public:
    virtual ~Stream() = default;
    [[nodiscard]] virtual IoResult read_now(std::span<char> into) = 0;
    [[nodiscard]] virtual IoResult write_now(std::string_view bytes) = 0;

    /// Calls the user once, soon after the stream became readable (writable) or broke. At most one
    /// wait of each kind at a time. After close(), the user is called or not.
    virtual void wait_readable(std::shared_ptr<StreamUser> user) = 0;
    virtual void wait_writable(std::shared_ptr<StreamUser> user) = 0;

    virtual void shut_down_writing() = 0;
    virtual void close() = 0;
};

}  // namespace reeve::api
