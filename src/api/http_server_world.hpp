#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/http_server.hpp"
#include "api/loopback_client.hpp"

// For tests: a real server on a port of its own, in front of a service that is none.
namespace reeve::api {

using std::chrono::milliseconds;

inline const std::string host = "Host: localhost\r\n";

/// Echoes; "/later" answers from another thread, "/never" drops the responder, "/throw" throws,
/// "/refuse" is not admitted, "/stream" opens a stream that the test writes to.
class FakeService final : public HttpService {
  public:
    FakeService() = default;
    FakeService(const FakeService&) = delete;
    FakeService& operator=(const FakeService&) = delete;
    FakeService(FakeService&&) = delete;
    FakeService& operator=(FakeService&&) = delete;

    ~FakeService() override {
        for (std::thread& thread : threads) {
            thread.join();
        }
    }

    std::optional<HttpResponse> admit(HttpRequest& request, std::uint64_t& body_limit) override {
        body_limit = 1000;
        if (request.target == "/refuse") {
            return refuse(ErrorCode::kForbidden, "no");
        }
        return std::nullopt;
    }

    void handle(HttpRequest& request, Responder responder) override {
        const std::string target(request.target);
        if (target == "/later") {
            const std::lock_guard lock(mutex);
            threads.emplace_back([responder, body = request.body] {
                responder.send({.body = "later " + body});
                responder.send({.body = "twice"});
            });
        } else if (target == "/throw") {
            throw std::runtime_error("a library's words");
        } else if (target == "/stream") {
            stream.set_value(responder.open_stream(
                {.content_type = "text/event-stream"},
                {.drained = {}, .closed = [this] { stream_closed.set_value(); }}));
        } else if (target == "/wait") {
            waiting.set_value(responder);
        } else if (target == "/watched") {
            watched.set_value({responder, responder.watch()});
        } else if (target == "/middling") {
            responder.send({.body = std::string(200'000, 'x')});
        } else if (target == "/large") {
            responder.send({.body = std::string(3 << 20, 'x')});
        } else if (target != "/never") {
            responder.send(
                {.body = target + " " + request.body + " " +
                         (request.peer.is_unix ? std::to_string(request.peer.uid) : "tcp")});
        }
    }

    std::mutex mutex;
    std::vector<std::thread> threads;
    std::promise<std::shared_ptr<EventStream>> stream;
    std::promise<void> stream_closed;
    std::promise<Responder> waiting;
    std::promise<std::pair<Responder, std::shared_ptr<const AnswerWatch>>> watched;
};

class HttpServerTest : public testing::Test {
  protected:
    void serve(HttpServerOptions options) {
        options.limits.tick = milliseconds(10);
        options.id_prefix = "r";
        options.report = [this](const std::string&, const Error& error) {
            const std::lock_guard lock(service.mutex);
            reported += error.context + ";";
        };
        server.emplace(service, options);
        const auto bound = server->listen_tcp("127.0.0.1", 0);
        ASSERT_TRUE(bound.has_value()) << bound.error().message;
        port = *bound;
        server->start();
    }

    [[nodiscard]] LoopbackClient connect() const { return LoopbackClient::tcp(port); }

    FakeService service;
    std::string reported;
    std::optional<HttpServer> server;
    std::uint16_t port = 0;
};

inline std::string get(const std::string& target) {
    return "GET " + target + " HTTP/1.1\r\n" + host + "\r\n";
}

inline std::string post(const std::string& target, const std::string& body) {
    return "POST " + target + " HTTP/1.1\r\n" + host +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace reeve::api
