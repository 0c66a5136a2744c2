#pragma once

#include <cstdint>
#include <optional>

#include "api/http_message.hpp"
#include "api/responder.hpp"

namespace reeve::api {

/// What answers requests; the router in the server, something smaller in tests. Called from every
/// thread of the server at once.
class HttpService {
  public:
    virtual ~HttpService() = default;

    /// Called when the head of a request is complete and nothing of its body was read. A response
    /// refuses it (a request with a body then also loses its connection); nothing admits it, with
    /// `body_limit` bytes at most.
    [[nodiscard]] virtual std::optional<HttpResponse> admit(
        HttpRequest& request, std::uint64_t& body_limit) = 0;

    /// Answers an admitted request, body included. Must not block: long work belongs to a thread of
    /// its own, which takes the responder along.
    virtual void handle(HttpRequest& request, Responder responder) = 0;
};

}  // namespace reeve::api
