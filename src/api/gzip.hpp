#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "api/http_message.hpp"

// Answers in fewer bytes, for clients that ask for it.
namespace reeve::api {

/// Below it the head and a packet's worth of body are sent anyway.
inline constexpr std::size_t kGzipLeast = 1400;

/// True if the value of Accept-Encoding takes gzip: it names it, or "*", and not with q=0.
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding);

/// Compresses the body where the client takes that and it is worth it: JSON of kGzipLeast bytes or
/// more that has no entity tag (which would name two bodies). Says in `Vary` that it depends on the
/// client. Streams, logs, and what refuses are left as they are.
void compress(HttpResponse& response, bool accepts);

}  // namespace reeve::api
