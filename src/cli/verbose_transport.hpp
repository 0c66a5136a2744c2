#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "cli/transport.hpp"

namespace reeve::cli {

/// Tells what goes over another transport: what is asked, and status, time and size of what is
/// answered. Neither headers nor bodies, which have tokens and environments in them.
class VerboseTransport final : public Transport {
  public:
    using Clock = std::function<std::chrono::microseconds()>;
    using Tell = std::function<void(const std::string& line)>;

    VerboseTransport(Transport& inner, Clock clock, Tell tell)
        : inner_(inner), clock_(std::move(clock)), tell_(std::move(tell)) {}

    [[nodiscard]] Result<HttpAnswer> send(const HttpRequest& request) override;
    [[nodiscard]] Result<HttpAnswer> stream(
        const HttpRequest& request, const StreamListener& listener) override;

  private:
    void tell_request(const HttpRequest& request) const;
    void tell_answer(
        const HttpRequest& request,
        const Result<HttpAnswer>& answer,
        std::chrono::microseconds since) const;

    Transport& inner_;
    Clock clock_;
    Tell tell_;
};

}  // namespace reeve::cli
