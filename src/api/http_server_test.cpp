#include "api/http_server.hpp"

#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/http_loop.hpp"
#include "api/http_server_world.hpp"

namespace reeve::api {
namespace {

TEST(HttpDate, IsTheStandards) {  // The example of RFC 9110, 5.6.7.
    EXPECT_EQ(
        http_date(Instant(std::chrono::seconds(784'111'777))), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST_F(HttpServerTest, AnswersOneRequestAfterTheOther) {
    serve({.threads = 2});
    LoopbackClient client = connect();
    for (int i = 0; i < 3; ++i) {
        const std::string answer = client.ask(post("/echo", "hi"));
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
        EXPECT_TRUE(has(answer, "Content-Length: 12\r\n")) << answer;
        EXPECT_TRUE(has(answer, "X-Request-Id: r-")) << answer;
        EXPECT_TRUE(has(answer, " GMT\r\n")) << answer;
        EXPECT_TRUE(answer.ends_with("\r\n\r\n/echo hi tcp")) << answer;
    }
    EXPECT_EQ(server->counters().requests.load(), 3U);
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
    serve({});
    LoopbackClient client = connect();
    std::string all;
    for (int i = 0; i < 200; ++i) {
        all += i % 3 == 0 ? post("/later", std::to_string(i)) : get("/" + std::to_string(i));
    }
    ASSERT_TRUE(client.send(all));
    for (int i = 0; i < 200; ++i) {
        const std::string want =
            i % 3 == 0 ? "later " + std::to_string(i) : "/" + std::to_string(i) + "  tcp";
        const std::string answer = client.read_answer();
        EXPECT_TRUE(answer.ends_with("\r\n\r\n" + want)) << answer;
    }
}

TEST_F(HttpServerTest, AnswersComeFromOtherThreads) {
    serve({.threads = 2});
    for (int i = 0; i < 20; ++i) {
        LoopbackClient client = connect();
        EXPECT_TRUE(client.ask(post("/later", "x")).ends_with("later x"));
        EXPECT_TRUE(client.ask(post("/later", "y")).ends_with("later y"));
    }
}

TEST_F(HttpServerTest, ADroppedResponderIsAnInternalError) {
    serve({});
    LoopbackClient client = connect();
    const std::string answer = client.ask(get("/never"));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ")) << answer;
    EXPECT_TRUE(has(answer, R"("code":"INTERNAL")")) << answer;
    EXPECT_TRUE(client.ask(get("/a")).ends_with("/a  tcp")) << "the connection goes on";
}

TEST_F(HttpServerTest, AnExceptionOfALibraryIsReportedAndNotShown) {
    serve({});
    LoopbackClient client = connect();
    const std::string answer = client.ask(get("/throw"));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ")) << answer;
    EXPECT_FALSE(has(answer, "library")) << answer;
    const std::lock_guard lock(service.mutex);
    EXPECT_EQ(reported, "a library's words;");
}

TEST_F(HttpServerTest, HeadIsGetWithoutTheBody) {
    serve({});
    LoopbackClient client = connect();
    ASSERT_TRUE(client.send("HEAD /a HTTP/1.1\r\n" + host + "\r\n"));
    EXPECT_TRUE(has(client.read_to("\r\n\r\n"), "Content-Length: 7\r\n"));
    EXPECT_TRUE(client.ask(get("/b")).ends_with("/b  tcp"));
}

TEST_F(HttpServerTest, KeepsTheClientsRequestIdIfItIsAGoodOne) {
    serve({});
    LoopbackClient client = connect();
    const auto ask = [&](const std::string& id) {
        return client.ask("GET /a HTTP/1.1\r\n" + host + "X-Request-Id: " + id + "\r\n\r\n");
    };
    EXPECT_TRUE(has(ask("mine-1.2_3"), "X-Request-Id: mine-1.2_3\r\n"));
    EXPECT_TRUE(has(ask("not good"), "X-Request-Id: r-"));
    EXPECT_TRUE(has(ask(std::string(65, 'a')), "X-Request-Id: r-"));
}

TEST_F(HttpServerTest, ConnectionCloseCloses) {
    serve({});
    LoopbackClient one = connect();
    EXPECT_TRUE(has(
        one.ask("GET /a HTTP/1.1\r\nConnection: close\r\n" + host + "\r\n"), "Connection: close"));
    EXPECT_TRUE(one.is_closed());
    LoopbackClient old = connect();
    EXPECT_TRUE(old.ask("GET /a HTTP/1.0\r\n\r\n").ends_with("/a  tcp"));
    EXPECT_TRUE(old.is_closed());
}

TEST_F(HttpServerTest, RefusesAndThenCloses) {
    struct Case {
        const char* name;
        std::string request;
        const char* status;
    };

    const std::vector<Case> cases = {
        {"not HTTP", "hello\r\n\r\n", "400"},
        {"a long head", "GET / HTTP/1.1\r\n" + host + "A: " + std::string(17000, 'a'), "413"},
        {"a long body", "POST / HTTP/1.1\r\n" + host + "Content-Length: 104857600\r\n\r\nabc",
         "413"},
        {"a long chunk",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", "413"},
        {"refused with body", "POST /refuse HTTP/1.1\r\n" + host + "Content-Length: 10\r\n\r\n",
         "403"},
    };
    serve({});
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        LoopbackClient client = connect();
        const std::string answer = client.ask(c.request);
        EXPECT_TRUE(answer.starts_with(std::string("HTTP/1.1 ") + c.status)) << answer;
        EXPECT_TRUE(has(answer, "Connection: close")) << answer;
        EXPECT_TRUE(has(answer, "application/problem+json")) << answer;
        EXPECT_TRUE(client.is_closed());
    }
    LoopbackClient client = connect();
    EXPECT_TRUE(client.ask(get("/refuse")).starts_with("HTTP/1.1 403"));
    EXPECT_TRUE(client.ask(get("/a")).starts_with("HTTP/1.1 200")) << "nothing was left to read";
}

TEST_F(HttpServerTest, ABodyOf100MegabytesIsRefusedBeforeItIsRead) {
    serve({});
    LoopbackClient client = connect();
    ASSERT_TRUE(client.send("POST / HTTP/1.1\r\n" + host + "Content-Length: 104857600\r\n\r\n"));
    const std::string piece(1 << 20, 'x');
    for (int i = 0; i < 100 && client.send(piece); ++i) {
    }
    EXPECT_TRUE(client.read_answer().starts_with("HTTP/1.1 413"));
}

TEST_F(HttpServerTest, ABodyMayBeAsLargeAsItsLimit) {
    serve({});
    LoopbackClient client = connect();
    EXPECT_TRUE(client.ask(post("/a", std::string(1000, 'x'))).starts_with("HTTP/1.1 200"));
    EXPECT_TRUE(client.ask(post("/a", std::string(1001, 'x'))).starts_with("HTTP/1.1 413"));
}

TEST_F(HttpServerTest, SaysContinueOnlyIfItWantsTheBody) {
    serve({});
    LoopbackClient client = connect();
    const std::string expect = "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    ASSERT_TRUE(client.send("POST /a HTTP/1.1\r\n" + host + expect));
    EXPECT_EQ(client.read_to("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_TRUE(client.ask("hi").ends_with("/a hi tcp"));
    EXPECT_TRUE(
        client.ask("POST /refuse HTTP/1.1\r\n" + host + expect).starts_with("HTTP/1.1 403"));
}

TEST_F(HttpServerTest, ALargeAnswerArrivesWhole) {
    serve({});
    LoopbackClient client = connect();
    EXPECT_EQ(client.ask(get("/large")).size() > (3U << 20), true);
    EXPECT_TRUE(client.ask(get("/a")).ends_with("/a  tcp"));
}

TEST_F(HttpServerTest, ASlowHeadOrBodyRunsOutOfTime) {
    serve({
        .limits = {.head = milliseconds(50), .body = milliseconds(50)}
    });
    for (const std::string& start :
         {std::string("GET / HTTP/1.1\r\n"),
          "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nab"}) {
        LoopbackClient client = connect();
        ASSERT_TRUE(client.send(start));
        EXPECT_TRUE(client.read_answer().starts_with("HTTP/1.1 408")) << start;
        EXPECT_TRUE(client.is_closed());
    }
}

TEST_F(HttpServerTest, DripsDoNotBuyTime) {
    serve({.limits = {.head = milliseconds(100)}});
    LoopbackClient slow = connect();
    LoopbackClient other = connect();
    ASSERT_TRUE(slow.send("GET / HTTP/1.1\r\nA: "));
    // A byte for each answer that somebody else gets: far fewer than a head may have.
    while (server->counters().refused_4xx.load() == 0) {
        ASSERT_TRUE(slow.send("a"));
        ASSERT_TRUE(other.ask(get("/a")).starts_with("HTTP/1.1 200"));
    }
    EXPECT_TRUE(slow.read_answer().starts_with("HTTP/1.1 408"));
}

TEST_F(HttpServerTest, IdleConnectionsAreClosedInTheEnd) {
    serve({.limits = {.idle = milliseconds(30)}});
    LoopbackClient silent = connect();
    LoopbackClient used = connect();
    EXPECT_TRUE(used.ask(get("/a")).starts_with("HTTP/1.1 200"));
    EXPECT_TRUE(silent.is_closed());
    EXPECT_TRUE(used.is_closed());
}

TEST_F(HttpServerTest, WhenItIsFullTheLongestIdleGoes) {
    serve({.limits = {.connections_max = 2}});
    LoopbackClient first = connect();
    EXPECT_TRUE(first.ask(get("/a")).starts_with("HTTP/1.1 200"));
    LoopbackClient second = connect();
    EXPECT_TRUE(second.ask(get("/a")).starts_with("HTTP/1.1 200"));
    LoopbackClient third = connect();
    EXPECT_TRUE(third.ask(get("/a")).starts_with("HTTP/1.1 200"));
    EXPECT_TRUE(first.is_closed());
    EXPECT_TRUE(second.ask(get("/a")).starts_with("HTTP/1.1 200"));
}

/// A process of its own that holds connections: one process may not open enough files for both
/// ends. Tells with a byte that it has (or has not) all of them, and ends when it gets one.
class IdleClients {
  public:
    IdleClients(std::uint16_t port, rlim_t count) {
        EXPECT_EQ(pipe(&ready_[0]), 0);
        EXPECT_EQ(pipe(&done_[0]), 0);
        child_ = fork();
        if (child_ == 0) {
            char byte = connect_all(port, count) ? 1 : 0;
            const bool is_told = write(ready_[1], &byte, 1) == 1 && read(done_[0], &byte, 1) == 1;
            _exit(is_told ? 0 : 1);
        }
    }

    IdleClients(const IdleClients&) = delete;
    IdleClients& operator=(const IdleClients&) = delete;
    IdleClients(IdleClients&&) = delete;
    IdleClients& operator=(IdleClients&&) = delete;

    ~IdleClients() {
        const char byte = 0;
        EXPECT_EQ(write(done_[1], &byte, 1), 1);
        int status = 0;
        EXPECT_EQ(waitpid(child_, &status, 0), child_);
        EXPECT_EQ(status, 0);
        for (const int fd : {ready_[0], ready_[1], done_[0], done_[1]}) {
            close(fd);
        }
    }

    [[nodiscard]] bool have_connected() const {
        char byte = 0;
        return read(ready_[0], &byte, 1) == 1 && byte == 1;
    }

  private:
    static bool connect_all(std::uint16_t port, rlim_t count) {
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        for (rlim_t i = 0; i < count; ++i) {
            const int fd = socket(AF_INET, SOCK_STREAM, 0);
            if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
                return false;
            }
        }
        return true;
    }

    int ready_[2] = {};
    int done_[2] = {};
    pid_t child_ = -1;
};

TEST_F(HttpServerTest, TenThousandIdleConnectionsDisturbNobody) {
    constexpr rlim_t kConnections = 10'000;
    rlimit limit = {};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < kConnections + 200) {
        GTEST_SKIP() << "this machine lets a process open " << limit.rlim_max << " files only";
    }
    limit.rlim_cur = limit.rlim_max;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    server.emplace(service, HttpServerOptions{});
    const auto bound = server->listen_tcp("127.0.0.1", 0);
    ASSERT_TRUE(bound.has_value());
    const IdleClients clients(*bound, kConnections);  // Before there are threads: it forks.
    server->start();
    ASSERT_TRUE(clients.have_connected());
    LoopbackClient client = LoopbackClient::tcp(*bound);
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(client.ask(get("/a")).starts_with("HTTP/1.1 200"));
    }
    // Connections are taken in the order in which they came, so by now all of them were.
    EXPECT_EQ(server->counters().connections.load(), kConnections + 1);
}

TEST_F(HttpServerTest, WhenAllAreBusyTheNewOneIsTurnedAway) {
    serve({.limits = {.connections_max = 1}});
    LoopbackClient busy = connect();
    ASSERT_TRUE(busy.send(get("/wait")));
    const Responder responder = service.waiting.get_future().get();
    LoopbackClient late = connect();
    EXPECT_TRUE(late.read_answer().starts_with("HTTP/1.1 503"));
    responder.send({.body = "at last"});
    EXPECT_TRUE(busy.read_answer().ends_with("at last"));
}

TEST_F(HttpServerTest, BodiesHaveABudgetTogether) {
    serve({.limits = {.body_bytes_max = 1000}});
    LoopbackClient first = connect();
    ASSERT_TRUE(first.send(
        "POST /a HTTP/1.1\r\n" + host + "Content-Length: 900\r\nExpect: 100-continue\r\n\r\n"));
    EXPECT_TRUE(first.read_to("\r\n\r\n").starts_with("HTTP/1.1 100"));
    LoopbackClient second = connect();
    const std::string refused = second.ask(post("/b", std::string(200, 'x')));
    EXPECT_TRUE(refused.starts_with("HTTP/1.1 429")) << refused;
    for (const char* header :
         {"\r\nRateLimit-Policy: \"bodies\";q=1000;qu=\"content-bytes\"\r\n",
          "\r\nRateLimit: \"bodies\";r=0\r\n", "\r\nRetry-After: 1\r\n"}) {
        EXPECT_NE(refused.find(header), std::string::npos) << refused;
    }
    EXPECT_TRUE(first.ask(std::string(900, 'x')).starts_with("HTTP/1.1 200"));
    LoopbackClient third = connect();
    EXPECT_TRUE(third.ask(post("/b", std::string(200, 'x'))).starts_with("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, StreamsSendWhatTheyAreGivenAndBeatInBetween) {
    serve({.limits = {.heartbeat = milliseconds(30)}});
    LoopbackClient client = connect();
    ASSERT_TRUE(client.send(get("/stream")));
    const auto stream = service.stream.get_future().get();
    const std::string head = client.read_to("\r\n\r\n");
    EXPECT_TRUE(has(head, "Content-Type: text/event-stream\r\n")) << head;
    EXPECT_FALSE(has(head, "Content-Length")) << head;
    EXPECT_TRUE(stream->write("id: 1\ndata: a\n\n"));
    EXPECT_EQ(client.read_to("data: a\n\n"), "id: 1\ndata: a\n\n");
    EXPECT_EQ(client.read_to(":\n\n"), ":\n\n");
    EXPECT_TRUE(stream->write("data: b\n\n"));
    stream->finish();
    EXPECT_FALSE(client.read_to("data: b\n\n").empty());
    service.stream_closed.get_future().get();
    EXPECT_FALSE(stream->is_open());
    EXPECT_FALSE(stream->write("late"));
}

TEST_F(HttpServerTest, AStreamNoticesThatItsClientHasGone) {
    serve({});
    std::shared_ptr<EventStream> stream;
    {
        LoopbackClient client = connect();
        ASSERT_TRUE(client.send(get("/stream")));
        stream = service.stream.get_future().get();
        EXPECT_FALSE(client.read_to("\r\n\r\n").empty());
    }
    service.stream_closed.get_future().get();
    EXPECT_FALSE(stream->is_open());
}

TEST_F(HttpServerTest, AClientThatDoesNotReadIsCutOff) {
    serve({});
    LoopbackClient client = connect();
    ASSERT_TRUE(client.send(get("/stream")));
    const auto stream = service.stream.get_future().get();
    const std::string piece(1 << 20, 'x');
    int accepted = 0;
    while (accepted < 100 && stream->write(piece)) {
        ++accepted;
    }
    EXPECT_LT(accepted, 100) << "nothing bounds what waits for a slow client";
    service.stream_closed.get_future().get();
}

TEST_F(HttpServerTest, UnixSocketsSayWhoCalls) {
    char name[] = "/tmp/reeve_http_XXXXXX";
    ASSERT_NE(mkdtemp(&name[0]), nullptr);
    const std::string path = std::string(&name[0]) + "/s";
    server.emplace(service, HttpServerOptions{});
    const auto listening = server->listen_unix(path, 0600);
    ASSERT_TRUE(listening.has_value()) << listening.error().message;
    server->start();
    LoopbackClient client = LoopbackClient::unix(path);
    EXPECT_TRUE(client.ask(get("/a")).ends_with("/a  " + std::to_string(getuid())));

    HttpServer other(service, {});
    const auto second = other.listen_unix(path, 0600);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, ErrorCode::kConflict);

    server->stop(milliseconds(0));
    EXPECT_NE(access(path.c_str(), F_OK), 0) << "the socket file is removed at the end";
    rmdir(&name[0]);
}

TEST_F(HttpServerTest, ListensOnlyWhereItMay) {
    HttpServer here(service, {});
    EXPECT_EQ(here.listen_tcp("0.0.0.0", 0).error().code, ErrorCode::kPolicy);
    EXPECT_EQ(here.listen_tcp("10.0.0.1", 0).error().code, ErrorCode::kPolicy);
    EXPECT_EQ(here.listen_tcp("localhost", 0).error().code, ErrorCode::kInvalid);
    const auto port_here = here.listen_tcp("127.0.0.1", 0);
    ASSERT_TRUE(port_here.has_value());
    HttpServer there(service, {});
    const auto taken = there.listen_tcp("127.0.0.1", *port_here);
    ASSERT_FALSE(taken.has_value());
    EXPECT_EQ(taken.error().code, ErrorCode::kConflict);
}

TEST_F(HttpServerTest, StopWaitsForAnAnswerThatIsDue) {
    serve({});
    LoopbackClient client = connect();
    ASSERT_TRUE(client.send(get("/wait")));
    const Responder responder = service.waiting.get_future().get();
    std::thread answering([&] { responder.send({.body = "in time"}); });
    server->stop(milliseconds(5000));
    answering.join();
    EXPECT_TRUE(client.read_answer().ends_with("in time"));
}

TEST_F(HttpServerTest, AResponderMayOutliveTheServer) {
    serve({});
    LoopbackClient client = connect();
    ASSERT_TRUE(client.send(get("/wait")));
    const Responder responder = service.waiting.get_future().get();
    server->stop(milliseconds(0));
    server.reset();
    responder.send({.body = "too late"});
    EXPECT_TRUE(client.is_closed());
}

}  // namespace
}  // namespace reeve::api
