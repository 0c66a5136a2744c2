#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/http_message.hpp"

namespace reeve::api {

inline constexpr std::size_t kHeadBytesMax = 16 << 10;

/// Reads HTTP/1.1 requests, one after the other, from whatever pieces they come in.
class RequestParser {
  public:
    enum class Progress : std::uint8_t {
        kNeedMore,  // All that was given and could be used was used.
        kHead,      // The head is complete: fill() works. The body follows with the next put().
        kComplete,  // So is the body.
        kBad,       // Not HTTP/1.1 as we speak it. The connection cannot go on.
        kHeadTooLarge,
        kBodyTooLarge,
    };

    struct Step {
        std::size_t consumed = 0;
        Progress progress = Progress::kNeedMore;
    };

    RequestParser();
    ~RequestParser();
    RequestParser(const RequestParser&) = delete;
    RequestParser& operator=(const RequestParser&) = delete;
    RequestParser(RequestParser&&) = delete;
    RequestParser& operator=(RequestParser&&) = delete;

    /// Forgets the request, and is ready for the next one.
    void reset();

    /// Takes bytes from the front of `bytes`; those not consumed have to come again, with more.
    [[nodiscard]] Step put(std::string_view bytes);

    /// After kHead. Method, target and header fields, as views into the parser until reset().
    void fill(HttpRequest& request) const;

    /// After kHead. Nothing if the request does not say: then it is chunked.
    [[nodiscard]] std::optional<std::uint64_t> content_length() const;
    [[nodiscard]] bool keeps_alive() const;
    [[nodiscard]] bool expects_continue() const;

    /// After kHead: what a chunked body may come to.
    void limit_body(std::uint64_t bytes_max);

    /// After kComplete.
    [[nodiscard]] std::string take_body();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace reeve::api
