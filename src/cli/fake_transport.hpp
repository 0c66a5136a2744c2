#pragma once

#include <chrono>
#include <deque>
#include <string>
#include <vector>

#include "cli/transport.hpp"

namespace reeve::cli {

/// A server for tests: answers what it was told to, in order, and remembers what it was asked.
class FakeTransport final : public Transport {
  public:
    /// What a stream says; then it ends.
    struct Stream {
        HttpAnswer answer = {.status = 200};
        std::vector<std::string> parts = {};
    };

    std::deque<Result<HttpAnswer>> answers = {};
    std::deque<Stream> streams = {};
    std::vector<HttpRequest> asked = {};
    std::vector<std::chrono::milliseconds> paused = {};  // Filled by tests that watch.
    std::chrono::microseconds now = {};                  // Of the session's clock.
    std::chrono::microseconds per_answer = {};           // What an answer takes.

    void answer(int status, std::string body) {
        answers.emplace_back(HttpAnswer{.status = status, .body = std::move(body)});
    }

    void unavailable() { answers.emplace_back(fail(ErrorCode::kUnavailable, "nobody is there")); }

    [[nodiscard]] Result<HttpAnswer> send(const HttpRequest& request) override {
        asked.push_back(request);
        now += per_answer;
        if (answers.empty()) {
            return fail(ErrorCode::kInternal, "the test expected no " + request.target);
        }
        auto next = std::move(answers.front());
        answers.pop_front();
        return next;
    }

    [[nodiscard]] Result<HttpAnswer> stream(
        const HttpRequest& request, const StreamListener& listener) override {
        asked.push_back(request);
        if (streams.empty()) {
            return fail(ErrorCode::kInternal, "the test expected no stream " + request.target);
        }
        const Stream next = std::move(streams.front());
        streams.pop_front();
        if (next.answer.status != 200) {
            return next.answer;
        }
        if (listener.on_open && listener.on_open() == Go::kStop) {
            return next.answer;
        }
        for (const std::string& part : next.parts) {
            if (listener.on_bytes(part) == Go::kStop) {
                break;
            }
        }
        return next.answer;
    }
};

}  // namespace reeve::cli
