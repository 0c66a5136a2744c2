#include "cli/verbose_transport.hpp"

#include <cstdint>

namespace reeve::cli {

Result<HttpAnswer> VerboseTransport::send(const HttpRequest& request) {
    const auto since = clock_();
    tell_request(request);
    auto answer = inner_.send(request);
    tell_answer(request, answer, since);
    return answer;
}

Result<HttpAnswer> VerboseTransport::stream(
    const HttpRequest& request, const StreamListener& listener) {
    const auto since = clock_();
    tell_request(request);
    StreamListener told = listener;
    told.on_open = [&] {
        tell_answer(request, HttpAnswer{.status = 200}, since);
        return listener.on_open ? listener.on_open() : Go::kOn;
    };
    auto answer = inner_.stream(request, told);
    if (!answer || answer->status != 200) {
        tell_answer(request, answer, since);
    }
    return answer;
}

void VerboseTransport::tell_request(const HttpRequest& request) const {
    tell_(
        "> " + request.method + " " + request.target +
        (request.body.empty() ? "" : ", " + std::to_string(request.body.size()) + " bytes"));
}

void VerboseTransport::tell_answer(
    const HttpRequest& request,
    const Result<HttpAnswer>& answer,
    std::chrono::microseconds since) const {
    constexpr std::int64_t kPerMs = 1000;
    const std::int64_t took = (clock_() - since).count();
    const std::string time = std::to_string(took / kPerMs) + "." +
                             std::to_string(took % kPerMs / 100) + " ms, " + request.method + " " +
                             request.target;
    if (!answer) {
        tell_("< no answer, " + time + ": " + answer.error().message);
        return;
    }
    const std::size_t size = answer->body.size();
    tell_(
        "< " + std::to_string(answer->status) + ", " + time +
        (size == 0 ? "" : ", " + std::to_string(size) + " bytes"));
}

}  // namespace reeve::cli
