#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "api/http_server.hpp"
#include "api/mailbox.hpp"
#include "api/request_parser.hpp"
#include "api/stream.hpp"

namespace reeve::api {

class HttpConnection;
using ConnectionList = std::list<std::shared_ptr<HttpConnection>>;

/// What a connection sees of its loop. Valid until the connection is closed.
class ConnectionHost {
  public:
    virtual ~ConnectionHost() = default;
    [[nodiscard]] virtual HttpService& service() = 0;
    [[nodiscard]] virtual const HttpServerOptions& options() const = 0;
    [[nodiscard]] virtual HttpCounters& counters() = 0;
    [[nodiscard]] virtual const std::shared_ptr<Mailbox>& mailbox() const = 0;
    [[nodiscard]] virtual std::span<char> scratch() = 0;  // For one read at a time.
    [[nodiscard]] virtual std::string next_request_id() = 0;
    [[nodiscard]] virtual const std::string& date() = 0;  // As the field of that name has it.

    /// The tick at which `wait` from now is over.
    [[nodiscard]] virtual std::uint64_t deadline_in(std::chrono::milliseconds wait) const = 0;

    /// Takes `bytes` of the loop's budget for bodies. False if there is not so much left.
    [[nodiscard]] virtual bool take_body_bytes(std::uint64_t bytes) = 0;
    virtual void give_back_body_bytes(std::uint64_t bytes) = 0;

    virtual void became_idle(HttpConnection& connection) = 0;
    virtual void became_busy(HttpConnection& connection) = 0;
    virtual void closed(HttpConnection& connection) = 0;
};

/// One client's connection: reads a request, has it answered, writes the answer, and so on. One
/// request at a time; what is pipelined waits in the socket. Owned by its loop, which alone calls
/// it; responders keep what is left of it alive.
class HttpConnection final : public StreamUser,
                             public std::enable_shared_from_this<HttpConnection> {
  public:
    HttpConnection(std::unique_ptr<Stream> stream, Peer peer, ConnectionHost& host);

    void start();
    void on_readable() override;
    void on_writable() override;
    void on_mail(Mail& mail);

    /// Its deadline has come: gives up, or beats the heart of a stream.
    void on_deadline();

    [[nodiscard]] std::uint64_t deadline() const noexcept { return deadline_; }

    /// Answers LIMIT instead of whatever the client may want, and ends.
    void turn_away();

    /// The server stops: ends now, unless an answer is still due; then after it.
    void wind_up();
    void close();

    /// Where the loop keeps it. Only the loop uses this.
    ConnectionList::iterator place = {};
    bool is_idle_listed = false;

  private:
    enum class Phase : std::uint8_t {
        kIdle,  // Between requests.
        kHead,  // Some of a head was read.
        kBody,
        kHandling,  // The service has it.
        kWriting,
        kStreaming,
        kLingering,  // All is said; the client is still sending.
        kClosed,
    };

    [[nodiscard]] bool is_reading() const noexcept {
        return phase_ == Phase::kIdle || phase_ == Phase::kHead || phase_ == Phase::kBody;
    }

    void read_on();
    [[nodiscard]] std::size_t consume(std::string_view input);
    void take_in(std::string_view fresh);
    void read_ahead(const IoResult& read, std::string_view fresh);
    void watch_for(std::shared_ptr<AnswerWatch> watch);
    void give_up_answer();
    void begin_request();
    void on_head();
    void on_complete();
    void refuse_and_close(ErrorCode code, std::string message);

    void answer(HttpResponse response);
    void open_stream(OpenStreamMail& mail);
    enum class BodyEnds : std::uint8_t { kAtLength, kAtClose };
    void write_head(const HttpResponse& response, BodyEnds ends);
    void flush();
    void after_write();
    void count(const HttpResponse& response);
    [[nodiscard]] std::string_view path() const;

    std::unique_ptr<Stream> stream_;
    ConnectionHost* host_;  // Not to be used once closed.
    std::unique_ptr<RequestParser> parser_;
    HttpRequest request_;
    std::string pending_;  // Read, and not yet parsed.
    std::string out_;
    std::size_t sent_ = 0;  // Of out_.
    std::shared_ptr<EventChannel> channel_;
    StreamCallbacks callbacks_;
    std::shared_ptr<AnswerWatch> watch_;  // Of the request that is handled. May be null.
    std::uint64_t deadline_ = 0;          // In ticks; 0 is none.
    std::uint64_t body_bytes_ = 0;
    Phase phase_ = Phase::kIdle;
    bool is_consuming_ = false;
    bool is_read_pending_ = false;
    bool is_write_pending_ = false;
    bool closes_ = false;
    bool lingers_ = false;
    bool is_winding_up_ = false;  // The server stops.
    bool is_finishing_ = false;   // A stream that ends once it is sent.
};

}  // namespace reeve::api
